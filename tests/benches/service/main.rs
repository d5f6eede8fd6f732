//! The whole service on a real Kafka: how fast, beside what librdkafka can do at most and what others do with the same topic;
//! what many rules and random destinations cost; how soon an alert can be read; how cost grows.
//!
//! `cargo bench --bench service` prints what docs/performance.md has, and with `-- --help` what can be chosen of it.

mod flood;
mod growth;
mod instance;
mod latency;
mod limit;
mod load;
mod measure;
mod peers;
mod plot;
mod rules;
#[path = "../../support/mod.rs"]
mod support;
mod table;

use std::num::NonZeroUsize;
use std::process::Command;

use clap::{Parser, ValueEnum};

use load::{Load, Shape};
use measure::Run;
use support::kafka_node::Cluster;
use table::{Table, Who};

/// How much is read by whom.
#[derive(Clone, Copy, Debug)]
struct Size {
    /// Flows in the topic: the limit and the service read all.
    flows: u64,
    /// What Kafka Streams reads of them, and the script, by the ancestor's rule and by that which selects all.
    streams: [u64; 2],
    python: [u64; 2],
}

const FULL: Size = Size {
    flows: 16_000_000,
    streams: [4_000_000, 2_000_000],
    python: [1_000_000, 200_000],
};

const SHORT: Size = Size {
    flows: 400_000,
    streams: [100_000, 100_000],
    python: [50_000, 20_000],
};

/// The rules of the comparison, and what the table calls them.
const RULES: [(&str, &str); 2] = [("ancestor", "ancestor's"), ("all", "every flow")];

/// The whole service on a real Kafka, beside what librdkafka can do at most and what others do with the same topic. All of it takes
/// half an hour.
#[derive(Debug, Parser)]
#[command(bin_name = "cargo bench --bench service --")]
struct Args {
    /// What to measure; all if nothing is named.
    #[arg(value_enum)]
    parts: Vec<Part>,
    /// How often each reads the same, in turn; medians are printed.
    #[arg(long, default_value = "3")]
    rounds: NonZeroUsize,
    /// A small load, once: it shows that each step works, and measures nothing.
    #[arg(long)]
    short: bool,
    /// In `speed` leave out Kafka Streams and Python, which are slow.
    #[arg(long)]
    alone: bool,
    /// Cargo says so.
    #[arg(long, hide = true)]
    bench: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Part {
    /// Flows a second, by the ancestor's rule and by one that selects all.
    Speed,
    /// What a hundred rules cost, and one.
    Rules,
    /// How cost grows: the four that follow.
    Growth,
    /// ... with flows a second.
    Flows,
    /// ... with addresses.
    Addresses,
    /// ... with partitions.
    Partitions,
    /// ... with rules.
    ManyRules,
    /// How long after a window's end its alert can be read.
    Latency,
    /// Random IPv6 destinations.
    Flood,
}

impl Args {
    fn does(&self, part: Part) -> bool {
        let of_growth = [
            Part::Flows,
            Part::Addresses,
            Part::Partitions,
            Part::ManyRules,
        ];
        self.parts.is_empty()
            || self.parts.contains(&part)
            || of_growth.contains(&part) && self.parts.contains(&Part::Growth)
    }
}

fn main() {
    let mut words = std::env::args().skip(1).peekable();
    if words.next_if(|word| word == "limit").is_some() {
        return limit::run(words);
    }
    let args = Args::parse();
    let short = args.short;
    let size = if short { SHORT } else { FULL };
    let rounds = if short { 1 } else { args.rounds.get() };
    let cluster = Cluster::start_with(instance::broker);
    if args.does(Part::Speed) || args.does(Part::Rules) {
        let load = load::write(&cluster, "flows", Shape::of(size.flows));
        println!("{load}");
        if args.does(Part::Speed) {
            if !short {
                warm_up(&cluster, &load);
            }
            compare(&cluster, &load, &size, rounds, args.alone);
        }
        if args.does(Part::Rules) {
            rules::run(&cluster, &load, rounds);
        }
    }
    growth::run(&cluster, short, rounds, |part| args.does(part));
    if args.does(Part::Latency) {
        if short {
            latency::run(&cluster, [200, 2_000], 3);
        } else {
            latency::run(&cluster, latency::RATES, 50);
        }
    }
    if args.does(Part::Flood) {
        flood::run(&cluster, short);
    }
}

/// A round that does not count: a broker that has just started compiles what it runs, on the same cores.
fn warm_up(cluster: &Cluster, load: &Load) {
    limit(cluster, load);
    instance::run(cluster, load, "warm", &[instance::rule("all")]);
}

fn compare(cluster: &Cluster, load: &Load, size: &Size, rounds: usize, alone: bool) {
    let mut table = Table::default();
    for round in 0..rounds {
        for ((rule, title), at) in RULES.into_iter().zip(0..) {
            let id = format!("{rule}-{round}");
            table.add(title, Who::Limit, limit(cluster, load));
            let rules = [instance::rule(rule)];
            table.add(
                title,
                Who::Hotprefix,
                instance::run(cluster, load, &id, &rules),
            );
            if !alone {
                let (bootstrap, topic) = (cluster.bootstrap(), &load.topic);
                let (name, flows) = (format!("streams-{id}"), size.streams[at]);
                let mut streams = peers::streams(&bootstrap, topic, &name, rule, flows);
                table.add(title, Who::Streams, peer(&name, &mut streams, rule, flows));
                let (name, flows) = (format!("python-{id}"), size.python[at]);
                let mut python = peers::python(&bootstrap, topic, &name, rule, flows);
                table.add(title, Who::Python, peer(&name, &mut python, rule, flows));
            }
            println!("{}", table.last(title));
        }
    }
    print!("{table}");
}

/// The limit of all of the load.
fn limit(cluster: &Cluster, load: &Load) -> Run {
    let program = std::env::current_exe().expect("this program has a path");
    let (bootstrap, flows) = (cluster.bootstrap(), load.flows.to_string());
    let args = ["limit", &bootstrap, &load.topic, &flows];
    measure::run("limit", Command::new(program).args(args)).0
}

/// Another program on the first flows of the load, which selects as many as `rule` does.
fn peer(name: &str, command: &mut Command, rule: &str, flows: u64) -> Run {
    let (run, said) = measure::run(name, command);
    let selected = said["selected"]
        .as_u64()
        .expect("it says how many flows it selected");
    // Each partition is as far as it is: which of the flows were the first differs, their number hardly.
    let expected = if rule == "all" { flows } else { flows / 6 };
    let off = selected.abs_diff(expected);
    assert!(
        off * 20 <= expected,
        "{name} selected {selected} of {flows} flows"
    );
    run
}
