//! A partition without a leader holds windows open, but not alerts back.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use crate::run::{Prepared, base};
use crate::support::flows::{Load, Record};
use crate::support::kafka_client::{
    Incoming, Reader, Topic, Writer, read_all, use_internal_topics,
};
use crate::support::kafka_node::Cluster;
use crate::support::model::{self, AlertKey};
use crate::support::outcome::Message;
use crate::support::rules::rules;
use crate::support::topics;

const MAX_WAIT: Duration = Duration::from_secs(3);
/// `max_wait` + 2 s.
const ALERTED: Duration = Duration::from_secs(5);
const PATIENCE: Duration = Duration::from_mins(2);

#[test]
fn an_attack_on_the_other_partitions_is_alerted_and_the_final_set_is_the_undisturbed_one() {
    let mut cluster = Cluster::start();
    // Kafka's own topics and ours live on the first broker, and so outlive the second.
    use_internal_topics(&cluster);
    let second = cluster.add_broker();
    create_topics(&cluster, second);
    let load = Load::new(5, 30_000, 4, base());
    let records = load.generate();
    let prepared = Prepared {
        topic: "stuck-input".to_owned(),
        partitions: 4,
        outcome: model::run(&rules(), 4, &records),
        rules: rules(),
        records,
    };
    let app = prepared.app(&cluster, "stuck").set("time.max_wait", "3s");
    let instances = app.start_all(1);
    let writer = Writer::new(&cluster, &prepared.topic);

    // Partition 3 stops in the first window; the others go on to the end.
    let is_stuck = |r: &&Record| r.out.partition == 3 && r.out.timestamp >= load.base + 8_000;
    let (late, early): (Vec<_>, Vec<_>) = prepared.records.iter().partition(is_stuck);
    let (third, others): (Vec<_>, Vec<_>) = early.iter().partition(|r| r.out.partition == 3);
    writer.write(third.iter().map(|r: &&Record| &r.out));
    let expected_now = provisional(&early);
    let mut windows = Reader::new(&cluster, &app.topic("windows"));
    let mut alerts = Reader::new(&cluster, &app.topic("alerts"));
    cluster.kill(second);
    writer.write(others.iter().map(|r: &&Record| &r.out));
    let written = Instant::now();
    alerts.until("an alert is there without partition 3", PATIENCE, |r| {
        !r.is_empty()
    });
    let waited = written.elapsed();
    println!("first provisional alert {waited:?} after the load, max_wait {MAX_WAIT:?}");
    assert!(
        waited <= ALERTED,
        "the first alert came after {waited:?} with max_wait {MAX_WAIT:?}"
    );
    let got = alerts.until("all provisional alerts", PATIENCE, |r| {
        r.len() >= expected_now.len()
    });
    let messages: Vec<_> = got.iter().map(Incoming::message).collect();
    check_provisional(&messages);
    let got: BTreeSet<_> = messages.iter().map(Message::key).collect();
    assert_eq!(
        got, expected_now,
        "what is over its threshold without partition 3"
    );
    windows.until("the windows say so", PATIENCE, |records| {
        records
            .iter()
            .map(Incoming::message)
            .any(|m| m.body["state"] == "provisional")
    });

    cluster.restart(second);
    writer.write(late.iter().map(|r: &&Record| &r.out));
    prepared.finish(&app, instances);
    final_records_replace_the_provisional(&app, &expected_now);
}

/// The first word on each, from 3 of 4 partitions.
fn check_provisional(messages: &[Message]) {
    assert!(messages.iter().all(|m| !m.is_final() && m.is_over()));
    assert!(
        messages
            .iter()
            .all(|m| m.number(&["completeness", "partitions_reported"]) == 3)
    );
    assert!(
        messages
            .iter()
            .all(|m| m.number(&["completeness", "partitions_expected"]) == 4)
    );
}

/// The prefixes over a threshold in every window when only `records` are known.
fn provisional(records: &[&Record]) -> BTreeSet<AlertKey> {
    let records: Vec<_> = records.iter().map(|r| (*r).clone()).collect();
    let outcome = model::run_to(i64::MAX, &rules(), 4, &records);
    outcome.alerts.into_keys().collect()
}

/// Of each alert there is a final word, and prefixes that are not over a threshold after all are named as superseded. While partition 3 catches up there
/// may be further provisional passes, so that what was written counts, not only the first pass `expected`.
fn final_records_replace_the_provisional(
    app: &crate::support::app::App<'_>,
    expected: &BTreeSet<AlertKey>,
) {
    let read = |which: &str| {
        let all = read_all(app.cluster, &app.topic(which));
        all.iter().map(Incoming::message).collect::<Vec<_>>()
    };
    let (finals, provisional): (Vec<_>, Vec<_>) =
        read("alerts").into_iter().partition(Message::is_final);
    let told: BTreeSet<AlertKey> = provisional.iter().map(Message::key).collect();
    assert!(told.is_superset(expected), "some were not told");
    let over = |alert: &&Message| alert.is_over();
    let confirmed: BTreeSet<AlertKey> = finals.iter().filter(over).map(Message::key).collect();
    let mut superseded: BTreeSet<AlertKey> = BTreeSet::new();
    for window in read("windows").into_iter().filter(Message::is_final) {
        for prefix in window.body["superseded"].as_array().expect("it is a list") {
            let prefix = prefix.as_str().expect("a prefix is text").to_owned();
            superseded.insert((window.rule().to_owned(), window.window_start(), prefix));
        }
    }
    let void: BTreeSet<AlertKey> = told.difference(&confirmed).cloned().collect();
    assert_eq!(superseded, void);
    let mut revisions: BTreeMap<String, BTreeMap<u64, bool>> = BTreeMap::new();
    for alert in finals.iter().chain(&provisional) {
        let of = revisions.entry(alert.body["id"].to_string()).or_default();
        let known = of.insert(alert.number(&["revision"]), alert.is_final());
        assert!(known.is_none(), "twice: {}", alert.body);
    }
    for (id, revisions) in revisions {
        let all = 0..revisions.len() as u64;
        assert!(revisions.keys().copied().eq(all), "{id}: {revisions:?}");
        let last = revisions.values().next_back();
        assert_eq!(last, Some(&true), "no final word on {id}");
    }
}

fn create_topics(cluster: &Cluster, second: u32) {
    let input = Topic::new("stuck-input", 4).place(3, second);
    input.create(cluster);
    topics::create_internal(cluster, "stuck");
}
