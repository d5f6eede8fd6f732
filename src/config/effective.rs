//! The effective configuration as YAML: every key with the value that holds, secrets hidden.

use super::file::{FileConfig, KafkaValue};
use super::kafka::{DEFAULT_BOOTSTRAP, shown};

/// Writes `file` with all defaults filled in. The rules of `rule_files` stand under `rules`, so the text is a
/// configuration of its own, but for the secrets.
pub(super) fn to_yaml(file: &FileConfig) -> String {
    let mut shown_file = file.clone();
    shown_file.rule_files.clear();
    let known = ["bootstrap.servers", "metadata.broker.list"];
    if !known.iter().any(|name| file.kafka.contains_key(*name)) {
        let default = KafkaValue::Text(DEFAULT_BOOTSTRAP.to_owned());
        shown_file.kafka.insert(known[0].to_owned(), default);
    }
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
