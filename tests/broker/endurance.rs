//! The broker tests at full size: minutes, not seconds. `cargo test --test endurance`. What kills and freezes are at
//! full size is in `tests/faults`.

mod backlog;
mod exactness;
mod floods;
mod run;
mod silence;
mod sizes;
#[path = "../support/mod.rs"]
mod support;

use std::time::Duration;

use backlog::Backlog;
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
fn alerts_equal_the_model_with_1_partition_for_all_instances_and_flush_intervals() {
    exactness::check(FLOWS, 1, &every_spread());
}

#[test]
fn alerts_equal_the_model_with_4_partitions_for_all_instances_and_flush_intervals() {
    exactness::check(FLOWS, 4, &every_spread());
}

#[test]
fn alerts_equal_the_model_with_16_partitions_for_all_instances_and_flush_intervals() {
    exactness::check(FLOWS, 16, &every_spread());
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
fn an_hour_of_backlog_takes_little_more_memory_than_keeping_up() {
    let hour = Backlog {
        flows: 720_000,
        minutes: 60,
        partitions: 16,
        instances: 3,
        consumer_protocol: false,
    };
    let behind = hour.catch_up("backlog");
    let steady = hour.keep_up("backlog-live", Duration::from_mins(1));
    println!("an hour of backlog: {behind} bytes, keeping up: {steady}");
    assert!(behind * 2 <= steady * 3, "{behind} is above 1.5 × {steady}");
}

#[test]
fn partitions_stay_together_under_the_consumer_group_protocol() {
    let backlog = Backlog {
        flows: 240_000,
        minutes: 40,
        partitions: 8,
        instances: 2,
        consumer_protocol: true,
    };
    backlog.catch_up("backlog-kip848");
}

#[test]
fn large_flushes_records_and_windows_pass() {
    sizes::check(800_000);
}

#[test]
fn random_destinations_random_sources_and_one_hot_address_add_up_to_the_model() {
    floods::check_addresses("flood-addresses", FLOWS);
}

#[test]
fn of_a_million_prefixes_over_the_threshold_at_once_the_largest_are_told() {
    floods::check_cap("flood-cap", 1_000_000, 10_000);
}

#[test]
fn a_million_random_addresses_are_folded_to_what_was_allowed() {
    floods::check_folding("flood-folding", 1_000_000, 100_000);
}

#[test]
fn exporters_with_clocks_hours_off_hold_no_window_open_and_close_none_early() {
    floods::check_clocks("flood-clocks", FLOWS);
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
