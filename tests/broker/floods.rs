//! Floods: traffic that is built to fill tables, windows and topics, and clocks that lie.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr};

use crate::run::{Output, Prepared, base};
use crate::support::app::Instance;
use crate::support::encode;
use crate::support::flows::{Content, Flow, Load, Outgoing, Random, Record};
use crate::support::kafka_client::{Incoming, Writer};
use crate::support::kafka_node::Cluster;
use crate::support::model::{BYTES, FLOWS, Key, Late, Lengths, Mode, Rule, Volume};
use crate::support::rules::rules;

const MEGABYTE: u64 = 1_000_000;
pub(crate) const HOUR: i64 = 3_600_000;
/// Partitions of a flood.
const PARTITIONS: usize = 4;
/// What an instance holds without traffic, and what queues, batches and deltas under way may add.
const ALLOWANCE: u64 = 400 * MEGABYTE;
/// What a row may take while it is counted, merged and rendered.
const BYTES_A_ROW: u64 = 700;

/// A rule over windows of 10 s with 1 s of grace that takes every flow.
fn rule() -> Rule {
    Rule {
        name: "flood",
        filter: "",
        selects: |_| true,
        key: Key::Dst,
        interval_ms: 10_000,
        grace_ms: 1_000,
        late: Late::OldestOpen,
        mode: Mode::Discounted,
        ipv4: Lengths::List(vec![32, 24, 16]),
        ipv6: Lengths::List(vec![128]),
        thresholds: vec![(BYTES, vec![(0, 2 * MEGABYTE)]), (FLOWS, vec![(0, 500)])],
        max_alerts: 10_000,
    }
}

/// Flows over one window, in any partition, and what closes the window in each.
fn records(flows: impl Iterator<Item = Flow>) -> Vec<Record> {
    let flows = flows.enumerate().map(|(n, flow)| Record {
        out: Outgoing {
            partition: (n % PARTITIONS) as i32,
            timestamp: flow.received,
            payload: Some(encode::encode(&flow)),
        },
        content: Content::Flow(flow),
    });
    let received = base() + 20_000;
    let closers = (0..PARTITIONS as i32).map(|partition| Record {
        out: Outgoing {
            partition,
            timestamp: received,
            payload: Some(encode::arp(received / 1000)),
        },
        content: Content::NotIp { received },
    });
    flows.chain(closers).collect()
}

fn prepared(cluster: &Cluster, name: &str, rules: Vec<Rule>, records: Vec<Record>) -> Prepared {
    let prepared = Prepared::of_records(cluster, name, rules, PARTITIONS, records);
    Writer::new(cluster, name).write(prepared.outgoing());
    prepared
}

/// Puts an exporter's clock off by so many milliseconds. To the model its flows are at the time of their records. How many
/// there are.
pub(crate) fn set_clock(records: &mut [Record], exporter: IpAddr, off: i64) -> usize {
    let mut flows = 0;
    for Record { content, out } in records {
        if let Content::Flow(flow) = content
            && flow.exporter == exporter
        {
            flow.received = flow.received / 1000 * 1000 + off;
            out.payload = Some(encode::encode(flow));
            flow.received = out.timestamp;
            flows += 1;
        }
    }
    flows
}

/// Memory follows rows, not records.
fn assert_memory(instance: &Instance, rows: u64) {
    let (peak, bound) = (
        instance.process.peak_memory(),
        ALLOWANCE + rows * BYTES_A_ROW,
    );
    println!("{} MB at most with {rows} rows", peak / MEGABYTE);
    assert!(
        peak <= bound,
        "{peak} bytes with {rows} rows, {bound} are allowed"
    );
}

fn v4(bits: u64) -> IpAddr {
    IpAddr::V4(Ipv4Addr::from_bits(bits as u32))
}

/// In each window a third of the flows goes to random destinations, a third comes from random sources, and a third is one
/// address that is hit by one other.
pub(crate) fn check_addresses(name: &str, flows: usize) {
    let cluster = Cluster::shared();
    let mut random = Random(31);
    let flow = |n: usize| {
        let plain = Flow::plain(base() + (n % 9_000) as i64);
        match n % 3 {
            0 => Flow {
                dst: v4(random.below(1 << 32)),
                ..plain
            },
            1 => Flow {
                src: v4(random.below(1 << 32)),
                dst: v4(0xc633_6401),
                ..plain
            },
            _ => Flow {
                bytes: 1_000_000,
                ..plain
            },
        }
    };
    let records = records((0..flows).map(flow));
    let sources = Rule {
        name: "sources",
        key: Key::Src,
        ..rule()
    };
    let prepared = prepared(cluster, name, vec![rule(), sources], records);
    let told = |what: &str| {
        prepared
            .outcome
            .alerts
            .keys()
            .any(|(_, _, prefix)| prefix == what)
    };
    assert!(
        told("192.0.2.80/32") && told("198.51.100.1/32"),
        "the model sees no flood"
    );
    let app = prepared.app(cluster, name);
    let instances = app.start_all(1);
    prepared.until_final(&app);
    assert_memory(&instances[0], 2 * flows as u64);
    prepared.finish(&app, instances);
}

/// `over` hosts over the threshold in one window, of which `max` are told.
pub(crate) fn check_cap(name: &str, over: u32, max: u64) {
    let cluster = Cluster::shared();
    // Many are equally large, so that the prefix decides about some.
    let bytes = |n: u32| 1_000 + u64::from(n.wrapping_mul(2_654_435_761) >> 22);
    let flow = |n: u32| Flow {
        dst: v4(0x0a00_0000 + u64::from(n)),
        bytes: bytes(n),
        ..Flow::plain(base() + i64::from(n % 9_000))
    };
    let hosts = Rule {
        mode: Mode::All,
        ipv4: Lengths::List(vec![32]),
        thresholds: vec![(BYTES, vec![(0, 999)])],
        max_alerts: max,
        ..rule()
    };
    let mut prepared = prepared(cluster, name, vec![hosts], records((0..over).map(flow)));
    let found = &mut prepared.outcome.alerts;
    assert_eq!(found.len(), over as usize, "the model finds all");
    let mut ranked: Vec<u32> = (0..over).collect();
    ranked.sort_by_key(|n| (std::cmp::Reverse(bytes(*n)), *n));
    ranked.truncate(max as usize);
    let prefix = |n: &u32| format!("{}/32", Ipv4Addr::from_bits(0x0a00_0000 + n));
    let kept: BTreeSet<String> = ranked.iter().map(prefix).collect();
    found.retain(|(_, _, prefix), _| kept.contains(prefix));
    let app = prepared.app(cluster, name);
    let instances = app.start_all(1);
    prepared.until_final(&app);
    assert_memory(&instances[0], u64::from(over));
    // That all that were found are told or cut, and that those that are told are the largest, is compared there.
    let output = prepared.finish(&app, instances);
    let windows = output.windows.iter().map(Incoming::message);
    let full = windows.filter(|w| w.number(&["prefixes_over"]) > 0);
    let told: Vec<_> = full
        .map(|w| (w.number(&["alerts_written"]), w.number(&["alerts_cut"])))
        .collect();
    assert_eq!(told, [(max, u64::from(over) - max)]);
}

/// `addresses` random hosts, and a rule that keeps `max` apart.
pub(crate) fn check_folding(name: &str, addresses: usize, max: usize) {
    let cluster = Cluster::shared();
    let mut random = Random(32);
    let hosts: Vec<u64> = (0..addresses).map(|_| random.below(1 << 32)).collect();
    let flow = |(n, host): (usize, &u64)| Flow {
        dst: v4(*host),
        ..Flow::plain(base() + (n % 9_000) as i64)
    };
    let records = records(hosts.iter().enumerate().map(flow));
    let everything = Rule {
        thresholds: vec![(BYTES, vec![(0, u64::MAX / 8)])],
        ..rule()
    };
    let prepared = prepared(cluster, name, vec![everything], records);
    let app = prepared.app(cluster, name).set_rule(0, "max_prefixes", max);
    let instances = app.start_all(1);
    prepared.until_final(&app);
    assert_memory(&instances[0], addresses as u64);
    instances.into_iter().for_each(Instance::stop);

    let networks = |length: u32| -> usize {
        let distinct: BTreeSet<u64> = hosts.iter().map(|h| h >> (32 - length)).collect();
        distinct.len()
    };
    let length = (0..=32).rev().find(|l| networks(*l) <= max);
    let length = length.expect("one network has length 0");
    let output = Output::read(&app);
    assert_eq!(output.fates.selected, addresses as u64);
    // There may be an empty one, and they are in several partitions.
    let mut windows = output.windows.iter().map(Incoming::message);
    let window = windows.find(|w| w.volume("total") != Volume::default());
    let window = window.expect("one window has all flows");
    assert_eq!(window.number(&["resolution", "ipv4"]), u64::from(length));
    assert_eq!(window.number(&["leaves"]), networks(length) as u64);
    let (_, model) = prepared
        .outcome
        .windows
        .first_key_value()
        .expect("one window");
    assert_eq!(window.volume("total"), model.total);
}

/// Of four exporters one is five hours ahead and one seven hours behind: their flows count at the time of their records, and
/// the windows of the others are what they would be without them.
pub(crate) fn check_clocks(name: &str, flows: usize) {
    let cluster = Cluster::shared();
    let load = Load::new(33, flows, PARTITIONS, base());
    let mut records = load.generate();
    let lies = set_clock(&mut records, v4(0xc000_0203), 5 * HOUR)
        + set_clock(&mut records, v4(0xc000_0204), -7 * HOUR);
    let prepared = prepared(cluster, name, rules(), records);
    assert!(lies > flows / 3, "{lies} flows lie");
    assert!(prepared.outcome.alerts.len() > 10, "the model sees little");
    let app = prepared.app(cluster, name).set("time.max_behind", "10m");
    let instances = app.start_all(2);
    let output = prepared.finish(&app, instances);
    assert_eq!(output.fates.clamped, lies as u64, "each lie is counted");
}
