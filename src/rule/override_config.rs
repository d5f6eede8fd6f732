//! Overrides as they are configured: in place, or as lines of a file.

use std::collections::BTreeMap;

use super::context::Problems;
use super::lines::{LineError, split_words, uncommented_lines};
use super::model::Metric;
use super::overrides::Override;
use super::prefixes::parse_prefix;
use super::settings::{OverrideConfig, Threshold, ThresholdsConfig};
use super::thresholds;
use super::words::labels;
use crate::units::Scalar;

/// One override; `None` with the problems noted, below `path`.
pub(super) fn override_of(
    config: &OverrideConfig,
    path: &str,
    problems: &mut Problems,
) -> Option<Override> {
    let below = |key: &str| {
        if path.is_empty() {
            key.to_owned()
        } else {
            format!("{path}.{key}")
        }
    };
    let labels = labels(&below("labels"), &config.labels, problems);
    let prefix = problems.take(below("prefix"), parse_prefix(&config.prefix))?;
    let mut inner = Problems::default();
    let steps = thresholds::steps(&config.thresholds, prefix, &mut inner);
    for error in inner.into_errors() {
        problems.add(below(&error.path), error.message);
    }
    let found = Override {
        prefix,
        steps,
        never: config.never,
        count_in_parents: config.count_in_parents,
        labels: labels.clone().unwrap_or_default(),
    };
    if found.never && !found.steps.is_empty() {
        problems.add(
            below("never"),
            "stands beside thresholds: valid is one of them",
        );
    }
    if !found.decides() && found.count_in_parents {
        let message =
            "changes nothing without thresholds or never: what is in the prefix counts anyway";
        problems.add(below("count_in_parents"), message);
    }
    if !found.decides() && config.labels.is_empty() {
        let message =
            format!("{prefix} has neither thresholds nor never nor labels: it changes nothing");
        problems.add(below("prefix"), message);
    }
    labels.is_some().then_some(found)
}

/// Reads a file of overrides: one prefix per line, then thresholds `bits_per_second=20Gbit/s` or
/// `bits_per_second.32=1Gbit/s` for that length and longer ones, `never`, `count_in_parents`, and
/// labels `key=value` or `key="with space"`; comments from `#` on.
pub fn parse_override_file(text: &str) -> Result<Vec<Override>, Vec<LineError>> {
    let mut entries = Vec::new();
    let mut errors = Vec::new();
    for (line, content) in uncommented_lines(text) {
        let mut problems = Problems::default();
        let config = problems.take("", parse_line(content));
        let entry = config.and_then(|config| override_of(&config, "", &mut problems));
        entries.extend(entry.filter(|_| problems.is_empty()));
        let said = problems.into_errors().into_iter().map(|error| LineError {
            line,
            message: match error.path.as_str() {
                "" | "prefix" => error.message,
                _ => error.to_string(),
            },
        });
        errors.extend(said);
    }
    if errors.is_empty() {
        Ok(entries)
    } else {
        Err(errors)
    }
}

fn parse_line(content: &str) -> Result<OverrideConfig, String> {
    let mut words = split_words(content)?.into_iter();
    let mut config = OverrideConfig {
        prefix: words.next().unwrap_or_default(),
        ..OverrideConfig::default()
    };
    for word in words {
        match word.split_once('=') {
            Some((key, value)) => set(&mut config, key, value)?,
            None if word == "never" => config.never = true,
            None if word == "count_in_parents" => config.count_in_parents = true,
            None => {
                return Err(format!(
                    "`{word}` is not valid: a threshold such as bits_per_second=20Gbit/s, never, \
                     count_in_parents, or a label such as customer=example"
                ));
            }
        }
    }
    Ok(config)
}

fn set(config: &mut OverrideConfig, key: &str, value: &str) -> Result<(), String> {
    let (name, length) = key.split_once('.').unwrap_or((key, ""));
    let twice = || format!("`{key}` is given twice");
    let Some(metric) = Metric::ALL.into_iter().find(|m| m.name() == name) else {
        let before = config.labels.insert(key.to_owned(), Scalar::from(value));
        return before.map_or(Ok(()), |_| Err(twice()));
    };
    let stated = slot(&mut config.thresholds, metric);
    let value = Threshold::Value(Scalar::from(value));
    if length.is_empty() {
        return stated.replace(value).map_or(Ok(()), |_| Err(twice()));
    }
    let table = stated.get_or_insert_with(|| Threshold::Table(BTreeMap::new()));
    let Threshold::Table(table) = table else {
        return Err(format!(
            "`{key}` stands beside `{name}`: valid is one of them"
        ));
    };
    let before = table.insert(length.to_owned(), value);
    before.map_or(Ok(()), |_| Err(twice()))
}

const fn slot(config: &mut ThresholdsConfig, metric: Metric) -> &mut Option<Threshold> {
    match metric {
        Metric::Bytes => &mut config.bytes,
        Metric::Packets => &mut config.packets,
        Metric::Flows => &mut config.flows,
        Metric::BitsPerSecond => &mut config.bits_per_second,
        Metric::PacketsPerSecond => &mut config.packets_per_second,
        Metric::FlowsPerSecond => &mut config.flows_per_second,
    }
}
