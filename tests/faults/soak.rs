//! A steady load for a long time: memory stays where it is, and nothing falls behind.

use std::time::{Duration, Instant};

use hotprefix::partial::{Partial, decode};

use crate::collector::Order;
use crate::run::{Prepared, base};
use crate::supervisor::resident;
use crate::support::app::{App, Instance};
use crate::support::encode;
use crate::support::flows::{Content, Load, Outgoing, Record};
use crate::support::kafka_client::{Topic, Writer, committed, ends, read_all};
use crate::support::kafka_node::Cluster;
use crate::support::rules::rules;
use crate::support::{model, wait};

const PARTITIONS: usize = 4;
/// Flows that are written over and over, with new times.
const DIFFERENT: usize = 20_000;
/// Flows for finding out how fast it can go.
const MEASURED: usize = 400_000;
/// Resident memory in the last third of the time, against the second.
const FLAT: f64 = 1.1;
/// How long the end may take to be counted once writing ends.
const CAUGHT_UP: Duration = Duration::from_secs(30);

/// What came of it.
pub(crate) fn run(time: Duration, rate: Option<u64>) -> Vec<String> {
    let cluster = Cluster::start();
    let max = rate.map_or_else(|| measure(&cluster), |rate| rate * 2);
    let rate = max / 2;
    println!("   soak: {rate} flows/s for {time:?}, half of {max}");
    let topic = "soak-input";
    // A long run must fit on a disk.
    let input = Topic::new(topic, PARTITIONS)
        .setting("retention.bytes", "67108864")
        .setting("segment.bytes", "16777216");
    input.create(&cluster);
    let app = app(&cluster, "soak", topic);
    let mut instance = app.start(0);
    instance.ready();
    let (samples, written) = feed(&cluster, topic, rate, time, &instance);
    let mut wrong = Vec::new();
    wrong.extend(flat(&samples));
    wrong.extend(caught_up(&cluster, &app, topic));
    instance.stop();
    wrong.extend(counted(&app, written));
    wrong
}

fn app<'c>(cluster: &'c Cluster, id: &str, topic: &str) -> App<'c> {
    App::new(cluster, id, topic, &rules())
}

/// Flows per second that one instance counts when they are all there.
fn measure(cluster: &Cluster) -> u64 {
    let topic = "speed-input";
    let load = Load::new(12, MEASURED, PARTITIONS, base());
    let records = load.generate();
    let prepared = Prepared {
        topic: topic.to_owned(),
        partitions: PARTITIONS,
        rules: rules(),
        outcome: model::Outcome::default(),
        records,
    };
    Topic::new(topic, PARTITIONS).create(cluster);
    Writer::new(cluster, topic).write(prepared.outgoing());
    let app = app(cluster, "speed", topic);
    let instance = app.start(0);
    let group = "speed-count";
    let at = || {
        committed(cluster, group, topic, PARTITIONS)
            .into_iter()
            .map(|at| at.max(0))
            .sum::<i64>()
    };
    let every = Duration::from_millis(50);
    let within = Duration::from_mins(5);
    let first = wait::until("counting begins", within, every, || {
        Some(at()).filter(|at| *at > 0)
    });
    let begun = Instant::now();
    let all = prepared.records.len() as i64;
    wait::until("all is counted", within, every, || {
        (at() == all).then_some(())
    });
    let took = begun.elapsed();
    instance.stop();
    ((all - first) as f64 / took.as_secs_f64()) as u64
}

/// Writes at a steady rate. Resident memory by the second, and how many records were written.
fn feed(
    cluster: &Cluster,
    topic: &str,
    rate: u64,
    time: Duration,
    instance: &Instance,
) -> (Vec<u64>, u64) {
    let load = Load::new(13, DIFFERENT, PARTITIONS, base());
    let records = load.generate();
    let writer = Writer::new(cluster, topic);
    let mut different = records.iter().cycle();
    let mut samples = Vec::new();
    let (begun, mut written) = (Instant::now(), 0);
    while begun.elapsed() < time {
        let due = (begun.elapsed().as_secs_f64() * rate as f64) as u64;
        let now = jiff::Timestamp::now().as_millisecond();
        let batch: Vec<_> = different
            .by_ref()
            .take((due - written) as usize)
            .map(|r| renew(r, now))
            .collect();
        written += batch.len() as u64;
        writer.enqueue_all(&batch);
        if samples.len() < begun.elapsed().as_secs() as usize {
            samples.extend(resident(instance.process.id()));
        }
        wait::pass(Duration::from_millis(20));
    }
    writer.flush();
    (samples, written)
}

/// The same record at another time.
fn renew(record: &Record, now: i64) -> Outgoing {
    let payload = match &record.content {
        Content::Flow(flow) => {
            let mut flow = flow.clone();
            flow.received = now / 1000 * 1000;
            Some(encode::encode(&flow))
        }
        Content::NotIp { .. } => Some(encode::arp(now / 1000)),
        Content::Undecodable => record.out.payload.clone(),
    };
    Outgoing {
        timestamp: now,
        payload,
        ..record.out
    }
}

fn median(samples: &[u64]) -> u64 {
    let mut sorted = samples.to_vec();
    sorted.sort_unstable();
    sorted.get(sorted.len() / 2).copied().unwrap_or(0)
}

/// The last third needs no more than the second. The first is warming up.
pub(crate) fn flat(samples: &[u64]) -> Option<String> {
    let third = samples.len() / 3;
    let (first, rest) = samples.split_at(third);
    let (second, last) = rest.split_at(rest.len() / 2);
    let of = [first, second, last].map(|part| median(part) as f64 / 1024.0);
    let said = format!(
        "resident MiB by thirds: {:.1}, {:.1}, {:.1}",
        of[0], of[1], of[2]
    );
    println!(
        "   soak: {said}, at most {:.1}",
        samples.iter().max().copied().unwrap_or(0) as f64 / 1024.0
    );
    (third == 0 || of[2] > of[1] * FLAT).then(|| format!("memory is not flat: {said}"))
}

fn caught_up(cluster: &Cluster, app: &App<'_>, topic: &str) -> Option<String> {
    let ends = ends(cluster, topic, "read_committed");
    let deadline = Instant::now() + CAUGHT_UP;
    loop {
        let at = committed(cluster, &format!("{}-count", app.id), topic, PARTITIONS);
        if at == ends {
            return None;
        }
        if Instant::now() > deadline {
            return Some(format!(
                "count is at {at:?} of {ends:?} {CAUGHT_UP:?} after the end"
            ));
        }
        wait::pass(Duration::from_millis(200));
    }
}

/// Every record has a fate, and there are alerts, each once.
fn counted(app: &App<'_>, written: u64) -> Vec<String> {
    let mut wrong = Vec::new();
    let mut records = 0;
    for record in read_all(app.cluster, &app.topic("partials"))
        .iter()
        .filter(|r| r.partition == 0)
    {
        if let Ok(Partial::Marker(marker)) = decode(record.payload.as_deref().unwrap_or_default()) {
            records += marker.fates.records();
        }
    }
    if records != written {
        wrong.push(format!(
            "{records} records have a fate, {written} were written"
        ));
    }
    let mut order = Order::default();
    let alerts = read_all(app.cluster, &app.topic("alerts"));
    wrong.extend(
        alerts
            .iter()
            .filter_map(|record| order.look("alerts", record)),
    );
    if alerts.is_empty() {
        wrong.push("there are no alerts".to_owned());
    }
    println!(
        "   soak: {written} records written, {records} with a fate, {} alerts",
        alerts.len()
    );
    wrong
}
