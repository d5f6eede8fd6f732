//! The broker tests at full size: minutes, not seconds. `cargo test --test endurance`. What kills and freezes are at
//! full size is in `tests/faults`.

mod exactness;
mod run;
mod silence;
mod sizes;
#[path = "../support/mod.rs"]
mod support;

use std::time::Duration;

use exactness::Spread;
use silence::Timing;

const FLOWS: usize = 300_000;

/// All of 1, 2 and 3 instances with each flush interval.
fn every_spread() -> Vec<Spread> {
    let flushes = ["50ms", "1s", "5s"];
    let spread = |instances| flushes.map(|flush| Spread { instances, flush });
    (1..=3).flat_map(spread).collect()
}

#[test]
fn alerts_equal_the_model_for_every_number_of_partitions_and_instances_and_flush_interval() {
    for partitions in [1, 4, 16] {
        exactness::check(FLOWS, partitions, &every_spread());
    }
}

#[test]
fn late_flows_are_decided_by_each_partition() {
    exactness::check_late_flows(FLOWS);
}

#[test]
fn the_consumer_group_protocol_gives_the_same() {
    exactness::check_consumer_protocol(FLOWS);
}

#[test]
fn large_flushes_records_and_windows_pass() {
    sizes::check(800_000);
}

#[test]
fn silence_from_second_20_to_45_of_a_minute_loses_nothing() {
    let timing = Timing {
        interval: Duration::from_mins(1),
        grace: Duration::from_secs(5),
        idle_timeout: Duration::from_secs(10),
    };
    silence::check_pause(
        "pause",
        &timing,
        Duration::from_secs(20),
        Duration::from_secs(45),
    );
}

#[test]
fn silence_after_an_attack_closes_its_window() {
    let timing = Timing {
        interval: Duration::from_secs(20),
        grace: Duration::from_secs(5),
        idle_timeout: Duration::from_secs(10),
    };
    silence::check_end("quiet", &timing);
}
