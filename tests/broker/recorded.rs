//! What earlier releases left in Kafka when they were stopped: this one goes on from it.
//!
//! A recording is a run that was stopped in the middle: the flows, what was in `<app>-partials` and `<app>-state`, what was
//! committed, and all results that the release then wrote of these flows. `docs/releasing.md` says when one is made.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer};
use rdkafka::producer::{BaseRecord, DefaultProducerContext, Producer, ThreadedProducer};
use rdkafka::topic_partition_list::TopicPartitionListElem;
use rdkafka::{Offset, TopicPartitionList};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::run::Prepared;
use crate::support::app::App;
use crate::support::flows::{Load, Outgoing};
use crate::support::kafka_client::{Incoming, Reader, Topic, Writer, committed, read_all};
use crate::support::kafka_node::Cluster;
use crate::support::model::{self, Rule};
use crate::support::rules::{as_config, rules};
use crate::support::topics::create_internal;
use crate::support::wait;

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/vectors/releases");
const PARTITIONS: usize = 2;
const INTERNAL_PARTITIONS: usize = 4;
/// 2026-01-01: the same flows whenever it is recorded.
const BASE: i64 = 1_767_225_600_000;
/// The flow topic in a recording.
const FLOWS: &str = "flows";
const ANSWER: Duration = Duration::from_secs(30);
const FINAL: Duration = Duration::from_mins(2);

/// One line of a recording.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Line {
    /// How it was configured, and the input topic, whose name is in the state.
    Setup { topic: String, rules: Value },
    /// A record. `topic` is `flows`, `partials` or `state`.
    Record {
        topic: String,
        partition: i32,
        offset: i64,
        timestamp: i64,
        key: Option<String>,
        value: Option<String>,
    },
    /// What a stage's group had committed.
    Committed {
        stage: String,
        partition: i32,
        offset: i64,
        metadata: String,
    },
    /// An alert or window record. `before`: it was there before the stop.
    Result {
        topic: String,
        before: bool,
        body: Value,
    },
}

/// Every release's recording is finished with the results that the release itself wrote.
pub(crate) fn check_all() {
    let files = fs::read_dir(FOLDER).expect("there are recordings");
    let mut files: Vec<PathBuf> = files.map(|f| f.expect("it can be listed").path()).collect();
    files.sort();
    assert!(!files.is_empty(), "{FOLDER} has no recording");
    for file in files {
        check(&file);
    }
}

fn check(file: &Path) {
    let release = file.file_stem().and_then(|s| s.to_str());
    let release = release.expect("recordings are named after releases");
    let text = fs::read_to_string(file).expect("a recording can be read");
    let lines = text
        .lines()
        .map(|l| serde_json::from_str(l).expect("a line is as it was written"));
    let lines: Vec<Line> = lines.collect();
    let cluster = Cluster::shared();
    let id = format!("after-{release}");
    let Some(Line::Setup { topic, rules }) = lines.first() else {
        panic!("{release}: the first line is the setup");
    };
    restore(cluster, &id, topic, &lines);
    let app = App::new(cluster, &id, topic, &[]).set("rules", rules.clone());
    let mut instance = app.start(0);
    let mut expected = Results::default();
    for line in &lines {
        if let Line::Result {
            topic,
            before: false,
            body,
        } = line
        {
            expected.insert(topic, body.clone());
        }
    }
    let windows = expected.0.keys().filter(|k| k.0 == "windows").count();
    let mut reader = Reader::new(cluster, &app.topic("windows"));
    let what = format!("{release}: its {windows} open windows are final");
    reader.until(&what, FINAL, |records| {
        if let Some(status) = instance.process.ended() {
            panic!(
                "{release}: ended with {status}:\n{}",
                instance.process.output()
            );
        }
        records.len() >= windows
    });
    instance.stop();
    expected.compare(release, &Results::of(&app));
}

/// Alerts and window records by what they are about.
#[derive(Default)]
struct Results(BTreeMap<(String, String, String, String), Value>);

impl Results {
    fn of(app: &App<'_>) -> Self {
        let mut all = Self::default();
        for topic in ["alerts", "windows"] {
            for record in read_all(app.cluster, &app.topic(topic)) {
                all.insert(topic, record.message().body);
            }
        }
        all
    }

    fn insert(&mut self, topic: &str, body: Value) {
        let text = |path: &str| {
            body.pointer(path)
                .map_or_else(String::new, Value::to_string)
        };
        let key = (
            topic.to_owned(),
            text("/rule/name"),
            text("/window/start"),
            text("/prefix"),
        );
        // What is told of a prefix that is over no threshold, no release before lifecycles did.
        if body
            .pointer("/triggers")
            .and_then(Value::as_array)
            .is_some_and(Vec::is_empty)
        {
            return;
        }
        let said = format!("{key:?} is there twice");
        assert!(self.0.insert(key, body).is_none(), "{said}");
    }

    /// `self` is what the release wrote; this one may say more, but nothing else.
    fn compare(&self, release: &str, new: &Self) {
        let keys = |all: &Self| all.0.keys().cloned().collect::<Vec<_>>();
        assert_eq!(keys(new), keys(self), "{release}: the results");
        for (key, old) in &self.0 {
            let new = &new.0[key];
            let old = &without_lives(old);
            assert!(says(new, old), "{release}: {key:?} was {old}, is {new}");
        }
    }
}

/// What a release without lifecycles wrote, without what a lifecycle says otherwise: there each window had alerts of
/// its own.
fn without_lives(body: &Value) -> Value {
    let mut body = body.clone();
    let all = body.as_object_mut().expect("a result is an object");
    if all.get("status").is_some_and(|status| status == "active") {
        for name in [
            "id",
            "incident_id",
            "revision",
            "status",
            "first_seen",
            "peak",
            "expires_at",
        ] {
            all.remove(name)
                .unwrap_or_else(|| panic!("there is no {name}"));
        }
    }
    if !all.contains_key("prefixes_over")
        && let Some(written) = all.remove("alerts_written")
    {
        all.insert("prefixes_over".to_owned(), written);
    }
    body
}

/// Whether `new` says all that `old` does.
fn says(new: &Value, old: &Value) -> bool {
    match (new, old) {
        (Value::Object(new), Value::Object(old)) => {
            let has =
                |(key, old): (&String, &Value)| new.get(key).is_some_and(|new| says(new, old));
            old.iter().all(has)
        }
        (Value::Array(new), Value::Array(old)) => {
            new.len() == old.len() && new.iter().zip(old).all(|(new, old)| says(new, old))
        }
        _ => new == old,
    }
}

/// Puts everything where the release had left it.
fn restore(cluster: &Cluster, id: &str, input: &str, lines: &[Line]) {
    create_internal(cluster, id);
    create_input(cluster, input);
    Writer::new(cluster, input).write(&flows(lines));
    let producer: ThreadedProducer<DefaultProducerContext> = cluster
        .client()
        .set("transactional.id", format!("{id}-restore"))
        .create()
        .expect("a producer can be created");
    producer
        .init_transactions(ANSWER)
        .expect("the coordinator answers");
    for which in ["partials", "state"] {
        let topic = format!("{id}-{which}");
        for partition in 0..INTERNAL_PARTITIONS as i32 {
            let log = Stored::all(lines, which, partition);
            // What is committed and saved names offsets of partials, among which each transaction's end has one.
            let same_transaction = |a: &Stored, b: &Stored| {
                assert!(which == "state" || b.offset - a.offset <= 2, "a gap");
                which == "state" || b.offset == a.offset + 1
            };
            for transaction in log.chunk_by(same_transaction) {
                producer.begin_transaction().expect("none is open");
                for stored in transaction {
                    let mut record = BaseRecord::<[u8], [u8]>::to(&topic).partition(partition);
                    record.key = stored.key.as_deref();
                    record.payload = stored.value.as_deref();
                    producer
                        .send(record)
                        .map_err(|e| e.0)
                        .expect("the queue has room");
                }
                producer
                    .commit_transaction(ANSWER * 2)
                    .expect("the broker takes the records");
            }
        }
    }
    commit(cluster, id, input, lines);
}

/// A record of a recording.
struct Stored {
    offset: i64,
    timestamp: i64,
    key: Option<Vec<u8>>,
    value: Option<Vec<u8>>,
}

impl Stored {
    fn all(lines: &[Line], which: &str, of: i32) -> Vec<Self> {
        let bytes = |text: &Option<String>| {
            let text = text.as_ref()?;
            Some(STANDARD.decode(text).expect("keys and values are base64"))
        };
        let stored = |line: &Line| match line {
            Line::Record {
                topic,
                partition,
                offset,
                timestamp,
                key,
                value,
            } if topic == which && *partition == of => Some(Self {
                offset: *offset,
                timestamp: *timestamp,
                key: bytes(key),
                value: bytes(value),
            }),
            _ => None,
        };
        lines.iter().filter_map(stored).collect()
    }
}

fn flows(lines: &[Line]) -> Vec<Outgoing> {
    let of = |partition| {
        let stored = Stored::all(lines, FLOWS, partition).into_iter();
        stored.map(move |stored| Outgoing {
            partition,
            timestamp: stored.timestamp,
            payload: stored.value,
        })
    };
    (0..PARTITIONS as i32).flat_map(of).collect()
}

fn commit(cluster: &Cluster, id: &str, input: &str, lines: &[Line]) {
    for which in ["count", "detect"] {
        let mut list = TopicPartitionList::new();
        for line in lines {
            if let Line::Committed {
                stage,
                partition,
                offset,
                metadata,
            } = line
                && stage == which
            {
                let topic = input_of(which, id, input);
                let mut element = list.add_partition(&topic, *partition);
                let offset = Offset::Offset(*offset);
                element
                    .set_offset(offset)
                    .expect("an offset from a recording is valid");
                element.set_metadata(metadata);
            }
        }
        let group: BaseConsumer = cluster
            .client()
            .set("group.id", format!("{id}-{which}"))
            .create()
            .expect("a client can be created");
        let committed = group.commit(&list, CommitMode::Sync);
        committed.expect("the broker takes offsets of a group without members");
    }
}

/// What a stage reads.
fn input_of(stage: &str, id: &str, input: &str) -> String {
    match stage {
        "count" => input.to_owned(),
        _ => format!("{id}-partials"),
    }
}

fn create_input(cluster: &Cluster, topic: &str) {
    // Kafka would delete what is this old.
    let topic = Topic::new(topic, PARTITIONS).setting("retention.ms", "-1");
    topic.create(cluster);
}

/// Records this release: its flows to the third of five windows, a stop, and what it made of all of them.
pub(crate) fn record() {
    let release = env!("CARGO_PKG_VERSION");
    let cluster = Cluster::shared();
    let id = format!("recorded-{release}");
    let topic = format!("{id}-flows");
    let load = Load::new(50, 500, PARTITIONS, BASE);
    create_internal(cluster, &id);
    create_input(cluster, &topic);
    let records = load.generate();
    let rules = sensitive();
    let prepared = Prepared {
        outcome: model::run(&rules, PARTITIONS, &records),
        topic: topic.clone(),
        partitions: PARTITIONS,
        rules: rules.clone(),
        records,
    };
    let app = prepared.app(cluster, &id);
    let outgoing: Vec<_> = prepared.outgoing().cloned().collect();
    let (first, rest) = outgoing.split_at(outgoing.len() / 2);
    let writer = Writer::new(cluster, &topic);
    writer.write(first);
    let mut instance = app.start(0);
    instance.ready();
    let of = |partition| first.iter().filter(|o| o.partition == partition).count() as i64;
    let ends: Vec<i64> = (0..PARTITIONS as i32).map(of).collect();
    let every = Duration::from_millis(100);
    wait::until("the first flows are counted", FINAL, every, || {
        let at = committed(cluster, &format!("{id}-count"), &topic, PARTITIONS);
        (at == ends).then_some(())
    });
    instance.stop();

    let mut lines = vec![Line::Setup {
        topic: topic.clone(),
        rules: rules.iter().map(as_config).collect(),
    }];
    for which in ["partials", "state"] {
        lines.extend(records_of(cluster, which, &app.topic(which)));
    }
    for stage in ["count", "detect"] {
        lines.extend(commits(cluster, stage, &id, &topic));
    }
    let before = Results::of(&app);
    writer.write(rest);
    let instances = app.start_all(1);
    prepared.finish(&app, instances);
    lines.extend(records_of(cluster, FLOWS, &topic));
    lines.extend(
        Results::of(&app)
            .0
            .into_iter()
            .map(|(key, body)| Line::Result {
                before: before.0.contains_key(&key),
                topic: key.0,
                body,
            }),
    );
    let text: Vec<_> = lines
        .iter()
        .map(|line| serde_json::to_string(line).expect("a line can be written") + "\n")
        .collect();
    fs::create_dir_all(FOLDER).expect("a folder can be made");
    let file = Path::new(FOLDER).join(format!("{release}.jsonl"));
    fs::write(file, text.concat()).expect("a recording can be written");
}

/// The tests' rules with low thresholds: a recording is small.
fn sensitive() -> Vec<Rule> {
    let lower = |rule: Rule| {
        let mut thresholds = rule.thresholds.clone();
        for (_, table) in &mut thresholds {
            for (_, limit) in table {
                *limit /= 50;
            }
        }
        Rule { thresholds, ..rule }
    };
    rules().into_iter().map(lower).collect()
}

fn records_of<'t>(
    cluster: &Cluster,
    which: &'t str,
    topic: &str,
) -> impl Iterator<Item = Line> + 't {
    let base64 = |bytes: &[u8]| STANDARD.encode(bytes);
    let mut records = read_all(cluster, topic);
    records.sort_by_key(|r| (r.partition, r.offset));
    records
        .into_iter()
        .map(move |record: Incoming| Line::Record {
            topic: which.to_owned(),
            partition: record.partition,
            offset: record.offset,
            timestamp: record.timestamp.unwrap_or_default(),
            key: (which != FLOWS).then(|| base64(&record.key)),
            value: record.payload.as_deref().map(base64),
        })
}

fn commits(cluster: &Cluster, stage: &str, id: &str, input: &str) -> Vec<Line> {
    let topic = input_of(stage, id, input);
    let partitions = if stage == "count" {
        PARTITIONS
    } else {
        INTERNAL_PARTITIONS
    };
    let mut list = TopicPartitionList::new();
    for partition in 0..partitions {
        list.add_partition(&topic, partition as i32);
    }
    let group: BaseConsumer = cluster
        .client()
        .set("group.id", format!("{id}-{stage}"))
        .create()
        .expect("a client can be created");
    let committed = group.committed_offsets(list, ANSWER);
    let committed = committed.expect("the broker answers OffsetFetch");
    let line = |e: TopicPartitionListElem<'_>| match e.offset() {
        Offset::Offset(offset) => Some(Line::Committed {
            stage: stage.to_owned(),
            partition: e.partition(),
            offset,
            metadata: e.metadata().to_owned(),
        }),
        _ => None,
    };
    committed.elements().into_iter().filter_map(line).collect()
}
