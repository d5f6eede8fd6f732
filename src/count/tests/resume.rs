//! Fates, dead letters, and what outlives a restart.

use super::*;

#[test]
fn every_record_has_one_fate() {
    let mut v4_only = rule("r", 1000, 0, LatePolicy::Drop);
    v4_only.lengths_v6 = LengthSet::list([]);
    let mut task = fresh(vec![v4_only]);
    feed(&mut task, None, 1);
    feed(&mut task, Some(b""), 1);
    feed(&mut task, Some(b"\xff\xff junk"), 1);
    assert_eq!(
        task.stream_time(),
        None,
        "what is no flow has no event time"
    );
    let big = Sample {
        bytes: 1 << 62,
        rate: 2,
        ..Sample::at(1000)
    };
    feed_flow(&mut task, big);
    feed(&mut task, Some(&Sample::at(2000).payload(0x0806)), 2000);
    feed_flow(
        &mut task,
        Sample {
            dst: 0,
            ..Sample::at(2000)
        },
    );
    // A multiple of five is IPv6 here.
    feed_flow(
        &mut task,
        Sample {
            dst: 5,
            ..Sample::at(2000)
        },
    );
    feed_flow(&mut task, Sample::at(2000));
    assert!(task.pending_bytes() > 0);
    let mut totals = Totals::default();
    let marker = totals.add(task.flush());
    let expected = Fates {
        undecodable: 3,
        implausible: 1,
        not_ip: 2,
        not_selected: 1,
        selected: 1,
        dead_letters: 3,
        ..Fates::default()
    };
    assert_eq!(totals.fates, expected);
    assert_eq!(marker.fates, expected);
    assert_eq!(marker.fates.records(), 8);
    assert_eq!((marker.next_offset, task.pending_bytes()), (8, 0));
    let letters: Vec<_> = totals
        .dead_letters
        .iter()
        .map(|l| (l.offset, l.kind.name(), l.payload.as_deref()))
        .collect();
    let junk: &[u8] = b"\xff\xff junk";
    assert_eq!(
        letters,
        [
            (0, "undecodable", None),
            (1, "undecodable", Some(&b""[..])),
            (2, "undecodable", Some(junk)),
        ],
        "the cap is three"
    );
}

#[test]
fn an_ip_flow_in_vlan_tags_or_mpls_counts() {
    let mut task = fresh(vec![rule("r", 1000, 0, LatePolicy::Drop)]);
    for etype in [0, 0x0800, 0x86dd, 0x8100, 0x8847] {
        feed(&mut task, Some(&Sample::at(2000).payload(etype)), 2000);
    }
    let flush = task.flush();
    assert_eq!((flush.fates.selected, flush.fates.not_ip), (5, 0));
}

#[test]
fn the_cap_on_dead_letters_holds_for_each_block_and_outlives_a_restart() {
    let rules = vec![rule("r", 1000, 0, LatePolicy::Drop)];
    let mut task = fresh(rules.clone());
    let mut offsets = vec![];
    for offset in [0, 1, 2, 3, 9999, 10_000, 10_001, 25_000] {
        let record = Record {
            offset,
            timestamp: Some(ms(1)),
            log_append_time: true,
            payload: None,
            key: None,
        };
        task.record(&record, ms(0));
        let flush = task.flush();
        offsets.extend(flush.dead_letters.iter().map(|l| l.offset));
        let resume = Resume::Committed {
            next_offset: flush.next_offset,
            metadata: &flush.metadata,
        };
        task = CountTask::new(source(), Arc::new(plan(rules.clone())), resume).unwrap();
    }
    assert_eq!(offsets, [0, 1, 2, 10_000, 10_001, 25_000]);
}

#[test]
fn the_first_windows_are_partial_unless_the_log_was_read_from_its_start() {
    let rules = || {
        vec![
            rule("a", 1000, 500, LatePolicy::Drop),
            rule("b", 1000, 7000, LatePolicy::Drop),
        ]
    };
    let mut whole = fresh(rules());
    feed_flow(&mut whole, Sample::at(50_000));
    let marker = Totals::default().add(whole.flush());
    assert_eq!(marker.complete_from, Timestamp::MIN);

    let resume = Resume::Fresh {
        next_offset: 100,
        from_log_start: false,
    };
    let mut late = CountTask::new(source(), Arc::new(plan(rules())), resume).unwrap();
    let marker = Totals::default().add(late.flush());
    assert_eq!(
        (marker.complete_from, marker.next_offset),
        (Timestamp::MIN, 100)
    );
    feed_flow(&mut late, Sample::at(50_000));
    feed_flow(&mut late, Sample::at(51_000));
    let marker = Totals::default().add(late.flush());
    assert_eq!(marker.complete_from, ms(57_000));
}

#[test]
fn windows_around_a_gap_are_partial() {
    let mut task = fresh(vec![rule("r", 1000, 500, LatePolicy::Drop)]);
    feed_flow(&mut task, Sample::at(50_000));
    task.flush();
    task.gap(1, 41);
    assert!(task.has_news());
    let mut totals = Totals::default();
    let marker = totals.add(task.flush());
    assert_eq!((marker.next_offset, marker.fates.lost), (41, 40));
    assert_eq!(
        marker.complete_from,
        Timestamp::MAX,
        "its end is not known yet"
    );
    feed_flow(&mut task, Sample::at(90_000));
    let marker = totals.add(task.flush());
    assert_eq!(marker.complete_from, ms(90_500));
    // Silence after a gap ends it, too.
    task.gap(42, 43);
    task.idle(Some(ms(95_000)));
    let marker = totals.add(task.flush());
    assert_eq!(marker.complete_from, ms(95_500));
}

#[test]
fn a_new_rule_is_announced_and_counts_from_then_on() {
    let old = rule("old", 1000, 0, LatePolicy::Drop);
    let mut task = fresh(vec![old.clone()]);
    feed_flow(&mut task, Sample::at(4500));
    let flush = task.flush();
    let both = Arc::new(plan(vec![old, rule("new", 1000, 0, LatePolicy::Drop)]));
    let resume = Resume::Committed {
        next_offset: flush.next_offset,
        metadata: &flush.metadata,
    };
    let mut task = CountTask::new(source(), Arc::clone(&both), resume).unwrap();
    assert!(task.has_news());
    let flush = task.flush();
    let metadata = flush.metadata.clone();
    let marker = Totals::default().add(flush);
    let from = |name: &str| {
        let rule = both.rules.iter().find(|r| &*r.name == name).unwrap();
        let progress = marker.rules.iter().find(|p| p.selection == rule.selection);
        progress.unwrap().counted_from
    };
    assert_eq!((from("old"), from("new")), (Timestamp::MIN, ms(4501)));
    let resume = Resume::Committed {
        next_offset: 1,
        metadata: &metadata,
    };
    let again = CountTask::new(source(), both, resume).unwrap();
    assert!(!again.has_news());
}

#[test]
fn corrupt_metadata_stops_the_task() {
    let resume = Resume::Committed {
        next_offset: 7,
        metadata: "!",
    };
    let error = CountTask::new(source(), Arc::new(plan(vec![])), resume).unwrap_err();
    assert!(
        error
            .to_string()
            .starts_with("flows/3 at offset 7: offset metadata is not base64"),
        "{error}"
    );
}
