//! Catching up: partitions that get ahead at different speeds stay together, so that few windows are open.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use hotprefix::partial::{Partial, decode};
use procfs::process::Process;

use crate::run::Prepared;
use crate::support::app::App;
use crate::support::flows::Load;
use crate::support::kafka_client::{Writer, read_all};
use crate::support::kafka_node::Cluster;
use crate::support::model::Rule;
use crate::support::process::Signal;
use crate::support::rules::rules;
use crate::support::wait;

const MINUTE_MS: i64 = 60_000;
/// A partition that is further ahead of the slowest one waits: two intervals. What it reads at once makes that half as much
/// more, and what it learns of others late, from a busy broker, some times as much. Without waiting it would be most of the load.
const LEAD_MS: i64 = 2 * MINUTE_MS;
/// Between two looks at memory.
const LOOK: Duration = Duration::from_millis(50);

/// A load of one flow topic, some of whose partitions have several times the records of others.
#[derive(Clone, Copy)]
pub(crate) struct Backlog {
    pub(crate) flows: usize,
    pub(crate) minutes: i64,
    pub(crate) partitions: usize,
    pub(crate) instances: usize,
    /// Whether under the group protocol of KIP-848.
    pub(crate) consumer_protocol: bool,
}

impl Backlog {
    /// All is written before the instances start, the first of which is slow: partitions stay together, and the
    /// results are the model's. Returns what memory all instances together had at most, in bytes.
    pub(crate) fn catch_up(self, name: &str) -> u64 {
        let cluster = Cluster::shared();
        let prepared = self.prepare(cluster, name);
        Writer::new(cluster, &prepared.topic).write(prepared.outgoing());
        let app = self.app(cluster, &prepared);
        let most = self.run(&prepared, &app, true, || {});
        check_together(&prepared, &app);
        most
    }

    /// The same load, written in the order of its time while the instances run, so that they are never far behind.
    pub(crate) fn keep_up(self, name: &str, time: Duration) -> u64 {
        let cluster = Cluster::shared();
        let prepared = self.prepare(cluster, name);
        let app = self.app(cluster, &prepared);
        let outgoing: Vec<_> = prepared.outgoing().collect();
        let writer = Writer::new(cluster, &prepared.topic);
        self.run(&prepared, &app, false, || {
            writer.write_over(&outgoing, time);
        })
    }

    fn prepare(self, cluster: &Cluster, name: &str) -> Prepared {
        let over = jiff::Timestamp::now().as_millisecond() - self.minutes * MINUTE_MS;
        let load = Load {
            interval_ms: MINUTE_MS,
            intervals: self.minutes,
            uneven: true,
            ..Load::new(
                40,
                self.flows,
                self.partitions,
                over - over.rem_euclid(MINUTE_MS),
            )
        };
        let by_minute = |rule| Rule {
            interval_ms: MINUTE_MS,
            ..rule
        };
        let rules = rules().into_iter().map(by_minute).collect();
        Prepared::unwritten(cluster, name, rules, &load)
    }

    fn app<'c>(&self, cluster: &'c Cluster, prepared: &Prepared) -> App<'c> {
        let app = prepared.app(cluster, &prepared.topic);
        let app = app.set("flush_interval", "1s");
        if self.consumer_protocol {
            app.with_consumer_protocol()
        } else {
            app
        }
    }

    /// Runs the load to its end beside `write`; the highest memory.
    fn run(
        self,
        prepared: &Prepared,
        app: &App<'_>,
        hobbled: bool,
        write: impl FnOnce() + Send,
    ) -> u64 {
        let instances = app.start_all(self.instances);
        let processes: Vec<_> = instances.iter().map(|i| i.process.id()).collect();
        let (over, most) = (AtomicBool::new(false), AtomicU64::new(0));
        thread::scope(|scope| {
            scope.spawn(write);
            scope.spawn(|| {
                while !over.load(Ordering::Relaxed) {
                    most.fetch_max(
                        processes.iter().copied().map(memory).sum(),
                        Ordering::Relaxed,
                    );
                    wait::pass(LOOK);
                }
            });
            scope.spawn(|| {
                while hobbled && !over.load(Ordering::Relaxed) {
                    let first = &instances[0].process;
                    first.signal(Signal::STOP);
                    wait::pass(3 * LOOK);
                    first.signal(Signal::CONT);
                    wait::pass(LOOK);
                }
            });
            let waited = catch_unwind(AssertUnwindSafe(|| prepared.until_final(app)));
            over.store(true, Ordering::Relaxed);
            if let Err(panic) = waited {
                resume_unwind(panic);
            }
        });
        prepared.finish(app, instances);
        let most = most.into_inner();
        println!("{}: {} KiB resident at most", app.id, most / 1_024);
        most
    }
}

/// By the log of markers: no source is further ahead of the slowest than it may be. One that has nothing left
/// holds nobody. Of the others it counts what their next marker says, since one flush has the markers of several.
fn check_together(prepared: &Prepared, app: &App<'_>) {
    let sources = last_flows(prepared);
    let markers = markers(app);
    let mut widest = 0;
    for (at, (partition, time)) in markers.iter().enumerate() {
        let next = |(other, last): &(i32, i64)| {
            let mut later = markers[at + 1..].iter();
            let next = later.find(|(p, _)| p == other).map(|(_, time)| *time);
            next.filter(|time| time < last)
        };
        let has_flows = sources.iter().any(|(p, _)| p == partition);
        if let Some(slowest) = sources.iter().filter_map(next).min().filter(|_| has_flows) {
            widest = widest.max(time - slowest);
        }
    }
    println!("{}: some partition was {} s ahead", app.id, widest / 1_000);
    assert!(
        widest <= 5 * LEAD_MS,
        "{}: a partition is {widest} ms ahead of the slowest, it waits at {LEAD_MS}",
        app.id
    );
}

/// Each partition with flows, and the time of its last one.
fn last_flows(prepared: &Prepared) -> Vec<(i32, i64)> {
    let mut times: BTreeMap<i32, Vec<i64>> = BTreeMap::new();
    for out in prepared.outgoing() {
        times.entry(out.partition).or_default().push(out.timestamp);
    }
    // The last record is not a flow: it closes the windows.
    let last = |(partition, times): (i32, Vec<i64>)| Some((partition, *times.iter().nth_back(1)?));
    times.into_iter().filter_map(last).collect()
}

/// Partition and stream time of each marker that has one, in the order of the log.
fn markers(app: &App<'_>) -> Vec<(i32, i64)> {
    let partials = read_all(app.cluster, &app.topic("partials"));
    let first = partials.iter().filter(|r| r.partition == 0);
    let marker = |payload: &[u8]| match decode(payload).expect("partials are not corrupt") {
        Partial::Marker(marker) => Some((marker.source.partition, marker.stream_time?.as_millis())),
        Partial::Delta(_) => None,
    };
    first
        .filter_map(|r| marker(r.payload.as_deref().expect("partials have no tombstones")))
        .collect()
}

/// Resident memory of a process that runs, in bytes.
fn memory(process: u32) -> u64 {
    let process = Process::new(process as i32).and_then(|p| p.stat());
    let pages = process.expect("the instance runs").rss;
    pages * procfs::page_size()
}
