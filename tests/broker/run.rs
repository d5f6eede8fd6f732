//! One load through one application, and what must come of it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::OnceLock;
use std::time::Duration;

use hotprefix::partial::{Fates, Partial, decode};
use serde_json::json;

use crate::support::app::{App, Instance};
use crate::support::flows::{Content, Load, Outgoing, Record};
use crate::support::kafka_client::{Incoming, Reader, Topic, Writer, committed, read_all};
use crate::support::kafka_node::Cluster;
use crate::support::model::{self, Outcome, Rule};
use crate::support::outcome::{
    Message, Silence, alerts, assert_lives, assert_same, comparable, windows,
};

/// How long a load may take to be counted to its end: far more than it needs on an idle machine.
const COUNTED: Duration = Duration::from_mins(3);
/// `dead_letters.per_block`, and offsets in a block.
const DEAD_LETTERS: (usize, i64) = (100, 10_000);

/// A load in a topic, with what the model makes of it.
pub(crate) struct Prepared {
    pub(crate) topic: String,
    pub(crate) partitions: usize,
    pub(crate) rules: Vec<Rule>,
    pub(crate) records: Vec<Record>,
    pub(crate) outcome: Outcome,
}

impl Prepared {
    /// Creates the topic and runs the model; nothing is written yet.
    pub(crate) fn unwritten(cluster: &Cluster, topic: &str, rules: Vec<Rule>, load: &Load) -> Self {
        Self::of_records(cluster, topic, rules, load.partitions, load.generate())
    }

    /// [`Self::unwritten`] of records that are like no load's.
    pub(crate) fn of_records(
        cluster: &Cluster,
        topic: &str,
        rules: Vec<Rule>,
        partitions: usize,
        records: Vec<Record>,
    ) -> Self {
        Topic::new(topic, partitions).create(cluster);
        Self {
            topic: topic.to_owned(),
            partitions,
            outcome: model::run(&rules, partitions, &records),
            rules,
            records,
        }
    }

    /// The same, with all records written.
    pub(crate) fn written(cluster: &Cluster, topic: &str, rules: Vec<Rule>, load: &Load) -> Self {
        let prepared = Self::unwritten(cluster, topic, rules, load);
        Writer::new(cluster, topic).write(prepared.outgoing());
        prepared
    }

    pub(crate) fn outgoing(&self) -> impl Iterator<Item = &Outgoing> {
        self.records.iter().map(|record| &record.out)
    }

    pub(crate) fn app<'c>(&self, cluster: &'c Cluster, id: &str) -> App<'c> {
        let app = App::new(cluster, id, &self.topic, &self.rules);
        match Silence::within(&self.outcome) {
            Some(silence) => app.set("silences", json!([silence.as_config()])),
            None => app,
        }
    }

    /// Waits until each window of the model is final, stops the instances, and compares everything.
    pub(crate) fn finish(&self, app: &App<'_>, instances: Vec<Instance>) -> Output {
        self.until_final(app);
        instances.into_iter().for_each(Instance::stop);
        let output = Output::read(app);
        self.compare(app, &output);
        output
    }

    pub(crate) fn until_final(&self, app: &App<'_>) {
        let mut missing: BTreeSet<_> = self.outcome.windows.keys().cloned().collect();
        for (name, like) in app.unknown_rules() {
            let windows = self.outcome.windows.keys().filter(|(rule, _)| rule == like);
            missing.extend(windows.map(|(_, start)| (name.clone(), *start)));
        }
        let mut looked_at = 0;
        let mut reader = Reader::new(app.cluster, &app.topic("windows"));
        let what = format!("{}: every window is final", app.id);
        reader.until(&what, COUNTED, |records| {
            for message in records[looked_at..].iter().map(Incoming::message) {
                if message.is_final() {
                    missing.remove(&(message.rule().to_owned(), message.window_start()));
                }
            }
            looked_at = records.len();
            missing.is_empty()
        });
    }

    fn compare(&self, app: &App<'_>, output: &Output) {
        let id = &app.id;
        let is_known = |m: &Message| app.unknown_rules().iter().all(|(name, _)| name != m.rule());
        let known = |records| messages(records).filter(is_known).collect::<Vec<_>>();
        let (told, looked_at) = (known(&output.alerts), known(&output.windows));
        assert_same(
            &format!("{id}: alerts"),
            &alerts(told.iter().cloned()),
            &self.outcome.alerts,
        );
        assert_same(
            &format!("{id}: windows"),
            &windows(looked_at.iter().cloned()),
            &self.outcome.windows,
        );
        assert_lives(id, &told, &looked_at, Silence::within(&self.outcome));
        assert!(
            output.active == open_alerts(&output.alerts),
            "{id}: the open alerts are not those of the alert topic"
        );
        let (fates, model) = (&output.fates, &self.outcome.fates);
        let got = [
            fates.selected,
            fates.not_selected,
            fates.late,
            fates.not_ip,
            fates.undecodable,
        ];
        let want = [
            model.selected,
            model.not_selected,
            model.late,
            model.not_ip,
            model.undecodable,
        ];
        assert_eq!(
            got, want,
            "{id}: selected, not selected, late, not IP, undecodable"
        );
        assert_eq!(
            fates.records(),
            self.records.len() as u64,
            "{id}: each record has one fate"
        );
        assert_eq!(
            output.dead_letter_places(),
            self.dead_letter_places(),
            "{id}: dead letters"
        );
        let ends = self.ends();
        let group = format!("{id}-count");
        let at = committed(app.cluster, &group, &self.topic, self.partitions);
        assert_eq!(at, ends, "{id}: count has committed all that it read");
    }

    /// By partition, how many records it has.
    fn ends(&self) -> Vec<i64> {
        let mut ends = vec![0; self.partitions];
        for out in self.outgoing() {
            ends[out.partition as usize] += 1;
        }
        ends
    }

    /// Partition and offset of each record that goes to the dead letters.
    fn dead_letter_places(&self) -> Vec<(i32, i64)> {
        let letters = self.undecodable(|_, n| n as i64).into_iter();
        let mut places: Vec<_> = letters.map(|(p, offset, _)| (p, offset)).collect();
        places.sort_unstable();
        places
    }

    /// Partition, offset and value of each record that goes to the dead letters: the first of each block.
    /// `offset_of` says where the n-th record of a partition is.
    pub(crate) fn undecodable(
        &self,
        offset_of: impl Fn(i32, usize) -> i64,
    ) -> Vec<(i32, i64, Option<&Vec<u8>>)> {
        let mut next = vec![0; self.partitions];
        let mut in_block = vec![(0i64, 0usize); self.partitions];
        let mut letters = Vec::new();
        for record in &self.records {
            let partition = record.out.partition as usize;
            let offset = offset_of(record.out.partition, next[partition]);
            next[partition] += 1;
            if !matches!(record.content, Content::Undecodable) {
                continue;
            }
            let block = offset / DEAD_LETTERS.1;
            let (current, count) = &mut in_block[partition];
            if *current != block {
                (*current, *count) = (block, 0);
            }
            *count += 1;
            if *count <= DEAD_LETTERS.0 {
                letters.push((record.out.partition, offset, record.out.payload.as_ref()));
            }
        }
        letters
    }
}

/// Everything that an application has committed.
pub(crate) struct Output {
    pub(crate) alerts: Vec<Incoming>,
    active: BTreeMap<Vec<u8>, Vec<u8>>,
    pub(crate) windows: Vec<Incoming>,
    dead_letters: Vec<Incoming>,
    pub(crate) fates: Fates,
}

impl Output {
    pub(crate) fn read(app: &App<'_>) -> Self {
        let read = |which: &str| read_all(app.cluster, &app.topic(which));
        let mut fates = Fates::default();
        // Each marker is in every partition.
        for record in read("partials").iter().filter(|r| r.partition == 0) {
            let payload = record
                .payload
                .as_deref()
                .expect("partials have no tombstones");
            if let Partial::Marker(marker) = decode(payload).expect("partials are not corrupt") {
                fates.add(&marker.fates);
            }
        }
        Self {
            alerts: read("alerts"),
            active: latest(&read("active")),
            windows: read("windows"),
            dead_letters: read("dead-letters"),
            fates,
        }
    }

    /// The values of all alerts: the same text for the same set.
    // Security compares no runs with each other.
    #[allow(dead_code)]
    pub(crate) fn alert_values(&self) -> Vec<String> {
        comparable(messages(&self.alerts))
    }

    fn dead_letter_places(&self) -> Vec<(i32, i64)> {
        let header = |record: &Incoming, name: &str| -> i64 {
            let mut headers = record.headers.iter();
            let found = headers.find(|(key, _)| key == name).map(|(_, value)| value);
            let text = found.and_then(|v| std::str::from_utf8(v).ok());
            let number = text.and_then(|t| t.parse().ok());
            number.unwrap_or_else(|| panic!("{name} is {text:?}, no number"))
        };
        let place = |record: &Incoming| {
            let partition = header(record, "__streams.errors.partition") as i32;
            (partition, header(record, "__streams.errors.offset"))
        };
        let mut places: Vec<_> = self.dead_letters.iter().map(place).collect();
        places.sort_unstable();
        places
    }
}

/// What a compacted topic says in the end: the last value of each key.
pub(crate) fn latest(records: &[Incoming]) -> BTreeMap<Vec<u8>, Vec<u8>> {
    let mut latest = BTreeMap::new();
    for record in records {
        match &record.payload {
            Some(payload) => latest.insert(record.key.clone(), payload.clone()),
            None => latest.remove(&record.key),
        };
    }
    latest
}

/// The last message of each key of the alert topic, where that is no end and not silenced.
pub(crate) fn open_alerts(records: &[Incoming]) -> BTreeMap<Vec<u8>, Vec<u8>> {
    let mut latest = latest(records);
    latest.retain(|_, alert| {
        let says = |text: &[u8]| alert.windows(text.len()).any(|part| part == text);
        !says(br#""status":"ended""#) && !says(br#""silenced_by":"#)
    });
    latest
}

fn messages(records: &[Incoming]) -> impl Iterator<Item = Message> {
    records.iter().map(Incoming::message)
}

/// Where the loads of this process begin: the same for all, so that their alerts can be compared, and
/// far enough in the past that they are over.
pub(crate) fn base() -> i64 {
    static BASE: OnceLock<i64> = OnceLock::new();
    *BASE.get_or_init(|| {
        let past = jiff::Timestamp::now().as_millisecond() - 600_000;
        past - past.rem_euclid(60_000)
    })
}

/// A record at [`base`], in partition 0.
// Security has no records of its own.
#[allow(dead_code)]
pub(crate) fn record(content: Content, payload: Vec<u8>) -> Record {
    let out = Outgoing {
        partition: 0,
        timestamp: base(),
        payload: Some(payload),
    };
    Record { content, out }
}
