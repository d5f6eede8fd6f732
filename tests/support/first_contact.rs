//! `hotprefix inspect` on a topic, and the service with the configuration that it writes.

use std::fs;
use std::net::SocketAddr;
use std::process::Command;

use super::app::{Instance, binary};
use super::kafka_node::{Cluster, free_port};
use super::process::Process;
use super::tools;

/// What `inspect` says of all that `topic` holds: a configuration of the application `id`.
pub(crate) fn inspect(cluster: &Cluster, topic: &str, id: &str) -> String {
    let brokers = format!("kafka.bootstrap.servers={}", cluster.bootstrap());
    let application = format!("application_id={id}");
    let output = Command::new(binary())
        .args(["inspect", "--topic", topic, "--from-beginning"])
        .args(["--set", &brokers, "--set", &application])
        .env_clear()
        .output()
        .expect("the program starts");
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{topic}: {errors}");
    String::from_utf8(output.stdout).expect("it writes UTF-8")
}

/// Runs the service with a configuration, from the beginning of its topics, until it is ready.
pub(crate) fn run(id: &str, configuration: &str) -> Instance {
    let dir = tools::scratch(id);
    let file = dir.join("hotprefix.yaml");
    fs::write(&file, configuration).expect("a configuration can be written to the scratch folder");
    let file = file.to_str().expect("the target folder's path is UTF-8");
    let listen = SocketAddr::from(([127, 0, 0, 1], free_port()));
    let http = format!("http.listen={listen}");
    let args = [
        "run",
        "-c",
        file,
        "--set",
        "input.start=earliest",
        "--set",
        &http,
    ];
    let mut instance = Instance {
        process: Process::start(binary(), args, &dir.join("run.log")),
        listen,
    };
    instance.ready();
    instance
}
