//! Records in, alerts out, without a broker: both stages' tasks, joined by a log in memory, against the
//! brute-force model. Whatever the interleaving, the cuts and the crashes, the outcome is the same.

// This target uses a part of the shared support.
#[allow(dead_code)]
#[path = "../support/encode.rs"]
mod encode;
#[allow(dead_code)]
#[path = "../support/flows.rs"]
mod flows;
#[path = "../support/handover.rs"]
mod handover;
#[allow(dead_code)]
#[path = "../support/model.rs"]
mod model;
#[allow(dead_code)]
#[path = "../support/outcome.rs"]
mod outcome;
#[path = "../support/prefixes.rs"]
mod prefixes;
#[allow(dead_code)]
#[path = "../support/rules.rs"]
mod rules;

mod reload;
mod scenarios;
mod simulation;

use flows::Load;
use simulation::Simulation;

const BASE: i64 = 1_700_000_000_000 - 1_700_000_000_000 % 60_000;

fn check(load: &Load, seed: u64, crash_percent: u64) -> Vec<String> {
    let records = load.generate();
    let expected = model::run(&rules::rules(), load.partitions, &records);
    assert!(
        expected.alerts.len() > 20,
        "the load has alerts: {}",
        expected.alerts.len()
    );
    let silence = outcome::Silence::within(&expected);
    let partitions = load.partitions;
    let mut simulation = Simulation::new(&rules::rules(), silence, partitions, &records, seed);
    simulation.run(crash_percent);
    let (alerts, windows) = simulation.messages();
    let what = format!("seed {seed}, {} partitions", load.partitions);
    outcome::assert_same(&what, &outcome::alerts(alerts.clone()), &expected.alerts);
    outcome::assert_lives(&what, &alerts, &windows, silence);
    outcome::assert_same(&what, &outcome::windows(windows), &expected.windows);
    let fates = simulation.fates();
    let got = [
        fates.selected,
        fates.not_selected,
        fates.late,
        fates.not_ip,
        fates.undecodable,
    ];
    let want = &expected.fates;
    let want = [
        want.selected,
        want.not_selected,
        want.late,
        want.not_ip,
        want.undecodable,
    ];
    assert_eq!(
        got, want,
        "{what}: selected, not selected, late, not IP, undecodable"
    );
    outcome::comparable(alerts)
}

#[test]
fn alerts_equal_the_model_and_are_the_same_for_every_partitioning_and_interleaving() {
    let mut first = None;
    for (seed, partitions) in [(1, 1), (2, 4), (3, 4), (4, 16)] {
        let values = check(&Load::new(1, 10_000, partitions, BASE), seed, 0);
        let is_silenced = |value: &String| value.contains("\"silenced_by\"");
        assert!(values.iter().any(is_silenced), "some are silenced");
        let first = first.get_or_insert_with(|| values.clone());
        assert!(*first == values, "{partitions} partitions differ from one");
    }
}

#[test]
fn crashes_of_either_stage_change_nothing() {
    for seed in 10..14 {
        check(&Load::new(seed, 5_000, 3, BASE), seed, 10);
    }
}

#[test]
fn late_flows_are_decided_by_each_partition_also_across_crashes() {
    for (seed, crash_percent) in [(20, 0), (21, 10)] {
        let load = Load {
            late_permille: 50,
            lateness_ms: 25_000,
            ..Load::new(seed, 8_000, 4, BASE)
        };
        check(&load, seed, crash_percent);
    }
}
