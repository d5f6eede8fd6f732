//! Wall clocks that can be moved: libfaketime in front of an instance, told by a file.
//!
//! The monotonic clock stays as it is, as it does when an operator or NTP sets a machine's clock.

use std::fs;
use std::path::{Path, PathBuf};

use crate::schedule::SLOTS;
use crate::support::tools::target_dir;

/// Where `tests/faults/run.sh` puts the library.
const LIBRARY: &str = "tools/libfaketime-0.9.10/libfaketimeMT.so.1";

/// Clocks of the instances of one application.
pub(crate) struct Clocks {
    library: Option<PathBuf>,
    dir: PathBuf,
}

impl Clocks {
    /// Their files are in `dir`. Without the library clocks stand still.
    pub(crate) fn new(dir: &Path) -> Self {
        let library = target_dir().join(LIBRARY);
        let clocks = Self {
            library: library.is_file().then_some(library),
            dir: dir.to_owned(),
        };
        for slot in 0..SLOTS {
            // Without the library nobody looks.
            let _ = clocks.set(slot, 0);
        }
        clocks
    }

    /// Puts the clock of the instance in `slot` ahead of the machine's by this many seconds. The error says why not.
    pub(crate) fn set(&self, slot: usize, by: i64) -> Result<(), String> {
        if self.library.is_none() {
            return Err(format!(
                "no target/{LIBRARY}: tests/faults/run.sh fetches it"
            ));
        }
        let (file, draft) = (self.file(slot), self.dir.join("clock.new"));
        // Whole at once: it is read at any time.
        fs::write(&draft, format!("{by:+}\n"))
            .and_then(|()| fs::rename(&draft, &file))
            .map_err(|e| e.to_string())
    }

    /// The environment of the instance in `slot`.
    pub(crate) fn env(&self, slot: usize) -> Vec<(String, String)> {
        let Some(library) = &self.library else {
            return Vec::new();
        };
        let text = |path: &Path| {
            path.to_str()
                .expect("the target folder's path is UTF-8")
                .to_owned()
        };
        let variables = [
            ("LD_PRELOAD", text(library)),
            ("FAKETIME_TIMESTAMP_FILE", text(&self.file(slot))),
            ("FAKETIME_DONT_FAKE_MONOTONIC", "1".to_owned()),
            // Looked at every second.
            ("FAKETIME_CACHE_DURATION", "1".to_owned()),
        ];
        variables
            .map(|(name, value)| (name.to_owned(), value))
            .to_vec()
    }

    fn file(&self, slot: usize) -> PathBuf {
        self.dir.join(format!("clock-{slot}"))
    }
}
