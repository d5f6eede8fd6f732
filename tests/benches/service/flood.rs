//! 205,000 flows a second to random IPv6 addresses, for three minutes: what that takes, and whether anything is lost.

use std::time::{Duration, Instant};

use hotprefix::proto::flow::Flow;
use prost::Message as _;
use serde_json::json;

use crate::load::{PARTITIONS, Pace, outgoing, scattered, writer};
use crate::measure::usage;
use crate::support::app::App;
use crate::support::encode;
use crate::support::kafka_client::{Reader, Topic};
use crate::support::kafka_node::Cluster;
use crate::support::wait;

/// Flows a second.
const RATE: u64 = 205_000;
/// Bytes that may be resident.
const MOST: u64 = 1 << 30;
const TICK: Duration = Duration::from_millis(50);

pub(crate) fn run(cluster: &Cluster, short: bool) {
    let (rate, seconds) = if short { (2_000, 25) } else { (RATE, 180) };
    Topic::new("flood", PARTITIONS).create(cluster);
    let rule = json!({
        "name": "volume",
        "interval": if short { "10s" } else { "60s" },
        "grace": "5s",
        "mode": "discounted",
        "prefix_length": {"ipv4": [], "ipv6": [128, 64, 48, 32]},
        "thresholds": {"bits_per_second": "10Mbps"},
    });
    let app = App::new(cluster, "flood-app", "flood", &[]).also(rule, "");
    let app = app.set("flush_interval", "1s");
    let mut instance = app.start(0);
    instance.ready();
    let writer = writer(cluster, "flood");
    let begun = Instant::now();
    let mut pace = Pace::new(rate);
    let mut written = 0;
    while written < rate * seconds {
        for n in pace.due() {
            let now = jiff::Timestamp::now().as_second() as u64;
            writer.enqueue_all(&outgoing(n as usize % PARTITIONS, now, flow(n, now)));
            written = n + 1;
        }
        wait::pass(TICK);
    }
    let wrote = begun.elapsed();
    // Time goes on, so that the last window closes.
    let end = jiff::Timestamp::now().as_second() as u64 + 90;
    for partition in 0..PARTITIONS {
        writer.enqueue_all(&outgoing(partition, end, encode::arp(end as i64)));
    }
    writer.flush();
    let mut reader = Reader::new(cluster, &app.topic("windows"));
    let mut counted = 0;
    let mut resolution = 128;
    reader.until(
        "every flow is in a window that is told",
        Duration::from_mins(5),
        |records| {
            let windows: Vec<_> = records.iter().map(|record| record.message().body).collect();
            let flows = windows.iter().filter_map(|w| w["total"]["flows"].as_u64());
            counted = flows.sum();
            let coarse = windows
                .iter()
                .filter_map(|w| w["resolution"]["ipv6"].as_u64())
                .min();
            resolution = coarse.unwrap_or(128);
            counted >= written
        },
    );
    let (cpu, memory) = usage(instance.process.id()).expect("the instance runs");
    instance.stop();
    assert_eq!(counted, written, "each flow counts once");
    let kept = if memory <= MOST { "kept" } else { "missed" };
    println!(
        "{written} flows to as many IPv6 addresses in {:.1} s: each counted once, {cpu:.1} CPU s, {} MiB at most ({} MiB are \
         promised: {kept}), coarsest resolution /{resolution}",
        wrote.as_secs_f64(),
        memory >> 20,
        MOST >> 20,
    );
}

fn flow(n: u64, received: u64) -> Vec<u8> {
    let mut to = [0; 16];
    to[..8].copy_from_slice(&scattered(n).to_be_bytes());
    to[8..].copy_from_slice(&scattered(!n).to_be_bytes());
    to[0] = 0x20;
    let flow = Flow {
        flow_type: 4,
        time_received: received,
        sampling_rate: 1,
        src_addr: vec![0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1],
        dst_addr: to.to_vec(),
        bytes: 100 + n % 1400,
        packets: 1,
        etype: 0x86dd,
        proto: 17,
        ..Flow::default()
    };
    flow.encode_to_vec()
}
