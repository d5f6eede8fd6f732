//! How long after a window is over its alert can be read, on a stream of flows that never stops.

use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use hotprefix::proto::flow::Flow;
use prost::Message as _;
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::message::Message as _;
use serde_json::{Value, json};

use crate::load::{PARTITIONS, Producer, address, host};
use crate::support::app::App;
use crate::support::kafka_client::Topic;
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
const TICK: Duration = Duration::from_millis(5);

pub(crate) fn run(cluster: &Cluster, rates: [u64; 2], windows: usize) {
    for rate in rates {
        let mut took = measure(cluster, rate, windows);
        took.sort_unstable();
        let at = |share: usize| took[(took.len() * share / 100).min(took.len() - 1)];
        let (middle, most) = (at(50), at(99));
        let kept = if [middle, most] <= MOST && most <= MOST[1] {
            "kept"
        } else {
            "missed"
        };
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
    let reader = reader(cluster, &app.topic("alerts"));
    // The first windows wait until all are awake.
    let first = now() / INTERVAL * INTERVAL + 4 * INTERVAL;
    let last = first + windows as i64 * INTERVAL;
    let told = AtomicU64::new(0);
    let took = thread::scope(|scope| {
        let (topic, told) = (&topic, &told);
        let client = cluster.client();
        scope.spawn(move || {
            let producers: Vec<_> = (0..PARTITIONS)
                .map(|partition| Producer::new(&client, topic, partition))
                .collect();
            write(&producers, rate, (first, last), told);
            producers.into_iter().for_each(Producer::finish);
        });
        let mut took = Vec::new();
        wait::until(
            "every alert is read",
            Duration::from_mins(10),
            Duration::ZERO,
            || {
                let record = reader
                    .poll(Duration::from_millis(100))?
                    .expect("alerts can be read");
                let read = now();
                let alert: Value =
                    serde_json::from_slice(record.payload()?).expect("an alert is JSON");
                if alert["status"] == "started" {
                    let end = alert["window"]["end"].as_str().expect("a window ends");
                    let end: jiff::Timestamp = end.parse().expect("it is a time");
                    took.push(read - end.as_millisecond() - GRACE);
                    told.store(took.len() as u64, Ordering::Relaxed);
                }
                (took.len() >= windows).then(|| took.clone())
            },
        )
    });
    instance.stop();
    took
}

fn reader(cluster: &Cluster, topic: &str) -> BaseConsumer {
    let mut client = cluster.client();
    client
        .set("group.id", "latency-reader")
        .set("isolation.level", "read_committed")
        .set("enable.auto.commit", "false")
        .set("auto.offset.reset", "earliest");
    let reader: BaseConsumer = client.create().expect("a consumer can be created");
    let metadata = reader.fetch_metadata(Some(topic), Duration::from_secs(30));
    let metadata = metadata.expect("the broker answers");
    let mut all = rdkafka::TopicPartitionList::new();
    for partition in metadata.topics()[0].partitions() {
        all.add_partition_offset(topic, partition.id(), rdkafka::Offset::Beginning)
            .expect("an offset can be set");
    }
    reader.assign(&all).expect("partitions can be assigned");
    reader
}

/// Writes at `rate`, and one flow that is over the threshold just before each window ends, until its alerts are read.
fn write(producers: &[Producer<'_>], rate: u64, (first, last): (i64, i64), told: &AtomicU64) {
    let windows = ((last - first) / INTERVAL) as u64;
    let begun = now();
    let (mut written, mut next) = (0, first + INTERVAL - BEFORE_END);
    while told.load(Ordering::Relaxed) < windows {
        let at = now();
        let due = (at - begun) as u64 * rate / 1000;
        for n in written..due {
            send(producers, n, at, address(host(n)), 1_000);
        }
        written = due;
        if at >= next && next < last {
            // In each window another host.
            let number = ((next - first) / INTERVAL) as u8;
            send(
                producers,
                u64::from(number),
                at,
                [10, 0, 0, number],
                2_000_000_000_000,
            );
            next += INTERVAL;
        }
        wait::pass(TICK);
    }
}

fn send(producers: &[Producer<'_>], n: u64, at: i64, to: [u8; 4], bytes: u64) {
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
    producers[n as usize % PARTITIONS].send(&flow.encode_to_vec(), received);
}
