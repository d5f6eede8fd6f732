//! Dependencies point one way, and the pure modules know no broker, runtime, clock, environment, file or
//! log: they can be tested and replayed with values alone.

use std::fs;
use std::path::{Path, PathBuf};

/// Each pure module, with the pure modules that it may use. Whoever adds an arrow here argues for it.
const PURE: &[(&str, &[&str])] = &[
    ("net", &[]),
    ("time", &[]),
    ("units", &[]),
    ("flow", &[]),
    ("window", &[]),
    ("rule", &["flow", "window"]),
    ("partial", &["rule", "window"]),
    ("count", &["flow", "rule", "window", "partial"]),
    ("alert", &["rule"]),
    ("detect", &["rule", "window", "partial", "alert"]),
    ("inspect", &["alert", "flow"]),
];

/// Where input and output are, with all that each may use.
const SHELL: &[(&str, &[&str])] = &[
    ("telemetry", &["config", "count", "partial"]),
    ("kafka", &["config", "partial", "telemetry"]),
    (
        "stage",
        &[
            "alert",
            "config",
            "count",
            "detect",
            "flow",
            "kafka",
            "partial",
            "rule",
            "telemetry",
        ],
    ),
];

/// Vocabulary that every module may use.
const VOCABULARY: &[&str] = &["net", "time", "units", "proto"];

/// What does input or output, or differs between two runs.
const IMPURE: &[&str] = &[
    "rdkafka",
    "tokio",
    "axum",
    "tracing",
    "opentelemetry",
    "SystemTime",
    "Instant",
    "Timestamp::now",
    "std::env",
    "std::fs",
    "std::io",
    "std::thread",
    "std::process",
    "println",
    "eprintln",
];

#[test]
fn modules_use_only_what_is_below_them() {
    let mut complaints = Vec::new();
    for (module, allowed) in PURE.iter().chain(SHELL) {
        for (file, text) in sources(module) {
            for used in used_modules(&text) {
                let known =
                    allowed.contains(&used) || VOCABULARY.contains(&used) || used == *module;
                if !known {
                    complaints.push(format!("{} uses crate::{used}", file.display()));
                }
            }
        }
    }
    assert!(complaints.is_empty(), "{}", complaints.join("\n"));
}

#[test]
fn pure_modules_do_no_input_or_output_and_read_no_clock() {
    let mut complaints = Vec::new();
    for (module, _) in PURE {
        for (file, text) in sources(module) {
            let found = IMPURE.iter().filter(|word| has_word(&text, word));
            complaints.extend(found.map(|word| format!("{} has {word}", file.display())));
        }
    }
    assert!(complaints.is_empty(), "{}", complaints.join("\n"));
}

#[test]
fn the_look_sees_what_it_is_for_and_nothing_else() {
    let text = code_of(
        "use crate::kafka::X;\n// tokio\nlet a = b; // SystemTime\n#[cfg(test)]\nmod tests { use std::fs; }",
    );
    assert_eq!(used_modules(&text), ["kafka"]);
    assert!(!IMPURE.iter().any(|word| has_word(&text, word)));
    assert!(has_word(
        "use std::time::{Duration, SystemTime};",
        "SystemTime"
    ));
    assert!(!has_word("pub struct EventInstant {", "Instant"));
    assert_eq!(
        used_modules("crate::{net::Addr}, crate::time::X"),
        ["", "time"]
    );
}

/// The files of a module with their code, tests left out.
fn sources(module: &str) -> Vec<(PathBuf, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    let single = root.join(format!("{module}.rs"));
    if single.exists() {
        files.push(single);
    } else {
        collect(&root.join(module), &mut files);
    }
    assert!(!files.is_empty(), "module {module} has no files");
    files
        .into_iter()
        .map(|file| {
            let text = fs::read_to_string(&file).expect("a source file is text");
            let relative = file
                .strip_prefix(&root)
                .expect("it was found there")
                .to_owned();
            (relative, code_of(&text))
        })
        .collect()
}

fn collect(dir: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(dir).expect("a module is a folder") {
        let path = entry.expect("a folder can be listed").path();
        let name = path
            .file_stem()
            .and_then(|n| n.to_str())
            .unwrap_or_default();
        if name == "tests" {
            continue;
        }
        if path.is_dir() {
            collect(&path, files);
        } else if path.extension().is_some_and(|e| e == "rs") {
            files.push(path);
        }
    }
}

/// Without comments, and without what follows the first test-only module at the end of the file.
fn code_of(text: &str) -> String {
    let code = match text.find("#[cfg(test)]\nmod tests {") {
        Some(tests) => &text[..tests],
        None => text,
    };
    let without_comment = |line: &str| line.split("//").next().unwrap_or_default().to_owned();
    code.lines()
        .map(without_comment)
        .collect::<Vec<_>>()
        .join("\n")
}

/// The names after each `crate::`; an empty one for a group, which would hide what it holds.
fn used_modules(text: &str) -> Vec<&str> {
    let name = |rest: &'_ str| {
        rest.find(|c: char| !c.is_alphanumeric() && c != '_')
            .unwrap_or(rest.len())
    };
    text.match_indices("crate::")
        .map(|(at, found)| &text[at + found.len()..])
        .map(|rest| &rest[..name(rest)])
        .collect()
}

/// Whether `word` is there as a whole identifier or path.
fn has_word(text: &str, word: &str) -> bool {
    let is_part = |c: char| c.is_alphanumeric() || c == '_';
    text.match_indices(word).any(|(at, found)| {
        let before = text[..at].chars().next_back();
        let after = text[at + found.len()..].chars().next();
        !before.is_some_and(is_part) && !after.is_some_and(is_part)
    })
}
