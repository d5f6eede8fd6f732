//! What must be equal, and whether it is.
//!
//! The oracle is the same application on the same load, undisturbed, which is itself compared with the brute-force
//! model. What may differ from it, and is left out, each for a reason:
//!
//! - `completeness` of alerts and windows: windows that end before partitions are added may be finalised before or
//!   after detect hears of them, so that the number of expected partitions is either. That number is checked by itself.
//! - Headers that say who wrote a record and when.
//! - Offsets: an aborted transaction takes some. Places of dead letters are compared with those that follow from
//!   where the load's records are; the saved position and offsets within the state are left out.

use std::collections::BTreeMap;

use hotprefix::partial::{Fates, Partial, decode};
use hotprefix::proto::v1::{DetectRule, DetectTask};
use prost::Message as _;

use crate::load::{FIRST, LAST, Recorded};
use crate::run::{Prepared, latest, open_alerts};
use crate::support::app::App;
use crate::support::kafka_client::{Incoming, committed, read_all};

/// Everything that an application has committed, as far as it can be compared.
#[derive(Clone, Debug, Default)]
pub(crate) struct Observed {
    pub(crate) alerts: Vec<Incoming>,
    /// The latest message of each open alert, by key.
    pub(crate) active: BTreeMap<Vec<u8>, Vec<u8>>,
    pub(crate) windows: Vec<Incoming>,
    pub(crate) dead_letters: Vec<Incoming>,
    /// Records in committed markers, by partials partition and input partition.
    pub(crate) fates: BTreeMap<(i32, i32), Fates>,
    /// The latest value of each key, by partition.
    pub(crate) state: BTreeMap<(i32, String), Vec<u8>>,
    /// Of the group of count, by input partition.
    pub(crate) committed: Vec<i64>,
    /// How many records the topics have that were read throughout.
    pub(crate) records: BTreeMap<&'static str, usize>,
}

impl Observed {
    /// Reads it all; the application has ended.
    pub(crate) fn of(app: &App<'_>, input: &str) -> Self {
        let read = |which: &str| read_all(app.cluster, &app.topic(which));
        let partials = read("partials");
        let mut fates: BTreeMap<(i32, i32), Fates> = BTreeMap::new();
        for record in &partials {
            let payload = record.payload.as_deref().unwrap_or_default();
            if let Partial::Marker(marker) = decode(payload).expect("partials are not corrupt") {
                let place = (record.partition, marker.source.partition);
                // How many fit below the cap depends on offsets.
                let told = Fates {
                    dead_letters: 0,
                    ..marker.fates
                };
                fates.entry(place).or_default().add(&told);
            }
        }
        let mut observed = Self {
            alerts: read("alerts"),
            active: latest(&read("active")),
            windows: read("windows"),
            dead_letters: read("dead-letters"),
            fates,
            state: state(&read("state"), input),
            committed: committed(app.cluster, &format!("{}-count", app.id), input, LAST),
            records: BTreeMap::new(),
        };
        observed.records = BTreeMap::from([
            ("alerts", observed.alerts.len()),
            ("windows", observed.windows.len()),
            ("dead-letters", observed.dead_letters.len()),
            ("partials", partials.len()),
        ]);
        observed
    }
}

/// The state topic's last word on each key. The input's name and what depends on offsets is left out.
fn state(records: &[Incoming], input: &str) -> BTreeMap<(i32, String), Vec<u8>> {
    let mut state = BTreeMap::new();
    for record in records {
        let key = String::from_utf8_lossy(&record.key).replace(input, "input");
        let place = (record.partition, key);
        match &record.payload {
            Some(value) => state.insert(place, value.clone()),
            None => state.remove(&place),
        };
    }
    for ((_, key), value) in &mut state {
        if key == "task" {
            let mut task = DetectTask::decode(value.as_slice()).expect("state is not corrupt");
            task.position = 0;
            task.topics = task
                .topics
                .into_values()
                .map(|n| ("input".to_owned(), n))
                .collect();
            *value = task.encode_to_vec();
        } else if key.starts_with("rule/") {
            let mut rule = DetectRule::decode(value.as_slice()).expect("state is not corrupt");
            rule.late.iter_mut().for_each(|late| late.offset = 0);
            *value = rule.encode_to_vec();
        }
    }
    state
}

/// What the load says must be there.
pub(crate) struct Expected {
    pub(crate) oracle: Observed,
    /// By input partition, how many records were written.
    written: Vec<u64>,
    grown_at: i64,
}

impl Expected {
    pub(crate) fn new(oracle: Observed, recorded: &Recorded, prepared: &Prepared) -> Self {
        let mut written = vec![0; LAST];
        for out in prepared.outgoing() {
            written[out.partition as usize] += 1;
        }
        Self {
            oracle,
            written,
            grown_at: recorded.grown_at,
        }
    }

    /// Everything that is wrong. `input` is what the input topic holds.
    pub(crate) fn judge(
        &self,
        got: &Observed,
        prepared: &Prepared,
        input: &[Incoming],
    ) -> Vec<String> {
        let mut wrong = Vec::new();
        let oracle = &self.oracle;
        let lines = |records: &[Incoming]| records.iter().map(line).collect();
        differ(
            &mut wrong,
            "alerts",
            lines(&oracle.alerts),
            lines(&got.alerts),
        );
        differ(
            &mut wrong,
            "windows",
            lines(&oracle.windows),
            lines(&got.windows),
        );
        let state = |o: &Observed| {
            o.state
                .iter()
                .map(|(k, v)| format!("{k:?} {v:?}"))
                .collect()
        };
        differ(&mut wrong, "state", state(oracle), state(got));
        if got.active != open_alerts(&got.alerts) {
            wrong.push("the open alerts are not those of the alert topic".to_owned());
        }
        let told = got.alerts.iter().chain(&got.windows);
        let incomplete: Vec<_> = told.filter_map(|record| self.incomplete(record)).collect();
        if let Some(first) = incomplete.first() {
            wrong.push(format!(
                "{} records are not complete, such as {first}",
                incomplete.len()
            ));
        }
        self.fates(&mut wrong, got);
        dead_letters(&mut wrong, prepared, input, &got.dead_letters);
        let after = after_last(input);
        let behind = got
            .committed
            .iter()
            .zip(&after)
            .any(|(at, after)| at < after);
        if behind {
            wrong.push(format!(
                "count has committed {:?} of {after:?}",
                got.committed
            ));
        }
        wrong
    }

    /// Without silence, every window is final only when all partitions that are known have closed it.
    fn incomplete(&self, record: &Incoming) -> Option<String> {
        let message = record.message();
        let number = |name| message.number(&["completeness", name]);
        let (reported, expected) = (number("partitions_reported"), number("partitions_expected"));
        let grown = message.window_start() >= self.grown_at;
        let known = expected == LAST as u64 || !grown && expected == FIRST as u64;
        let whole = message.is_final() && message.body["completeness"]["partial"] == false;
        let right = whole && known && reported == expected;
        (!right).then(|| message.body.to_string())
    }

    /// Every record has one fate, and every partials partition is told so.
    fn fates(&self, wrong: &mut Vec<String>, got: &Observed) {
        let partials = got
            .fates
            .keys()
            .map(|(partials, _)| *partials)
            .max()
            .unwrap_or(0);
        for partition in 0..=partials {
            for (source, written) in (0i32..).zip(&self.written) {
                let place = (partition, source);
                let fates = got.fates.get(&place).copied().unwrap_or_default();
                let known = self.oracle.fates.get(&place).copied().unwrap_or_default();
                if fates.records() != *written || fates != known {
                    wrong.push(format!(
                        "fates of partition {source} in partials {partition}: {fates:?} of {written} records, not {known:?}"
                    ));
                }
            }
        }
    }
}

/// Key, time, body and headers of an alert or window record, but for what may differ.
fn line(record: &Incoming) -> String {
    let own = ["hotprefix.instance", "hotprefix.written_at", "traceparent"];
    let headers = record
        .headers
        .iter()
        .filter(|(name, _)| !own.contains(&name.as_str()));
    let headers: Vec<_> = headers
        .map(|(name, value)| format!("{name}={}", String::from_utf8_lossy(value)))
        .collect();
    format!(
        "{} {:?} {} {}",
        String::from_utf8_lossy(&record.key),
        record.timestamp,
        headers.join(" "),
        record.message().comparable
    )
}

/// By partition, the offset after the last committed record.
fn after_last(input: &[Incoming]) -> Vec<i64> {
    let mut after = vec![0; LAST];
    for record in input {
        let after: &mut i64 = &mut after[record.partition as usize];
        *after = record.offset + 1;
    }
    after
}

/// The first undecodable records of each block of offsets, whole, each with its place.
fn dead_letters(
    wrong: &mut Vec<String>,
    prepared: &Prepared,
    input: &[Incoming],
    got: &[Incoming],
) {
    let mut offsets: BTreeMap<i32, Vec<i64>> = BTreeMap::new();
    for record in input {
        offsets
            .entry(record.partition)
            .or_default()
            .push(record.offset);
    }
    let written: BTreeMap<i32, usize> =
        prepared.outgoing().fold(BTreeMap::new(), |mut all, out| {
            *all.entry(out.partition).or_default() += 1;
            all
        });
    let there: BTreeMap<i32, usize> = offsets.iter().map(|(p, o)| (*p, o.len())).collect();
    if there != written {
        wrong.push(format!(
            "the input holds {there:?}, not {written:?}: the harness is wrong"
        ));
        return;
    }
    let payloads = prepared.undecodable(|partition, n| offsets[&partition][n]);
    let expected = payloads.into_iter().map(|(partition, offset, payload)| {
        format!(
            "{partition}/{offset} undecodable {:?} {payload:?}",
            None::<&[u8]>
        )
    });
    let header = |record: &Incoming, name: &str| {
        let found = record.headers.iter().find(|(key, _)| key == name);
        found.map_or(String::new(), |(_, value)| {
            String::from_utf8_lossy(value).into_owned()
        })
    };
    let got = got.iter().map(|record| {
        let key = Some(record.key.as_slice()).filter(|key| !key.is_empty());
        format!(
            "{}/{} {} {key:?} {:?}",
            header(record, "__streams.errors.partition"),
            header(record, "__streams.errors.offset"),
            header(record, "__streams.errors.exception"),
            record.payload
        )
    });
    differ(wrong, "dead letters", expected.collect(), got.collect());
}

/// Says what is missing and what is too much, each as often as it is.
fn differ(wrong: &mut Vec<String>, what: &str, expected: Vec<String>, got: Vec<String>) {
    let mut balance: BTreeMap<String, i64> = BTreeMap::new();
    for line in expected {
        *balance.entry(line).or_default() += 1;
    }
    for line in got {
        *balance.entry(line).or_default() -= 1;
    }
    for (word, sign) in [("missing", 1), ("unexpected", -1)] {
        let lines: Vec<_> = balance.iter().filter(|(_, n)| **n * sign > 0).collect();
        if let Some((first, _)) = lines.first() {
            let first: String = first.chars().take(1_500).collect();
            wrong.push(format!("{what}: {} {word}, such as {first}", lines.len()));
        }
    }
}
