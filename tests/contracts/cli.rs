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
    for command in ["check", "run", "tail", "reset", "inspect"] {
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

#[test]
fn completions_of_every_shell_name_every_command() {
    for shell in ["bash", "elvish", "fish", "powershell", "zsh"] {
        let output = hotprefix(&["completions", shell]).output().unwrap();
        assert_eq!(output.status.code(), Some(0), "{shell}");
        for command in ["run", "demo", "replay", "completions", "man"] {
            assert!(stdout(&output).contains(command), "{shell}: {command}");
        }
    }
}

/// What bash makes of a word that is begun.
#[test]
fn bash_completes_a_command_and_its_options() {
    let script = hotprefix(&["completions", "bash"]).output().unwrap();
    let complete = |words: &str, at: usize| {
        let bash = format!(
            "{}\nCOMP_WORDS=({words}); COMP_CWORD={at}; _hotprefix hotprefix \"${{COMP_WORDS[{at}]}}\" \"${{COMP_WORDS[{at}-1]}}\"; echo \"${{COMPREPLY[@]}}\"",
            stdout(&script)
        );
        let output = Command::new("bash").args(["-c", &bash]).output().unwrap();
        assert!(output.status.success(), "{}", stderr(&output));
        stdout(&output).trim_end().to_owned()
    };
    assert_eq!(complete("hotprefix rep", 1), "replay");
    assert_eq!(complete("hotprefix run --st", 2), "--stage");
    assert_eq!(complete("hotprefix run --stage de", 3), "detect");
}

#[test]
fn man_writes_a_page_for_each_command() {
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("man1");
    let output = hotprefix(&["man", "--out", out.to_str().unwrap()])
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let mut pages: Vec<_> = fs::read_dir(&out)
        .unwrap()
        .map(|page| page.unwrap().file_name().into_string().unwrap())
        .collect();
    pages.sort_unstable();
    assert!(pages.contains(&"hotprefix.1".to_owned()), "{pages:?}");
    let help = hotprefix(&["--help"]).output().unwrap();
    let commands = stdout(&help).split("Commands:\n").nth(1).unwrap();
    let commands: Vec<_> = commands
        .lines()
        .map_while(|line| line.strip_prefix("  ")?.split_whitespace().next())
        .filter(|name| *name != "help")
        .collect();
    assert!(commands.len() > 8, "{commands:?}");
    assert_eq!(pages.len(), commands.len() + 1, "{pages:?}");
    for command in commands {
        let page = fs::read_to_string(out.join(format!("hotprefix-{command}.1"))).unwrap();
        // A hyphen is escaped in a man page.
        let usage = format!("hotprefix {command}");
        assert!(page.replace("\\-", "-").contains(&usage), "{command}");
    }
    let root = fs::read_to_string(out.join("hotprefix.1")).unwrap();
    let printed = hotprefix(&["man"]).output().unwrap();
    assert_eq!(stdout(&printed), root);
}

#[test]
fn man_says_where_it_cannot_write() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let inside = file.path().join("man1");
    let output = hotprefix(&["man", "--out", inside.to_str().unwrap()])
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).contains(inside.to_str().unwrap()));
}
