//! From start to end: what an alert says over several windows, and what a restart or a change of rules makes of it.

use super::scenarios::long;
use super::*;
use crate::alert::Status;
use crate::detect::EMPTY_WINDOWS;
use crate::rule::{Clear, Lifecycle};

/// Windows of 10 s, in each of which one host has so many bytes, or nobody has any.
fn through(world: &mut World, rule: &Rule, from: i64, bytes: &[u64]) {
    for (start, bytes) in (0..).map(|i| from + 10 * i).zip(bytes) {
        if *bytes > 0 {
            world.apply(delta(rule, start, &[(1, *bytes)]));
        }
        world.mark(marker(0, 1, &[rule], Some(start + 12)));
    }
}

fn begun(rule: &Rule) -> World {
    let mut world = World::new(plan([rule.clone()]));
    world.mark(marker(0, 1, &[rule], Some(103)));
    world
}

/// `window status revision bytes of all so far`, and what is out of the ordinary.
fn lives(world: &World) -> Vec<String> {
    let tell = |a: &Alert| {
        let status = serde_json::to_value(a.status).expect("a status is text");
        let mut text = format!(
            "{} {} {} {} of {}",
            &a.window.start[14..19],
            status.as_str().expect("a status is text"),
            a.revision,
            a.volume.bytes,
            a.cumulative.bytes,
        );
        if let Some(reason) = a.end_reason {
            let reason = serde_json::to_value(reason).expect("a reason is text");
            text = format!("{text} {}", reason.as_str().expect("a reason is text"));
        }
        text
    };
    world.committed.alerts.iter().map(tell).collect()
}

#[test]
fn an_alert_starts_goes_on_while_it_may_come_back_and_ends() {
    let mut rule = long();
    rule.lifecycle.hold = 2;
    let mut world = begun(&rule);
    through(&mut world, &rule, 100, &[150, 300, 50, 120, 0, 0, 0]);
    assert_eq!(
        lives(&world),
        [
            "01:40 started 0 150 of 150",
            "01:50 ongoing 1 300 of 450",
            "02:00 ongoing 2 50 of 500",
            "02:10 ongoing 3 120 of 620",
            "02:20 ongoing 4 0 of 620",
            "02:30 ended 5 0 of 620 below_threshold",
        ]
    );
    let alerts = &world.committed.alerts;
    let ids: std::collections::BTreeSet<_> = alerts.iter().map(|a| &a.id).collect();
    assert_eq!(ids.len(), 1);
    let last = alerts.last().expect("some");
    assert_eq!(last.first_seen, at(100).to_string());
    assert_eq!(last.last_seen, at(140).to_string());
    assert_eq!(last.peak.bits_per_second, 300 * 8 / 10);
    assert_eq!(last.peak.at, at(110).to_string());
    assert_eq!(last.expires_at, at(160).to_string());
    // Two to end, one to be told, one to spare.
    assert_eq!(alerts[0].expires_at, at(150).to_string());
    let open: Vec<u64> = world
        .committed
        .windows
        .iter()
        .map(|w| w.alerts_open)
        .collect();
    assert_eq!(open, [1, 1, 1, 1, 1, 0, 0]);
}

#[test]
fn an_alert_waits_for_as_many_windows_and_is_told_every_so_many() {
    let mut rule = long();
    rule.lifecycle = Lifecycle {
        after: 2,
        hold: 1,
        repeat: 3,
        rearm: 0,
        clear: Clear::PerMille(500),
    };
    let mut world = begun(&rule);
    // The fourth is below the threshold, and not below half of it.
    let bytes = [150, 90, 150, 150, 60, 60, 60, 150, 50];
    through(&mut world, &rule, 100, &bytes);
    assert_eq!(
        lives(&world),
        [
            "02:10 started 0 150 of 300",
            "02:40 ongoing 1 60 of 480",
            "03:00 ended 2 50 of 680 below_threshold",
        ]
    );
    assert_eq!(world.committed.alerts[0].first_seen, at(120).to_string());
}

#[test]
fn a_restart_at_any_window_changes_nothing_of_a_life() {
    let mut rule = long();
    rule.lifecycle.after = 2;
    rule.lifecycle.hold = 2;
    let bytes = [150, 150, 300, 50, 120, 0, 0, 0, 150];
    let mut undisturbed = begun(&rule);
    through(&mut undisturbed, &rule, 100, &bytes);
    for restart in 0..bytes.len() {
        let mut world = begun(&rule);
        for (i, bytes) in bytes.iter().enumerate() {
            through(&mut world, &rule, 100 + 10 * i as i64, &[*bytes]);
            if i == restart {
                world.restart();
            }
        }
        assert_eq!(lives(&world), lives(&undisturbed), "after {restart}");
        assert_eq!(world.committed.state, undisturbed.committed.state);
    }
    let is_life = |key: &&Vec<u8>| key.starts_with(b"life/");
    let state = &undisturbed.committed.state;
    assert_eq!(state.keys().filter(is_life).count(), 1, "one is pending");
}

#[test]
fn what_was_told_early_and_is_confirmed_is_not_taken_back_after_a_restart() {
    let rule = long();
    let told = |restarts: bool| {
        let mut world = held_back(&rule);
        for start in [100, 110] {
            world.apply(delta(&rule, start, &[(1, 150)]));
        }
        world.mark(marker(0, 2, &[&rule], Some(122)));
        assert!(!world.overdue(0));
        assert!(world.overdue(1_000), "the other source is away");
        // The first window is whole now, of the second what was told early stands.
        world.mark(marker(1, 2, &[&rule], Some(112)));
        if restarts {
            world.restart();
        }
        world.mark(marker(1, 2, &[&rule], Some(122)));
        lives(&world)
    };
    let expected = [
        "01:40 started 0 150 of 150",
        "01:50 ongoing 1 150 of 150",
        "01:40 started 2 150 of 150",
        "01:50 ongoing 3 150 of 300",
    ];
    assert_eq!(told(false), expected);
    assert_eq!(told(true), expected);
}

/// A rule in a world of two sources, the second of which is away after second 103.
fn held_back(rule: &Rule) -> World {
    let mut world = World::new(plan([rule.clone()]));
    for source in 0..2 {
        world.mark(marker(source, 2, &[rule], Some(103)));
    }
    world
}

#[test]
fn a_window_that_waits_tells_of_each_prefix_once() {
    let rule = long();
    let mut world = held_back(&rule);
    world.apply(delta(&rule, 100, &[(1, 150)]));
    world.mark(marker(0, 2, &[&rule], Some(112)));
    assert!(!world.overdue(0));
    assert!(world.overdue(1_000));
    world.apply(delta(&rule, 100, &[(1, 10), (99, 150)]));
    assert!(world.overdue(2_000));
    assert_eq!(world.committed.prefixes(), ["10.0.0.1/32", "10.0.0.99/32"]);
}

#[test]
fn a_window_that_waits_tells_what_would_start_in_it_if_it_is_the_next() {
    let mut rule = long();
    rule.lifecycle.after = 2;
    let mut world = held_back(&rule);
    world.apply(delta(&rule, 100, &[(1, 150)]));
    world.apply(delta(&rule, 110, &[(1, 150)]));
    for source in 0..2 {
        world.mark(marker(source, 2, &[&rule], Some(112)));
    }
    world.mark(marker(0, 2, &[&rule], Some(122)));
    assert!(!world.overdue(0));
    assert!(world.overdue(1_000));
    assert_eq!(lives(&world), ["01:50 started 0 150 of 300"]);
}

#[test]
fn alerts_of_a_rule_that_is_removed_end_when_nobody_counts_it_any_more() {
    let (rule, other) = (long(), rule("other", 2, 10));
    let mut world = World::new(plan([rule.clone(), other.clone()]));
    world.mark(marker(0, 1, &[&rule, &other], Some(103)));
    world.apply(delta(&rule, 100, &[(1, 150)]));
    world.mark(marker(0, 1, &[&rule, &other], Some(112)));
    world.plan = plan([other.clone()]);
    world.restart();
    world.mark(marker(0, 1, &[&rule, &other], Some(115)));
    assert_eq!(lives(&world).len(), 1, "an instance still counts it");
    world.mark(marker(0, 1, &[&other], Some(116)));
    let expected = [
        "01:40 started 0 150 of 150",
        "01:40 ended 1 0 of 150 rule_removed",
    ];
    assert_eq!(lives(&world), expected);
    let last = &world.committed.alerts[1];
    assert_eq!(last.rule, world.committed.alerts[0].rule);
    assert_eq!(last.severity, "warning");
    assert_eq!(last.conditioned_volume, None);
    world.restart();
    for seconds in [117, 122, 132] {
        world.mark(marker(0, 1, &[&other], Some(seconds)));
    }
    assert_eq!(lives(&world), expected);
    let of_rule = |k: &&Vec<u8>| k.starts_with(b"life/") || k.ends_with(b"0000000000000001");
    assert_eq!(world.committed.state.keys().find(of_rule), None);
}

#[test]
fn alerts_of_a_rule_whose_selection_changes_end_with_that_reason() {
    let (mut old, new) = (long(), rule("long", 9, 10));
    old.mode = Mode::Discounted;
    let mut world = begun(&old);
    world.apply(delta(&old, 100, &[(1, 150)]));
    world.mark(marker(0, 1, &[&old], Some(112)));
    world.plan = plan([new.clone()]);
    world.restart();
    world.mark(marker(0, 1, &[&new], Some(113)));
    let last = world.committed.alerts.last().expect("some");
    assert_eq!(
        lives(&world).last().expect("some"),
        "01:40 ended 1 0 of 150 rule_changed"
    );
    assert_eq!(last.prefix, "10.0.0.1/32");
    assert_eq!(last.conditioned_volume.map(|v| v.bytes), Some(0));
}

#[test]
fn an_edited_decision_goes_on_with_the_alerts_there_are() {
    let mut rule = long();
    let mut world = begun(&rule);
    through(&mut world, &rule, 100, &[150]);
    rule.decision = Fingerprint(2);
    rule.limits = vec![limit(Metric::Bytes, 200)];
    rule.lifecycle.hold = 1;
    world.plan = plan([rule.clone()]);
    world.restart();
    through(&mut world, &rule, 110, &[150]);
    let expected = [
        "01:40 started 0 150 of 150",
        "01:50 ended 1 150 of 300 below_threshold",
    ];
    assert_eq!(lives(&world), expected);
}

#[test]
fn an_alert_ends_on_time_when_time_jumps_over_many_windows() {
    let mut rule = long();
    rule.lifecycle.hold = 2;
    let mut world = begun(&rule);
    through(&mut world, &rule, 100, &[150]);
    let jump = 112 + 10 * (EMPTY_WINDOWS as i64 + 7);
    world.mark(marker(0, 1, &[&rule], Some(jump)));
    assert_eq!(
        lives(&world),
        [
            "01:40 started 0 150 of 150",
            "01:50 ongoing 1 0 of 150",
            "02:00 ended 2 0 of 150 below_threshold",
        ]
    );
    let windows = &world.committed.windows;
    let skipped: u64 = windows.iter().map(|w| w.skipped_windows).sum();
    assert_eq!(skipped, 5);
    assert_eq!(windows.len() as u64, 1 + 2 + EMPTY_WINDOWS);
}

#[test]
fn a_window_in_which_nothing_is_looked_for_neither_starts_nor_ends_anything() {
    let mut rule = long();
    rule.lifecycle.hold = 1;
    let mut world = begun(&rule);
    through(&mut world, &rule, 100, &[150]);
    let mut second = marker(1, 2, &[&rule], Some(113));
    second.rules[0].counted_from = at(115);
    world.mark(second.clone());
    world.mark(marker(0, 2, &[&rule], Some(122)));
    second.stream_time = Some(at(122));
    second.rules[0].closed_through = at(120);
    world.mark(second);
    assert_eq!(world.committed.told()[1], "long 00:01:50 rule_change 0");
    assert_eq!(lives(&world), ["01:40 started 0 150 of 150"]);
}

/// State as the release before lifecycles wrote it: a provisional alert was told in it.
#[test]
fn state_from_before_there_were_lives_is_gone_on_from() {
    let rule = long();
    let mut world = World::new(plan([rule.clone()]));
    for partition in 0..2 {
        world.mark(marker(partition, 2, &[&rule], Some(103)));
    }
    world.apply(delta(&rule, 100, &[(1, 150)]));
    world.mark(marker(0, 2, &[&rule], Some(112)));
    assert!(world.overdue(60));
    if let Some(progress) = world.task.progress() {
        world.commit(progress);
    }
    let state = &mut world.committed.state;
    state.retain(|key, _| !key.starts_with(b"life/"));
    let task = state.get_mut(&b"task"[..]).expect("it is there");
    let mut first = <crate::proto::v1::DetectTask as prost::Message>::decode(&**task).expect("own");
    first.version = 1;
    *task = prost::Message::encode_to_vec(&first);
    world.restart();
    world.mark(marker(1, 2, &[&rule], Some(112)));
    let last = world.committed.alerts.last().expect("some");
    assert_eq!((last.revision, last.status), (1, Status::Started));
    assert_eq!(last.id, world.committed.alerts[0].id);
}

#[test]
fn what_is_taken_back_names_no_trigger_though_its_prefix_is_over_in_another_alert() {
    let rule = long();
    let mut world = World::new(plan([rule.clone()]));
    for partition in 0..2 {
        world.mark(marker(partition, 2, &[&rule], Some(103)));
    }
    world.apply(delta(&rule, 110, &[(1, 150)]));
    world.mark(marker(0, 2, &[&rule], Some(122)));
    // The second window is told of, and then the first has traffic, too.
    assert!(world.overdue(60));
    world.apply(delta(&rule, 100, &[(1, 200)]));
    world.mark(marker(1, 2, &[&rule], Some(122)));
    assert_eq!(
        lives(&world),
        [
            "01:50 started 0 150 of 150",
            "01:40 started 0 200 of 200",
            "01:50 ended 1 150 of 150 unconfirmed",
            "01:50 ongoing 1 150 of 350",
        ]
    );
    let triggers: Vec<usize> = world
        .committed
        .alerts
        .iter()
        .map(|a| a.triggers.len())
        .collect();
    assert_eq!(triggers, [1, 1, 0, 1]);
}
