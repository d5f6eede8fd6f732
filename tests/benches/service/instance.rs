//! `hotprefix run`, all of it: both stages, transactions, metrics.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::load::Load;
use crate::measure::{Run, usage};
use crate::support::app::App;
use crate::support::kafka_client::{Commits, Reader};
use crate::support::kafka_node::{Cluster, More, PATIENT};
use crate::support::wait;

/// How long a run may take.
const DONE: Duration = Duration::from_mins(5);

/// Reads all of the load, as an application that is new, until the last window is told. Its time is that between the first
/// commit of flows and the last one with less than all of them: without its start, and without what waits for a flush
/// although nothing more comes.
pub(crate) fn run(cluster: &Cluster, load: &Load, id: &str, rules: &[Value]) -> Run {
    let mut app = App::new(cluster, id, &load.topic, &[]).set("flush_interval", "1s");
    for rule in rules {
        app = app.also(rule.clone(), "");
    }
    let instance = app.start(0);
    let commits = commits(cluster, load, &format!("{id}-count"));
    // Then detect tells of the last window.
    let mut reader = Reader::new(cluster, &app.topic("windows"));
    reader.until("every window is told", DONE, |records| {
        let last = records.last().map(|record| record.message().window_start());
        last.is_some_and(|start| start >= load.last_window as i64 * 1000)
    });
    let (cpu, memory) = usage(instance.process.id()).expect("the instance runs");
    instance.stop();
    // A load that is too small for it has fewer.
    let most = commits.len().saturating_sub(2).max(1);
    let (from, to) = (commits[0], commits.get(most).copied());
    let to = to.unwrap_or_else(|| panic!("{id}: one commit has all of it"));
    Run {
        flows: load.flows,
        counted: (to.1 - from.1) as u64,
        seconds: (to.0 - from.0).as_secs_f64(),
        cpu,
        memory,
    }
}

/// When how many flows were committed for the first time, until all are.
fn commits(cluster: &Cluster, load: &Load, group: &str) -> Vec<(Instant, i64)> {
    let asked = Commits::new(cluster, group, &load.topic, load.ends.len());
    let end: i64 = load.ends.iter().sum();
    let mut commits = Vec::new();
    let mut before = 0;
    wait::until("all is read", DONE, Duration::from_millis(5), || {
        let all = asked.now().into_iter().map(|at| at.max(0)).sum();
        if before < all {
            before = all;
            commits.push((Instant::now(), all));
        }
        (all == end).then_some(())
    });
    commits
}

/// A broker that is not taken to be gone while the machine is busy.
pub(crate) fn broker() -> More {
    More {
        settings: PATIENT.to_owned(),
        ..More::default()
    }
}

/// The ancestor's filter: one flow in six.
pub(crate) const ANCESTOR: &str = r#"direction == "ingress" && src_if_desc.contains("DFN")"#;

/// What each rule of the comparison selects and finds.
pub(crate) fn rule(name: &str) -> Value {
    let mut rule = json!({
        "name": name,
        "mode": "most_specific",
        "thresholds": {"bytes": 100 * 1024 * 1024},
    });
    if name == "ancestor" {
        rule["filter"] = ANCESTOR.into();
    }
    rule
}
