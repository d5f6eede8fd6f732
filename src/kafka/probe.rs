//! `check --connect`: what a cluster thinks of a configuration. Writes nothing.

use std::sync::Arc;

use rdkafka::admin::ConfigResource;

use super::admin::Admin;
use super::errors::{ClientLog, Fatal, RequestError};
use super::offsets::Offsets;
use super::producer::TransactionalProducer;
use super::settings::{ClientSettings, GroupProtocol, SESSION_TIMEOUT_MS};
use super::topics::{self, DEAD_LETTER_ROOM, DEFAULT_MESSAGE_BYTES, STATE_MESSAGE_BYTES, Users};
use crate::config::Config;

/// How bad a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// As it should be.
    Fine,
    /// It works, with a drawback.
    Warning,
    /// `run` would stop.
    Error,
}

/// One thing that was looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// How bad.
    pub severity: Severity,
    /// One sentence.
    pub text: String,
}

/// What is checked is whether `run` would work.
const BOTH: Users = Users {
    count: true,
    detect: true,
};
/// A takeover should not wait longer than this for a dead member.
const LONG_SESSION_MS: i64 = 15_000;

/// Looks at topics, settings and permissions.
pub fn probe(config: &Config) -> Result<Vec<Finding>, Fatal> {
    let settings = ClientSettings::new(config);
    let offsets = Offsets::new(&settings)?;
    let admin = Admin::new(&settings)?;
    if let Some(topic) = config.input.topics.first() {
        // Each of the questions below would wait as long for a cluster that does not answer.
        let answered = offsets.partitions_for(topic, BOTH.input());
        answered.map_err(|e| Fatal(format!("the cluster does not answer: {e}")))?;
    }
    let mut findings = Findings::default();
    let input_bytes = input(config, &offsets, &admin, &mut findings);
    ours(config, &offsets, &admin, input_bytes, &mut findings);
    session(&settings, config, &mut findings);
    for stage in ["count", "detect"] {
        permissions(&settings, stage, &mut findings);
    }
    Ok(findings.0)
}

#[derive(Default)]
struct Findings(Vec<Finding>);

impl Findings {
    fn add(&mut self, severity: Severity, text: String) {
        self.0.push(Finding { severity, text });
    }
}

fn input(config: &Config, offsets: &Offsets, admin: &Admin, findings: &mut Findings) -> usize {
    let mut largest = 0;
    for topic in &config.input.topics {
        let mut found = None;
        match offsets.partitions_for(topic, BOTH.input()) {
            Ok(Some(n)) => {
                findings.add(Severity::Fine, format!("input {topic}: {n} partitions"));
                found = settings(admin, topic, findings);
            }
            Ok(None) => findings.add(Severity::Error, format!("input {topic}: no such topic")),
            Err(e) => findings.add(Severity::Error, format!("input {topic}: {e}")),
        }
        if topics::text(found.as_ref(), "message.timestamp.type") == Some("CreateTime") {
            findings.add(
                Severity::Warning,
                format!(
                    "input {topic}: message.timestamp.type is CreateTime; LogAppendTime is better: then a wrong clock cannot move windows, and a replay decides the same"
                ),
            );
        }
        largest = topics::text(found.as_ref(), "max.message.bytes")
            .and_then(|v| v.parse().ok())
            .unwrap_or(DEFAULT_MESSAGE_BYTES)
            .max(largest);
    }
    largest.max(1)
}

fn ours(
    config: &Config,
    offsets: &Offsets,
    admin: &Admin,
    input_bytes: usize,
    findings: &mut Findings,
) {
    for wanted in topics::wanted(config, input_bytes) {
        let name = &wanted.name;
        match offsets.partitions_for(name, BOTH.ours(&wanted)) {
            Ok(None) => findings.add(Severity::Fine, format!("{name}: missing, will be created")),
            Err(e) => findings.add(Severity::Error, format!("{name}: {e}")),
            Ok(Some(n)) => {
                let found = settings(admin, name, findings);
                let wrong = topics::unfit(&wanted, found.as_ref());
                if wrong.is_empty() {
                    findings.add(Severity::Fine, format!("{name}: {n} partitions"));
                }
                for problem in wrong {
                    findings.add(Severity::Error, format!("{name}: {problem}"));
                }
            }
        }
    }
}

/// A topic's settings; without the right to see them the service works, but cannot warn.
fn settings(admin: &Admin, topic: &str, findings: &mut Findings) -> Option<ConfigResource> {
    match admin.settings(&[topic]).pop()? {
        Ok(found) => Some(found),
        Err(why) => {
            findings.add(Severity::Warning, why);
            None
        }
    }
}

fn session(settings: &ClientSettings, config: &Config, findings: &mut Findings) {
    match settings.group_protocol() {
        GroupProtocol::Consumer => findings.add(
            Severity::Warning,
            "group.protocol is consumer: the broker's group.consumer.session.timeout.ms (45 s by default) decides how long a dead instance's partitions wait".to_owned(),
        ),
        GroupProtocol::Classic => {
            let session = config.kafka.get("session.timeout.ms").map(String::as_str);
            if config.static_membership {
                let ms = session.unwrap_or(SESSION_TIMEOUT_MS);
                findings.add(
                    Severity::Fine,
                    format!("membership is static: nobody counts the partitions of an instance that is away for up to session.timeout.ms, {ms}"),
                );
            } else if let Some(ms) = session.filter(|ms| ms.parse().is_ok_and(|ms: i64| ms > LONG_SESSION_MS)) {
                findings.add(
                    Severity::Warning,
                    format!("session.timeout.ms is {ms}: a dead instance's partitions wait that long; above {LONG_SESSION_MS} is long"),
                );
            }
        }
    }
}

/// A transactional id that nobody uses, so that no running instance is fenced.
fn permissions(settings: &ClientSettings, stage: &'static str, findings: &mut Findings) {
    let instance = format!("check-{}", std::process::id());
    let size = DEFAULT_MESSAGE_BYTES + DEAD_LETTER_ROOM + STATE_MESSAGE_BYTES;
    let clients = Arc::new(ClientLog::default());
    let mut producer = TransactionalProducer::new(settings, stage, &instance, size, clients);
    match producer.prepare() {
        Ok(()) => findings.add(Severity::Fine, format!("{stage}: transactions are allowed")),
        Err(RequestError::Retry(why)) => findings.add(Severity::Warning, format!("{stage}: {why}")),
        Err(RequestError::Fatal(fatal)) => {
            findings.add(Severity::Error, format!("{stage}: {fatal}"));
        }
    }
}
