//! A configuration file in YAML → a configuration or errors, each of which says where it is; a configuration as it is
//! printed is a configuration, and the same one.
#![no_main]

use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use hotprefix_fuzz::config::{self, ConfigErrors, Loaded};
use hotprefix_fuzz::edit_text;

libfuzzer_sys::fuzz_target!(|text: &[u8]| {
    // A file that is named is read, and not all files end.
    let names_files = [&b"/"[..], b"..", b"file"]
        .iter()
        .any(|w| contains(text, w));
    if names_files
        && contains(text, b"file")
        && (contains(text, b"/dev") || contains(text, b"/proc"))
    {
        return;
    }
    match load(text) {
        Err(errors) => {
            for error in errors.iter() {
                assert!(!error.origin.is_empty(), "{error}");
                assert!(!error.problem.is_empty(), "{error}");
                let of_file = error.origin.ends_with(".yaml") || error.origin == "configuration";
                assert!(!error.path.is_empty() || of_file, "{error}");
            }
        }
        Ok(loaded) => {
            let effective = loaded.effective_yaml();
            match load(effective.as_bytes()) {
                Ok(again) => assert_eq!(again.effective_yaml(), effective),
                Err(errors) => panic!("{errors}\n{effective}"),
            }
        }
    }
});

hotprefix_fuzz::mutator!(|input: &mut Vec<u8>, random: &mut _| edit_text::edit(
    input, random, &WORDS
));

fn contains(text: &[u8], word: &[u8]) -> bool {
    text.windows(word.len()).any(|w| w == word)
}

fn load(text: &[u8]) -> Result<Loaded, ConfigErrors> {
    /// In memory, one for each process.
    static FILE: LazyLock<PathBuf> = LazyLock::new(|| {
        let shared = Path::new("/dev/shm");
        let folder = if shared.is_dir() {
            shared.to_owned()
        } else {
            std::env::temp_dir()
        };
        folder.join(format!("hotprefix-fuzz-{}.yaml", std::process::id()))
    });
    std::fs::write(&*FILE, text).expect("the file can be written");
    config::load(std::slice::from_ref(&*FILE), [], [])
}

const WORDS: [&str; 82] = [
    "application_id",
    "instance_id",
    "membership",
    "input",
    "topics",
    "format",
    "start",
    "on_gap",
    "direction_default",
    "observe",
    "exporters",
    "interfaces",
    "time",
    "event_time",
    "max_ahead",
    "max_behind",
    "idle_timeout",
    "max_wait",
    "sampling",
    "mode",
    "default",
    "override",
    "flush_interval",
    "output",
    "kafka",
    "bootstrap.servers",
    "sasl.password",
    "http",
    "listen",
    "telemetry",
    "sets",
    "rule_files",
    "rules",
    "name",
    "filter",
    "key",
    "interval",
    "grace",
    "late",
    "prefix_length",
    "ipv4",
    "ipv6",
    "thresholds",
    "bytes",
    "bits_per_second",
    "scope",
    "overrides",
    "prefix",
    "never",
    "gate",
    "label",
    "escalation",
    "severity",
    "times",
    "labels",
    "max_prefixes",
    ": ",
    "\n  ",
    "\n- ",
    "&a ",
    "*a",
    "<<: ",
    "!!str ",
    "|\n  ",
    "? ",
    "60s",
    "0..32",
    "100MiB",
    "192.0.2.0/24",
    ".nan",
    "0x10",
    "---\n",
    "silences",
    "prefixes",
    "from",
    "until",
    "weekly",
    "days",
    "zone",
    "end",
    "Europe/Berlin",
    "2026-12-05T22:00",
];
