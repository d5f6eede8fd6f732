//! Large things on a broker with default limits: a flush of megabytes, a record at the limit, a window
//! with a hundred thousand alerts.

use std::net::{IpAddr, Ipv4Addr};

use hotprefix::partial::{Partial, decode};

use crate::run::{Prepared, base, record};
use crate::support::encode;
use crate::support::flows::{Content, Flow, Format, Record};
use crate::support::kafka_client::{Topic, Writer, read_all};
use crate::support::kafka_node::Cluster;
use crate::support::model::{self, BYTES, FLOWS, Key, Late, Lengths, Mode, Rule};

const MEGABYTE: usize = 1_000_000;
/// How many of a window's prefixes are over the threshold.
const ALERTS: u32 = 100_000;

/// As many distinct addresses in one window as make a delta of 4 MB, and [`ALERTS`] of them over the
/// threshold of one rule; between them a record of 1 MB that is no flow.
pub(crate) fn check(addresses: u32) {
    let cluster = Cluster::shared();
    let records = records(addresses);
    let rules = vec![everything(), hosts()];
    Topic::new("sizes", 1).create(cluster);
    Writer::new(cluster, "sizes").write(records.iter().map(|r| &r.out));
    let prepared = Prepared {
        topic: "sizes".to_owned(),
        partitions: 1,
        outcome: model::run(&rules, 1, &records),
        rules,
        records,
    };
    assert_eq!(prepared.outcome.alerts.len(), ALERTS as usize);
    let app = prepared.app(cluster, "sizes").set("flush_interval", "10s");
    let instances = app.start_all(1);
    prepared.finish(&app, instances);
    let largest = largest_flush(&read_all(cluster, &app.topic("partials")));
    assert!(
        largest >= 4 * MEGABYTE,
        "the largest flush has {largest} bytes"
    );
}

/// Bytes of deltas between two markers of the rule's partials partition.
fn largest_flush(partials: &[crate::support::kafka_client::Incoming]) -> usize {
    let mut largest = 0;
    let mut current = [0; 4];
    for record in partials {
        let payload = record
            .payload
            .as_deref()
            .expect("partials have no tombstones");
        let sum = &mut current[record.partition as usize];
        match decode(payload).expect("partials are not corrupt") {
            Partial::Delta(_) => *sum += payload.len(),
            Partial::Marker(_) => *sum = 0,
        }
        largest = largest.max(*sum);
    }
    largest
}

fn records(addresses: u32) -> Vec<Record> {
    // Steps that are not regular, so that the addresses do not compress to nothing.
    let address = |n: u32| 0x0a00_0000 + n * 37 + n % 11;
    let mut records: Vec<_> = (0..addresses)
        .map(|n| {
            let flow = flow(address(n), if n < ALERTS { 4444 } else { 80 });
            let payload = encode::encode(&flow);
            record(Content::Flow(flow), payload)
        })
        .collect();
    records.insert(
        records.len() / 2,
        record(Content::Undecodable, vec![0; MEGABYTE]),
    );
    let received = base() + 10_000;
    records.push(record(
        Content::NotIp { received },
        encode::arp(received / 1000),
    ));
    records
}

fn flow(dst: u32, dst_port: u16) -> Flow {
    Flow {
        format: Format::BwNetFlow,
        received: base(),
        src: IpAddr::V4(Ipv4Addr::new(203, 0, 113, 1)),
        dst: IpAddr::V4(Ipv4Addr::from_bits(dst)),
        exporter: IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1)),
        src_port: 53,
        dst_port,
        bytes: 1_000 + u64::from(dst % 977),
        packets: 1 + u64::from(dst % 3),
        rate: 32,
        normalized: true,
        ingress: true,
        if_desc: "DFN",
    }
}

fn everything() -> Rule {
    Rule {
        name: "everything",
        filter: "",
        selects: |_| true,
        key: Key::Dst,
        interval_ms: 5_000,
        grace_ms: 1_000,
        late: Late::OldestOpen,
        mode: Mode::MostSpecific,
        ipv4: Lengths::List(vec![32]),
        ipv6: Lengths::List(vec![128]),
        thresholds: vec![(BYTES, vec![(0, 1_000_000)])],
        max_alerts: 10_000,
    }
}

fn hosts() -> Rule {
    Rule {
        name: "hosts",
        filter: "dst_port == 4444",
        selects: |flow| flow.dst_port == 4444,
        thresholds: vec![(FLOWS, vec![(0, 0)])],
        max_alerts: 1_000_000,
        ..everything()
    }
}
