//! The whole service on a real Kafka: how fast, beside what librdkafka can do at most and what others do with the same topic;
//! what many rules and random destinations cost; how soon an alert can be read; how cost grows.
//!
//! `cargo bench --bench service` prints what docs/performance.md has. Words after `--` choose: `speed`, `rules`, `growth`,
//! `latency`, `flood`; without any it is all. `short` is a small load, once, that shows that each step still works; `alone` leaves
//! out the others, which are slow; after `growth`, `flows`, `addresses`, `partitions` and `many-rules` choose of it. A number is
//! that of the rounds.

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

use std::process::Command;

use load::{Load, Shape};
use measure::Run;
use support::kafka_node::Cluster;
use table::{Table, Who};

/// How much is read by whom, and how often.
#[derive(Clone, Copy, Debug)]
struct Size {
    rounds: usize,
    /// Flows in the topic: the limit and the service read all.
    flows: u64,
    /// What Kafka Streams reads of them, and the script, by the ancestor's rule and by that which selects all.
    streams: [u64; 2],
    python: [u64; 2],
}

const FULL: Size = Size {
    rounds: 3,
    flows: 16_000_000,
    streams: [4_000_000, 2_000_000],
    python: [1_000_000, 200_000],
};

const SHORT: Size = Size {
    rounds: 1,
    flows: 400_000,
    streams: [100_000, 100_000],
    python: [50_000, 20_000],
};

/// The rules of the comparison, and what the table calls them.
const RULES: [(&str, &str); 2] = [("ancestor", "ancestor's"), ("all", "every flow")];

fn main() {
    let mut args = std::env::args().skip(1).peekable();
    if args.next_if(|arg| arg == "limit").is_some() {
        return limit::run(args);
    }
    let args: Vec<_> = args.collect();
    let is = |word: &str| args.iter().any(|arg| arg == word);
    let parts = ["speed", "rules", "growth", "latency", "flood"];
    let all = !parts.iter().any(|part| is(part));
    let does = |part: &str| all || is(part);
    let mut size = if is("short") { SHORT } else { FULL };
    if let Some(rounds) = args.iter().find_map(|arg| arg.parse().ok()) {
        size.rounds = rounds;
    }
    let cluster = Cluster::start_with(instance::broker);
    if does("speed") || does("rules") {
        let load = load::write(&cluster, "flows", Shape::of(size.flows));
        println!("{load}");
        if does("speed") {
            if !is("short") {
                warm_up(&cluster, &load);
            }
            compare(&cluster, &load, &size, is("alone"));
        }
        if does("rules") {
            rules::run(&cluster, &load, size.rounds);
        }
    }
    if does("growth") {
        growth::run(&cluster, is("short"), size.rounds, is);
    }
    if does("latency") {
        if is("short") {
            latency::run(&cluster, [200, 2_000], 3);
        } else {
            latency::run(&cluster, latency::RATES, 50);
        }
    }
    if does("flood") {
        flood::run(&cluster, is("short"));
    }
}

/// A round that does not count: a broker that has just started compiles what it runs, on the same cores.
fn warm_up(cluster: &Cluster, load: &Load) {
    limit(cluster, load);
    instance::run(cluster, load, "warm", &[instance::rule("all")]);
}

fn compare(cluster: &Cluster, load: &Load, size: &Size, alone: bool) {
    let mut table = Table::default();
    for round in 0..size.rounds {
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
