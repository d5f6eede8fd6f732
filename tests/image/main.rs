//! The image, run as `docs/image.md` says that it should be run. Started by `tests/image/run.sh`, which builds it.
//!
//! The configuration, the variables and the collector's command line are those of `deploy/compose.yaml`, with
//! addresses of this machine in them; the flows are those of its exporter.

#[path = "../support/mod.rs"]
mod support;

mod container;

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::Value;

use container::{Container, podman};
use support::app::http_get;
use support::kafka_client::{Incoming, Reader, Topic, ends};
use support::kafka_node::{Cluster, free_port};
use support::outcome::Message;
use support::process::Process;
use support::{tools, wait};

const PATIENCE: Duration = Duration::from_secs(90);
const EVERY: Duration = Duration::from_millis(200);

#[test]
fn image_says_what_it_is_and_whom_it_runs_as() {
    let described = podman(&["image", "inspect", &image()]);
    let described: Value = serde_json::from_str(&described).expect("podman describes in JSON");
    let config = &described[0]["Config"];
    assert_eq!(config["User"], "65532:65532");
    assert_eq!(config["Entrypoint"][0], "/usr/bin/hotprefix");
    assert_eq!(config["Cmd"][0], "run");
    assert_eq!(config["StopSignal"], "SIGTERM");
    let label = |name: &str| &config["Labels"][format!("org.opencontainers.image.{name}")];
    assert_eq!(label("version"), env!("CARGO_PKG_VERSION"));
    assert_eq!(label("licenses"), env!("CARGO_PKG_LICENSE"));
    assert_eq!(label("description"), env!("CARGO_PKG_DESCRIPTION"));
    assert_eq!(label("revision").as_str().map(str::len), Some(40));
    let health = &described[0]["Healthcheck"]["Test"];
    assert_eq!(
        health,
        &serde_json::json!(["CMD", "/usr/bin/hotprefix", "health"])
    );
    let image = image();
    let once = ["run", "--rm", "--no-healthcheck", "--network=none"];
    let version = podman(&[&once[..], &[&image, "--version"]].concat());
    assert_eq!(
        version,
        format!("hotprefix {}\n", env!("CARGO_PKG_VERSION"))
    );
}

#[test]
fn image_holds_one_program_and_nothing_that_its_user_could_write() {
    let root = PathBuf::from(podman(&["image", "mount", &image()]).trim());
    let mut files = Vec::new();
    collect(&root, &mut files);
    let found = |name: &str| {
        let file = files.iter().find(|file| file.ends_with(name));
        file.unwrap_or_else(|| panic!("{name} is not in the image: {files:?}"))
    };
    let certificates = fs::read_to_string(found("etc/ssl/certs/ca-certificates.crt"));
    assert!(certificates.unwrap().contains("BEGIN CERTIFICATE"));
    let users = fs::read_to_string(found("etc/passwd")).unwrap();
    assert_eq!(users, "hotprefix:x:65532:65532::/:/\n");
    found("usr/share/doc/hotprefix/LICENSE-MIT");
    found("var/lib/dpkg/status.d/libc6");
    for file in &files {
        let name = file
            .strip_prefix(&root)
            .expect("it was found there")
            .display();
        let meta = file.metadata().expect("a file can be looked at");
        assert_eq!((meta.uid(), meta.gid()), (0, 0), "owner of /{name}");
        assert_eq!(meta.mode() & 0o6022, 0, "mode of /{name}");
        let is_library = name.to_string().contains(".so");
        let is_program = meta.mode() & 0o111 != 0 && !is_library;
        assert_eq!(
            is_program,
            file.ends_with("usr/bin/hotprefix"),
            "/{name} is a program"
        );
    }
    podman(&["image", "unmount", &image()]);
}

#[test]
fn alerts_come_out_of_a_read_only_container_that_drains_on_sigterm() {
    let cluster = Cluster::shared();
    let compose = compose();
    Topic::new("flows", 4)
        .setting("message.timestamp.type", "LogAppendTime")
        .create(cluster);
    let flows = free_port();
    let _collector = collector(&compose, cluster, flows);
    let mut container = hotprefix(&compose, cluster);

    wait::until("the container is healthy", PATIENCE, EVERY, || {
        container.still_runs();
        container.is_healthy().then_some(())
    });
    assert_eq!(container.status(), "healthy");
    let script = project("deploy/compose/netflow.py");
    let port = flows.to_string();
    let log = tools::scratch("image").join("netflow.log");
    let script = script.to_str().expect("the project's path is UTF-8");
    let exporter = Process::start("python3", [script, "127.0.0.1", &port], &log);

    let mut alerts = Reader::new(cluster, "hotprefix-alerts");
    for (prefix, most) in [
        ("198.51.100.7/32", 400_000_000),
        ("198.51.101.0/24", 800_000_000),
    ] {
        let what = format!("an alert for {prefix}");
        let found = alerts.until(&what, PATIENCE, |all| about(all, prefix).is_some());
        let alert = about(found, prefix).expect("it was there a moment ago");
        let rate = alert.number(&["volume", "bits_per_second"]);
        // A tenth for the quiet traffic and the second that falls on a window's edge.
        assert!(
            rate > 100_000_000 && rate <= most + most / 5,
            "{prefix}: {rate}"
        );
    }
    drop(exporter);
    container.stop();
    let dead: i64 = ends(cluster, "hotprefix-dead-letters", "read_committed")
        .iter()
        .sum();
    assert_eq!(
        dead, 0,
        "what goflow2 makes of the exporter's packets is not understood"
    );
}

fn about(records: &[Incoming], prefix: &str) -> Option<Message> {
    let mut alerts = records.iter().map(Incoming::message);
    alerts.find(|alert| alert.is_final() && alert.body["prefix"] == prefix)
}

/// goflow2 as the compose file starts it, listening for NetFlow on `flows`.
fn collector(compose: &Value, cluster: &Cluster, flows: u16) -> Process {
    let http = format!("127.0.0.1:{}", free_port());
    let command = compose["services"]["goflow2"]["command"]
        .as_array()
        .expect("a list");
    let args: Vec<String> = command
        .iter()
        .map(|arg| arg.as_str().expect("text"))
        .map(|arg| arg.replace("kafka:9092", &cluster.bootstrap()))
        .map(|arg| arg.replace("//:2055", &format!("//127.0.0.1:{flows}")))
        .map(|arg| arg.replace("=:8080", &format!("={http}")))
        .collect();
    let log = tools::scratch("image").join("goflow2.log");
    let goflow2 = variable("HOTPREFIX_TEST_GOFLOW2");
    let process = Process::start(&goflow2, args.iter().map(String::as_str), &log);
    let address = http.parse().expect("it is an address");
    wait::until("goflow2 listens", PATIENCE, EVERY, || {
        http_get(address, "/__health").filter(|(status, _)| *status == 200)
    });
    process
}

/// hotprefix as the compose file starts it. Nobody listens where it is to send traces, which must do no harm.
fn hotprefix(compose: &Value, cluster: &Cluster) -> Container {
    let variables = compose["services"]["hotprefix"]["environment"]
        .as_object()
        .expect("a table");
    let variables = variables.iter().map(|(name, value)| {
        let value = value
            .as_str()
            .expect("text")
            .replace("kafka:9092", &cluster.bootstrap())
            .replace("0.0.0.0:9464", &format!("0.0.0.0:{}", free_port()))
            .replace("collector:4318", &format!("127.0.0.1:{}", free_port()));
        format!("{name}={value}")
    });
    let config = project("deploy/compose/hotprefix.yaml");
    Container::start(&image(), &config, variables)
}

fn compose() -> Value {
    let text = fs::read_to_string(project("deploy/compose.yaml")).expect("it is in the project");
    serde_norway::from_str(&text).expect("it is YAML")
}

/// The files below `dir`; links are not followed.
fn collect(dir: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(dir).expect("a folder can be listed") {
        let entry = entry.expect("a folder can be listed");
        let kind = entry.file_type().expect("an entry has a type");
        if kind.is_dir() {
            collect(&entry.path(), files);
        } else {
            assert!(
                kind.is_file(),
                "{} is no plain file",
                entry.path().display()
            );
            files.push(entry.path());
        }
    }
}

fn project(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

fn image() -> String {
    variable("HOTPREFIX_TEST_IMAGE")
}

fn variable(name: &str) -> String {
    std::env::var(name)
        .unwrap_or_else(|_| panic!("{name} is not set: start this by tests/image/run.sh"))
}
