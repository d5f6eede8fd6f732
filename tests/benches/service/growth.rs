//! How cost grows: with flows a second, addresses, rules and partitions. A table of each, and a plot.

use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use prost::Message as _;
use serde_json::Value;

use crate::load::{self, Load, PARTITIONS, Pace, Shape, flow, host, outgoing, writer};
use crate::measure::{Run, usage};
use crate::plot::{Panel, Plot};
use crate::support::app::App;
use crate::support::kafka_client::{Reader, Topic};
use crate::support::kafka_node::Cluster;
use crate::support::wait;
use crate::table::median;
use crate::{Part, instance, rules};

/// Flows a second, that come in one after another.
const RATES: [u64; 6] = [12_500, 25_000, 50_000, 100_000, 200_000, 400_000];
/// How long they come before it is measured, and while it is: an interval, so that its end is in it.
const BEFORE: Duration = Duration::from_secs(12);
const MEASURED: Duration = Duration::from_secs(20);
const INTERVAL: &str = "10s";
/// Addresses in each window, all with as many flows.
const ADDRESSES: [u64; 5] = [1_000, 10_000, 100_000, 1_000_000, 4_000_000];
/// With ten filters.
const RULES: [usize; 5] = [1, 3, 10, 30, 100];
/// Partitions of the input.
const SPREAD: [u64; 5] = [1, 4, 16, 64, 256];
/// Flows of a backlog.
const BACKLOG: u64 = 8_000_000;
const TICK: Duration = Duration::from_millis(5);

/// Prints tables, and writes plots to `target/plots`.
pub(crate) fn run(cluster: &Cluster, short: bool, rounds: usize, does: impl Fn(Part) -> bool) {
    let bench = Bench {
        cluster,
        short,
        rounds,
    };
    let plots = Path::new(env!("CARGO_TARGET_TMPDIR")).with_file_name("plots");
    let parts: [(Part, Measure<'_>); 4] = [
        (Part::Flows, Bench::flows),
        (Part::Addresses, Bench::addresses),
        (Part::Partitions, Bench::partitions),
        (Part::ManyRules, Bench::rules),
    ];
    for (_, measure) in parts.iter().filter(|(part, _)| does(*part)) {
        let grown = measure(&bench);
        grown.print();
        grown.plot(&plots);
    }
}

type Measure<'c> = fn(&Bench<'c>) -> Grown;

struct Bench<'c> {
    cluster: &'c Cluster,
    short: bool,
    rounds: usize,
}

impl Bench<'_> {
    /// Of a few steps the first.
    fn steps<T: Copy>(&self, all: &[T]) -> Vec<T> {
        let most = if self.short { 2 } else { all.len() };
        all[..most].to_vec()
    }

    fn shape(&self) -> Shape {
        Shape::of(if self.short { 400_000 } else { BACKLOG })
    }

    /// Once each: that is the mean of two windows.
    fn flows(&self) -> Grown {
        let lasts = if self.short {
            [Duration::from_secs(1); 2]
        } else {
            [BEFORE, MEASURED]
        };
        let step = |rate| {
            let run = at_rate(self.cluster, rate, lasts);
            Step::of(rate, std::iter::once(run))
        };
        Grown {
            of: "flows",
            what: "flows a second",
            live: true,
            steps: self.steps(&RATES).into_iter().map(step).collect(),
        }
    }

    fn addresses(&self) -> Grown {
        let of = |addresses| Shape {
            addresses: Some(addresses),
            ..self.shape()
        };
        self.backlogs("addresses", "addresses in a window", &ADDRESSES, of)
    }

    fn partitions(&self) -> Grown {
        let of = |partitions| Shape {
            partitions: partitions as usize,
            ..self.shape()
        };
        self.backlogs("partitions", "partitions", &SPREAD, of)
    }

    /// A load for each value, which a rule that selects all reads.
    fn backlogs(
        &self,
        of: &'static str,
        what: &'static str,
        values: &[u64],
        shape: impl Fn(u64) -> Shape,
    ) -> Grown {
        let step = |value| {
            let load = load::write(self.cluster, &format!("grow-{of}-{value}"), shape(value));
            self.step(&load, value, &[instance::rule("all")])
        };
        Grown {
            of,
            what,
            live: false,
            steps: self.steps(values).into_iter().map(step).collect(),
        }
    }

    fn rules(&self) -> Grown {
        let load = load::write(self.cluster, "grow-rules", self.shape());
        let step = |number: usize| {
            let rules: Vec<_> = (0..number).map(rules::rule).collect();
            self.step(&load, number as u64, &rules)
        };
        Grown {
            of: "rules",
            what: "rules, with at most ten filters",
            live: false,
            steps: self.steps(&RULES).into_iter().map(step).collect(),
        }
    }

    /// All of a load that is there, by these rules.
    fn step(&self, load: &Load, value: u64, rules: &[Value]) -> Step {
        let run = |round| {
            let id = format!("{}-{value}-{round}", load.topic);
            instance::run(self.cluster, load, &id, rules)
        };
        Step::of(value, (0..self.rounds).map(run))
    }
}

/// What one number of something costs.
struct Step {
    value: u64,
    /// CPU seconds per million flows.
    cost: f64,
    /// Flows a second.
    rate: f64,
    mebibytes: f64,
}

impl Step {
    fn of(value: u64, runs: impl Iterator<Item = Run>) -> Self {
        let runs: Vec<_> = runs.collect();
        let middle = |of: fn(&Run) -> f64| median(runs.iter().map(of));
        Self {
            value,
            cost: middle(Run::cost),
            rate: middle(Run::rate),
            mebibytes: middle(|run| run.memory as f64) / f64::from(1 << 20),
        }
    }

    /// Cores that are busy.
    fn cores(&self) -> f64 {
        self.cost * self.rate / 1e6
    }
}

/// What more and more of something costs.
struct Grown {
    of: &'static str,
    what: &'static str,
    /// Whether flows come in as they do, and are not there already.
    live: bool,
    steps: Vec<Step>,
}

impl Grown {
    fn print(&self) {
        println!(
            "\n{:>34} {:>10} {:>8} {:>6}",
            self.what, "flows/s", "CPU s/M", "MiB"
        );
        for step in &self.steps {
            println!(
                "{:>34} {:>10.0} {:>8.3} {:>6.0}",
                step.value, step.rate, step.cost, step.mebibytes
            );
        }
    }

    fn plot(&self, to: &Path) {
        let points = |of: fn(&Step) -> f64| {
            let points = self.steps.iter().map(|step| (step.value as f64, of(step)));
            points.collect()
        };
        let first = if self.live {
            Panel {
                title: "busy cores",
                points: points(Step::cores),
            }
        } else {
            Panel {
                title: "million flows a second, catching up",
                points: points(|step| step.rate / 1e6),
            }
        };
        let plot = Plot {
            x: self.what,
            panels: [
                first,
                Panel {
                    title: "CPU seconds per million flows",
                    points: points(|step| step.cost),
                },
                Panel {
                    title: "MiB at most",
                    points: points(|step| step.mebibytes),
                },
            ],
        };
        let path = to.join(format!("{}.svg", self.of));
        plot.write(&path);
        println!("plot: {}", path.display());
    }
}

/// Flows come in at `rate`, for `before` and then as long as is measured; each is counted by a rule that selects all.
fn at_rate(cluster: &Cluster, rate: u64, [before, measured]: [Duration; 2]) -> Run {
    let topic = format!("grow-flows-{rate}");
    Topic::new(&topic, PARTITIONS).create(cluster);
    let mut rule = instance::rule("all");
    rule["interval"] = INTERVAL.into();
    rule["grace"] = "1s".into();
    let app = App::new(cluster, &format!("{topic}-app"), &topic, &[]).also(rule, "");
    let app = app.set("flush_interval", "1s");
    let mut instance = app.start(0);
    instance.ready();
    let (over, written) = (AtomicBool::new(false), AtomicU64::new(0));
    let run = thread::scope(|scope| {
        for partition in 0..PARTITIONS {
            let (topic, over, written) = (&topic, &over, &written);
            scope.spawn(move || {
                let writer = writer(cluster, topic);
                let mut pace = Pace::new(rate);
                let is_ours = |n: &u64| *n as usize % PARTITIONS == partition;
                while !over.load(Ordering::Relaxed) {
                    let now = jiff::Timestamp::now().as_second() as u64;
                    let mut new = 0;
                    for n in pace.due().filter(is_ours) {
                        let payload = flow(n, host(n), now).encode_to_vec();
                        writer.enqueue_all(&outgoing(partition, now, payload));
                        new += 1;
                    }
                    written.fetch_add(new, Ordering::Relaxed);
                    wait::pass(TICK);
                }
                writer.flush();
            });
        }
        let now = || {
            let (cpu, memory) = usage(instance.process.id()).expect("the instance runs");
            (Instant::now(), written.load(Ordering::Relaxed), cpu, memory)
        };
        wait::pass(before);
        let from = now();
        wait::pass(measured);
        let to = now();
        over.store(true, Ordering::Relaxed);
        let flows = to.1 - from.1;
        Run {
            flows,
            counted: flows,
            seconds: (to.0 - from.0).as_secs_f64(),
            cpu: to.2 - from.2,
            memory: to.3,
        }
    });
    if measured >= MEASURED {
        // It kept up: windows were told while flows came.
        let windows = app.topic("windows");
        Reader::new(cluster, &windows).until("windows are told", MEASURED, |told| !told.is_empty());
    }
    instance.stop();
    run
}
