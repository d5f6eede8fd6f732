//! The HTTP endpoints of the real binary, against somebody who means harm.

use std::fs;
use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use crate::support::app::{App, Instance};
use crate::support::kafka_client::Topic;
use crate::support::kafka_secure::Secure;
use crate::support::rules::rules;
use crate::support::wait;

const PATIENCE: Duration = Duration::from_secs(30);
/// A probe gives up after this.
const PROBE: Duration = Duration::from_secs(2);
const PATHS: [&str; 3] = ["/livez", "/readyz", "/metrics"];

/// An instance that answers.
fn instance(name: &str) -> Instance {
    let secure = Secure::shared();
    Topic::new(name, 1).create(&secure.cluster);
    let mut instance = App::new(&secure.cluster, name, name, &rules()).start(0);
    instance.ready();
    instance
}

fn connect(to: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect_timeout(&to, PATIENCE).expect("it listens");
    stream
        .set_read_timeout(Some(PATIENCE))
        .expect("a time-out can be set");
    stream
}

/// What is answered until the connection ends; a reset is an end.
fn rest(stream: &mut TcpStream) -> String {
    let mut answer = Vec::new();
    match stream.read_to_end(&mut answer) {
        Ok(_) => {}
        Err(error) if error.kind() == ErrorKind::ConnectionReset => {}
        Err(error) => panic!("the connection does not end: {error}"),
    }
    String::from_utf8_lossy(&answer).into_owned()
}

fn ask(to: SocketAddr, head: &str) -> String {
    let mut stream = connect(to);
    // It may have answered and closed before all was sent.
    let _ = stream.write_all(head.as_bytes());
    rest(&mut stream)
}

fn status(answer: &str) -> &str {
    answer.split(' ').nth(1).unwrap_or("none")
}

#[test]
fn nothing_but_get_and_head_is_answered() {
    let instance = instance("http-methods");
    for path in PATHS {
        let method = |method: &str| {
            let head = format!("{method} {path} HTTP/1.1\r\nhost: x\r\ncontent-length: 0\r\n\r\n");
            ask(instance.listen, &head)
        };
        for refused in ["POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "BREW"] {
            let answer = method(refused);
            assert_eq!(status(&answer), "405", "{refused} {path}: {answer}");
        }
        assert_eq!(status(&method("GET")), "200");
        let head = method("HEAD");
        assert_eq!(status(&head), "200");
        let body = head.split_once("\r\n\r\n").map(|(_, body)| body);
        assert_eq!(body, Some(""), "HEAD has no body");
    }
    for path in ["/", "/admin", "/metrics/", "/../etc/passwd"] {
        let answer = ask(
            instance.listen,
            &format!("GET {path} HTTP/1.1\r\nhost: x\r\n\r\n"),
        );
        assert_eq!(status(&answer), "404", "{path}: {answer}");
    }
    instance.end();
}

#[test]
fn a_head_that_trickles_in_is_cut_off() {
    let instance = instance("http-trickle");
    let mut stream = connect(instance.listen);
    let begun = Instant::now();
    let every = Duration::from_millis(100);
    stream
        .write_all(b"GET /livez HTTP/1.1\r\nhost: ")
        .expect("the head begins");
    stream
        .set_nonblocking(true)
        .expect("a socket may not block");
    wait::until("the connection is closed", PATIENCE, every, || {
        let mut byte = [0];
        match stream.read(&mut byte) {
            Ok(0) => Some(()),
            Ok(_) => None,
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                // Each byte is news; the head as a whole is late all the same.
                let _ = stream.write(b"x");
                None
            }
            Err(_) => Some(()),
        }
    });
    println!("cut off after {:?}", begun.elapsed());
    instance.end();
}

#[test]
fn a_reader_who_takes_nothing_is_cut_off() {
    let instance = instance("http-stalled");
    let mut stream = connect(instance.listen);
    stream
        .write_all(b"GET /metrics HTTP/1.1\r\nhost: x\r\n\r\n")
        .expect("the request is taken");
    // The answer fits into the buffers of the two sockets, so that the connection may end at once: that it ends while
    // nobody has read anything is what is asked for.
    let every = Duration::from_millis(100);
    wait::until("the server forgets the connection", PATIENCE, every, || {
        (established(&instance) == 0).then_some(())
    });
    instance.end();
}

#[test]
fn oversized_requests_are_refused() {
    let instance = instance("http-oversized");
    let long = "x".repeat(100_000);
    let header = format!("GET /livez HTTP/1.1\r\nhost: x\r\nx: {long}\r\n\r\n");
    let answer = ask(instance.listen, &header);
    assert!(["431", "none"].contains(&status(&answer)), "{answer}");
    let many: Vec<_> = (0..5_000).map(|n| format!("x{n}: y\r\n")).collect();
    let many = many.concat();
    let headers = format!("GET /livez HTTP/1.1\r\nhost: x\r\n{many}\r\n");
    let answer = ask(instance.listen, &headers);
    assert!(["431", "none"].contains(&status(&answer)), "{answer}");
    let path = format!("GET /{long} HTTP/1.1\r\nhost: x\r\n\r\n");
    let answer = ask(instance.listen, &path);
    assert!(
        ["414", "431", "none"].contains(&status(&answer)),
        "{answer}"
    );

    // A body is not waited for, whatever its length is said to be.
    let begun = Instant::now();
    let head = "POST /livez HTTP/1.1\r\nhost: x\r\ncontent-length: 99999999999\r\n\r\n";
    let mut stream = connect(instance.listen);
    stream.write_all(head.as_bytes()).expect("it is taken");
    let _ = stream.shutdown(Shutdown::Write);
    let answer = rest(&mut stream);
    assert_eq!(status(&answer), "405", "{answer}");
    assert!(begun.elapsed() < PROBE, "{:?}", begun.elapsed());
    assert_eq!(instance.get("/livez"), Some((200, "ok\n".to_owned())));
    instance.end();
}

#[test]
fn many_idle_connections_keep_no_probe_out_and_are_bounded() {
    let instance = instance("http-idle");
    let mut idle = Vec::new();
    for round in 0..5 {
        // As many as this process may have; the server keeps fewer.
        idle.extend((0..150).map(|_| connect(instance.listen)));
        for path in PATHS {
            let begun = Instant::now();
            let status = instance.get(path).map(|(status, _)| status);
            assert_eq!(status, Some(200), "{path} in round {round}");
            assert!(begun.elapsed() < PROBE, "{path}: {:?}", begun.elapsed());
        }
    }
    // One that was ended is closed a moment later.
    let every = Duration::from_millis(20);
    wait::until("at most 64 connections are open", PROBE, every, || {
        (established(&instance) <= 64).then_some(())
    });
    drop(idle);
    instance.end();
}

/// The connections that the process has on the port that it listens on.
fn established(instance: &Instance) -> usize {
    let port = format!(":{:04X}", instance.listen.port());
    let sockets: Vec<_> = fs::read_dir(format!("/proc/{}/fd", instance.process.id()))
        .expect("a running process has file descriptors")
        .filter_map(|entry| fs::read_link(entry.ok()?.path()).ok())
        .filter_map(|link| {
            let link = link.to_str()?.to_owned();
            Some(link.strip_prefix("socket:[")?.strip_suffix(']')?.to_owned())
        })
        .collect();
    let table = fs::read_to_string("/proc/net/tcp").expect("the system lists its connections");
    let ours = |line: &&str| {
        let words: Vec<_> = line.split_whitespace().collect();
        // Local address, state (0A listens) and inode.
        words.len() > 9
            && words[1].ends_with(&port)
            && words[3] != "0A"
            && sockets.iter().any(|inode| inode == words[9])
    };
    table.lines().filter(ours).count()
}
