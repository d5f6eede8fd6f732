//! The harness itself: a broker that starts, is written to, and loses a partition's leader.

use std::time::Duration;

use crate::support::flows::{Load, Outgoing};
use crate::support::kafka_client::{Reader, Topic, Writer, ends, read_all};
use crate::support::kafka_node::Cluster;
use crate::support::model;
use crate::support::rules::rules;

#[test]
fn what_is_written_is_read_back_in_order() {
    let cluster = Cluster::shared();
    Topic::new("harness-echo", 2).create(cluster);
    let records: Vec<_> = (0..1000u32)
        .map(|n| Outgoing {
            partition: (n % 2) as i32,
            timestamp: i64::from(n) + 1_700_000_000_000,
            payload: (n != 7).then(|| n.to_be_bytes().to_vec()),
        })
        .collect();
    Writer::new(cluster, "harness-echo").write(&records);
    assert_eq!(ends(cluster, "harness-echo", "read_committed"), [500, 500]);
    let read = read_all(cluster, "harness-echo");
    for partition in 0..2 {
        let sent = records.iter().filter(|r| r.partition == partition);
        let got = read.iter().filter(|r| r.partition == partition);
        assert!(
            sent.map(|r| (&r.payload, Some(r.timestamp)))
                .eq(got.map(|r| (&r.payload, r.timestamp)))
        );
    }
}

#[test]
fn a_stopped_broker_takes_its_partition_away_and_brings_it_back() {
    let mut cluster = Cluster::start();
    let second = cluster.add_broker();
    Topic::new("split", 2).place(1, second).create(&cluster);
    let record = |partition| Outgoing {
        partition,
        timestamp: 1_700_000_000_000,
        payload: Some(vec![1]),
    };
    let writer = Writer::new(&cluster, "split");
    writer.write(&[record(0), record(1)]);
    cluster.kill(second);
    writer.write(&[record(0)]);
    let mut reader = Reader::new(&cluster, "split");
    reader.until(
        "the living partition is read",
        Duration::from_secs(20),
        |r| r.len() >= 2,
    );
    cluster.restart(second);
    let read = reader.until("the other partition is read", Duration::from_mins(1), |r| {
        r.len() >= 3
    });
    assert_eq!(read.iter().filter(|r| r.partition == 1).count(), 1);
}

#[test]
fn the_load_has_alerts_in_every_rule_and_window() {
    let load = Load::new(1, 60_000, 4, 1_700_000_000_000);
    let records = load.generate();
    let outcome = model::run(&rules(), 4, &records);
    for rule in rules() {
        for window in 0..load.intervals {
            let start = load.base + window * load.interval_ms;
            let alerts = outcome
                .alerts
                .keys()
                .filter(|k| k.0 == rule.name && k.1 == start);
            let alerts = alerts.count();
            assert!(
                (2..2_000).contains(&alerts),
                "{} {window}: {alerts} alerts",
                rule.name
            );
        }
    }
    let fates = outcome.fates;
    let all = fates.selected + fates.not_selected + fates.late + fates.not_ip + fates.undecodable;
    assert_eq!(all, records.len() as u64);
    assert!(fates.undecodable > records.len() as u64 / 50);
}
