//! Windows, lateness, silence, spreading, sampling.

use super::*;

#[test]
fn a_flow_counts_in_its_window_until_grace_is_over() {
    let mut task = fresh(vec![rule("r", 10_000, 2000, LatePolicy::Drop)]);
    for at in [9999, 10_000, 11_999, 5000, 12_000, 9999] {
        feed_flow(&mut task, Sample::at(at));
    }
    assert_eq!(task.stream_time(), Some(ms(12_000)));
    let totals = Totals::of(&mut task);
    assert_eq!(totals.bytes("r"), [(0, 200, 2), (10_000, 300, 3)]);
    // The dropped one is told with the window that was the oldest open then.
    assert_eq!(totals.late("r"), [(10_000, 1)]);
    assert_eq!((totals.fates.selected, totals.fates.late), (5, 1));
}

#[test]
fn a_late_flow_counts_in_the_oldest_open_window() {
    let mut task = fresh(vec![rule("r", 10_000, 12_000, LatePolicy::OldestOpen)]);
    for at in [31_999, 9000, 19_000, 32_000, 19_000] {
        feed_flow(&mut task, Sample::at(at));
    }
    let totals = Totals::of(&mut task);
    // At 31,999 the oldest open window starts at 10,000; at 32,000 it starts at 20,000.
    let expected = [(10_000, 200, 2), (20_000, 100, 1), (30_000, 200, 2)];
    assert_eq!(totals.bytes("r"), expected);
    assert_eq!(totals.late("r"), [(10_000, 1), (20_000, 1)]);
    assert_eq!((totals.fates.selected, totals.fates.late_counted), (5, 2));
}

#[test]
fn a_record_is_late_only_if_every_rule_that_wants_it_drops_it() {
    let mut task = fresh(vec![
        rule("short", 1000, 0, LatePolicy::Drop),
        rule("long", 60_000, 0, LatePolicy::Drop),
    ]);
    feed_flow(&mut task, Sample::at(30_000));
    feed_flow(&mut task, Sample::at(1000));
    feed_flow(&mut task, Sample::at(60_000));
    feed_flow(&mut task, Sample::at(1000));
    let totals = Totals::of(&mut task);
    assert_eq!((totals.fates.selected, totals.fates.late), (3, 1));
    assert_eq!(totals.late("short"), [(30_000, 1), (60_000, 1)]);
    assert_eq!(totals.late("long"), [(60_000, 1)]);
}

#[test]
fn silence_closes_windows_by_counts_own_rule() {
    let mut task = fresh(vec![rule("r", 10_000, 2000, LatePolicy::Drop)]);
    feed_flow(&mut task, Sample::at(5000));
    let mut totals = Totals::default();
    totals.add(task.flush());
    assert!(!task.has_news());
    task.idle(Some(ms(8000)));
    assert!(task.has_news(), "it is idle now");
    let marker = totals.add(task.flush());
    assert_eq!((marker.idle, marker.stream_time), (true, Some(ms(8000))));
    task.idle(Some(ms(11_999)));
    assert!(!task.has_news(), "no window closes");
    task.idle(Some(ms(12_000)));
    assert!(task.has_news(), "the first window closes");
    feed_flow(&mut task, Sample::at(9000));
    let marker = totals.add(task.flush());
    assert!(!marker.idle);
    assert_eq!(marker.rules[0].closed_through, ms(10_000));
    assert_eq!(totals.fates.late, 1);
    // Silence never moves time back.
    task.idle(Some(ms(3)));
    assert_eq!(task.stream_time(), Some(ms(12_000)));
}

#[test]
fn a_partition_that_never_had_a_record_is_idle_without_a_time() {
    let mut task = fresh(vec![rule("r", 10_000, 0, LatePolicy::Drop)]);
    assert!(task.has_news(), "detect never heard of it");
    task.flush();
    task.idle(None);
    assert!(task.has_news());
    let marker = Totals::default().add(task.flush());
    assert_eq!((marker.idle, marker.stream_time), (true, None));
    assert_eq!(marker.rules[0].closed_through, Timestamp::MIN);
    task.idle(None);
    assert!(!task.has_news());
}

#[test]
fn a_spread_flow_is_divided_exactly_and_counts_once() {
    let mut spread = rule("r", 1000, 0, LatePolicy::OldestOpen);
    spread.attribution = Attribution::Spread;
    let mut task = fresh(vec![spread.clone()]);
    let lasting = Sample {
        bytes: 1001,
        rate: 10,
        start: 100,
        end: 2600,
        ..Sample::at(3500)
    };
    feed_flow(&mut task, lasting);
    // [1000, 3500): two fifths, two fifths, one fifth of 10,010; the first two are closed.
    let totals = Totals::of(&mut task);
    assert_eq!(totals.bytes("r"), [(3000, 10_010, 1)]);
    assert_eq!(totals.late("r"), [(3000, 1)]);
    assert_eq!(totals.fates.late_counted, 1);

    spread.grace = Duration::from_secs(1);
    spread.late = LatePolicy::Drop;
    let mut task = fresh(vec![spread]);
    feed_flow(&mut task, lasting);
    let totals = Totals::of(&mut task);
    assert_eq!(totals.bytes("r"), [(2000, 4004, 0), (3000, 2002, 1)]);
    assert_eq!(totals.late("r"), [(2000, 1)]);
    assert_eq!((totals.fates.selected, totals.fates.late), (1, 0));
}

#[test]
fn a_spread_flow_leaves_nothing_in_a_window_without_a_share_and_counts_where_it_ended() {
    let mut spread = rule("r", 1000, 10_000, LatePolicy::OldestOpen);
    spread.attribution = Attribution::Spread;
    for amount in [1, 0] {
        let mut task = fresh(vec![spread.clone()]);
        feed_flow(
            &mut task,
            Sample {
                bytes: amount,
                packets: amount,
                start: 100,
                end: 2100,
                ..Sample::at(3000)
            },
        );
        assert_eq!(Totals::of(&mut task).bytes("r"), [(2000, amount, 1)]);
    }
}

#[test]
fn a_flow_without_an_address_on_the_side_of_any_rule_is_not_ip() {
    for (key, dst, not_ip) in [
        (KeySide::Dst, 1, 0),
        (KeySide::Dst, 0, 1),
        (KeySide::Src, 1, 1),
    ] {
        let of_side = Rule {
            key,
            ..rule("r", 1000, 0, LatePolicy::Drop)
        };
        let mut task = fresh(vec![of_side]);
        feed_flow(
            &mut task,
            Sample {
                dst,
                ..Sample::at(1000)
            },
        );
        assert_eq!(task.flush().fates.not_ip, not_ip, "{key:?} {dst}");
    }
}

#[test]
fn leaves_are_at_least_the_addresses_of_all_windows_and_rules_and_at_most_their_flows() {
    let mut task = fresh(vec![
        rule("a", 1000, 9000, LatePolicy::Drop),
        rule("b", 60_000, 0, LatePolicy::Drop),
    ]);
    assert_eq!(task.leaves(), 0);
    let v6 = Sample {
        dst: 5,
        ..Sample::at(3000)
    };
    for (dst, at) in [(1, 1000), (1, 1001), (2, 1002), (1, 2000)] {
        feed_flow(
            &mut task,
            Sample {
                dst,
                ..Sample::at(at)
            },
        );
    }
    feed(&mut task, Some(&v6.payload(0x86dd)), 3000);
    // By second 2, 1 and 1 addresses, by minute 3; five flows by either.
    assert!((7..=10).contains(&task.leaves()), "{}", task.leaves());
    task.flush();
    assert_eq!(task.leaves(), 0);
}

#[test]
fn a_spread_flow_that_ended_before_every_open_window_is_late_as_a_whole() {
    let mut spread = rule("r", 1000, 0, LatePolicy::OldestOpen);
    spread.attribution = Attribution::Spread;
    let lasting = Sample {
        start: 100,
        end: 2600,
        ..Sample::at(3500)
    };
    let mut task = fresh(vec![spread.clone()]);
    feed_flow(&mut task, Sample::at(9000));
    feed_flow(&mut task, lasting);
    let totals = Totals::of(&mut task);
    assert_eq!(totals.bytes("r"), [(9000, 200, 2)]);
    assert_eq!(totals.late("r"), [(9000, 1)]);

    spread.late = LatePolicy::Drop;
    let mut task = fresh(vec![spread]);
    feed_flow(&mut task, Sample::at(9000));
    feed_flow(&mut task, lasting);
    let totals = Totals::of(&mut task);
    assert_eq!(totals.bytes("r"), [(9000, 100, 1)]);
    assert_eq!(totals.late("r"), [(9000, 1)]);
    assert_eq!((totals.fates.selected, totals.fates.late), (1, 1));
}

#[test]
fn rates_are_told_by_leaf_only_where_they_differ() {
    let mut task = fresh(vec![rule("r", 1000, 0, LatePolicy::Drop)]);
    for (rate, at) in [(32, 1000), (32, 1001), (0, 2000), (32, 2001)] {
        feed_flow(
            &mut task,
            Sample {
                rate,
                ..Sample::at(at)
            },
        );
    }
    let totals = Totals::of(&mut task);
    let sampling = |start| &totals.v4[&("r".to_owned(), start)].sampling;
    assert_eq!(sampling(1000), &Sampling::Uniform(32));
    let mixed = Sampling::ByLeaf {
        raw_bytes: vec![200],
        min_rate: vec![0],
        max_rate: vec![32],
    };
    assert_eq!(sampling(2000), &mixed);
    assert_eq!(totals.fates.unknown_sampling, 1);
}
