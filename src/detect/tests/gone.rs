//! Selections that nobody counts any more.

use super::scenarios::{long, world};
use super::*;

/// A world in which `old` has had a window and then nobody counted it, and the offset of the marker that said so is
/// committed.
fn forgotten(old: &Rule) -> World {
    let mut world = world(1);
    world.apply(delta(old, 100, &[(1, 500)]));
    world.mark(marker(0, 1, &[&long(), old], Some(112)));
    world.mark(marker(0, 1, &[&long()], Some(122)));
    world
}

fn told_of(world: &World, name: &str) -> Vec<String> {
    let mut told = world.committed.told();
    told.retain(|line| line.starts_with(name));
    told
}

#[test]
fn a_rule_that_is_configured_again_is_not_forgotten() {
    let old = rule("old", 9, 10);
    let mut world = forgotten(&old);
    let key = b"rule/0000000000000009".as_slice();
    assert!(world.committed.state.contains_key(key));
    world.plan = plan([long(), old.clone()]);
    world.restart();
    world.mark(marker(0, 1, &[&long()], Some(123)));
    for at in [132, 142] {
        world.apply(delta(&old, at - 2, &[(1, 200)]));
        world.mark(marker(0, 1, &[&long(), &old], Some(at)));
    }
    let told = told_of(&world, "old");
    assert_eq!(told[0], "old 00:01:40 unknown_rule 500");
    assert_eq!(told.last().expect("some"), "old 00:02:10 final 200");
}

#[test]
fn what_comes_of_a_selection_after_it_was_gone_is_kept_and_told_once() {
    let old = rule("old", 9, 10);
    let mut world = forgotten(&old);
    world.restart();
    // Of an instance that had not heard of the change.
    world.apply(delta(&old, 130, &[(1, 7)]));
    for _ in 0..2 {
        let progress = world.task.progress();
        if let Some(progress) = progress {
            world.commit(progress);
        }
    }
    assert_eq!(world.task.open_windows(), 1);
    world.mark(marker(0, 1, &[&long(), &old], Some(142)));
    world.mark(marker(0, 1, &[&long(), &old], Some(143)));
    if let Some(progress) = world.task.progress() {
        world.commit(progress);
    }
    world.apply(delta(&old, 130, &[(1, 9)]));
    assert_eq!(world.task.take_late_deltas(), 1);
    world.mark(marker(0, 1, &[&long(), &old], Some(152)));
    let expected = [
        "old 00:01:40 unknown_rule 500",
        "old 00:02:10 unknown_rule 7",
        "old 00:02:20 unknown_rule 0",
    ];
    assert_eq!(told_of(&world, "old"), expected);
    // And gone once more.
    for at in [162, 172] {
        world.mark(marker(0, 1, &[&long()], Some(at)));
    }
    let key = b"rule/0000000000000009".as_slice();
    assert!(!world.committed.state.contains_key(key));
}

#[test]
fn of_a_selection_that_was_gone_only_what_came_later_is_rebuilt() {
    let old = rule("old", 9, 10);
    let mut world = world(1);
    // It holds the committed offset back.
    world.apply(delta(&long(), 180, &[(1, 1)]));
    world.apply(delta(&old, 100, &[(1, 500)]));
    world.mark(marker(0, 1, &[&long(), &old], Some(112)));
    world.mark(marker(0, 1, &[&long()], Some(122)));
    world.restart();
    assert_eq!(world.task.open_windows(), 1);
    let windows = world.committed.windows.len();
    world.apply(delta(&old, 130, &[(1, 7)]));
    let progress = world.task.progress().expect("a window opened");
    world.commit(progress);
    world.restart();
    assert_eq!(world.task.open_windows(), 2);
    assert_eq!(world.committed.windows.len(), windows);
}

#[test]
fn windows_of_an_unknown_selection_without_a_record_are_finalised_too() {
    let old = rule("old", 9, 10);
    let mut world = World::new(plan([long()]));
    let mut nothing = marker(1, 2, &[&long(), &old], None);
    nothing.idle = true;
    world.mark(nothing);
    world.apply(delta(&old, 100, &[(1, 500)]));
    world.mark(marker(0, 2, &[&long(), &old], Some(132)));
    world.apply(delta(&old, 110, &[(1, 10)]));
    assert_eq!(world.task.take_late_deltas(), 1);
}
