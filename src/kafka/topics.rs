//! The topics of an application: their names, their settings, and whether a cluster has them so.
//!
//! In: the configuration. Out: [`TopicFacts`] when every topic exists and serves, or an error that lists
//! each topic that is missing or unfit with the settings that it needs.

use std::sync::Arc;
use std::time::{Duration, Instant};

use rdkafka::admin::ConfigResource;

use super::admin::Admin;
use super::errors::{Fatal, RequestError};
use super::offsets::Offsets;
use super::settings::ClientSettings;
use crate::config::Config;
use crate::time::millis;

/// Kafka's default for the largest record batch of a topic, in bytes.
pub(crate) const DEFAULT_MESSAGE_BYTES: usize = 1_048_588;
/// What a dead letter may need beyond the record: headers and framing, in bytes.
pub(crate) const DEAD_LETTER_ROOM: usize = 64 * 1024;
/// Largest record of `<app>-state`, in bytes: the provisional prefixes of one window.
pub(crate) const STATE_MESSAGE_BYTES: usize = 8 * 1024 * 1024;
/// How long brokers have to answer.
const ANSWERS: Duration = Duration::from_secs(15);
/// How long a topic that was just made may take to be seen: on brokers with much to do it can be more than 15 s.
const APPEARS: Duration = Duration::from_mins(1);
/// Between two looks.
const PAUSE: Duration = Duration::from_millis(100);

/// The names of an application's topics.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TopicNames {
    /// Deltas and markers, from count to detect.
    pub partials: Arc<str>,
    /// Detect's state, compacted.
    pub state: Arc<str>,
    /// Alerts.
    pub alerts: Arc<str>,
    /// The latest message of each open alert, compacted.
    pub active: Arc<str>,
    /// Window records.
    pub windows: Arc<str>,
    /// Records that could not be read.
    pub dead_letters: Arc<str>,
}

impl TopicNames {
    /// Follows the application id; the alert topic may have a name of its own.
    pub fn new(config: &Config) -> Self {
        let named = |what: &str| Arc::from(format!("{}-{what}", config.application_id));
        Self {
            partials: named("partials"),
            state: named("state"),
            alerts: config.output.topic.as_str().into(),
            active: named("active"),
            windows: named("windows"),
            dead_letters: named("dead-letters"),
        }
    }
}

/// What the stages need to know about the topics.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TopicFacts {
    /// Partitions of all input topics that exist and may be seen.
    pub input_partitions: u32,
    /// Partitions of partials and of state, which are as many.
    pub partials_partitions: u32,
    /// Largest record of the input, in bytes.
    pub input_message_bytes: usize,
    /// Largest record that the dead-letter topic takes, in bytes.
    pub dead_letter_bytes: usize,
}

/// Which stages will use the topics.
#[derive(Clone, Copy, Debug)]
pub struct Users {
    /// Count.
    pub count: bool,
    /// Detect.
    pub detect: bool,
}

impl Users {
    /// What they do with the input, in an ACL's words.
    pub(crate) const fn input(self) -> &'static str {
        if self.count { "READ" } else { "DESCRIBE" }
    }

    /// What they do with a topic of ours.
    pub(crate) const fn ours(self, wanted: &Wanted) -> &'static str {
        match wanted.operations {
            [Some(by_count), _] if self.count => by_count,
            [_, Some(by_detect)] if self.detect => by_detect,
            _ => "DESCRIBE",
        }
    }
}

/// A topic of ours as it should be.
#[derive(Clone, Debug)]
pub(crate) struct Wanted {
    pub(crate) name: Arc<str>,
    /// What count and detect do with it.
    pub(crate) operations: [Option<&'static str>; 2],
    pub(crate) settings: Vec<(&'static str, String)>,
}

/// What our topics should be. `input_bytes` is the input's largest record.
pub(crate) fn wanted(config: &Config, input_bytes: usize) -> Vec<Wanted> {
    let names = TopicNames::new(config);
    let longest = config
        .rules
        .iter()
        .map(|r| r.interval + r.grace)
        .max()
        .unwrap_or_default();
    let retention = longest * 2 + Duration::from_hours(24);
    let (none, read, write) = (None, Some("READ"), Some("WRITE"));
    let topic = |name: Arc<str>, operations, settings: &[(&'static str, String)]| Wanted {
        name,
        operations,
        settings: settings.to_vec(),
    };
    let bytes = |n: usize| ("max.message.bytes", n.to_string());
    let policy = |p: &str| ("cleanup.policy", p.to_owned());
    let time = |t: &str| ("message.timestamp.type", t.to_owned());
    let (log, create) = ("LogAppendTime", "CreateTime");
    vec![
        topic(
            names.partials,
            [write, read],
            &[
                policy("delete"),
                time(log),
                ("retention.ms", millis(retention).to_string()),
                bytes(DEFAULT_MESSAGE_BYTES),
            ],
        ),
        topic(
            names.state,
            [none, write],
            &[policy("compact"), time(log), bytes(STATE_MESSAGE_BYTES)],
        ),
        // Their records are stamped with the window's end, so that retention goes by what they tell.
        topic(
            names.alerts,
            [none, write],
            &[policy("delete"), time(create)],
        ),
        topic(
            names.active,
            [none, write],
            &[policy("compact"), time(create)],
        ),
        topic(
            names.windows,
            [none, write],
            &[policy("delete"), time(create)],
        ),
        topic(
            names.dead_letters,
            [write, none],
            &[
                policy("delete"),
                time(log),
                bytes(input_bytes + DEAD_LETTER_ROOM),
            ],
        ),
    ]
}

fn number(resource: Option<&ConfigResource>, key: &str) -> Option<i64> {
    text(resource, key)?.parse().ok()
}

pub(crate) fn text<'r>(resource: Option<&'r ConfigResource>, key: &str) -> Option<&'r str> {
    resource?.get(key)?.value.as_deref()
}

/// The input's largest record in bytes; Kafka's default where the cluster does not tell.
fn input_bytes(admin: &Admin, config: &Config) -> usize {
    let topics: Vec<_> = config.input.topics.iter().map(String::as_str).collect();
    admin
        .settings_if_told(&topics)
        .iter()
        .filter_map(|t| number(t.as_ref(), "max.message.bytes"))
        .filter_map(|n| usize::try_from(n).ok())
        .max()
        .unwrap_or(DEFAULT_MESSAGE_BYTES)
}

/// What is wrong with a topic that exists. Empty if it serves.
pub(crate) fn unfit(wanted: &Wanted, found: Option<&ConfigResource>) -> Vec<String> {
    let mut wrong = Vec::new();
    for (key, value) in &wanted.settings {
        let Some(is) = text(found, key) else { continue };
        let ok = match *key {
            // More is fine; -1 is for ever.
            "max.message.bytes" | "retention.ms" => match (is.parse::<i64>(), value.parse()) {
                (Ok(is), Ok(least)) => is == -1 || is >= least,
                _ => false,
            },
            // How long public topics keep or compact their records is the operator's business.
            "cleanup.policy" if value == "delete" => is == "delete" || !is_internal(wanted),
            _ => is == value,
        };
        if !ok {
            wrong.push(format!("{key} is {is}, should be {value}"));
        }
    }
    wrong
}

fn is_internal(wanted: &Wanted) -> bool {
    wanted.settings.iter().any(|(k, _)| *k == "retention.ms")
        || wanted
            .settings
            .iter()
            .any(|(k, v)| *k == "cleanup.policy" && v == "compact")
}

/// Sees to it that all topics exist and serve: makes what is missing, verifies the rest.
pub fn ensure(
    config: &Config,
    settings: &ClientSettings,
    users: Users,
) -> Result<TopicFacts, Fatal> {
    let offsets = Offsets::new(settings)?;
    let admin = Admin::new(settings)?;
    let exists = |name: &str, operation| -> Result<bool, Fatal> {
        Ok(partitions_patiently(&offsets, name, operation)?.is_some())
    };
    let mut no_input = Vec::new();
    for name in &config.input.topics {
        if !exists(name, users.input())? {
            no_input.push(name.as_str());
        }
    }
    if !no_input.is_empty() {
        return Err(Fatal(format!(
            "input.topics: no such topic: {}",
            no_input.join(", ")
        )));
    }
    let input_message_bytes = input_bytes(&admin, config);
    let wanted = wanted(config, input_message_bytes);
    let (mut missing, mut existing) = (Vec::new(), Vec::new());
    for w in &wanted {
        let list = if exists(&w.name, users.ours(w))? {
            &mut existing
        } else {
            &mut missing
        };
        list.push(w);
    }
    if !missing.is_empty() {
        admin
            .create(config, &missing)
            .map_err(|failed| not_made(config, &missing, &failed))?;
        for w in &missing {
            tracing::info!(topic = &*w.name, "created");
        }
    }
    verify(&admin, &existing)?;
    facts(&offsets, config, input_message_bytes)
}

fn not_made(config: &Config, missing: &[&Wanted], failed: &[String]) -> Fatal {
    let list: Vec<_> = missing
        .iter()
        .map(|w| {
            let settings: Vec<_> = w.settings.iter().map(|(k, v)| format!("{k}={v}")).collect();
            format!(
                "\n  {} (partitions={} {})",
                w.name,
                config.internal.partitions,
                settings.join(" ")
            )
        })
        .collect();
    Fatal(format!(
        "topics are missing and cannot be created ({}); create:{}",
        failed.join("; "),
        list.concat()
    ))
}

fn verify(admin: &Admin, existing: &[&Wanted]) -> Result<(), Fatal> {
    if existing.is_empty() {
        return Ok(());
    }
    let names: Vec<_> = existing.iter().map(|w| &*w.name).collect();
    let mut wrong = Vec::new();
    for (w, found) in existing.iter().zip(admin.settings_if_told(&names)) {
        for problem in unfit(w, found.as_ref()) {
            wrong.push(format!("\n  {}: {problem}", w.name));
        }
    }
    if wrong.is_empty() {
        Ok(())
    } else {
        Err(Fatal(format!(
            "topics have settings that do not serve:{}",
            wrong.concat()
        )))
    }
}

fn facts(
    offsets: &Offsets,
    config: &Config,
    input_message_bytes: usize,
) -> Result<TopicFacts, Fatal> {
    let names = TopicNames::new(config);
    let partials = appeared(offsets, &names.partials)?;
    let state = appeared(offsets, &names.state)?;
    for other in [
        &names.alerts,
        &names.active,
        &names.windows,
        &names.dead_letters,
    ] {
        appeared(offsets, other)?;
    }
    if partials != state {
        return Err(Fatal(format!(
            "topic {} has {partials} partitions and {} has {state}: they must have as many",
            names.partials, names.state
        )));
    }
    // Detect alone may have no right to see the input, and has no use for the number.
    let input = config.input.topics.iter();
    let input_partitions = input.filter_map(|t| offsets.partitions(t).ok().flatten());
    Ok(TopicFacts {
        input_partitions: input_partitions.sum(),
        partials_partitions: partials,
        input_message_bytes,
        dead_letter_bytes: input_message_bytes + DEAD_LETTER_ROOM,
    })
}

/// Asks again while the cluster cannot be reached, for a while.
fn partitions_patiently(
    offsets: &Offsets,
    topic: &str,
    operation: &'static str,
) -> Result<Option<u32>, Fatal> {
    let deadline = Instant::now() + ANSWERS;
    loop {
        match offsets.partitions_for(topic, operation) {
            Ok(found) => return Ok(found),
            // A password does not become right by waiting; whoever restarts us may wait for certificates.
            Err(RequestError::Retry(_))
                if offsets.refusal().is_none() && Instant::now() < deadline =>
            {
                offsets.wait(PAUSE);
            }
            Err(e) => return Err(e.into_fatal()),
        }
    }
}

/// The partitions of a topic that exists or was just made.
fn appeared(offsets: &Offsets, topic: &str) -> Result<u32, Fatal> {
    let deadline = Instant::now() + APPEARS;
    loop {
        if let Some(n) = partitions_patiently(offsets, topic, "DESCRIBE")? {
            return Ok(n);
        }
        if Instant::now() >= deadline {
            return Err(Fatal(format!(
                "topic {topic} was created but does not appear"
            )));
        }
        offsets.wait(PAUSE);
    }
}

#[cfg(test)]
mod tests {
    use rdkafka::admin::{ConfigEntry, ConfigSource, OwnedResourceSpecifier};

    use super::*;

    fn found(settings: &[(&str, &str)]) -> ConfigResource {
        let entry = |(name, value): &(&str, &str)| ConfigEntry {
            name: (*name).to_owned(),
            value: Some((*value).to_owned()),
            source: ConfigSource::DynamicTopic,
            is_read_only: false,
            is_default: false,
            is_sensitive: false,
        };
        ConfigResource {
            specifier: OwnedResourceSpecifier::Topic("t".to_owned()),
            entries: settings.iter().map(entry).collect(),
        }
    }

    fn partials() -> Wanted {
        Wanted {
            name: "app-partials".into(),
            operations: [Some("WRITE"), Some("READ")],
            settings: vec![
                ("cleanup.policy", "delete".to_owned()),
                ("retention.ms", "1000".to_owned()),
                ("message.timestamp.type", "LogAppendTime".to_owned()),
            ],
        }
    }

    #[test]
    fn longer_retention_serves_and_shorter_does_not() {
        let longer = found(&[("retention.ms", "5000")]);
        let for_ever = found(&[("retention.ms", "-1")]);
        assert_eq!(unfit(&partials(), Some(&longer)), [""; 0]);
        assert_eq!(unfit(&partials(), Some(&for_ever)), [""; 0]);
        let shorter = found(&[("retention.ms", "999")]);
        let wrong = unfit(&partials(), Some(&shorter));
        assert_eq!(wrong, ["retention.ms is 999, should be 1000"]);
    }

    #[test]
    fn partials_must_not_be_compacted_and_public_topics_may() {
        let compacted = found(&[("cleanup.policy", "compact,delete")]);
        let wrong = unfit(&partials(), Some(&compacted));
        assert_eq!(
            wrong,
            ["cleanup.policy is compact,delete, should be delete"]
        );
        let public = Wanted {
            name: "app-alerts".into(),
            operations: [None, Some("WRITE")],
            settings: vec![("cleanup.policy", "delete".to_owned())],
        };
        assert_eq!(unfit(&public, Some(&compacted)), [""; 0]);
    }

    #[test]
    fn what_a_cluster_does_not_tell_is_not_held_against_it() {
        assert_eq!(unfit(&partials(), None), [""; 0]);
    }
}
