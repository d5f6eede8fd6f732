//! A named set that changes while flows come: every task learns of it at a time of its own, and each window is
//! decided whole, as before or by the new items.

use std::collections::BTreeMap;

use crate::BASE;
use crate::flows::Load;
use crate::handover::{ITEMS, assert_handed_over, sets, two_rules};
use crate::model;
use crate::simulation::{Simulation, plans_with};

const RECORDS: i64 = 15_000;

/// What a task that goes on elsewhere knows there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Elsewhere {
    /// The items before, too.
    Both,
    /// What is in the file now.
    Latest,
}

/// Checks what is told of a load during which the set changes. The window from which the new items decide, by rule, and how
/// many windows are not told of.
fn check(seed: u64, crash_percent: u64, elsewhere: Elsewhere) -> (BTreeMap<String, i64>, usize) {
    let load = Load {
        intervals: 60,
        ..Load::new(seed, RECORDS as usize, 3, BASE)
    };
    let records = load.generate();
    let rules = two_rules();
    let outcomes = [0, 1].map(|i| model::run(&rules[i], load.partitions, &records));
    let [before, after] = ITEMS.map(|items| plans_with(&rules[0], None, &sets(items)));
    let mut simulation = Simulation::of(before, load.partitions, &records, seed);
    let from = RECORDS / 10 * (1 + seed as i64 % 4);
    simulation.reload(after, from, elsewhere == Elsewhere::Latest);
    simulation.run(crash_percent);
    let (alerts, windows) = simulation.messages();
    let what = format!("seed {seed}");
    let torn = windows.iter().filter(|w| !w.is_final()).count();
    let boundaries = assert_handed_over(&what, &outcomes, &alerts, &windows);
    (boundaries, torn)
}

#[test]
fn every_window_is_decided_by_the_items_before_or_after_whole() {
    for seed in 30..34 {
        let (boundaries, torn) = check(seed, 0, Elsewhere::Both);
        let changed: Vec<_> = boundaries.keys().collect();
        assert_eq!(changed, [two_rules()[0][0].name], "the rule with the set");
        assert_eq!(torn, 0, "seed {seed}");
    }
}

#[test]
fn tasks_that_go_on_elsewhere_meanwhile_change_nothing() {
    for seed in 34..38 {
        let (_, torn) = check(seed, 10, Elsewhere::Both);
        assert_eq!(torn, 0, "seed {seed}");
    }
}

#[test]
fn processes_that_start_anew_meanwhile_leave_windows_out_and_say_so() {
    let torn = (38..46).map(|seed| check(seed, 3, Elsewhere::Latest).1);
    let torn: Vec<usize> = torn.collect();
    assert!(
        torn.iter().any(|torn| *torn > 0),
        "some are left out: {torn:?}"
    );
}
