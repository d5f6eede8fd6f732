//! The whole service on a real Kafka, from a topic that fills as fast as it may to alerts that are committed.

use std::path::Path;
use std::time::Duration;

use serde_json::{Value, json};

use crate::support::app::App;
use crate::support::encode;
use crate::support::flows::Outgoing;
use crate::support::kafka_client::{Reader, Topic, Writer};
use crate::support::kafka_node::Cluster;
use crate::support::tools;
use crate::workload::{flows, judge, prefixes};

const PARTITIONS: usize = 4;
const ROUNDS: usize = 3;
/// How long one run may take.
const DONE: Duration = Duration::from_mins(5);
/// Minutes, and flows in each: 50,000 and 8,333 a second.
const LOADS: [(u32, u32); 2] = [(2, 3_000_000), (12, 500_000)];

pub(crate) fn run() {
    let cluster = Cluster::start();
    let file = tools::scratch("thresholds").join("prefixes.txt");
    std::fs::write(&file, prefixes()).expect("it can be written");
    for (windows, each) in LOADS {
        println!(
            "CPU seconds of a process for {} flows, {} a second; in brackets those until it was ready",
            windows * each,
            each / 60
        );
        println!("{:>16} {:>16} {:>10}", "without", "with", "ratio");
        let cpu = |round: usize, with: bool| {
            let id = format!("thresholds-{windows}-{round}-{with}");
            cpu(&cluster, &id, (windows, each), with.then_some(&file))
        };
        let mut ratios = Vec::new();
        for round in 0..ROUNDS {
            // There and back, so that none is always the first.
            let first = round % 2 != 0;
            let (one, other) = (cpu(round, first), cpu(round, !first));
            let (off, on) = if first { (other, one) } else { (one, other) };
            println!(
                "{:>16} {:>16} {:>10.3}",
                off.show(),
                on.show(),
                on.work / off.work
            );
            ratios.push(on.work / off.work);
        }
        println!("{}", judge(ratios));
    }
}

/// CPU seconds of a process.
struct Cpu {
    start: f64,
    work: f64,
}

impl Cpu {
    fn show(&self) -> String {
        format!("{:.2} ({:.2})", self.work, self.start)
    }
}

fn write(cluster: &Cluster, topic: &str, (begin, windows, each): (u64, u32, u32)) {
    let writer = Writer::new(cluster, topic);
    let outgoing = |partition: usize, second: u64, payload| Outgoing {
        partition: partition as i32,
        timestamp: (begin + second) as i64 * 1000,
        payload: Some(payload),
    };
    for (n, payload) in flows(begin, windows, each).enumerate() {
        let second = n as u64 / u64::from(each / 60);
        writer.enqueue_all(&[outgoing(n % PARTITIONS, second, payload)]);
    }
    // What closes the last window.
    let end = u64::from(windows) * 60 + 10;
    for partition in 0..PARTITIONS {
        let closer = encode::arp((begin + end) as i64);
        writer.enqueue_all(&[outgoing(partition, end, closer)]);
    }
    writer.flush();
}

/// Of an instance that is ready before there are flows, and tells of every window.
fn cpu(cluster: &Cluster, id: &str, (windows, each): (u32, u32), overrides: Option<&Path>) -> Cpu {
    let topic = format!("{id}-flows");
    Topic::new(&topic, PARTITIONS).create(cluster);
    let app = App::new(cluster, id, &topic, &[]);
    let app = app.also(rule(overrides), "").set("flush_interval", "1s");
    let mut instance = app.start(0);
    instance.ready();
    let process = procfs::process::Process::new(instance.process.id() as i32);
    let process = process.expect("the instance runs");
    let used = || {
        let stat = process.stat().expect("a process has one");
        (stat.utime + stat.stime) as f64 / procfs::ticks_per_second() as f64
    };
    let start = used();
    // Brokers delete what is old.
    let now = jiff::Timestamp::now().as_second() as u64;
    let begin = now - now % 60 - 60 * u64::from(windows + 1);
    write(cluster, &topic, (begin, windows, each));
    let last = (begin + u64::from(windows - 1) * 60) as i64 * 1000;
    let mut reader = Reader::new(cluster, &app.topic("windows"));
    reader.until("every window is told", DONE, |records| {
        let told = records.last().map(|record| record.message().window_start());
        told.is_some_and(|start| start >= last)
    });
    let work = used() - start;
    instance.stop();
    Cpu { start, work }
}

fn rule(overrides: Option<&Path>) -> Value {
    let mut rule = json!({
        "name": "volume",
        "mode": "discounted",
        "prefix_length": {"ipv4": [32, 24, 22], "ipv6": []},
        "thresholds": {"bits_per_second": {"ipv4": {"32": "1.2kbps", "24": "100kbps", "22": "400kbps"}}},
    });
    if let Some(file) = overrides {
        rule["overrides"] = json!({"file": file});
    }
    rule
}
