//! Delivery on a real Kafka: what the mock cluster and unit tests cannot show.
//!
//! The whole matrix and the long runs are in the target `endurance`: `cargo test --test endurance`; everything that can
//! go wrong, by seeded schedules, in `faults`: `tests/faults/run.sh --help`.

mod crash;
mod exactness;
mod floods;
mod harness;
mod hostile;
mod inspect;
mod membership;
mod metrics;
mod reading;
mod recorded;
mod rolling;
mod run;
mod sets;
mod silence;
mod stuck;
#[path = "../support/mod.rs"]
mod support;

use std::time::Duration;

use exactness::Spread;
use silence::Timing;

const FLOWS: usize = 40_000;

#[test]
fn alerts_equal_the_model_with_1_partition() {
    exactness::check(
        FLOWS,
        1,
        &[Spread {
            instances: 1,
            flush: "1s",
        }],
    );
}

#[test]
fn alerts_equal_the_model_with_4_partitions() {
    let spreads = [
        Spread {
            instances: 1,
            flush: "50ms",
        },
        Spread {
            instances: 3,
            flush: "1s",
        },
    ];
    exactness::check(FLOWS, 4, &spreads);
}

#[test]
fn alerts_equal_the_model_with_16_partitions() {
    exactness::check(
        FLOWS,
        16,
        &[Spread {
            instances: 2,
            flush: "5s",
        }],
    );
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
fn killed_instances_leave_each_result_once() {
    crash::check_kills("kills", 6, FLOWS, 4);
}

#[test]
fn an_instance_frozen_beyond_its_session_leaves_each_result_once() {
    crash::check_freeze("freeze", 7, FLOWS, Duration::from_secs(6));
}

#[test]
fn a_static_member_that_comes_back_disturbs_no_other() {
    membership::check_static_restarts("static", 9, FLOWS);
}

#[test]
fn silence_within_a_window_loses_nothing() {
    let timing = Timing {
        interval: Duration::from_secs(12),
        grace: Duration::from_secs(1),
        idle_timeout: Duration::from_secs(2),
    };
    silence::check_pause(
        "pause",
        &timing,
        Duration::from_secs(4),
        Duration::from_secs(9),
    );
}

#[test]
fn silence_after_an_attack_closes_its_window() {
    let timing = Timing {
        interval: Duration::from_secs(8),
        grace: Duration::from_secs(1),
        idle_timeout: Duration::from_secs(2),
    };
    silence::check_end("quiet", &timing);
}

#[test]
fn reading_begins_at_the_end_once_and_later_partitions_at_their_beginning() {
    reading::check_start_at_the_end("classic");
    reading::check_start_at_the_end("consumer");
}

#[test]
fn deleted_records_are_counted_as_lost_or_stop_the_process() {
    reading::check_gap();
}

#[test]
fn two_processes_under_one_instance_id_do_not_go_on() {
    reading::check_same_instance_id("twins", "dynamic");
    reading::check_same_instance_id("static-twins", "static");
}

#[test]
fn a_topic_with_settings_that_lose_data_is_refused() {
    reading::check_unfit_topic();
}

#[test]
fn a_rolling_restart_with_edited_rules_mixes_no_sums_and_loses_no_window_unsaid() {
    rolling::check(FLOWS, Duration::from_secs(24));
}

#[test]
fn a_set_that_changes_decides_from_one_window_on_and_loses_none() {
    sets::check(FLOWS, Duration::from_secs(20));
}

#[test]
fn what_earlier_releases_left_is_finished_as_they_would_have() {
    if std::env::var_os("RECORD_RELEASE").is_some() {
        recorded::record();
    } else {
        recorded::check_all();
    }
}

#[test]
fn random_destinations_random_sources_and_one_hot_address_add_up_to_the_model() {
    floods::check_addresses("flood-addresses", FLOWS);
}

#[test]
fn a_window_with_more_alerts_than_the_cap_has_the_largest_and_says_how_many_were_cut() {
    floods::check_cap("flood-cap", 30_000, 1_000);
}

#[test]
fn more_addresses_than_max_prefixes_are_folded_and_lose_nothing() {
    floods::check_folding("flood-folding", 20_000, 1_000);
}

#[test]
fn exporters_with_clocks_hours_off_hold_no_window_open_and_close_none_early() {
    floods::check_clocks("flood-clocks", FLOWS);
}

#[test]
fn batches_that_unpack_to_a_hundred_times_their_size_are_counted_in_bounded_memory() {
    hostile::check_compression_bombs("bombs");
}

#[test]
fn a_partial_that_cannot_be_read_stops_the_process_and_says_where_it_is_and_what_to_do() {
    hostile::check_corrupt_partials("corrupt-partials");
}

#[test]
fn state_that_cannot_be_read_stops_the_process_and_says_where_it_is_and_what_to_do() {
    hostile::check_corrupt_state("corrupt-state");
}

#[test]
fn inspect_says_what_each_producers_topic_is_and_its_configuration_runs() {
    inspect::check();
}
