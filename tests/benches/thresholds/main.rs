//! What a million thresholds of single prefixes cost: the same flows through both stages with and without, in turn.
//!
//! `cargo bench --bench thresholds` prints the CPU time of both and its ratio. There is no Kafka in it, which would cost both the
//! same, so that the share of the whole is smaller than what is printed: `-- whole` runs the service on a real Kafka.

#[path = "../../support/mod.rs"]
mod support;
mod whole;
mod workload;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use hotprefix::config;
use hotprefix::count::Plan;
use hotprefix::replay::Replay;
use rustix::time::{ClockId, clock_gettime};

/// Windows of a minute.
const WINDOWS: u32 = 2;
/// In each: 50,000 a second.
const FLOWS: u32 = 3_000_000;
const ROUNDS: usize = 5;
/// Seconds since the epoch at which the first window begins.
const BEGIN: u64 = 1_700_000_040;

fn main() {
    if std::env::args().any(|arg| arg == "whole") {
        whole::run();
    } else {
        tasks();
    }
}

/// Both stages' tasks, without Kafka.
fn tasks() {
    let flows: Vec<_> = workload::flows(BEGIN, WINDOWS, FLOWS).collect();
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let without = plan(folder.path(), "");
    std::fs::write(folder.path().join("prefixes.txt"), workload::prefixes())
        .expect("it can be written");
    let with = plan(folder.path(), "    overrides: {file: prefixes.txt}\n");
    // The first runs read what no cache has.
    let _ = (run(&without, &flows), run(&with, &flows));
    let mut ratios = Vec::new();
    println!("CPU seconds for {} flows", WINDOWS * FLOWS);
    println!(
        "{:>10} {:>10} {:>10} {:>16}",
        "without", "with", "ratio", "ms for a window"
    );
    for round in 0..ROUNDS {
        // There and back, so that none is always the first.
        let (off, on) = if round % 2 == 0 {
            let off = run(&without, &flows);
            (off, run(&with, &flows))
        } else {
            let on = run(&with, &flows);
            (run(&without, &flows), on)
        };
        ratios.push(on / off);
        let window = (on - off) * 1000.0 / f64::from(WINDOWS);
        println!("{off:>10.3} {on:>10.3} {:>10.3} {window:>16.0}", on / off);
    }
    println!("{}", workload::judge(ratios));
}

/// CPU seconds of this process for all flows.
fn run(plan: &Arc<Plan>, flows: &[Vec<u8>]) -> f64 {
    let cpu = || {
        let time = clock_gettime(ClockId::ProcessCPUTime);
        Duration::new(time.tv_sec.unsigned_abs(), time.tv_nsec as u32).as_secs_f64()
    };
    let before = cpu();
    let mut replay =
        Replay::new(Arc::clone(plan), "flows", Duration::from_secs(30)).expect("it begins");
    let (mut alerts, mut windows) = (0, 0);
    for flow in flows {
        let step = replay.record(flow).expect("it goes on");
        alerts += step.alerts.len();
        windows += step.windows.len();
    }
    let (step, fates) = replay.finish().expect("it ends");
    assert_eq!(fates.selected, flows.len() as u64, "every flow counts");
    assert!(windows + step.windows.len() >= WINDOWS as usize);
    assert!(
        alerts + step.alerts.len() > 0,
        "some prefixes are over a threshold"
    );
    cpu() - before
}

fn plan(folder: &Path, overrides: &str) -> Arc<Plan> {
    let file = folder.join("hotprefix.yaml");
    let text = format!(
        "input: {{topics: [flows]}}\n\
         time: {{max_behind: never}}\n\
         rules:\n  \
         - name: volume\n    \
           mode: discounted\n    \
           prefix_length: {{ipv4: [32, 24, 22], ipv6: []}}\n    \
           thresholds: {{bits_per_second: {{ipv4: {{32: 1.2kbps, 24: 100kbps, 22: 400kbps}}}}}}\n{overrides}"
    );
    std::fs::write(&file, text).expect("it can be written");
    let loaded = config::load(&[file], [], []).unwrap_or_else(|errors| panic!("{errors}"));
    Arc::new(loaded.config.count_plan())
}
