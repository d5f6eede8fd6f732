//! Inputs that are more than one record, and what they are fed to. Each is itself a message, so that one mutator edits
//! the list, the records in it and the fields in these.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use crate::count::Plan;
use crate::detect::DetectPlan;
use crate::flow::{FormatName, SamplingConfig, SamplingDefault, SamplingMode};
use crate::net::Family;
use crate::partial::{SourceId, partition_of};
use crate::rule::{
    Attribution, Filter, Fingerprint, KeySide, LatePolicy, LengthSet, Lifecycle, Limit, Metric, Mode, Rule,
};
use crate::time::Timestamp;
use crate::window::{EventTime, TimeConfig};

/// What happens to a count task.
#[derive(Clone, PartialEq, prost::Message)]
pub struct Input {
    #[prost(message, repeated, tag = "1")]
    pub events: Vec<Event>,
}

/// One record of an input partition, or what else may come.
#[derive(Clone, PartialEq, prost::Message)]
pub struct Event {
    #[prost(bytes = "vec", optional, tag = "1")]
    pub value: Option<Vec<u8>>,
    /// The record's Kafka timestamp in milliseconds.
    #[prost(int64, optional, tag = "2")]
    pub timestamp: Option<i64>,
    #[prost(bool, tag = "3")]
    pub log_append_time: bool,
    /// The wall clock in milliseconds.
    #[prost(int64, tag = "4")]
    pub wall: i64,
    /// That many records were lost before this one.
    #[prost(uint32, tag = "5")]
    pub lost: u32,
    /// Confirmed silence before this one, up to here.
    #[prost(int64, optional, tag = "6")]
    pub idle: Option<i64>,
    /// Flush after this one, and go on in another task if it is more than 1.
    #[prost(uint32, tag = "7")]
    pub flush: u32,
}

/// What a detect task restores, and the records that it reads then.
#[derive(Clone, PartialEq, prost::Message)]
pub struct Saved {
    #[prost(message, repeated, tag = "1")]
    pub records: Vec<StateRecord>,
    #[prost(int64, optional, tag = "2")]
    pub committed: Option<i64>,
    #[prost(bytes = "vec", repeated, tag = "3")]
    pub log: Vec<Vec<u8>>,
    /// What a count task restores.
    #[prost(bytes = "vec", optional, tag = "4")]
    pub metadata: Option<Vec<u8>>,
}

/// One record of `<app>-state`.
#[derive(Clone, PartialEq, prost::Message)]
pub struct StateRecord {
    #[prost(bytes = "vec", tag = "1")]
    pub key: Vec<u8>,
    #[prost(bytes = "vec", tag = "2")]
    pub value: Vec<u8>,
}

/// Several records of `<app>-partials`.
#[derive(Clone, PartialEq, prost::Message)]
pub struct Log {
    #[prost(bytes = "vec", repeated, tag = "1")]
    pub records: Vec<Vec<u8>>,
}

/// The input partition that all of it is about.
pub fn source() -> SourceId {
    SourceId {
        topic: Arc::from("flows"),
        partition: 3,
    }
}

fn limit(metric: Metric, value: u64) -> Limit {
    let stated = |bits: u8| vec![value; usize::from(bits) + 1];
    let volume = |bits: u8| vec![u128::from(value); usize::from(bits) + 1];
    Limit {
        metric,
        stated_v4: stated(Family::V4.bits()),
        stated_v6: stated(Family::V6.bits()),
        volume_v4: volume(Family::V4.bits()),
        volume_v6: volume(Family::V6.bits()),
    }
}

fn rule(name: &str, interval: u64, late: LatePolicy, mode: Mode) -> Arc<Rule> {
    Arc::new(Rule {
        name: Arc::from(name),
        selection: Fingerprint(partition_of(name, u32::MAX) as u64),
        identity: Fingerprint(partition_of(name, u32::MAX) as u64),
        decision: Fingerprint(1),
        labels: BTreeMap::new(),
        severity: "warning".to_owned(),
        filter: Filter::default(),
        key: KeySide::Dst,
        interval: Duration::from_millis(interval),
        grace: Duration::from_secs(5),
        late,
        attribution: if late == LatePolicy::Drop {
            Attribution::Spread
        } else {
            Attribution::Arrival
        },
        mode,
        lengths_v4: LengthSet::range(0, 32),
        lengths_v6: LengthSet::range(0, 128),
        limits: vec![limit(Metric::Bytes, 1000), limit(Metric::Flows, 3)],
        overrides: None,
        gate: None,
        lifecycle: Lifecycle::default(),
        incident_group: None,
        escalation: Vec::new(),
        silences: Vec::new(),
        scope: None,
        max_prefixes: 16,
        max_alerts_per_window: 4,
    })
}

/// Two rules: all modes of lateness and attribution, and few prefixes, so that they are folded and cut.
pub fn rules() -> Vec<Arc<Rule>> {
    vec![
        rule("arrival", 60_000, LatePolicy::OldestOpen, Mode::Discounted),
        rule("spread", 7_000, LatePolicy::Drop, Mode::MostSpecific),
    ]
}

pub fn count_plan() -> Arc<Plan> {
    Arc::new(Plan {
        rules: rules(),
        replaced: Vec::new(),
        time: TimeConfig {
            event_time: EventTime::Received,
            max_ahead: Duration::from_mins(1),
            max_behind: Some(Duration::from_mins(10)),
            idle_timeout: Duration::from_secs(10),
            max_wait: Duration::from_secs(30),
            max_flow_duration: Duration::from_hours(1),
        },
        sampling: SamplingConfig {
            mode: SamplingMode::Auto,
            default: SamplingDefault::Unknown,
            exporters: vec![],
        },
        format: FormatName::Auto,
        direction_default: None,
        dead_letters_per_block: 3,
    })
}

pub fn detect_plan() -> DetectPlan {
    DetectPlan {
        rules: rules(),
        topics: vec![Arc::from("flows")],
        max_wait: Duration::from_secs(30),
    }
}

/// The name and the record of each of the project's vectors.
pub fn vectors() -> Vec<(&'static str, Vec<u8>)> {
    include_str!("../../vectors/flows.txt")
        .lines()
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
        .filter_map(|line| {
            let (name, rest) = line.split_once(' ')?;
            let (encoding, record) = rest.split_once(' ')?;
            Some((name, decoded(encoding, record)?))
        })
        .collect()
}

fn decoded(encoding: &str, record: &str) -> Option<Vec<u8>> {
    match encoding {
        "json" => Some(record.as_bytes().to_vec()),
        _ => (0..record.len() / 2)
            .map(|i| u8::from_str_radix(&record[2 * i..2 * i + 2], 16).ok())
            .collect(),
    }
}

/// Milliseconds as a time.
pub fn ms(at: i64) -> Timestamp {
    Timestamp::from_millis(at)
}
