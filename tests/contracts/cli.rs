//! The command as a user meets it: exit codes, what goes to stdout and what to stderr.

use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use hotprefix::alert::Alert;
use hotprefix::demo::{self, Scenario};
use hotprefix::time::Timestamp;
use prost::Message as _;

fn hotprefix(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_hotprefix"));
    command.args(args).env_clear().stdin(Stdio::null());
    command
}

fn stdout(output: &Output) -> &str {
    std::str::from_utf8(&output.stdout).unwrap()
}

fn stderr(output: &Output) -> &str {
    std::str::from_utf8(&output.stderr).unwrap()
}

/// A folder with a configuration in it, and the configuration's path.
fn configured() -> (tempfile::TempDir, String) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("hotprefix.yaml");
    fs::write(&path, demo::configuration("127.0.0.1:1")).unwrap();
    let path = path.to_str().unwrap().to_owned();
    (dir, path)
}

#[test]
fn committed_schemas_are_what_the_command_prints() {
    for (name, file) in [
        ("alert", "alert.v1.schema.json"),
        ("window", "window.v1.schema.json"),
        ("config", "config.v1.schema.json"),
    ] {
        let output = hotprefix(&["schema", name]).output().unwrap();
        let path = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("schemas")
            .join(file);
        assert_eq!(output.status.code(), Some(0));
        assert_eq!(stdout(&output), fs::read_to_string(path).unwrap(), "{file}");
    }
}

#[test]
fn a_command_line_that_is_not_valid_exits_with_2() {
    for args in [&["frobnicate"][..], &["demo", "--rate", "1"], &[]] {
        let output = hotprefix(args).output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{args:?}");
        assert!(stdout(&output).is_empty(), "{args:?}");
    }
}

#[test]
fn a_configuration_that_is_not_valid_exits_with_2_and_names_the_key() {
    let (_dir, path) = configured();
    for command in ["check", "run", "tail", "reset"] {
        let args = [command, "-c", &path, "--set", "flush_interval=1h"];
        let output = hotprefix(&args).output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{command}");
        assert!(stderr(&output).contains("flush_interval"), "{command}");
        assert!(stdout(&output).is_empty(), "{command}");
    }
}

#[test]
fn check_prints_a_configuration_that_means_the_same() {
    let (dir, path) = configured();
    let output = hotprefix(&["check", "-c", &path]).output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let again = dir.path().join("effective.yaml");
    fs::write(&again, &output.stdout).unwrap();
    let again = again.to_str().unwrap();
    let second = hotprefix(&["check", "--config", again]).output().unwrap();
    assert_eq!(stdout(&second), stdout(&output));
    let quiet = hotprefix(&["check", "-c", &path, "--quiet"])
        .output()
        .unwrap();
    assert!(quiet.status.success() && stdout(&quiet).is_empty());
}

#[test]
fn reset_without_yes_names_what_it_would_delete_and_does_not() {
    let (_dir, path) = configured();
    let output = hotprefix(&["reset", "-c", &path]).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    for what in ["-count", "-detect", "-partials", "-state"] {
        let line = format!("{}{what}\n", demo::APPLICATION);
        assert!(stdout(&output).contains(&line), "{}", stdout(&output));
    }
}

/// Thirty seconds of the demo, as a stream of messages behind their lengths.
fn flows() -> Vec<u8> {
    let scenario = Scenario::new(1, 200, Timestamp::from_millis(1_800_000_000_000));
    let flows = (0..30).flat_map(|second| scenario.flows(second));
    flows
        .flat_map(|f| f.encode_length_delimited_to_vec())
        .collect()
}

fn alerts(output: &Output) -> Vec<Alert> {
    assert_eq!(output.status.code(), Some(0), "{}", stderr(output));
    let lines = stdout(output).lines();
    lines
        .map(|l| Alert::from_json(l.as_bytes()).unwrap())
        .collect()
}

#[test]
fn replay_of_a_file_and_of_stdin_are_the_same_alerts() {
    let (dir, path) = configured();
    let file = dir.path().join("flows.pb");
    fs::write(&file, flows()).unwrap();
    let from_file = hotprefix(&["replay", "-c", &path, file.to_str().unwrap()])
        .output()
        .unwrap();
    let from_file = alerts(&from_file);
    let mut found: Vec<_> = from_file.iter().map(|a| a.prefix.as_str()).collect();
    found.sort_unstable();
    found.dedup();
    assert_eq!(found, ["198.18.200.7/32", "198.18.64.0/22"]);

    let mut replay = hotprefix(&["replay", "-c", &path, "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = replay.stdin.take().unwrap();
    let writer = std::thread::spawn(move || stdin.write_all(&flows()).unwrap());
    let from_stdin = replay.wait_with_output().unwrap();
    writer.join().unwrap();
    assert_eq!(alerts(&from_stdin), from_file);
}

#[test]
fn replay_of_a_cut_file_shows_what_is_whole_and_exits_with_1() {
    let (dir, path) = configured();
    let file = dir.path().join("flows.pb");
    let flows = flows();
    fs::write(&file, &flows[..flows.len() - 1]).unwrap();
    let output = hotprefix(&["replay", "-c", &path, file.to_str().unwrap()])
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(stdout(&output).lines().count() > 0);
    let last = stderr(&output).lines().last().unwrap().to_owned();
    assert!(last.contains("flows.pb: ends inside the record"), "{last}");
}
