//! What exporting costs: the same topic counted with and without, in turn, and the CPU time of both.
//!
//! `tests/otel/run.sh --cost` builds a release binary and runs this. CPU time and not wall time: it is what the
//! hot path pays, and a busy machine moves it less.

// The cost is asked of one protocol, without TLS.
#[allow(dead_code)]
mod collector;
mod sink;
#[path = "../support/mod.rs"]
mod support;

use std::collections::BTreeSet;
use std::fs;
use std::time::Duration;

use collector::Collector;
use support::app::App;
use support::flows::Load;
use support::kafka_client::{Incoming, Reader, Topic, Writer};
use support::kafka_node::Cluster;
use support::rules::rules;

const PARTITIONS: usize = 4;
/// Written one after the other, a minute of event time apart.
const LOADS: i64 = 20;
const FLOWS: usize = 100_000;
const PAIRS: usize = 9;
/// The promise.
const MOST: f64 = 1.02;
const COUNTED: Duration = Duration::from_mins(5);
/// The unit of CPU time in /proc.
const TICKS_PER_SECOND: f64 = 100.0;

#[test]
fn exporting_by_default_costs_at_most_two_percent() {
    let cluster = Cluster::shared();
    let collector = Collector::start("cost", false);
    let last = write(cluster);
    let endpoint = format!("http://127.0.0.1:{}", collector.http);
    let app = |id: &str| App::new(cluster, id, "cost", &rules());
    let off = |n: usize| seconds(&app(&format!("cost-off-{n}")), last);
    let on = |n: usize| {
        let app = app(&format!("cost-on-{n}"));
        seconds(&app.env("OTEL_EXPORTER_OTLP_ENDPOINT", &endpoint), last)
    };
    let all = |n: usize| {
        let app = app(&format!("cost-all-{n}")).env("OTEL_TRACES_SAMPLER", "always_on");
        seconds(&app.env("OTEL_EXPORTER_OTLP_ENDPOINT", &endpoint), last)
    };
    // The first runs read what no cache has.
    let _ = (off(PAIRS), on(PAIRS));
    let mut rows = Vec::new();
    for n in 0..PAIRS {
        // There and back, so that none is always the first.
        let row = if n % 2 == 0 {
            let off = off(n);
            [off, on(n), all(n)]
        } else {
            let (all, on) = (all(n), on(n));
            [off(n), on, all]
        };
        println!(
            "off {:.2} s, on {:.2} s, all traced {:.2} s",
            row[0], row[1], row[2]
        );
        rows.push(row);
    }
    let ratio = |of: usize| median(rows.iter().map(|row| row[of] / row[0]).collect());
    let (on, all) = (ratio(1), ratio(2));
    println!(
        "{} flows, {PAIRS} rounds, median of CPU time to that without: exported {on:.3}, and everything traced {all:.3}",
        FLOWS * LOADS as usize,
    );
    assert!(
        !collector.sink.all("logs").is_empty(),
        "something was exported"
    );
    assert!(on <= MOST, "exporting costs {on:.3}, more than {MOST}");
}

/// Fills the topic; the start of the last window.
fn write(cluster: &Cluster) -> i64 {
    Topic::new("cost", PARTITIONS).create(cluster);
    let writer = Writer::new(cluster, "cost");
    let now = jiff::Timestamp::now().as_millisecond();
    let base = now - now.rem_euclid(60_000) - (LOADS + 2) * 60_000;
    let mut last = base;
    for n in 0..LOADS {
        let load = Load::new(n as u64, FLOWS, PARTITIONS, base + n * 60_000);
        let records = load.generate();
        writer.write(records.iter().map(|record| &record.out));
        last = load.base + (load.intervals - 1) * load.interval_ms;
    }
    last
}

/// CPU time until all of the topic is in final windows.
fn seconds(app: &App<'_>, last: i64) -> f64 {
    let mut instance = app.start(0);
    instance.ready();
    let expected = rules().len();
    let mut done = BTreeSet::new();
    let mut looked_at = 0;
    let mut reader = Reader::new(app.cluster, &app.topic("windows"));
    reader.until("every window is final", COUNTED, |records| {
        for message in records[looked_at..].iter().map(Incoming::message) {
            if message.is_final() && message.window_start() == last {
                done.insert(message.rule().to_owned());
            }
        }
        looked_at = records.len();
        done.len() == expected
    });
    let stat = fs::read_to_string(format!("/proc/{}/stat", instance.process.id()));
    let stat = stat.expect("the instance runs");
    // The name in parentheses is the only field that may hold spaces; user and system time follow it
    // as the 12th and 13th.
    let (_, fields) = stat.rsplit_once(") ").expect("a name in parentheses");
    let ticks = fields.split(' ').skip(11).take(2);
    let ticks: f64 = ticks.filter_map(|t| t.parse::<f64>().ok()).sum();
    instance.kill();
    ticks / TICKS_PER_SECOND
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}
