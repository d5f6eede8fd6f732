//! Rules as an operator writes them, traffic by the minute, and the messages that come of it.

mod background;
mod lifecycle;
mod silences;
mod thresholds;

use std::fmt::Write as _;
use std::net::IpAddr;

use hotprefix::alert::Alert;
use hotprefix::config;
use hotprefix::replay::Replay;

use crate::{BASE, simulation};

/// Bytes to addresses in each minute, in order.
type Minutes<'a> = &'a [&'a [(&'a str, u64)]];

/// What the rules in `yaml` say of traffic, a line for each prefix over a threshold.
fn told(yaml: &str, minutes: Minutes<'_>) -> String {
    told_of(yaml, &owned(minutes))
}

fn owned(minutes: Minutes<'_>) -> Vec<Vec<(String, u64)>> {
    let owned = minutes.iter().map(|minute| {
        let minute = minute
            .iter()
            .map(|(addr, bytes)| ((*addr).to_owned(), *bytes));
        minute.collect()
    });
    owned.collect()
}

fn told_of(yaml: &str, minutes: &[Vec<(String, u64)>]) -> String {
    let mut alerts = alerts(yaml, minutes);
    alerts.retain(|alert| !alert.triggers.is_empty());
    alerts.iter().fold(String::new(), |mut out, alert| {
        let _ = writeln!(out, "{}", line(alert));
        out
    })
}

/// All that the rules in `yaml` write.
fn alerts(yaml: &str, minutes: &[Vec<(String, u64)>]) -> Vec<Alert> {
    let (plan, detect) = simulation::load(&text(yaml));
    let mut replay = Replay::new(plan, "flows", detect.max_wait).expect("it begins");
    let mut alerts = Vec::new();
    for (minute, traffic) in minutes.iter().enumerate() {
        for (addr, bytes) in traffic {
            let record = record(minute as i64, addr, *bytes);
            alerts.extend(replay.record(record.as_bytes()).expect("it goes on").alerts);
        }
    }
    let (step, fates) = replay.finish().expect("it ends");
    assert_eq!(
        fates.undecodable + fates.not_ip,
        0,
        "every record is a flow"
    );
    alerts.extend(step.alerts);
    alerts
}

/// The minute that an alert's window is, from 0 on.
fn minute(alert: &Alert) -> i64 {
    let start: jiff::Timestamp = alert.window.start.parse().expect("it is a time");
    (start.as_millisecond() - BASE) / 60_000
}

/// A status or a reason as JSON has it.
fn word(value: impl serde::Serialize) -> String {
    match serde_json::to_value(value).expect("it can be written") {
        serde_json::Value::String(text) => text,
        other => panic!("{other} is no text"),
    }
}

/// A flow as goflow2 writes it, in the middle of a minute.
fn record(minute: i64, addr: &str, bytes: u64) -> String {
    let dst: IpAddr = addr.parse().expect("an address");
    let (src, etype) = match dst {
        IpAddr::V4(_) => ("192.0.2.1", "IPv4"),
        IpAddr::V6(_) => ("2001:db8:ffff::1", "IPv6"),
    };
    let received_ns = (BASE + minute * 60_000 + 30_000) * 1_000_000;
    format!(
        "{{\"type\":\"IPFIX\",\"time_received_ns\":{received_ns},\"sampler_address\":\"192.0.2.254\",\
         \"sampling_rate\":1,\"etype\":\"{etype}\",\"proto\":\"UDP\",\"src_addr\":\"{src}\",\
         \"dst_addr\":\"{dst}\",\"bytes\":{bytes},\"packets\":1}}"
    )
}

/// What an operator asks of an alert first.
fn line(alert: &Alert) -> String {
    let minute = minute(alert);
    let volume = alert.conditioned_volume.unwrap_or(alert.volume).bytes;
    let thresholds: Vec<String> = alert
        .triggers
        .iter()
        .map(|trigger| format!("{}>{}", trigger.metric, trigger.threshold))
        .collect();
    let mut line = format!(
        "{minute} {} {} {volume} of {} hosts, {}",
        alert.rule.name,
        alert.prefix,
        alert.hosts,
        thresholds.join(" "),
    );
    // Writing to a `String` cannot fail.
    let _ = write!(line, ", {}", alert.severity);
    if let Some(target) = &alert.target {
        let _ = write!(line, ", {} {:?}", target.scope, target.labels);
    }
    if let Some(group) = &alert.group {
        let _ = write!(
            line,
            ", {}={} {}",
            group.label, group.name, group.volume.bytes
        );
    }
    line
}

/// A configuration with these rules.
fn text(yaml: &str) -> String {
    format!("input: {{topics: [flows]}}\ntime: {{max_behind: never}}\n{yaml}")
}

#[test]
fn a_configuration_that_is_wrong_is_no_scenario() {
    let dir = tempfile::tempdir().expect("a temporary folder can be made");
    let file = dir.path().join("hotprefix.yaml");
    std::fs::write(&file, text("rules: [{name: a}]")).expect("it can be written to");
    assert!(config::load(&[file], [], []).is_err());
}
