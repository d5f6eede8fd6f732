//! Named sets, read again on SIGHUP and when their files change.
//!
//! A file counts as changed once two looks in a row found it the same, and other than what was read last: one that is being
//! written is left alone. What cannot be read or is not valid leaves the sets as they were, and says so.

use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use tokio::runtime::Runtime;
use tokio::signal::unix::{SignalKind, signal};
use tokio::time::MissedTickBehavior;

use crate::config::SetFiles;
use crate::stage::{RulesInForce, Status};

/// How often files are looked at.
const LOOK: Duration = Duration::from_secs(2);

/// What tells one content of a file from another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Stamp {
    file: (u64, u64),
    len: u64,
    modified: Option<SystemTime>,
}

/// By file; `None` where it cannot be looked at.
type Stamps = Vec<Option<Stamp>>;

/// Files, as they were looked at.
struct Watch {
    files: Arc<SetFiles>,
    /// When they were read.
    read: Stamps,
    /// At the last look.
    seen: Stamps,
}

impl Watch {
    fn new(files: Arc<SetFiles>) -> Self {
        let now = stamps(&files);
        Self {
            files,
            read: now.clone(),
            seen: now,
        }
    }

    /// Whether they changed, and nobody is at it.
    fn look(&mut self) -> bool {
        let now = stamps(&self.files);
        let is_still = now == self.seen;
        self.seen = now;
        is_still && self.seen != self.read
    }

    /// Reads them, and lets what changed decide.
    fn reload(&mut self, rules: &RulesInForce, status: &Status, why: &str) {
        self.read = stamps(&self.files);
        match self.files.read(&rules.rules()) {
            Ok(renewed) => {
                let changed = rules.replace(renewed, Instant::now());
                status.reloads(|r| r.applied += 1);
                tracing::info!(rules = changed.len(), "{why}: named sets are read again");
                for rule in changed {
                    tracing::info!(name = &*rule.name, fingerprint = %rule.fingerprint(), "rule with other sets");
                }
            }
            Err(errors) => {
                status.reloads(|r| r.refused += 1);
                tracing::error!("{why}: named sets stay as they were: {errors}");
            }
        }
    }
}

fn stamps(files: &SetFiles) -> Stamps {
    use std::os::unix::fs::MetadataExt;
    let stamp = |path| {
        let metadata = std::fs::metadata(path).ok()?;
        Some(Stamp {
            file: (metadata.dev(), metadata.ino()),
            len: metadata.len(),
            modified: metadata.modified().ok(),
        })
    };
    files.paths().into_iter().map(stamp).collect()
}

/// Reloads for as long as `runtime` lives.
pub(super) fn listen(
    runtime: &Runtime,
    files: Option<Arc<SetFiles>>,
    rules: RulesInForce,
    status: Arc<Status>,
) -> io::Result<()> {
    let _inside = runtime.enter();
    let mut hangup = signal(SignalKind::hangup())?;
    runtime.spawn(async move {
        let Some(files) = files else {
            while hangup.recv().await.is_some() {
                tracing::warn!(
                    "SIGHUP: no named set is in a file, so there is nothing to read again"
                );
            }
            return;
        };
        let mut watch = Watch::new(files);
        let mut looks = tokio::time::interval(LOOK);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let is_asked = tokio::select! {
                _ = hangup.recv() => true,
                _ = looks.tick() => false,
            };
            // Reading blocks: a file may be large, or on a network.
            tokio::task::block_in_place(|| {
                if is_asked {
                    watch.reload(&rules, &status, "SIGHUP");
                } else if watch.look() {
                    watch.reload(&rules, &status, "changed file");
                }
            });
        }
    });
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    use crate::config;

    fn watched() -> (tempfile::TempDir, Watch, RulesInForce) {
        let dir = tempfile::tempdir().expect("a temporary folder can be made");
        let text = "sets: {s: {file: s.txt}}\nrules: [{name: a, filter: src_as in sets.s, thresholds: {bytes: 1}}]";
        fs::write(dir.path().join("c.yaml"), text).expect("a file can be written there");
        fs::write(dir.path().join("s.txt"), "1").expect("a file can be written there");
        let loaded = config::load(&[dir.path().join("c.yaml")], [], []);
        let config = loaded.unwrap_or_else(|errors| panic!("{errors}")).config;
        let rules = RulesInForce::new(config.rules);
        (
            dir,
            Watch::new(config.set_files.expect("one is in a file")),
            rules,
        )
    }

    #[test]
    fn a_file_is_read_once_when_it_changed_and_stands_still() {
        let (dir, mut watch, rules) = watched();
        let status = Status::default();
        let file = dir.path().join("s.txt");
        assert!(!watch.look() && !watch.look(), "it is as it was read");
        fs::write(&file, "1\n2").expect("it can be written");
        assert!(!watch.look(), "it may be written to yet");
        fs::write(&file, "1\n2\n3").expect("it can be written");
        assert!(!watch.look(), "it was");
        assert!(watch.look(), "it stands still");
        let before = rules.rules()[0].selection;
        watch.reload(&rules, &status, "test");
        let after = rules.rules()[0].selection;
        assert_ne!(before, after);
        assert!(!watch.look() && !watch.look(), "it is read");

        // One in its place, of the same length.
        fs::write(dir.path().join("new"), "4\n5\n6").expect("it can be written");
        fs::rename(dir.path().join("new"), &file).expect("it can be renamed");
        assert!(!watch.look() && watch.look());
        fs::remove_file(&file).expect("it is there");
        assert!(!watch.look() && watch.look(), "it is gone");
        watch.reload(&rules, &status, "test");
        assert_eq!(rules.rules()[0].selection, after, "nothing changes");
        assert!(!watch.look() && !watch.look(), "that was said");
        let reloads = status.snapshot().reloads;
        assert_eq!((reloads.applied, reloads.refused), (1, 1));
    }
}
