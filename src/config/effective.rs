//! The effective configuration as YAML: every key with the value that holds, secrets hidden.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::file::{FileConfig, KafkaValue};
use super::kafka::{DEFAULT_BOOTSTRAP, shown};

/// Writes `file` with all defaults filled in. The rules of `rule_files` stand under `rules`, so the text is a
/// configuration of its own, but for the secrets.
pub(super) fn to_yaml(file: &FileConfig) -> String {
    let mut shown_file = file.clone();
    shown_file.rule_files.clear();
    shown_file.kafka = kafka(file);
    for (name, value) in &mut shown_file.kafka {
        if let KafkaValue::Text(text) = value {
            *text = shown(name, text);
        }
    }
    if shown_file.output.topic.is_none() {
        shown_file.output.topic = Some(format!("{}-alerts", file.application_id));
    }
    // Maps with text keys and scalars: nothing that YAML cannot hold.
    serde_norway::to_string(&shown_file).unwrap_or_default()
}

/// The section `kafka`, with the default of where brokers are.
fn kafka(file: &FileConfig) -> BTreeMap<String, KafkaValue> {
    let mut kafka = file.kafka.clone();
    let known = ["bootstrap.servers", "metadata.broker.list"];
    if !known.iter().any(|name| kafka.contains_key(*name)) {
        let default = KafkaValue::Text(DEFAULT_BOOTSTRAP.to_owned());
        kafka.insert(known[0].to_owned(), default);
    }
    kafka
}

/// The section `kafka` without the secrets in it.
pub(super) fn kafka_yaml(file: &FileConfig) -> String {
    let is_hidden = |name: &str, value: &KafkaValue| match value {
        KafkaValue::Text(text) => shown(name, text) != *text,
        _ => false,
    };
    let mut section = kafka(file);
    let hidden = section.extract_if(.., |name, value| is_hidden(name, value));
    let hidden: Vec<_> = hidden.map(|(name, _)| name).collect();
    let sections = BTreeMap::from([("kafka", section)]);
    // Text keys and scalars: nothing that YAML cannot hold.
    let mut yaml = serde_norway::to_string(&sections).unwrap_or_default();
    for name in hidden {
        // Writing to a `String` cannot fail.
        let _ = writeln!(
            yaml,
            "  # A secret, not repeated here.\n  #{name}: {{file: PATH}}"
        );
    }
    yaml
}
