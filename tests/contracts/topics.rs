//! `schemas/topics.yaml` names the topics, files, messages and headers that exist.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use hotprefix::config;
use hotprefix::demo;
use hotprefix::kafka::TopicNames;
use serde_json::Value;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn topics() -> Vec<Value> {
    let text = fs::read_to_string(root().join("schemas/topics.yaml")).unwrap();
    let document: Value = serde_norway::from_str(&text).unwrap();
    document["topics"].as_array().unwrap().clone()
}

/// Every value in `tree` under a key that is `wanted`.
fn values<'v>(tree: &'v Value, wanted: &str, found: &mut Vec<&'v str>) {
    for (key, value) in tree.as_object().into_iter().flatten() {
        match value.as_str() {
            Some(text) if key == wanted => found.push(text),
            _ => values(value, wanted, found),
        }
    }
}

#[test]
fn every_topic_of_an_application_is_listed() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("hotprefix.yaml");
    fs::write(&path, demo::configuration("127.0.0.1:1")).unwrap();
    let names = TopicNames::new(&config::load(&[path], [], []).unwrap().config);
    let ours = [
        names.alerts,
        names.active,
        names.windows,
        names.dead_letters,
        names.partials,
        names.state,
    ];
    let expected: BTreeSet<_> = ours
        .iter()
        .map(|name| name.replace(demo::APPLICATION, "<app>"))
        .chain(["<input.topics>".to_owned()])
        .collect();
    let listed: BTreeSet<_> = topics()
        .iter()
        .map(|t| t["name"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(listed, expected);
}

#[test]
fn named_files_and_messages_exist() {
    for topic in topics() {
        let (mut files, mut messages) = (Vec::new(), Vec::new());
        values(&topic, "schema", &mut files);
        values(&topic, "proto", &mut files);
        values(&topic, "message", &mut messages);
        assert!(!files.is_empty() || topic["value"].get("bytes").is_some());
        let texts: String = files
            .iter()
            .map(|f| fs::read_to_string(root().join(f)).unwrap_or_else(|e| panic!("{f}: {e}")))
            .collect();
        for message in messages {
            let name = message.strip_prefix("hotprefix.v1.").unwrap();
            assert!(texts.contains(&format!("message {name} {{")), "{message}");
        }
    }
}

#[test]
fn listed_headers_are_the_ones_that_are_written() {
    // Each header is one constant in the stages.
    let written: String = ["output.rs", "dead_letter.rs"]
        .map(|f| fs::read_to_string(root().join("src/stage").join(f)).unwrap())
        .concat();
    let written: BTreeSet<_> = written
        .lines()
        .filter(|l| l.starts_with("const ") && l.contains(": &str = \""))
        .map(|l| l.split('"').nth(1).unwrap().to_owned())
        .collect();
    let listed: BTreeSet<_> = topics()
        .iter()
        .filter_map(|t| t["headers"].as_object().cloned())
        .flat_map(|headers| headers.into_iter().map(|(name, _)| name))
        .collect();
    assert_eq!(listed, written);
}
