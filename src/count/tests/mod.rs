//! What tests of the task share: flows, rules, and what flushes add up to.

mod property;
mod replan;
mod resume;
mod told;
mod windows;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use prost::Message as _;

use super::*;
use crate::flow::{FormatName, SamplingConfig, SamplingDefault, SamplingMode};
use crate::partial::{
    self, Delta, Fates, Leaves, LeavesOf, Marker, Partial, Sampling, SourceId, merge_all,
};
use crate::rule::{
    Attribution, Filter, Fingerprint, KeySide, LatePolicy, LengthSet, Lifecycle, Mode, Rule,
};
use crate::time::Timestamp;
use crate::window::{EventTime, TimeConfig};

/// A flow of these tests: times in ms, 0 is not said.
#[derive(Clone, Copy, Debug)]
struct Sample {
    dst: u32,
    bytes: u64,
    packets: u64,
    rate: u32,
    received: i64,
    start: i64,
    end: i64,
}

const SAMPLE: Sample = Sample {
    dst: 0x0a00_0001,
    bytes: 100,
    packets: 1,
    rate: 1,
    received: 0,
    start: 0,
    end: 0,
};

impl Sample {
    fn at(received: i64) -> Self {
        Self { received, ..SAMPLE }
    }

    /// As goflow2 v2 writes it: only that family has times finer than a second.
    fn payload(&self, etype: u32) -> Vec<u8> {
        let nanos = |ms: i64| ms as u64 * 1_000_000;
        let dst = match self.dst {
            0 => vec![],
            v6 if v6.is_multiple_of(5) => (u128::from(v6) << 64).to_be_bytes().to_vec(),
            v4 => v4.to_be_bytes().to_vec(),
        };
        let wire = Wire {
            flow_type: 4,
            sampling_rate: u64::from(self.rate),
            dst_addr: dst,
            bytes: self.bytes,
            packets: self.packets,
            etype,
            received_ns: nanos(self.received),
            start_ns: nanos(self.start),
            end_ns: nanos(self.end),
        };
        wire.encode_to_vec()
    }
}

/// The few fields of goflow2 v2's record that counting looks at.
#[derive(Clone, PartialEq, prost::Message)]
struct Wire {
    #[prost(uint32, tag = "1")]
    flow_type: u32,
    #[prost(uint64, tag = "3")]
    sampling_rate: u64,
    #[prost(bytes = "vec", tag = "7")]
    dst_addr: Vec<u8>,
    #[prost(uint64, tag = "9")]
    bytes: u64,
    #[prost(uint64, tag = "10")]
    packets: u64,
    #[prost(uint32, tag = "30")]
    etype: u32,
    #[prost(uint64, tag = "110")]
    received_ns: u64,
    #[prost(uint64, tag = "111")]
    start_ns: u64,
    #[prost(uint64, tag = "112")]
    end_ns: u64,
}

fn ms(at: i64) -> Timestamp {
    Timestamp::from_millis(at)
}

fn rule(name: &str, interval_ms: u64, grace_ms: u64, late: LatePolicy) -> Rule {
    Rule {
        name: Arc::from(name),
        selection: Fingerprint(partial::partition_of(name, u32::MAX) as u64),
        identity: Fingerprint(partial::partition_of(name, u32::MAX) as u64),
        decision: Fingerprint(0),
        labels: BTreeMap::new(),
        severity: "warning".to_owned(),
        filter: Filter::default(),
        key: KeySide::Dst,
        interval: Duration::from_millis(interval_ms),
        grace: Duration::from_millis(grace_ms),
        late,
        attribution: Attribution::Arrival,
        mode: Mode::MostSpecific,
        lengths_v4: LengthSet::range(0, 32),
        lengths_v6: LengthSet::range(0, 128),
        limits: vec![],
        overrides: None,
        gate: None,
        lifecycle: Lifecycle::default(),
        incident_group: None,
        escalation: Vec::new(),
        silences: Vec::new(),
        scope: None,
        max_prefixes: 1000,
        max_alerts_per_window: 1000,
    }
}

fn plan(rules: Vec<Rule>) -> Plan {
    Plan {
        rules: rules.into_iter().map(Arc::new).collect(),
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
    }
}

fn source() -> SourceId {
    SourceId {
        topic: Arc::from("flows"),
        partition: 3,
    }
}

fn fresh(rules: Vec<Rule>) -> CountTask {
    let resume = Resume::Fresh {
        next_offset: 0,
        from_log_start: true,
    };
    CountTask::new(source(), Arc::new(plan(rules)), resume).unwrap()
}

/// Feeds one value at the task's position, at a record time of `timestamp` ms by the broker.
fn feed(task: &mut CountTask, payload: Option<&[u8]>, timestamp: i64) {
    let record = Record {
        offset: task.next_offset(),
        timestamp: Some(ms(timestamp)),
        log_append_time: true,
        payload,
        key: None,
    };
    task.record(&record, ms(0));
}

fn feed_flow(task: &mut CountTask, sample: Sample) {
    let timestamp = sample.received;
    feed(task, Some(&sample.payload(0x0800)), timestamp);
}

/// What flushes add up to.
#[derive(Debug, Default, PartialEq)]
struct Totals {
    v4: BTreeMap<(String, i64), LeavesOf<u32>>,
    v6: BTreeMap<(String, i64), LeavesOf<u128>>,
    late_flows: BTreeMap<(String, i64), u64>,
    fates: Fates,
    dead_letters: Vec<DeadLetter>,
    /// By selection, how far the last marker said that it is closed.
    closed: BTreeMap<Fingerprint, Timestamp>,
    /// The same of the very first: where windows begin.
    began: Option<BTreeMap<Fingerprint, Timestamp>>,
}

/// What a delta adds to its rule, leaf by leaf.
fn sums_of(delta: &Delta) -> RuleSums {
    let (flows, bytes, packets) = match &delta.leaves {
        Leaves::V4(l) => (&l.flows, &l.bytes, &l.packets),
        Leaves::V6(l) => (&l.flows, &l.bytes, &l.packets),
    };
    RuleSums {
        flows: flows.iter().sum(),
        bytes: bytes.iter().sum(),
        packets: packets.iter().sum(),
        late_flows: delta.late_flows,
    }
}

impl Totals {
    /// Adds a flush as detect would read it; gives its marker.
    fn add(&mut self, mut flush: Flush) -> Marker {
        self.fates.add(&flush.fates);
        self.dead_letters.append(&mut flush.dead_letters);
        let mut markers: Vec<Marker> = vec![];
        let encoded = flush.encode(2, 4);
        let is_first = self.began.is_none() && self.closed.values().all(|c| *c == Timestamp::MIN);
        let mut sums = BTreeMap::<Arc<str>, RuleSums>::new();
        for record in encoded.records {
            match partial::decode(&record.payload).unwrap() {
                Partial::Delta(delta) => {
                    let beginning = if is_first { 2 } else { 0 };
                    assert_eq!(markers.len(), beginning, "markers come last");
                    assert_eq!(record.key, delta.rule.as_bytes());
                    assert_eq!(record.partition, partial::partition_of(&delta.rule, 2));
                    let sum = sums.entry(Arc::clone(&delta.rule)).or_default();
                    sum.add(&sums_of(&delta));
                    self.add_delta(delta);
                }
                Partial::Marker(marker) => {
                    assert_eq!(record.key, b"flows/3");
                    assert_eq!(record.partition as usize, markers.len() % 2);
                    markers.push(marker);
                }
            }
        }
        sums.retain(|_, sum| *sum != RuleSums::default());
        assert_eq!(encoded.rules.into_iter().collect::<BTreeMap<_, _>>(), sums);
        let closed = |marker: &Marker| {
            let progress = marker.rules.iter();
            progress.map(|p| (p.selection, p.closed_through)).collect()
        };
        if let [first, same, _, _] = &markers[..] {
            assert!(is_first, "{first:?} tells again where windows begin");
            assert_eq!((first, first.fates), (same, Fates::default()));
            self.began = Some(closed(first));
            markers.drain(..2);
        }
        assert_eq!(markers.len(), 2);
        assert_eq!(markers[0], markers[1]);
        self.closed = closed(&markers[0]);
        markers.remove(0)
    }

    fn add_delta(&mut self, delta: Delta) {
        assert!(
            !delta.leaves.is_empty() || delta.late_flows > 0,
            "{delta:?} tells nothing"
        );
        let closed = self.closed.get(&delta.selection);
        assert!(
            closed.is_none_or(|at| delta.window.end > *at),
            "{delta:?} is for a closed window"
        );
        let key = (delta.rule.to_string(), delta.window.start.as_millis());
        if delta.late_flows > 0 {
            *self.late_flows.entry(key.clone()).or_default() += delta.late_flows;
        }
        match delta.leaves {
            _ if delta.leaves.is_empty() => {}
            Leaves::V4(leaves) => {
                let before = self.v4.remove(&key).unwrap_or_else(LeavesOf::empty);
                self.v4.insert(key, merge_all([before, leaves]));
            }
            Leaves::V6(leaves) => {
                let before = self.v6.remove(&key).unwrap_or_else(LeavesOf::empty);
                self.v6.insert(key, merge_all([before, leaves]));
            }
        }
    }

    fn of(task: &mut CountTask) -> Self {
        let mut totals = Self::default();
        totals.add(task.flush());
        totals
    }

    /// Bytes and flows of one rule's windows, IPv4.
    fn bytes(&self, rule: &str) -> Vec<(i64, u64, u64)> {
        let of_rule = self.v4.iter().filter(|((name, _), _)| name == rule);
        of_rule
            .map(|((_, start), leaves)| {
                (*start, leaves.bytes.iter().sum(), leaves.flows.iter().sum())
            })
            .collect()
    }

    fn late(&self, rule: &str) -> Vec<(i64, u64)> {
        let of_rule = self.late_flows.iter().filter(|((name, _), _)| name == rule);
        of_rule.map(|((_, start), n)| (*start, *n)).collect()
    }
}

/// A task moves with its partition between threads, and a flush to the thread that encodes it.
const _: () = {
    const fn moves_between_threads<T: Send>() {}
    moves_between_threads::<CountTask>();
    moves_between_threads::<Flush>();
};
