//! One behaviour each.

use super::*;
use crate::alert::{Confidence, EndReason, Status, WindowState};
use crate::detect::EMPTY_WINDOWS;
use crate::net::{Addr, Prefix};
use crate::rule::{Scope, ScopeEntry};

pub(super) fn long() -> Rule {
    rule("long", 1, 10)
}

/// A world with one rule, in which the given number of sources stand at second 103.
pub(super) fn world(of: u32) -> World {
    let mut world = World::new(plan([long()]));
    for partition in 0..of {
        world.mark(marker(partition as i32, of, &[&long()], Some(103)));
    }
    world
}

#[test]
fn an_alert_has_every_field_filled() {
    let mut long = long();
    long.labels.insert("team".into(), "noc".into());
    long.mode = Mode::Discounted;
    long.limits.push(limit(Metric::Packets, 1));
    let scope = Prefix::new(Addr::V4(0x0a00_0000), 16);
    let labels = BTreeMap::from([("customer".into(), "a".into())]);
    let entry = ScopeEntry {
        prefix: scope,
        labels,
    };
    long.scope = Some(Arc::new(Scope::new(vec![entry]).expect("one entry")));
    let mut world = World::new(plan([long.clone()]));
    world.apply(delta(&long, 100, &[(1, 60), (2, 60), (3, 10), (265, 150)]));
    world.mark(marker(0, 1, &[&long], Some(112)));
    let committed = &world.committed;
    let prefixes = ["10.0.0.0/23", "10.0.0.0/30", "10.0.0.2/31", "10.0.1.9/32"];
    assert_eq!(committed.prefixes(), prefixes);
    insta::assert_json_snapshot!("alert", committed.alerts[1]);
    insta::assert_json_snapshot!("window_record", committed.windows[0]);
}

#[test]
fn a_sum_that_does_not_fit_is_told_as_saturated() {
    for (bytes, saturated) in [(u64::MAX, true), (u64::MAX / 16, false)] {
        let mut world = world(1);
        world.apply(delta(&long(), 100, &[(1, bytes)]));
        world.mark(marker(0, 1, &[&long()], Some(112)));
        assert_eq!(world.committed.alerts[0].saturated, saturated, "{bytes}");
        assert_eq!(world.committed.windows[0].saturated, saturated, "{bytes}");
    }
}

#[test]
fn confidence_is_low_where_some_sampling_rate_is_unknown() {
    for (rate, expected) in [
        (0, Confidence::Low),
        (1, Confidence::High),
        (512, Confidence::High),
    ] {
        let mut world = world(1);
        let mut partial = delta(&long(), 100, &[(1, 500)]);
        if let Partial::Delta(delta) = &mut partial
            && let Leaves::V4(leaves) = &mut delta.leaves
        {
            leaves.sampling = Sampling::Uniform(rate);
        }
        world.apply(partial);
        world.mark(marker(0, 1, &[&long()], Some(112)));
        let sampling = &world.committed.alerts[0].sampling;
        assert_eq!(sampling.confidence, expected, "{rate}");
        assert_eq!(sampling.min_rate, rate.max(1));
    }
}

#[test]
fn no_window_closes_before_every_expected_source_has_reported() {
    let mut world = World::new(plan([long()]));
    world.apply(delta(&long(), 100, &[(1, 500)]));
    world.mark(marker(0, 2, &[&long()], Some(150)));
    assert_eq!(world.committed.told(), [""; 0]);
    assert_eq!(world.task.missing(), [source(1)]);
    world.mark(marker(1, 2, &[&long()], Some(112)));
    assert_eq!(world.committed.told(), ["long 00:01:40 final 500"]);
    assert!(world.task.missing().is_empty());
}

#[test]
fn a_configured_topic_is_expected_before_its_first_marker() {
    let mut plan = plan([long()]);
    plan.topics.push("more".into());
    let mut world = World::new(plan);
    world.mark(marker(0, 1, &[&long()], Some(150)));
    assert!(world.committed.windows.is_empty());
    assert_eq!(world.task.missing()[0].to_string(), "more/0");
}

#[test]
fn the_expected_set_is_raised_by_a_marker_and_survives_a_restart() {
    let mut world = world(1);
    world.mark(marker(0, 2, &[&long()], Some(112)));
    assert!(world.committed.windows.is_empty());
    let progress = world.task.progress().expect("something changed");
    world.commit(progress);
    world.restart();
    world.mark(marker(0, 1, &[&long()], Some(122)));
    assert!(world.committed.windows.is_empty());
    assert_eq!(world.task.missing(), [source(1)]);
    world.mark(marker(1, 2, &[&long()], Some(122)));
    assert_eq!(world.committed.windows.len(), 2);
    assert_eq!(
        world.committed.windows[0].completeness.partitions_expected,
        2
    );
}

#[test]
fn an_empty_source_holds_nothing_back_only_when_it_is_known_to_be_empty() {
    let mut world = world(1);
    let mut nothing = marker(1, 2, &[&long()], None);
    world.mark(nothing.clone());
    world.mark(marker(0, 2, &[&long()], Some(112)));
    assert!(world.committed.windows.is_empty());
    nothing.idle = true;
    world.mark(nothing);
    assert_eq!(world.committed.told(), ["long 00:01:40 final 0"]);
    let completeness = world.committed.windows[0].completeness;
    assert_eq!(completeness.partitions_reported, 1);
    assert_eq!(completeness.partitions_expected, 2);
    assert!(!completeness.partial);
}

/// A source that was empty writes flows of 10 bytes into the window that was finalised without it.
fn late(policy: LatePolicy) -> World {
    let mut long = long();
    long.late = policy;
    let mut world = World::new(plan([long.clone()]));
    let mut nothing = marker(1, 2, &[&long], None);
    nothing.idle = true;
    world.mark(nothing);
    world.mark(marker(0, 2, &[&long], Some(103)));
    world.mark(marker(0, 2, &[&long], Some(112)));
    assert_eq!(world.committed.told(), ["long 00:01:40 final 0"]);
    world.apply(delta(&long, 100, &[(1, 10), (1, 10)]));
    world
}

#[test]
fn a_delta_of_a_finalised_window_goes_to_the_oldest_open_one_or_is_only_counted() {
    for (policy, bytes) in [(LatePolicy::OldestOpen, 20), (LatePolicy::Drop, 0)] {
        for restarts in 0..3 {
            let mut world = late(policy);
            assert_eq!(world.task.take_late_deltas(), 1);
            assert_eq!(world.task.take_late_deltas(), 0);
            for _ in 0..restarts {
                world.restart();
                let progress = world.task.progress();
                if let Some(emission) = progress {
                    world.commit(emission);
                }
            }
            world.mark(marker(1, 2, &[&long()], Some(122)));
            world.mark(marker(0, 2, &[&long()], Some(122)));
            let record = &world.committed.windows[1];
            assert_eq!(record.total.bytes, bytes, "{policy:?}");
            assert_eq!(record.late_flows, 2, "{policy:?}");
        }
    }
}

#[test]
fn provisional_alerts_come_after_max_wait_and_are_replaced() {
    let mut world = world(2);
    world.apply(delta(&long(), 100, &[(1, 60), (2, 60)]));
    world.mark(marker(0, 2, &[&long()], Some(112)));
    assert!(!world.overdue(29));
    assert!(world.overdue(30));
    assert_eq!(world.committed.prefixes(), ["10.0.0.0/30"]);
    let first = world.committed.alerts[0].clone();
    assert!(!first.r#final && first.completeness.partial && first.revision == 0);
    assert_eq!(first.completeness.partitions_reported, 1);
    assert_eq!(world.committed.windows[0].state, WindowState::Provisional);
    assert_eq!(world.task.missing(), [source(1)]);

    // Nothing new, then a host that takes the place of the prefix; and a restart does not forget.
    assert!(!world.overdue(90));
    world.apply(delta(&long(), 100, &[(1, 70)]));
    assert!(!world.overdue(119));
    assert!(world.overdue(120));
    assert_eq!(world.committed.prefixes(), ["10.0.0.0/30", "10.0.0.1/32"]);
    assert_eq!(world.committed.windows[1].revision, 1);
    world.restart();
    assert!(!world.overdue(500));

    world.mark(marker(1, 2, &[&long()], Some(112)));
    let [void, last] = &world.committed.alerts[2..] else {
        panic!("{:?}", world.committed.prefixes())
    };
    assert_eq!(
        (void.prefix.as_str(), void.revision, void.r#final),
        ("10.0.0.0/30", 1, true)
    );
    assert_eq!(
        (void.status, void.end_reason),
        (Status::Ended, Some(EndReason::Unconfirmed))
    );
    assert_eq!((void.volume.bytes, void.triggers.len()), (190, 0));
    assert_eq!(
        (last.prefix.as_str(), last.revision, last.r#final),
        ("10.0.0.1/32", 1, true)
    );
    assert_eq!(last.status, Status::Started);
    let record = &world.committed.windows[2];
    assert_eq!((record.state, record.revision), (WindowState::Final, 2));
    assert_eq!(record.superseded, ["10.0.0.0/30"]);
    assert!(world.task.missing().is_empty());
    assert!(
        !world
            .committed
            .state
            .keys()
            .any(|k| k.starts_with(b"provisional/"))
    );
}

#[test]
fn a_window_that_not_every_source_counted_from_its_start_is_a_rule_change() {
    let mut world = world(1);
    let mut second = marker(1, 2, &[&long()], Some(104));
    second.rules[0].counted_from = at(104).plus(Duration::from_millis(1));
    world.mark(second.clone());
    world.apply(delta(&long(), 100, &[(1, 500)]));
    world.apply(delta(&long(), 110, &[(1, 500)]));
    world.mark(marker(0, 2, &[&long()], Some(122)));
    second.stream_time = Some(at(122));
    second.rules[0].closed_through = at(120);
    world.mark(second);
    let expected = ["long 00:01:40 rule_change 500", "long 00:01:50 final 500"];
    assert_eq!(world.committed.told(), expected);
    assert_eq!(world.committed.alerts.len(), 1);
}

#[test]
fn a_source_that_stops_counting_a_rule_covers_what_it_had_closed() {
    let mut world = world(2);
    world.mark(marker(1, 2, &[&long()], Some(113)));
    world.mark(marker(1, 2, &[], Some(125)));
    world.mark(marker(0, 2, &[&long()], Some(125)));
    let expected = ["long 00:01:40 final 0", "long 00:01:50 rule_change 0"];
    assert_eq!(world.committed.told(), expected);
}

#[test]
fn deltas_of_an_unknown_rule_are_stated_when_their_window_closes() {
    let mut world = world(1);
    let gone = rule("gone", 9, 10);
    world.apply(delta(&gone, 100, &[(1, 500)]));
    world.restart();
    world.mark(marker(0, 1, &[&long(), &gone], Some(112)));
    let expected = ["gone 00:01:40 unknown_rule 500", "long 00:01:40 final 0"];
    assert_eq!(world.committed.told(), expected);
    assert!(world.committed.alerts.is_empty());
    assert!(
        world
            .committed
            .state
            .contains_key(b"rule/0000000000000009".as_slice())
    );
    world.mark(marker(0, 1, &[&long()], Some(122)));
    world.mark(marker(0, 1, &[&long()], Some(132)));
    world.mark(marker(0, 1, &[&long()], Some(142)));
    assert!(
        !world
            .committed
            .state
            .contains_key(b"rule/0000000000000009".as_slice())
    );
}

#[test]
fn the_old_selection_of_a_rule_has_no_record_of_its_own_where_the_new_one_has() {
    let mut world = world(1);
    let old = rule("long", 9, 10);
    world.apply(delta(&old, 90, &[(1, 500)]));
    world.apply(delta(&old, 100, &[(1, 500)]));
    world.mark(marker(0, 1, &[&long(), &old], Some(112)));
    let expected = ["long 00:01:30 rule_change 500", "long 00:01:40 final 0"];
    assert_eq!(world.committed.told(), expected);
}

#[test]
fn a_selection_that_others_still_count_is_not_forgotten_between_its_windows() {
    let old = rule("old", 9, 10);
    let mut world = World::new(plan([long()]));
    let mut nothing = marker(1, 2, &[&long(), &old], None);
    nothing.idle = true;
    world.mark(nothing);
    world.apply(delta(&old, 100, &[(1, 500)]));
    world.mark(marker(0, 2, &[&long(), &old], Some(112)));
    world.mark(marker(0, 2, &[&long(), &old], Some(113)));
    // Of a source that was empty: late, and not the same window once more.
    world.apply(delta(&old, 100, &[(1, 10)]));
    assert_eq!(world.task.take_late_deltas(), 1);
    for partition in [0, 1] {
        world.mark(marker(partition, 2, &[&long(), &old], Some(122)));
    }
    let of_old: Vec<_> = world.committed.told();
    let of_old: Vec<_> = of_old.iter().filter(|t| t.starts_with("old")).collect();
    let expected = [
        "old 00:01:40 unknown_rule 500",
        "old 00:01:50 unknown_rule 0",
    ];
    assert_eq!(of_old, expected);
}

#[test]
fn windows_rows_and_sources_are_told_as_they_are_held() {
    let mut world = world(1);
    let mut nothing = marker(1, 2, &[&long()], None);
    nothing.idle = true;
    world.mark(nothing);
    world.apply(delta(&long(), 100, &[(1, 1), (2, 1)]));
    world.apply(delta(&long(), 110, &[(1, 1)]));
    let v6 = Delta {
        rule: long().name,
        selection: long().selection,
        window: Window::starting(at(110), long().interval),
        late_flows: 0,
        leaves: Leaves::V6(LeavesOf {
            addr: vec![1],
            bytes: vec![1],
            packets: vec![1],
            flows: vec![1],
            sampling: Sampling::Uniform(1),
        }),
    };
    world.apply(Partial::Delta(v6));
    assert_eq!((world.task.open_windows(), world.task.rows()), (2, 4));
    let expected = [(source(0), Some(at(103)), false), (source(1), None, true)];
    assert_eq!(world.task.sources().collect::<Vec<_>>(), expected);
}

#[test]
fn a_rule_that_is_configured_after_others_counted_it_begins_where_they_are() {
    let other = rule("other", 9, 10);
    let mut world = World::new(plan([other.clone()]));
    world.mark(marker(0, 1, &[&other, &long()], Some(103)));
    if let Some(progress) = world.task.progress() {
        world.commit(progress);
    }
    world.plan = plan([other.clone(), long()]);
    world.restart();
    world.mark(marker(0, 1, &[&other, &long()], Some(122)));
    let told = world.committed.told();
    let of_long: Vec<_> = told.iter().filter(|t| t.starts_with("long")).collect();
    assert_eq!(of_long, ["long 00:01:40 final 0", "long 00:01:50 final 0"]);
}

#[test]
fn a_window_that_began_before_the_first_record_or_spans_a_gap_is_partial() {
    let mut world = World::new(plan([long()]));
    let mut start = |stream_time, complete_from| {
        let mut marker = marker(0, 1, &[&long()], Some(stream_time));
        marker.complete_from = at(complete_from);
        world.mark(marker);
    };
    for (stream_time, complete_from) in [(105, 107), (112, 107), (125, 107), (127, 129), (150, 129)]
    {
        start(stream_time, complete_from);
    }
    let partial: Vec<bool> = world
        .committed
        .windows
        .iter()
        .map(|w| w.completeness.partial)
        .collect();
    // 100 began too early, 110 is whole, 120 spans the gap, 130 is whole.
    assert_eq!(partial, [true, false, true, false]);
}

#[test]
fn a_gap_before_a_selection_was_new_counts_for_it_too() {
    let short = rule("short", 2, 2);
    let mut world = World::new(plan([long(), short.clone()]));
    let mut marker = marker(0, 1, &[&long()], Some(103));
    marker.complete_from = at(108);
    world.mark(marker.clone());
    for seconds in [104, 112] {
        marker = super::marker(0, 1, &[&long(), &short], Some(seconds));
        marker.complete_from = at(108);
        marker.rules[1].counted_from = at(104);
        world.mark(marker);
    }
    let short = world
        .committed
        .windows
        .iter()
        .filter(|w| &*w.rule.name == "short");
    let partial: Vec<bool> = short.map(|w| w.completeness.partial).collect();
    assert_eq!(partial, [true, true, true, false]);
}

#[test]
fn of_a_long_run_of_empty_windows_the_oldest_are_only_counted() {
    let mut world = world(1);
    let jump = 103 + 10 * (EMPTY_WINDOWS as i64 + 5);
    world.mark(marker(0, 1, &[&long()], Some(jump)));
    let windows = &world.committed.windows;
    assert_eq!(windows.len() as u64, EMPTY_WINDOWS);
    assert_eq!(windows[0].skipped_windows, 5);
    assert!(windows[1..].iter().all(|w| w.skipped_windows == 0));
    assert_eq!(windows[0].window.start, at(150).to_string());
}

#[test]
fn a_new_decision_holds_from_the_next_window_on() {
    let mut world = world(1);
    world.apply(delta(&long(), 100, &[(1, 150)]));
    world.mark(marker(0, 1, &[&long()], Some(112)));
    world.apply(delta(&long(), 110, &[(1, 150)]));
    let mut changed = long();
    changed.decision = Fingerprint(2);
    changed.limits = vec![limit(Metric::Bytes, 200)];
    world.plan = plan([changed.clone()]);
    world.restart();
    world.mark(marker(0, 1, &[&long()], Some(122)));
    assert_eq!(
        world.committed.told(),
        ["long 00:01:40 final 150", "long 00:01:50 final 150"]
    );
    let over: Vec<usize> = world
        .committed
        .alerts
        .iter()
        .map(|a| a.triggers.len())
        .collect();
    assert_eq!(over, [1, 0]);
    let fingerprint = |i: usize| world.committed.windows[i].rule.fingerprint.clone();
    assert_eq!(fingerprint(0), long().fingerprint().to_string());
    assert_eq!(fingerprint(1), changed.fingerprint().to_string());
}
