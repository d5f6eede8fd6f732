//! What a million thresholds of single prefixes cost: the same flows through both stages with and without, in turn.
//!
//! `cargo bench --bench thresholds` prints the CPU time of both and its ratio. There is no Kafka in it, which would cost both the
//! same, so that the share of the whole is smaller than what is printed.

use std::fmt::Write as _;
use std::net::Ipv4Addr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use hotprefix::config;
use hotprefix::count::Plan;
use hotprefix::proto::flow::Flow;
use hotprefix::replay::Replay;
use prost::Message as _;
use rustix::time::{ClockId, clock_gettime};

/// Windows of a minute.
const WINDOWS: u32 = 2;
/// In each: 50,000 a second.
const FLOWS: u32 = 3_000_000;
/// Distinct destinations of a window, about.
const ADDRESSES: u32 = 270_000;
const OVERRIDES: u32 = 1_000_000;
const ROUNDS: usize = 5;
/// The promise.
const MOST: f64 = 1.10;

fn main() {
    let flows = flows();
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let without = plan(folder.path(), "");
    std::fs::write(folder.path().join("prefixes.txt"), prefixes()).expect("it can be written");
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
    ratios.sort_by(f64::total_cmp);
    let median = ratios[ROUNDS / 2];
    let kept = if median <= MOST { "kept" } else { "missed" };
    println!("{OVERRIDES} thresholds: median {median:.3}, at most {MOST} is promised: {kept}");
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

/// A cheap sequence that looks random.
fn scattered(n: u32) -> u32 {
    let mut x = n.wrapping_mul(0x9e37_79b9) ^ 0x85eb_ca6b;
    x ^= x >> 15;
    x = x.wrapping_mul(0x2c1b_3c6d);
    x ^ (x >> 12)
}

/// Where destinations and overrides are: 10.0.0.0/8.
fn address(n: u32) -> u32 {
    0x0a00_0000 | scattered(n) >> 8
}

fn flows() -> Vec<Vec<u8>> {
    let flow = |n: u32| {
        let second = u64::from(n / (FLOWS / 60));
        // Some have ten times as much as the others.
        let host = if n.is_multiple_of(500) {
            n / 500 % 50
        } else {
            scattered(n) % ADDRESSES
        };
        Flow {
            flow_type: 4,
            time_received: 1_800_000_000 + second,
            sampling_rate: 1,
            src_addr: vec![192, 0, 2, 1],
            dst_addr: address(host).to_be_bytes().to_vec(),
            bytes: 1_000 + u64::from(n % 400),
            packets: 2,
            etype: 0x0800,
            proto: 17,
            ..Flow::default()
        }
    };
    (0..WINDOWS * FLOWS)
        .map(|n| flow(n).encode_to_vec())
        .collect()
}

/// One line for each override: hosts, and networks around some of them.
fn prefixes() -> String {
    let mut lines = std::collections::BTreeSet::new();
    let mut n = 0;
    while lines.len() < OVERRIDES as usize {
        let length = 32 - [0, 0, 0, 4, 8][n as usize % 5];
        lines.insert((address(n) >> (32 - length) << (32 - length), length));
        n += 1;
    }
    let mut text = String::new();
    for (i, (addr, length)) in lines.into_iter().enumerate() {
        let hosts = 2_000 + i % 900;
        let thresholds = match length {
            32 => format!("bits_per_second={hosts}bps"),
            _ => format!("bits_per_second.{length}=20kbps bits_per_second.32={hosts}bps"),
        };
        // Writing to a `String` cannot fail.
        let _ = writeln!(
            text,
            "{}/{length} {thresholds} customer=c{}",
            Ipv4Addr::from(addr),
            i % 5_000
        );
    }
    text
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
    let config = loaded.config;
    Arc::new(Plan {
        rules: config.rules.into_iter().map(Arc::new).collect(),
        replaced: Vec::new(),
        time: config.time,
        sampling: config.sampling,
        format: config.input.format,
        direction_default: config.input.direction_default,
        dead_letters_per_block: config.dead_letters.per_block,
    })
}
