//! What many rules cost: 100 of them, with ten filters, beside one.

use serde_json::{Value, json};

use crate::instance::{self, ANCESTOR};
use crate::load::Load;
use crate::measure::Run;
use crate::support::kafka_node::Cluster;
use crate::table::median;

/// How much more CPU time is allowed.
const MOST: f64 = 3.0;

pub(crate) fn run(cluster: &Cluster, load: &Load, rounds: usize) {
    let mut ratios = Vec::new();
    for round in 0..rounds {
        let run = |number: usize| {
            let rules: Vec<_> = (0..number).map(rule).collect();
            instance::run(cluster, load, &format!("rules-{number}-{round}"), &rules)
        };
        let (one, all) = (run(1), run(100));
        let ratio = all.cpu / one.cpu;
        println!(
            "one rule: {}; 100: {}; CPU {ratio:.2} times",
            told(&one),
            told(&all)
        );
        ratios.push(ratio);
    }
    let ratio = median(ratios.into_iter());
    let kept = if ratio <= MOST { "kept" } else { "missed" };
    println!(
        "100 rules with 10 filters: {ratio:.2} times the CPU of one, at most {MOST} is promised: {kept}"
    );
}

fn told(run: &Run) -> String {
    format!(
        "{:.0} flows/s, {:.3} CPU s per million, {} MiB",
        run.rate(),
        run.cost(),
        run.memory >> 20
    )
}

/// The first one is the ancestor's. Each filter has ten rules, with thresholds of their own.
pub(crate) fn rule(number: usize) -> Value {
    let filter = match number % 10 {
        0 => ANCESTOR.to_owned(),
        peer => format!("{ANCESTOR} && in_if == {}", peer + 4),
    };
    json!({
        "name": format!("rule-{number}"),
        "filter": filter,
        "mode": "most_specific",
        "thresholds": {"bytes": (100 + number) << 20},
    })
}
