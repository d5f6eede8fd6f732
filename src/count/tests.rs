//! The task against a plain model, and against itself with other flushes and restarts.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use proptest::prelude::*;
use prost::Message as _;

use super::*;
use crate::flow::{FormatName, SamplingConfig, SamplingDefault, SamplingMode};
use crate::partial::{
    self, Delta, Fates, Leaves, LeavesOf, Marker, Partial, Sampling, SourceId, merge_all,
};
use crate::rule::{Attribution, Filter, Fingerprint, KeySide, LatePolicy, LengthSet, Mode, Rule};
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
        scope: None,
        max_prefixes: 1000,
        max_alerts_per_window: 1000,
    }
}

fn plan(rules: Vec<Rule>) -> Plan {
    Plan {
        rules: rules.into_iter().map(Arc::new).collect(),
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
}

impl Totals {
    /// Adds a flush as detect would read it; gives its marker.
    fn add(&mut self, mut flush: Flush) -> Marker {
        self.fates.add(&flush.fates);
        self.dead_letters.append(&mut flush.dead_letters);
        let mut markers = vec![];
        for record in flush.encode(2, 4) {
            match partial::decode(&record.payload).unwrap() {
                Partial::Delta(delta) => {
                    assert!(markers.is_empty(), "markers come last");
                    assert_eq!(record.key, delta.rule.as_bytes());
                    assert_eq!(record.partition, partial::partition_of(&delta.rule, 2));
                    self.add_delta(delta);
                }
                Partial::Marker(marker) => {
                    assert_eq!(record.key, b"flows/3");
                    assert_eq!(record.partition as usize, markers.len());
                    markers.push(marker);
                }
            }
        }
        assert_eq!(markers.len(), 2);
        assert_eq!(markers[0], markers[1]);
        markers.remove(0)
    }

    fn add_delta(&mut self, delta: Delta) {
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

#[test]
fn a_flow_counts_in_its_window_until_grace_is_over() {
    let mut task = fresh(vec![rule("r", 10_000, 2000, LatePolicy::Drop)]);
    for at in [9999, 10_000, 11_999, 5000, 12_000, 9999] {
        feed_flow(&mut task, Sample::at(at));
    }
    assert_eq!(task.stream_time(), Some(ms(12_000)));
    let totals = Totals::of(&mut task);
    assert_eq!(totals.bytes("r"), [(0, 200, 2), (10_000, 300, 3)]);
    // The dropped one is told with the window that was the oldest open then.
    assert_eq!(totals.late("r"), [(10_000, 1)]);
    assert_eq!((totals.fates.selected, totals.fates.late), (5, 1));
}

#[test]
fn a_late_flow_counts_in_the_oldest_open_window() {
    let mut task = fresh(vec![rule("r", 10_000, 12_000, LatePolicy::OldestOpen)]);
    for at in [31_999, 9000, 19_000, 32_000, 19_000] {
        feed_flow(&mut task, Sample::at(at));
    }
    let totals = Totals::of(&mut task);
    // At 31,999 the oldest open window starts at 10,000; at 32,000 it starts at 20,000.
    let expected = [(10_000, 200, 2), (20_000, 100, 1), (30_000, 200, 2)];
    assert_eq!(totals.bytes("r"), expected);
    assert_eq!(totals.late("r"), [(10_000, 1), (20_000, 1)]);
    assert_eq!((totals.fates.selected, totals.fates.late_counted), (5, 2));
}

#[test]
fn a_record_is_late_only_if_every_rule_that_wants_it_drops_it() {
    let mut task = fresh(vec![
        rule("short", 1000, 0, LatePolicy::Drop),
        rule("long", 60_000, 0, LatePolicy::Drop),
    ]);
    feed_flow(&mut task, Sample::at(30_000));
    feed_flow(&mut task, Sample::at(1000));
    feed_flow(&mut task, Sample::at(60_000));
    feed_flow(&mut task, Sample::at(1000));
    let totals = Totals::of(&mut task);
    assert_eq!((totals.fates.selected, totals.fates.late), (3, 1));
    assert_eq!(totals.late("short"), [(30_000, 1), (60_000, 1)]);
    assert_eq!(totals.late("long"), [(60_000, 1)]);
}

#[test]
fn silence_closes_windows_by_counts_own_rule() {
    let mut task = fresh(vec![rule("r", 10_000, 2000, LatePolicy::Drop)]);
    feed_flow(&mut task, Sample::at(5000));
    let mut totals = Totals::default();
    totals.add(task.flush());
    assert!(!task.has_news());
    task.idle(Some(ms(8000)));
    assert!(task.has_news(), "it is idle now");
    let marker = totals.add(task.flush());
    assert_eq!((marker.idle, marker.stream_time), (true, Some(ms(8000))));
    task.idle(Some(ms(11_999)));
    assert!(!task.has_news(), "no window closes");
    task.idle(Some(ms(12_000)));
    assert!(task.has_news(), "the first window closes");
    feed_flow(&mut task, Sample::at(9000));
    let marker = totals.add(task.flush());
    assert!(!marker.idle);
    assert_eq!(marker.rules[0].closed_through, ms(10_000));
    assert_eq!(totals.fates.late, 1);
    // Silence never moves time back.
    task.idle(Some(ms(3)));
    assert_eq!(task.stream_time(), Some(ms(12_000)));
}

#[test]
fn a_partition_that_never_had_a_record_is_idle_without_a_time() {
    let mut task = fresh(vec![rule("r", 10_000, 0, LatePolicy::Drop)]);
    assert!(task.has_news(), "detect never heard of it");
    task.flush();
    task.idle(None);
    assert!(task.has_news());
    let marker = Totals::default().add(task.flush());
    assert_eq!((marker.idle, marker.stream_time), (true, None));
    assert_eq!(marker.rules[0].closed_through, Timestamp::MIN);
    task.idle(None);
    assert!(!task.has_news());
}

#[test]
fn a_spread_flow_is_divided_exactly_and_counts_once() {
    let mut spread = rule("r", 1000, 0, LatePolicy::OldestOpen);
    spread.attribution = Attribution::Spread;
    let mut task = fresh(vec![spread.clone()]);
    let lasting = Sample {
        bytes: 1001,
        rate: 10,
        start: 100,
        end: 2600,
        ..Sample::at(3500)
    };
    feed_flow(&mut task, lasting);
    // [1000, 3500): two fifths, two fifths, one fifth of 10,010; the first two are closed.
    let totals = Totals::of(&mut task);
    assert_eq!(totals.bytes("r"), [(3000, 10_010, 1)]);
    assert_eq!(totals.late("r"), [(3000, 1)]);
    assert_eq!(totals.fates.late_counted, 1);

    spread.grace = Duration::from_secs(1);
    spread.late = LatePolicy::Drop;
    let mut task = fresh(vec![spread]);
    feed_flow(&mut task, lasting);
    let totals = Totals::of(&mut task);
    assert_eq!(totals.bytes("r"), [(2000, 4004, 0), (3000, 2002, 1)]);
    assert_eq!(totals.late("r"), [(2000, 1)]);
    assert_eq!((totals.fates.selected, totals.fates.late), (1, 0));
}

#[test]
fn rates_are_told_by_leaf_only_where_they_differ() {
    let mut task = fresh(vec![rule("r", 1000, 0, LatePolicy::Drop)]);
    for (rate, at) in [(32, 1000), (32, 1001), (0, 2000), (32, 2001)] {
        feed_flow(
            &mut task,
            Sample {
                rate,
                ..Sample::at(at)
            },
        );
    }
    let totals = Totals::of(&mut task);
    let sampling = |start| &totals.v4[&("r".to_owned(), start)].sampling;
    assert_eq!(sampling(1000), &Sampling::Uniform(32));
    let mixed = Sampling::ByLeaf {
        raw_bytes: vec![200],
        min_rate: vec![0],
        max_rate: vec![32],
    };
    assert_eq!(sampling(2000), &mixed);
    assert_eq!(totals.fates.unknown_sampling, 1);
}

#[test]
fn every_record_has_one_fate() {
    let mut v4_only = rule("r", 1000, 0, LatePolicy::Drop);
    v4_only.lengths_v6 = LengthSet::list([]);
    let mut task = fresh(vec![v4_only]);
    feed(&mut task, None, 1);
    feed(&mut task, Some(b""), 1);
    feed(&mut task, Some(b"\xff\xff junk"), 1);
    assert_eq!(
        task.stream_time(),
        None,
        "what is no flow has no event time"
    );
    let big = Sample {
        bytes: 1 << 62,
        rate: 2,
        ..Sample::at(1000)
    };
    feed_flow(&mut task, big);
    feed(&mut task, Some(&Sample::at(2000).payload(0x0806)), 2000);
    feed_flow(
        &mut task,
        Sample {
            dst: 0,
            ..Sample::at(2000)
        },
    );
    // A multiple of five is IPv6 here.
    feed_flow(
        &mut task,
        Sample {
            dst: 5,
            ..Sample::at(2000)
        },
    );
    feed_flow(&mut task, Sample::at(2000));
    assert!(task.pending_bytes() > 0);
    let mut totals = Totals::default();
    let marker = totals.add(task.flush());
    let expected = Fates {
        undecodable: 3,
        implausible: 1,
        not_ip: 2,
        not_selected: 1,
        selected: 1,
        dead_letters: 3,
        ..Fates::default()
    };
    assert_eq!(totals.fates, expected);
    assert_eq!(marker.fates, expected);
    assert_eq!(marker.fates.records(), 8);
    assert_eq!((marker.next_offset, task.pending_bytes()), (8, 0));
    let letters: Vec<_> = totals
        .dead_letters
        .iter()
        .map(|l| (l.offset, l.kind.name(), l.payload.as_deref()))
        .collect();
    let junk: &[u8] = b"\xff\xff junk";
    assert_eq!(
        letters,
        [
            (0, "undecodable", None),
            (1, "undecodable", Some(&b""[..])),
            (2, "undecodable", Some(junk)),
        ],
        "the cap is three"
    );
}

#[test]
fn the_cap_on_dead_letters_holds_for_each_block_and_outlives_a_restart() {
    let rules = vec![rule("r", 1000, 0, LatePolicy::Drop)];
    let mut task = fresh(rules.clone());
    let mut offsets = vec![];
    for offset in [0, 1, 2, 3, 9999, 10_000, 10_001, 25_000] {
        let record = Record {
            offset,
            timestamp: Some(ms(1)),
            log_append_time: true,
            payload: None,
        };
        task.record(&record, ms(0));
        let flush = task.flush();
        offsets.extend(flush.dead_letters.iter().map(|l| l.offset));
        let resume = Resume::Committed {
            next_offset: flush.next_offset,
            metadata: &flush.metadata,
        };
        task = CountTask::new(source(), Arc::new(plan(rules.clone())), resume).unwrap();
    }
    assert_eq!(offsets, [0, 1, 2, 10_000, 10_001, 25_000]);
}

#[test]
fn the_first_windows_are_partial_unless_the_log_was_read_from_its_start() {
    let rules = || {
        vec![
            rule("a", 1000, 500, LatePolicy::Drop),
            rule("b", 1000, 7000, LatePolicy::Drop),
        ]
    };
    let mut whole = fresh(rules());
    feed_flow(&mut whole, Sample::at(50_000));
    let marker = Totals::default().add(whole.flush());
    assert_eq!(marker.complete_from, Timestamp::MIN);

    let resume = Resume::Fresh {
        next_offset: 100,
        from_log_start: false,
    };
    let mut late = CountTask::new(source(), Arc::new(plan(rules())), resume).unwrap();
    let marker = Totals::default().add(late.flush());
    assert_eq!(
        (marker.complete_from, marker.next_offset),
        (Timestamp::MIN, 100)
    );
    feed_flow(&mut late, Sample::at(50_000));
    feed_flow(&mut late, Sample::at(51_000));
    let marker = Totals::default().add(late.flush());
    assert_eq!(marker.complete_from, ms(57_000));
}

#[test]
fn windows_around_a_gap_are_partial() {
    let mut task = fresh(vec![rule("r", 1000, 500, LatePolicy::Drop)]);
    feed_flow(&mut task, Sample::at(50_000));
    task.flush();
    task.gap(1, 41);
    assert!(task.has_news());
    let mut totals = Totals::default();
    let marker = totals.add(task.flush());
    assert_eq!((marker.next_offset, marker.fates.lost), (41, 40));
    assert_eq!(
        marker.complete_from,
        Timestamp::MAX,
        "its end is not known yet"
    );
    feed_flow(&mut task, Sample::at(90_000));
    let marker = totals.add(task.flush());
    assert_eq!(marker.complete_from, ms(90_500));
    // Silence after a gap ends it, too.
    task.gap(42, 43);
    task.idle(Some(ms(95_000)));
    let marker = totals.add(task.flush());
    assert_eq!(marker.complete_from, ms(95_500));
}

#[test]
fn a_new_rule_is_announced_and_counts_from_then_on() {
    let old = rule("old", 1000, 0, LatePolicy::Drop);
    let mut task = fresh(vec![old.clone()]);
    feed_flow(&mut task, Sample::at(4500));
    let flush = task.flush();
    let both = Arc::new(plan(vec![old, rule("new", 1000, 0, LatePolicy::Drop)]));
    let resume = Resume::Committed {
        next_offset: flush.next_offset,
        metadata: &flush.metadata,
    };
    let mut task = CountTask::new(source(), Arc::clone(&both), resume).unwrap();
    assert!(task.has_news());
    let flush = task.flush();
    let metadata = flush.metadata.clone();
    let marker = Totals::default().add(flush);
    let from = |name: &str| {
        let rule = both.rules.iter().find(|r| &*r.name == name).unwrap();
        let progress = marker.rules.iter().find(|p| p.selection == rule.selection);
        progress.unwrap().counted_from
    };
    assert_eq!((from("old"), from("new")), (Timestamp::MIN, ms(4501)));
    let resume = Resume::Committed {
        next_offset: 1,
        metadata: &metadata,
    };
    let again = CountTask::new(source(), both, resume).unwrap();
    assert!(!again.has_news());
}

#[test]
fn corrupt_metadata_stops_the_task() {
    let resume = Resume::Committed {
        next_offset: 7,
        metadata: "!",
    };
    let error = CountTask::new(source(), Arc::new(plan(vec![])), resume).unwrap_err();
    assert!(
        error
            .to_string()
            .starts_with("flows/3 at offset 7: offset metadata is not base64"),
        "{error}"
    );
}

/// What may happen to a task.
#[derive(Clone, Debug)]
enum Event {
    Flow(Sample, u32),
    Junk,
    Gap(i64),
    Idle(i64),
}

fn event() -> impl Strategy<Value = Event> {
    let time = || prop_oneof![Just(0_i64), 1000..60_000_i64];
    let flow = (
        0..8_u32,
        0..1000_u64,
        0..9_u64,
        0..3_u32,
        time(),
        time(),
        time(),
    )
        .prop_map(|(dst, bytes, packets, rate, received, start, end)| Sample {
            dst,
            bytes,
            packets,
            rate,
            received,
            start,
            end,
        });
    let etype = prop_oneof![9 => Just(0x0800_u32), 1 => Just(0x0806)];
    prop_oneof![
        20 => (flow, etype).prop_map(|(sample, etype)| Event::Flow(sample, etype)),
        3 => Just(Event::Junk),
        1 => (1..5_i64).prop_map(Event::Gap),
        2 => (1000..80_000_i64).prop_map(Event::Idle),
    ]
}

fn apply(task: &mut CountTask, index: usize, event: &Event) {
    // Record times go on slowly, so that event times lie on both sides of them.
    let timestamp = 30_000 + index as i64 * 100;
    match event {
        Event::Flow(sample, etype) => feed(task, Some(&sample.payload(*etype)), timestamp),
        Event::Junk => feed(task, Some(b"\xff"), timestamp),
        Event::Gap(lost) => {
            let next = task.next_offset();
            task.gap(next, next + lost);
        }
        Event::Idle(at) => task.idle(Some(ms(*at))),
    }
}

fn some_rules() -> Vec<Rule> {
    let spread = |name, interval, grace, late| Rule {
        attribution: Attribution::Spread,
        ..rule(name, interval, grace, late)
    };
    let mut by_source = rule("src", 1000, 0, LatePolicy::Drop);
    by_source.key = KeySide::Src;
    vec![
        rule("oldest", 10_000, 2000, LatePolicy::OldestOpen),
        rule("drop", 7000, 0, LatePolicy::Drop),
        spread("spread", 3000, 1000, LatePolicy::OldestOpen),
        spread("spread-drop", 5000, 500, LatePolicy::Drop),
        by_source,
    ]
}

/// Whether to flush, restart after it, or crash before it, at each event.
#[derive(Clone, Copy, Debug)]
enum Shell {
    Nothing,
    Flush,
    FlushAndRestart,
    Crash,
}

fn start(plan: &Arc<Plan>, resume: Resume<'_>) -> CountTask {
    CountTask::new(source(), Arc::clone(plan), resume).unwrap()
}

/// Runs all events in a task that is flushed, restarted and crashed as `shell` says.
fn run(plan: &Arc<Plan>, events: &[Event], shell: &[Shell]) -> (Totals, String, i64) {
    let mut totals = Totals::default();
    let mut task = start(
        plan,
        Resume::Fresh {
            next_offset: 5,
            from_log_start: false,
        },
    );
    let mut committed = (0, 5, String::new());
    let mut crashes = shell.to_vec();
    let mut at = 0;
    while at < events.len() {
        apply(&mut task, at, &events[at]);
        at += 1;
        // A crash happens once: the events are then run again without it.
        let what = std::mem::replace(&mut crashes[at - 1], Shell::Nothing);
        if matches!(what, Shell::Flush | Shell::FlushAndRestart) {
            let flush = task.flush();
            committed = (at, flush.next_offset, flush.metadata.clone());
            totals.add(flush);
        }
        if matches!(what, Shell::FlushAndRestart | Shell::Crash) {
            at = committed.0;
            task = if committed.2.is_empty() {
                start(
                    plan,
                    Resume::Fresh {
                        next_offset: 5,
                        from_log_start: false,
                    },
                )
            } else {
                start(
                    plan,
                    Resume::Committed {
                        next_offset: committed.1,
                        metadata: &committed.2,
                    },
                )
            };
        }
    }
    let flush = task.flush();
    let (metadata, next) = (flush.metadata.clone(), flush.next_offset);
    totals.add(flush);
    (totals, metadata, next)
}

proptest! {
    #[test]
    fn totals_do_not_depend_on_flushes_restarts_or_crashes(
        steps in prop::collection::vec(
            (event(), prop_oneof![
                6 => Just(Shell::Nothing), 2 => Just(Shell::Flush),
                1 => Just(Shell::FlushAndRestart), 1 => Just(Shell::Crash),
            ]),
            1..60,
        ),
    ) {
        let plan = Arc::new(plan(some_rules()));
        let (events, shell): (Vec<_>, Vec<_>) = steps.into_iter().unzip();
        let undisturbed = run(&plan, &events, &vec![Shell::Nothing; events.len()]);
        let disturbed = run(&plan, &events, &shell);
        prop_assert_eq!(&undisturbed, &disturbed);
        let records = events.iter().filter(|e| matches!(e, Event::Flow(..) | Event::Junk)).count();
        prop_assert_eq!(undisturbed.0.fates.records(), records as u64);
    }

    #[test]
    fn sums_equal_a_plain_model(events in prop::collection::vec(event(), 1..60)) {
        let rules = vec![
            rule("oldest", 10_000, 2000, LatePolicy::OldestOpen),
            rule("drop", 7000, 0, LatePolicy::Drop),
        ];
        let model = Model::run(&rules, &events);
        let (totals, ..) = run(&Arc::new(plan(rules)), &events, &vec![Shell::Nothing; events.len()]);
        let mut got = BTreeMap::new();
        for ((rule, start), leaves) in &totals.v4 {
            for (i, addr) in leaves.addr.iter().enumerate() {
                let counts = (leaves.bytes[i], leaves.packets[i], leaves.flows[i]);
                got.insert((rule.clone(), *start, u128::from(*addr)), counts);
            }
        }
        for ((rule, start), leaves) in &totals.v6 {
            for (i, addr) in leaves.addr.iter().enumerate() {
                let counts = (leaves.bytes[i], leaves.packets[i], leaves.flows[i]);
                got.insert((rule.clone(), *start, *addr), counts);
            }
        }
        prop_assert_eq!(got, model.counts);
        prop_assert_eq!(totals.late_flows, model.late_flows);
    }
}

/// What the design says, with no cache, table or flush.
#[derive(Default)]
struct Model {
    counts: BTreeMap<(String, i64, u128), (u64, u64, u64)>,
    late_flows: BTreeMap<(String, i64), u64>,
    stream: i64,
}

impl Model {
    fn run(rules: &[Rule], events: &[Event]) -> Self {
        let mut model = Self::default();
        for (index, event) in events.iter().enumerate() {
            match event {
                Event::Idle(at) => model.stream = model.stream.max(*at),
                Event::Flow(sample, etype) => {
                    let record = 30_000 + index as i64 * 100;
                    let ahead = sample.received > record + 60_000;
                    let stated = sample.received != 0 && !ahead;
                    let event = if stated { sample.received } else { record };
                    model.stream = model.stream.max(event);
                    if *etype == 0x0800 && sample.dst != 0 {
                        for rule in rules {
                            model.count(rule, sample, event);
                        }
                    }
                }
                Event::Junk | Event::Gap(_) => {}
            }
        }
        model
    }

    fn count(&mut self, rule: &Rule, sample: &Sample, event: i64) {
        let (len, grace) = (
            rule.interval.as_millis() as i64,
            rule.grace.as_millis() as i64,
        );
        let late = event / len * len + len + grace <= self.stream;
        let start = if late { self.stream - grace } else { event } / len * len;
        if late {
            *self
                .late_flows
                .entry((rule.name.to_string(), start))
                .or_default() += 1;
        }
        if !late || rule.late == LatePolicy::OldestOpen {
            let rate = u64::from(sample.rate.max(1));
            let addr = model_addr(sample.dst);
            let row = self
                .counts
                .entry((rule.name.to_string(), start, addr))
                .or_default();
            row.0 += sample.bytes * rate;
            row.1 += sample.packets * rate;
            row.2 += 1;
        }
    }
}

fn model_addr(dst: u32) -> u128 {
    if dst.is_multiple_of(5) {
        u128::from(dst) << 64
    } else {
        u128::from(dst)
    }
}
