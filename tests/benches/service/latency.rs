//! How long after a window is over its alert can be read, on a stream of flows that never stops.

use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use hotprefix::proto::flow::Flow;
use prost::Message as _;
use serde_json::json;

use crate::load::{PARTITIONS, Pace, address, host, outgoing, writer};
use crate::support::app::App;
use crate::support::kafka_client::{Reader, Topic, Writer};
use crate::support::kafka_node::Cluster;
use crate::support::wait;

const INTERVAL: i64 = 2_000;
const GRACE: i64 = 1_000;
/// Milliseconds before the end of a window in which its host goes over the threshold.
const BEFORE_END: i64 = 100;
/// Milliseconds that are allowed in the middle, and in all but one of 100.
const MOST: [i64; 2] = [1_500, 3_000];
/// Flows a second when there is next to nothing to do, and in half of what an instance can do beside what writes them.
pub(crate) const RATES: [u64; 2] = [200, 250_000];
/// How long all alerts may take.
const DONE: Duration = Duration::from_mins(10);
const TICK: Duration = Duration::from_millis(5);

pub(crate) fn run(cluster: &Cluster, rates: [u64; 2], windows: usize) {
    for rate in rates {
        let mut took = measure(cluster, rate, windows);
        took.sort_unstable();
        let at = |share: usize| took[(took.len() * share / 100).min(took.len() - 1)];
        let (middle, most) = (at(50), at(99));
        let is_kept = middle <= MOST[0] && most <= MOST[1];
        let kept = if is_kept { "kept" } else { "missed" };
        println!(
            "{rate} flows/s: {} alerts, readable {middle} ms after the end of their window and its grace (median), {most} ms \
             (99 %), {} to {}; {} and {} ms are promised: {kept}",
            took.len(),
            took[0],
            took[took.len() - 1],
            MOST[0],
            MOST[1],
        );
    }
}

fn now() -> i64 {
    jiff::Timestamp::now().as_millisecond()
}

/// Milliseconds from the end of a window and its grace to its alert, for each.
fn measure(cluster: &Cluster, rate: u64, windows: usize) -> Vec<i64> {
    let id = format!("latency-{rate}");
    let topic = format!("{id}-flows");
    Topic::new(&topic, PARTITIONS).create(cluster);
    let rule = json!({
        "name": "host",
        "interval": format!("{INTERVAL}ms"),
        "grace": format!("{GRACE}ms"),
        "prefix_length": {"ipv4": [32], "ipv6": []},
        "thresholds": {"bytes": 1_000_000_000_000_u64},
    });
    let app = App::new(cluster, &id, &topic, &[]).also(rule, "");
    let app = app.set("flush_interval", "1s");
    let mut instance = app.start(0);
    instance.ready();
    let mut reader = Reader::new(cluster, &app.topic("alerts"));
    // The first windows wait until all are awake.
    let first = now() / INTERVAL * INTERVAL + 4 * INTERVAL;
    let last = first + windows as i64 * INTERVAL;
    let told = AtomicU64::new(0);
    let mut took = Vec::new();
    thread::scope(|scope| {
        let (topic, told) = (&topic, &told);
        scope.spawn(move || write(&writer(cluster, topic), rate, (first, last), told));
        let mut seen = 0;
        reader.until("every alert is read", DONE, |records| {
            let read = now();
            for alert in records[seen..].iter().map(|record| record.message().body) {
                if alert["status"] == "started" {
                    let end = alert["window"]["end"].as_str().expect("a window ends");
                    let end: jiff::Timestamp = end.parse().expect("it is a time");
                    took.push(read - end.as_millisecond() - GRACE);
                }
            }
            seen = records.len();
            told.store(took.len() as u64, Ordering::Relaxed);
            took.len() >= windows
        });
    });
    instance.stop();
    took
}

/// Writes at `rate`, and one flow that is over the threshold just before each window ends, until its alerts are read.
fn write(writer: &Writer, rate: u64, (first, last): (i64, i64), told: &AtomicU64) {
    let windows = ((last - first) / INTERVAL) as u64;
    let mut pace = Pace::new(rate);
    let mut next = first + INTERVAL - BEFORE_END;
    while told.load(Ordering::Relaxed) < windows {
        let at = now();
        for n in pace.due() {
            send(writer, n, at, address(host(n)), 1_000);
        }
        if at >= next && next < last {
            // In each window another host.
            let number = ((next - first) / INTERVAL) as u8;
            send(
                writer,
                u64::from(number),
                at,
                [10, 0, 0, number],
                2_000_000_000_000,
            );
            next += INTERVAL;
        }
        wait::pass(TICK);
    }
    writer.flush();
}

fn send(writer: &Writer, n: u64, at: i64, to: [u8; 4], bytes: u64) {
    let received = at as u64 / 1000;
    let flow = Flow {
        flow_type: 3,
        time_received: received,
        sampling_rate: 1,
        src_addr: vec![192, 0, 2, 1],
        dst_addr: to.to_vec(),
        bytes,
        packets: 1,
        etype: 0x0800,
        proto: 17,
        ..Flow::default()
    };
    let partition = n as usize % PARTITIONS;
    writer.enqueue_all(&outgoing(partition, received, flow.encode_to_vec()));
}
