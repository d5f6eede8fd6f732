//! A selection that takes over from one with other items in its sets.

use super::scenarios::long;
use super::*;

/// Before and after.
fn both() -> [Rule; 2] {
    let new = Rule {
        selection: Fingerprint(2),
        ..long()
    };
    [long(), new]
}

/// What a source says that counts the new selection, too, since second `from`.
fn marks(source: i32, from: Option<i64>, stream_time: i64) -> Marker {
    let [old, new] = both();
    let mut marker = marker(source, 2, &[&old, &new], Some(stream_time));
    match from {
        Some(from) => marker.rules[1].counted_from = at(from),
        None => marker.rules.truncate(1),
    }
    marker
}

/// `status revision bytes` of each alert by window, and what the fingerprint is of.
fn told(world: &World) -> Vec<String> {
    let [old, new] = both().map(|rule| rule.fingerprint().to_string());
    let tell = |a: &Alert| {
        let by = match &a.rule.fingerprint {
            print if *print == old => "old",
            print if *print == new => "new",
            _ => "neither",
        };
        let status = serde_json::to_value(a.status).expect("a status is text");
        let status = status.as_str().expect("a status is text");
        let (window, is_final) = (&a.window.start[14..19], a.r#final);
        let early = if is_final { "" } else { " early" };
        format!(
            "{window}{early} {status} {} {} {by}",
            a.revision, a.volume.bytes
        )
    };
    world.committed.alerts.iter().map(tell).collect()
}

/// Two sources that count by the old items, in a world that knows the new ones.
fn begun() -> World {
    let [old, new] = both();
    let mut world = World::new(plan([old]));
    for source in 0..2 {
        world.mark(marks(source, None, 103));
    }
    let progress = world.task.progress().expect("there is news");
    world.commit(progress);
    world.plan = plan([new]);
    world
}

/// Hosts by the old items and by the new ones, in the window at `start`.
fn flows(world: &mut World, start: i64, [before, after]: [u64; 2]) {
    let [old, new] = both();
    world.apply(delta(&old, start, &[(1, before)]));
    world.apply(delta(&new, start, &[(1, after)]));
}

/// One source counts by the new items from second 108, the other from second 115 on.
fn handed_over(restart_after: Option<usize>) -> World {
    let mut world = begun();
    let steps: [&dyn Fn(&mut World); 8] = [
        &|world| assert!(world.task.replan(&world.plan.rules)),
        &|world| flows(world, 100, [150, 10]),
        &|world| world.mark(marks(0, Some(108), 112)),
        &|world| world.mark(marks(1, None, 112)),
        &|world| flows(world, 110, [160, 20]),
        &|world| (0..2).for_each(|s| world.mark(marks(s, Some(108 + 7 * i64::from(s)), 122))),
        &|world| flows(world, 120, [170, 230]),
        &|world| (0..2).for_each(|s| world.mark(marks(s, Some(108 + 7 * i64::from(s)), 132))),
    ];
    for (index, step) in steps.iter().enumerate() {
        step(&mut world);
        if restart_after == Some(index) {
            world.restart();
        }
    }
    world
}

#[test]
fn the_new_items_decide_from_the_first_window_that_all_sources_counted_by_them() {
    let undisturbed = handed_over(None);
    assert_eq!(
        told(&undisturbed),
        [
            "01:40 started 0 150 old",
            "01:50 ongoing 1 160 old",
            "02:00 ongoing 2 230 new",
        ]
    );
    let windows = undisturbed.committed.told();
    assert_eq!(
        windows,
        [
            "long 00:01:40 final 150",
            "long 00:01:50 final 160",
            "long 00:02:00 final 230",
        ]
    );
    let ids: std::collections::BTreeSet<_> =
        undisturbed.committed.alerts.iter().map(|a| &a.id).collect();
    assert_eq!(ids.len(), 1, "it is one alert");
    for step in 0..8 {
        let world = handed_over(Some(step));
        assert_eq!(
            world.committed.alerts, undisturbed.committed.alerts,
            "{step}"
        );
        assert_eq!(
            world.committed.windows, undisturbed.committed.windows,
            "{step}"
        );
        assert_eq!(world.committed.state, undisturbed.committed.state, "{step}");
    }
}

#[test]
fn what_was_before_ends_without_a_word_when_nobody_counts_it_any_more() {
    let mut world = handed_over(None);
    let [_, new] = both();
    flows(&mut world, 130, [999, 50]);
    for source in 0..2 {
        world.mark(marks(source, Some(100), 142));
    }
    for stream_time in [152, 162] {
        for source in 0..2 {
            world.mark(marker(source, 2, &[&new], Some(stream_time)));
        }
    }
    let expected = [
        "02:10 ongoing 3 50 new",
        "02:20 ongoing 4 0 new",
        "02:30 ended 5 0 new",
    ];
    assert_eq!(told(&world)[3..], expected);
    let windows = world.committed.windows.iter();
    assert!(
        windows
            .clone()
            .all(|w| w.state == crate::alert::WindowState::Final)
    );
    assert_eq!(windows.count(), 6);
    let is_old = |key: &&Vec<u8>| String::from_utf8_lossy(key).contains("0000000000000001");
    let left: Vec<_> = world.committed.state.keys().filter(is_old).collect();
    assert!(left.is_empty(), "{left:?}");
}

#[test]
fn what_was_told_early_by_the_old_items_is_confirmed_or_taken_back_by_the_new_ones() {
    for after in [180, 20] {
        let mut world = begun();
        assert!(world.task.replan(&world.plan.rules));
        world.mark(marks(0, Some(108), 109));
        world.mark(marks(1, Some(108), 109));
        flows(&mut world, 110, [160, after]);
        world.mark(marks(0, Some(108), 122));
        assert!(!world.overdue(0));
        assert!(world.overdue(1_000), "the other source is away");
        world.restart();
        world.mark(marks(1, Some(108), 122));
        let last = if after > 100 {
            "started 1 180"
        } else {
            "ended 1 20"
        };
        assert_eq!(
            told(&world),
            [
                "01:50 early started 0 160 old".to_owned(),
                format!("01:50 {last} new")
            ]
        );
        let revisions: Vec<u32> = world.committed.windows.iter().map(|w| w.revision).collect();
        assert_eq!(
            revisions,
            [0, 0, 1],
            "of an empty window and twice of the next"
        );
        let is_early = |key: &&Vec<u8>| key.starts_with(b"provisional/");
        assert_eq!(world.committed.state.keys().filter(is_early).count(), 0);
    }
}

#[test]
fn nothing_changes_while_something_is_being_written() {
    let mut world = begun();
    flows(&mut world, 100, [150, 10]);
    for source in 0..2 {
        let marker = Partial::Marker(marks(source, None, 112));
        world.log.push(marker.clone());
        world.task.apply(offset(world.log.len() - 1), marker, at(0));
    }
    assert!(!world.task.replan(&world.plan.rules), "a window is due");
    let emission = world.task.emission().expect("it is due");
    assert!(
        !world.task.replan(&world.plan.rules),
        "it is being committed"
    );
    world.commit(emission);
    let progress = world.task.progress();
    assert!(progress.is_none() && world.task.replan(&world.plan.rules));
    flows(&mut world, 110, [160, 20]);
    world.mark(marks(0, None, 113));
    let progress = world.task.progress().expect("there is news");
    assert!(
        !world.task.replan(&world.plan.rules),
        "a position is being committed"
    );
    world.commit(progress);
    assert!(world.task.replan(&world.plan.rules));
}

#[test]
fn items_that_come_back_before_they_were_replaced_go_on() {
    let mut world = begun();
    assert!(world.task.replan(&world.plan.rules));
    flows(&mut world, 100, [150, 10]);
    world.mark(marks(0, Some(108), 112));
    world.plan = plan([long()]);
    assert!(world.task.replan(&world.plan.rules));
    world.mark(marks(1, None, 112));
    flows(&mut world, 110, [160, 20]);
    for source in 0..2 {
        world.mark(marks(source, None, 122));
    }
    assert_eq!(
        told(&world),
        ["01:40 started 0 150 old", "01:50 ongoing 1 160 old"]
    );
    assert_eq!(world.committed.told().len(), 2);
}

#[test]
fn a_third_set_of_items_takes_over_from_the_first() {
    let [old, new] = both();
    let third = Rule {
        selection: Fingerprint(3),
        ..long()
    };
    let mut world = begun();
    assert!(world.task.replan(&world.plan.rules));
    flows(&mut world, 100, [150, 10]);
    world.plan = plan([third.clone()]);
    assert!(world.task.replan(&world.plan.rules));
    for source in 0..2 {
        let mut marker = marker(source, 2, &[&old, &new, &third], Some(112));
        marker.rules[1].counted_from = at(104);
        marker.rules[2].counted_from = at(106);
        world.mark(marker);
    }
    flows(&mut world, 110, [160, 20]);
    world.apply(delta(&third, 110, &[(1, 300)]));
    for source in 0..2 {
        let mut marker = marker(source, 2, &[&old, &new, &third], Some(122));
        marker.rules[1].counted_from = at(104);
        marker.rules[2].counted_from = at(106);
        world.mark(marker);
    }
    let windows = world.committed.told();
    assert_eq!(
        windows,
        ["long 00:01:40 final 150", "long 00:01:50 final 300"]
    );
    assert_eq!(world.committed.alerts[1].revision, 1);
}

#[test]
fn a_selection_that_differs_in_more_than_items_does_not_take_over() {
    let [_, new] = both();
    let other = Rule {
        identity: Fingerprint(2),
        ..new
    };
    let mut world = begun();
    world.plan = plan([other]);
    assert!(world.task.replan(&world.plan.rules));
    flows(&mut world, 100, [150, 10]);
    for source in 0..2 {
        world.mark(marks(source, Some(108), 112));
    }
    assert_eq!(world.committed.told(), ["long 00:01:40 rule_change 10"]);
    assert_eq!(told(&world), [""; 0]);
}
