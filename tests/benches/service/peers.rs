//! What hotprefix is compared with: Kafka Streams, which adds up the same flows, and the ancestor in Python.
//!
//! Each takes the first records of a topic, writes a line of JSON to its standard output, and ends:
//! `{"records":N,"selected":M,"seconds":S,"bytes":TOTAL}`, of Python also `prefixes`. The seconds are those from the
//! first record to the last one that is added up, the bytes those of the selected flows as their records have them. With
//! fewer records a peer waits for more. What it needs is fetched at the first use.

use std::path::{Path, PathBuf};
use std::process::Command;

use sha2::{Digest as _, Sha256};

use crate::support::tools;

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/benches/service");
const POM: &str = include_str!("streams/pom.xml");
const SUM: &str = include_str!("streams/Sum.java");
const REQUIREMENTS: &str = include_str!("python/requirements.txt");
const FLOW: &str = include_str!("python/flow.proto");

/// Kafka Streams: bytes, packets and flows per address and minute. The rule is `all` or `ancestor`; the id is that of an
/// application that has not run yet, and its topics begin with it.
pub(crate) fn streams(bootstrap: &str, topic: &str, id: &str, rule: &str, records: u64) -> Command {
    tools::require_jdk();
    let jars = tools::made_once(&named("streams-jars", &[POM]), |jars| {
        tools::fetch_jars(&format!("{FOLDER}/streams/pom.xml"), jars, &[]);
    });
    let jars = format!("{}/*", jars.display());
    let classes = tools::made_once(&named("streams-sum", &[POM, SUM]), |classes| {
        let mut compile = Command::new("javac");
        compile.args(["-Xlint:all", "-Werror", "-cp", &jars, "-d"]);
        compile.arg(classes);
        compile.arg(format!("{FOLDER}/streams/Sum.java"));
        let advice = "`apt-get install openjdk-17-jdk-headless` or `brew install openjdk@17`";
        succeed(compile, "javac", advice);
    });
    let state = tools::scratch(&format!("streams-{id}"));
    let mut command = Command::new("java");
    command
        .args([
            "-Xmx2g",
            "-XX:+UseParallelGC",
            "-Dorg.slf4j.simpleLogger.defaultLogLevel=error",
        ])
        .arg(format!("-Dstate.dir={}", state.display()))
        .arg("-cp")
        .arg(format!("{jars}:{}", classes.display()))
        .arg("Sum")
        .args([bootstrap, topic, id, rule, &records.to_string()]);
    command
}

/// The ancestor: a trie of bits, and at the end of each minute the most specific prefixes over 100 MiB, which go to its
/// standard error. The rule is `all` or `ancestor`; the id is that of a group that has not committed.
pub(crate) fn python(bootstrap: &str, topic: &str, id: &str, rule: &str, records: u64) -> Command {
    let home = tools::made_once(&named("python-peer", &[REQUIREMENTS, FLOW]), |home| {
        let advice = "`apt-get install python3-venv` or `brew install python`";
        let mut create = Command::new("python3");
        create.args(["-m", "venv"]).arg(home);
        succeed(create, "python3", advice);
        let python = |arguments: &[&str]| {
            let mut run = Command::new(interpreter(home));
            run.arg("-m").args(arguments);
            succeed(run, "the environment's Python", advice);
        };
        let folder = format!("{FOLDER}/python");
        let requirements = format!("{folder}/requirements.txt");
        python(&["pip", "-q", "install", "-r", &requirements]);
        let into = format!("--python_out={}", home.display());
        python(&["grpc_tools.protoc", "-I", &folder, &into, "flow.proto"]);
    });
    let mut command = Command::new(interpreter(&home));
    command
        .env("PYTHONPATH", &home)
        .arg(format!("{FOLDER}/python/peer.py"))
        .args([bootstrap, topic, id, rule, &records.to_string()]);
    command
}

fn interpreter(home: &Path) -> PathBuf {
    home.join("bin/python")
}

/// A folder's name by what it is made of, so that another version is another folder.
fn named(name: &str, contents: &[&str]) -> String {
    let mut digest = Sha256::new();
    for content in contents {
        digest.update(content);
    }
    let digest = digest.finalize();
    let digest: Vec<_> = digest[..6].iter().map(|b| format!("{b:02x}")).collect();
    format!("{name}-{}", digest.concat())
}

fn succeed(mut command: Command, name: &str, advice: &str) {
    let output = command.output().unwrap_or_else(|error| {
        panic!("the peers need {name}, which does not start ({error}): install it, e.g. {advice}")
    });
    assert!(
        output.status.success(),
        "{command:?} ended with {}; if a part of {name} is missing, install it, e.g. {advice}:\n{}{}",
        output.status,
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr),
    );
}
