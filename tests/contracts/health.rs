//! `hotprefix health` against a process that really runs.

use std::fs;
use std::io::Write as _;
use std::net::{Ipv4Addr, TcpListener};
use std::process::{Child, Command, Output, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use hotprefix::demo;

/// Killed when it is dropped.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn hotprefix(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_hotprefix"));
    command.args(args).env_clear().stdin(Stdio::null());
    command
}

fn health(config: &str, more: &[&str]) -> Output {
    let args = [&["health", "--config", config], more].concat();
    hotprefix(&args).output().unwrap()
}

fn stderr(output: &Output) -> &str {
    std::str::from_utf8(&output.stderr).unwrap()
}

fn free_port() -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    listener.local_addr().unwrap().port()
}

#[test]
fn health_is_alive_but_not_ready_without_a_broker_and_neither_after_the_end() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("hotprefix.yaml");
    let port = free_port();
    let text = demo::configuration("127.0.0.1:1");
    let text = text.replace("127.0.0.1:0", &format!("0.0.0.0:{port}"));
    fs::write(&path, text).unwrap();
    let config = path.to_str().unwrap();

    let mut service = hotprefix(&["run", "--config", config])
        .env("POD_NAME", "health")
        .stderr(Stdio::null())
        .spawn()
        .map(Running)
        .unwrap();
    let deadline = Instant::now() + Duration::from_secs(30);
    let alive = loop {
        let alive = health(config, &["--live"]);
        if alive.status.success() {
            break alive;
        }
        assert!(Instant::now() < deadline, "{}", stderr(&alive));
        assert!(service.0.try_wait().unwrap().is_none(), "run has ended");
    };
    assert_eq!(alive.stdout, b"ok\n");
    let ready = health(config, &[]);
    assert_eq!(ready.status.code(), Some(1));
    assert!(ready.stdout.is_empty());
    let expected = format!("hotprefix: http://127.0.0.1:{port}/readyz: not ready: ");
    assert!(stderr(&ready).starts_with(&expected), "{}", stderr(&ready));
    let address = format!("localhost:{port}");
    let by_name = hotprefix(&["health", "--live", "--address", &address]).output();
    assert_eq!(by_name.unwrap().status.code(), Some(0));

    drop(service);
    let gone = health(config, &["--live"]);
    assert_eq!(gone.status.code(), Some(1));
    assert!(stderr(&gone).contains("refused"), "{}", stderr(&gone));
}

#[test]
fn health_that_cannot_be_asked_for_exits_with_1_and_says_why() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("hotprefix.yaml");
    fs::write(&path, demo::configuration("127.0.0.1:1")).unwrap();
    let config = path.to_str().unwrap();
    for (set, why) in [
        ("http.listen=127.0.0.1:0", "http.listen is any free port"),
        ("http.listen=off", "http.listen is off"),
        ("http.listen=nowhere", "http.listen"),
    ] {
        let output = health(config, &["--set", set]);
        assert_eq!(output.status.code(), Some(1), "{set}");
        assert!(stderr(&output).contains(why), "{}", stderr(&output));
    }
    let output = health("no/such/file.yaml", &[]);
    assert_eq!(output.status.code(), Some(1));
    assert!(
        stderr(&output).contains("no/such/file.yaml"),
        "{}",
        stderr(&output)
    );
}

#[test]
fn who_counts_nothing_needs_no_rule() {
    for command in [&["health"][..], &["tail"], &["reset", "--yes"]] {
        let set = ["--set", "kafka.bootstrap.servers=127.0.0.1:1"];
        let output = hotprefix(&[command, &set].concat()).output().unwrap();
        assert_eq!(output.status.code(), Some(1), "{command:?}");
        assert!(!stderr(&output).contains("rules"), "{}", stderr(&output));
    }
}

#[test]
fn peer_that_answers_byte_by_byte_does_not_hold_it() {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let peer = thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        // Until nobody reads any more; far longer than the second that is asked for.
        (0..300).any(|_| {
            thread::park_timeout(Duration::from_millis(100));
            stream.write_all(b"x").is_err()
        })
    });
    let asked = ["health", "--timeout", "1", "--address", &address];
    let output = hotprefix(&asked).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(
        stderr(&output).contains("no answer within 1 s"),
        "{}",
        stderr(&output)
    );
    assert!(peer.join().unwrap(), "it was read to its end");
}
