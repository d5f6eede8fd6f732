//! `hotprefix demo` finds its own attacks, exactly, and ends by itself.

use std::collections::BTreeSet;
use std::process::{Command, Stdio};

use hotprefix::alert::Alert;
use hotprefix::demo::Scenario;

/// The second attack is reported 20 s after the start at the latest; the rest is for a slow machine.
const SECONDS: &str = "30";

#[test]
fn demo_prints_exactly_both_attacks_each_window_once_and_exits_with_0() {
    let output = Command::new(env!("CARGO_BIN_EXE_hotprefix"))
        .args(["demo", "--seconds", SECONDS, "--rate", "1000", "--json"])
        .env_clear()
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let log = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{log}");
    assert!(log.starts_with("broker         127.0.0.1:"), "{log}");

    let lines = output
        .stdout
        .split(|b| *b == b'\n')
        .filter(|l| !l.is_empty());
    let alerts: Vec<_> = lines.map(|l| Alert::from_json(l).unwrap()).collect();
    let found: BTreeSet<_> = alerts.iter().map(|a| a.prefix.clone()).collect();
    let attacks = Scenario::attacks();
    let expected = attacks.iter().map(|a| a.prefix.to_string()).collect();
    assert_eq!(found, expected, "{log}");

    let windows: BTreeSet<_> = alerts
        .iter()
        .map(|a| (&a.prefix, &a.window.start))
        .collect();
    assert_eq!(windows.len(), alerts.len(), "a window's alert came twice");
    for alert in &alerts {
        assert!(alert.r#final && !alert.completeness.partial, "{alert:?}");
        assert_eq!(alert.completeness.partitions_expected, 4);
    }
}
