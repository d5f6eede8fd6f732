//! What is committed and when, and what a task refuses to go on from.

use super::scenarios::{long, world};
use super::*;
use crate::detect::wire;

#[test]
fn the_committed_offset_is_the_first_that_an_open_window_needs() {
    let mut world = world(1);
    world.apply(delta(&long(), 100, &[(1, 1)]));
    world.apply(delta(&long(), 110, &[(1, 1)]));
    world.mark(marker(0, 1, &[&long()], Some(112)));
    assert_eq!(world.committed.offset, Some(offset(2)));
    world.mark(marker(0, 1, &[&long()], Some(122)));
    assert_eq!(world.committed.offset, Some(offset(4) + 1));
    assert!(world.task.progress().is_none(), "nothing changed");
}

#[test]
fn records_are_held_back_while_an_emission_is_committed() {
    let mut world = world(1);
    let due = Partial::Marker(marker(0, 1, &[&long()], Some(112)));
    let next = Partial::Marker(marker(0, 1, &[&long()], Some(122)));
    world.task.apply(10, due, at(0));
    assert!(world.task.due());
    world.task.apply(11, delta(&long(), 110, &[(1, 5)]), at(0));
    world.task.apply(12, next, at(0));
    assert_eq!(world.task.held(), 2);
    let emission = world.task.emission().expect("a window is due");
    assert_eq!(emission.windows.len(), 1);
    assert!(world.task.emission().is_none() && world.task.progress().is_none());
    assert!(world.task.overdue(at(1000)).is_none());
    world.commit(emission);
    world.settle();
    assert_eq!(
        world.committed.told(),
        ["long 00:01:40 final 0", "long 00:01:50 final 5"]
    );
}

#[test]
fn nothing_is_committed_while_open_windows_are_being_rebuilt() {
    let mut world = world(1);
    world.apply(delta(&long(), 100, &[(1, 1)]));
    let progress = world.task.progress().expect("something changed");
    world.commit(progress);
    let mut task = world.committed.task(&world.plan).expect("own state");
    assert_eq!(world.committed.offset, Some(offset(1)));
    assert!(task.progress().is_none() && task.overdue(at(1000)).is_none());
    task.apply(offset(1), delta(&long(), 100, &[(1, 1)]), at(0));
    assert!(task.progress().is_none(), "back where it was");
    assert_eq!(task.rows(), 1);
}

#[test]
fn state_that_does_not_fit_is_refused() {
    let world = {
        let mut world = world(1);
        let progress = world.task.progress().expect("something changed");
        world.commit(progress);
        world
    };
    let plan = &world.plan;
    let state = || {
        world
            .committed
            .state
            .clone()
            .into_iter()
            .collect::<Vec<_>>()
    };
    let error = |state, committed, partitions| {
        DetectTask::new(0, plan, state, committed, partitions)
            .expect_err("does not fit")
            .to_string()
    };
    let offset = world.committed.offset;
    assert!(error(state(), offset, 2).starts_with("state was written for 1 partials partitions"));
    assert!(
        error(Vec::new(), Some(7), 1).starts_with("offset 7 is committed but the state is missing")
    );
    assert!(error(state(), None, 1).starts_with("state of position 1"));
    assert!(error(state(), Some(9), 1).starts_with("state of position 1"));
    let mut corrupt = state();
    corrupt[0].1 = vec![0xff];
    assert!(error(corrupt, offset, 1).contains("is corrupt"));
    let mut newer = state();
    for (key, value) in &mut newer {
        if key == b"task" {
            *value = vec![0x08, 99];
        }
    }
    assert!(error(newer, offset, 1).starts_with("state has version 99"));
}

#[test]
fn no_provisional_pass_while_windows_are_due_or_being_committed() {
    let mut world = world(2);
    world.apply(delta(&long(), 110, &[(1, 200)]));
    world.mark(marker(0, 2, &[&long()], Some(122)));
    // The first window is due with this one, and the second waits for its source.
    let second = Partial::Marker(marker(1, 2, &[&long()], Some(112)));
    world.task.apply(offset(world.log.len()), second, at(0));
    let far = at(10_000);
    assert!(world.task.due() && world.task.overdue(far).is_none());
    let emission = world.task.emission().expect("a window is due");
    assert!(!world.task.due() && world.task.overdue(far).is_none());
    world.commit(emission);
    assert!(world.overdue(10_000));
    assert_eq!(world.committed.prefixes(), ["10.0.0.1/32"]);
}

#[test]
fn progress_is_committed_also_where_an_open_window_holds_the_offset_back() {
    let mut world = world(1);
    world.apply(delta(&long(), 110, &[(1, 1)]));
    let progress = world.task.progress().expect("a window opened");
    world.commit(progress);
    let held = world.committed.offset;
    world.mark(marker(0, 1, &[&long()], Some(108)));
    let progress = world.task.progress().expect("a source moved");
    world.commit(progress);
    assert_eq!(world.committed.offset, held);
    let task = world.committed.task(&world.plan).expect("own state");
    let stream_times: Vec<_> = task.sources().map(|(_, at, _)| at).collect();
    assert_eq!(stream_times, [Some(at(108))]);
}

#[test]
fn all_but_the_last_emission_of_a_marker_are_saved_as_of_before_it() {
    let mut many = long();
    many.lengths_v4 = LengthSet::list([32]);
    let plan = plan([many.clone()]);
    let mut committed = Committed::default();
    let mut task = committed.task(&plan).expect("no state");
    let rows: Vec<_> = (0..600).map(|host| (host, 150)).collect();
    let mut other = marker(0, 1, &[&many], Some(125));
    other.source.topic = "other".into();
    let log = [
        delta(&many, 100, &rows),
        delta(&many, 110, &rows),
        Partial::Marker(other),
        Partial::Marker(marker(1, 2, &[&many], Some(124))),
        Partial::Marker(marker(0, 2, &[&many], Some(103))),
        Partial::Marker(marker(0, 2, &[&many], Some(122))),
    ];
    for (i, partial) in log.into_iter().enumerate() {
        task.apply(offset(i), partial, at(0));
    }
    let saved = |committed: &Committed| {
        let task = committed.task(&plan).expect("own state");
        let sources = task.sources();
        let sources = sources.map(|(id, stream_time, _)| (id.to_string(), stream_time));
        sources.collect::<Vec<_>>()
    };
    for first_source in [103, 122] {
        let emission = task.emission().expect("two windows of 600 alerts are due");
        assert_eq!(emission.windows.len(), 1);
        committed.commit(&emission);
        task.committed(emission);
        let expected = [
            ("flows/0", first_source),
            ("flows/1", 124),
            ("other/0", 125),
        ];
        let expected = expected.map(|(id, seconds)| (id.to_owned(), Some(at(seconds))));
        assert_eq!(saved(&committed), expected);
    }
}

#[test]
fn what_decides_is_saved_and_a_restart_alone_changes_no_state() {
    let mut world = world(1);
    world.mark(marker(0, 1, &[&long()], Some(112)));
    let key = b"rule/0000000000000001".as_slice();
    let saved = wire::decode(key, &world.committed.state[key]);
    let Ok(wire::Saved::Rule(track)) = saved else {
        panic!("it is no record of a rule");
    };
    assert_eq!(track.decision, long().decision);
    world.restart();
    assert!(world.task.progress().is_none());
}

#[test]
fn late_delta_right_after_a_restart_is_late() {
    let mut world = World::new(plan([long()]));
    let mut nothing = marker(1, 2, &[&long()], None);
    nothing.idle = true;
    world.mark(nothing);
    world.mark(marker(0, 2, &[&long()], Some(103)));
    world.mark(marker(0, 2, &[&long()], Some(112)));
    world.restart();
    // Within one transaction offsets follow each other.
    let next = offset(world.log.len() - 1) + 1;
    world
        .task
        .apply(next, delta(&long(), 100, &[(1, 5)]), at(0));
    assert_eq!(world.task.take_late_deltas(), 1);
    assert_eq!(world.task.rows(), 1);
}

#[test]
fn late_flows_are_rebuilt_though_another_rules_windows_were_written_since() {
    let five = rule("five", 2, 5);
    let rules = [&long(), &five];
    let mut world = World::new(plan(rules.map(Clone::clone)));
    let mut nothing = marker(1, 2, &rules, None);
    nothing.idle = true;
    world.mark(nothing);
    world.mark(marker(0, 2, &rules, Some(103)));
    world.mark(marker(0, 2, &rules, Some(112)));
    world.apply(delta(&long(), 100, &[(1, 5)]));
    let written = world.committed.windows.len();
    world.mark(marker(0, 2, &rules, Some(117)));
    assert!(world.committed.windows.len() > written);
    world.mark(marker(0, 2, &rules, Some(118)));
    let progress = world.task.progress().expect("a source moved");
    world.commit(progress);
    world.restart();
    assert_eq!(world.task.rows(), 1);
}

#[test]
fn windows_that_were_rebuilt_are_waited_for_at_once() {
    let mut world = world(2);
    world.apply(delta(&long(), 100, &[(1, 200)]));
    world.mark(marker(0, 2, &[&long()], Some(112)));
    let progress = world.task.progress().expect("a source moved");
    world.commit(progress);
    world.restart();
    assert!(!world.overdue(1_000), "the clock starts now");
    assert!(world.overdue(1_000 + MAX_WAIT.as_secs() as i64));
    assert_eq!(world.committed.prefixes(), ["10.0.0.1/32"]);
}
