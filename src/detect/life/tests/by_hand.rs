//! Prefixes that move, pulses, windows that are not final, and ends.

use super::*;

/// `prefix said incident pulse` of each message over windows in which these are over their threshold, of 1 byte each.
fn moves(pace: &Lifecycle, windows: &[&[u32]]) -> Vec<String> {
    let mut lives = Lives::default();
    let mut told = Vec::new();
    for (n, over) in (0..).zip(windows) {
        let mut all: BTreeMap<Prefix, Seen> =
            lives.open().iter().map(|p| (*p, seen(false, 0))).collect();
        all.extend(over.iter().map(|p| (prefix(*p), seen(true, 1))));
        for m in lives.window(pace, &[], window(n), Some(&all), &BTreeSet::new()) {
            let said = match m.said {
                Said::Started => "started",
                Said::Ongoing => continue,
                Said::Ended(EndReason::Superseded) => "superseded by",
                Said::Ended(_) => "ended",
            };
            let by = m.by.map(|by| format!(" {}", by.prefix)).unwrap_or_default();
            let Incident { name, pulse, .. } = m.life.incident;
            told.push(format!(
                "{n} {} {said}{by}, {} {pulse}",
                m.prefix, name.prefix
            ));
        }
    }
    told
}

#[test]
fn an_alert_that_moves_to_a_longer_or_shorter_prefix_is_one_incident() {
    let pace = pace(1, 2, 1);
    // A host, then its network, then another host in it.
    assert_eq!(
        moves(&pace, &[&[1], &[0], &[2], &[2, 3]]),
        [
            "0 0.0.0.1/32 started, 0.0.0.1/32 1",
            "1 0.0.0.0/24 started, 0.0.0.1/32 1",
            "1 0.0.0.1/32 superseded by 0.0.0.0/24, 0.0.0.1/32 1",
            "2 0.0.0.0/24 superseded by 0.0.0.2/32, 0.0.0.1/32 1",
            "2 0.0.0.2/32 started, 0.0.0.1/32 1",
            "3 0.0.7.0/32 started, 0.0.7.0/32 1",
        ]
    );
    // What was superseded is not remembered by itself: another host of the network is another incident.
    let long = Lifecycle {
        rearm: 10,
        ..pace.clone()
    };
    assert_eq!(
        moves(&long, &[&[0], &[1], &[], &[], &[2]]),
        [
            "0 0.0.0.0/24 started, 0.0.0.0/24 1",
            "1 0.0.0.0/24 superseded by 0.0.0.1/32, 0.0.0.0/24 1",
            "1 0.0.0.1/32 started, 0.0.0.0/24 1",
            "3 0.0.0.1/32 ended, 0.0.0.0/24 1",
            "4 0.0.0.2/32 started, 0.0.0.2/32 1",
        ]
    );
    // Of several that take its place, the one with most bytes is named, and of equal ones the first.
    assert_eq!(
        moves(&pace, &[&[0], &[2, 1]])[1],
        "1 0.0.0.0/24 superseded by 0.0.0.1/32, 0.0.0.0/24 1"
    );
    // Both at once are one incident, and neither takes the other's place.
    assert_eq!(
        moves(&pace, &[&[0, 1], &[1], &[1]]),
        [
            "0 0.0.0.0/24 started, 0.0.0.0/24 1",
            "0 0.0.0.1/32 started, 0.0.0.0/24 1",
            "2 0.0.0.0/24 ended, 0.0.0.0/24 1",
        ]
    );
}

#[test]
fn pulses_within_rearm_are_one_incident_with_a_count() {
    // `rearm` is two windows.
    let pace = pace(1, 1, 1);
    assert_eq!(
        moves(&pace, &[&[1], &[], &[], &[0], &[], &[], &[], &[1]]),
        [
            "0 0.0.0.1/32 started, 0.0.0.1/32 1",
            "1 0.0.0.1/32 ended, 0.0.0.1/32 1",
            "3 0.0.0.0/24 started, 0.0.0.1/32 2",
            "4 0.0.0.0/24 ended, 0.0.0.1/32 2",
            "7 0.0.0.1/32 started, 0.0.0.1/32 1",
        ]
    );
    // Each counts from the one before, on whatever prefix that was.
    let long = Lifecycle {
        rearm: 10,
        ..pace.clone()
    };
    let third = moves(&long, &[&[1], &[], &[0], &[], &[0]]);
    assert_eq!(third[4], "4 0.0.0.0/24 started, 0.0.0.1/32 3");
    // Without `rearm` nothing is remembered of what has ended.
    let none = Lifecycle { rearm: 0, ..pace };
    assert_eq!(
        moves(&none, &[&[1], &[], &[1]])[2],
        "2 0.0.0.1/32 started, 0.0.0.1/32 1"
    );
    let mut lives = Lives::default();
    for (n, over) in [(0, true), (1, false)] {
        let all = BTreeMap::from([(prefix(1), seen(over, 1))]);
        lives.window(&none, &[], window(n), Some(&all), &BTreeSet::new());
    }
    assert!(lives.is_empty());
}

/// `window said revision first` of what is told of one prefix over a threshold in the window `ahead` of the next.
fn foretold(lives: &mut Lives, pace: &Lifecycle, next: i64, ahead: i64) -> Option<String> {
    let over = BTreeMap::from([(prefix(1), seen(true, 5))]);
    let at = next + ahead;
    let told = lives.provisional(pace, &[], window(at), ahead == 0, &over);
    assert!(told.len() <= 1);
    let message = told.first()?;
    let first = message.life.first.as_millis() / 60_000;
    Some(format!(
        "{at} {:?} {} {first} of {}",
        message.said, message.revision, message.life.bytes
    ))
}

#[test]
fn windows_that_are_not_final_tell_of_one_alert_after_the_other() {
    let pace = pace(1, 2, 1);
    let mut lives = Lives::default();
    let tell = |lives: &mut Lives, ahead| foretold(lives, &pace, 0, ahead);
    assert_eq!(tell(&mut lives, 0).as_deref(), Some("0 Started 0 0 of 5"));
    assert_eq!(tell(&mut lives, 1).as_deref(), Some("1 Ongoing 1 0 of 5"));
    assert_eq!(tell(&mut lives, 2).as_deref(), Some("2 Ongoing 2 0 of 5"));
    let all = BTreeMap::from([(prefix(1), seen(true, 7))]);
    let told = BTreeSet::from([prefix(1)]);
    let last = lives.window(&pace, &[], window(0), Some(&all), &told);
    assert_eq!((last[0].said, last[0].revision), (Said::Started, 3));
    // It is open: with everything so far, and once more in another window.
    let more = foretold(&mut lives, &pace, 1, 3);
    assert_eq!(more.as_deref(), Some("4 Ongoing 4 0 of 12"));
    let more = foretold(&mut lives, &pace, 1, 4);
    assert_eq!(more.as_deref(), Some("5 Ongoing 5 0 of 12"));
}

#[test]
fn a_window_before_one_that_was_told_of_waits_until_it_is_final() {
    let pace = pace(1, 2, 1);
    let mut lives = Lives::default();
    let later = foretold(&mut lives, &pace, 0, 1);
    assert_eq!(later.as_deref(), Some("1 Started 0 1 of 5"));
    assert_eq!(foretold(&mut lives, &pace, 0, 0), None);
    let all = BTreeMap::from([(prefix(1), seen(true, 7))]);
    let nothing = BTreeSet::new();
    let first = lives.window(&pace, &[], window(0), Some(&all), &nothing);
    assert_eq!((first[0].said, first[0].revision), (Said::Started, 0));
    // What was told of window 1 is another alert until that is final.
    assert_eq!(foretold(&mut lives, &pace, 1, 1), None);
    let told = BTreeSet::from([prefix(1)]);
    let messages = lives.window(&pace, &[], window(1), Some(&all), &told);
    let said: Vec<_> = messages.iter().map(|m| (m.said, m.revision)).collect();
    let unconfirmed = Said::Ended(EndReason::Unconfirmed);
    assert_eq!(said, [(unconfirmed, 1), (Said::Ongoing, 1)]);
}

#[test]
fn an_alert_that_needs_several_windows_is_told_early_only_in_the_last_of_them() {
    let all = BTreeMap::from([(prefix(1), seen(true, 7))]);
    let nothing = BTreeSet::new();
    for (after, last) in [(2, true), (3, false)] {
        let pace = pace(after, 2, 1);
        let mut lives = Lives::default();
        assert_eq!(foretold(&mut lives, &pace, 0, 0), None);
        assert_eq!(
            lives.window(&pace, &[], window(0), Some(&all), &nothing),
            []
        );
        assert_eq!(foretold(&mut lives, &pace, 1, 1), None, "not the next one");
        let next = foretold(&mut lives, &pace, 1, 0);
        let expected = last.then_some("1 Started 0 0 of 12");
        assert_eq!(next.as_deref(), expected, "for {after}");
    }
}

#[test]
fn the_end_of_a_rule_ends_what_was_told_and_nothing_else() {
    let pace = pace(2, 2, 1);
    let mut lives = Lives::default();
    let nothing = BTreeSet::new();
    let two = BTreeMap::from([(prefix(1), seen(true, 7)), (prefix(2), seen(true, 7))]);
    lives.window(&pace, &[], window(0), Some(&two), &nothing);
    let told = foretold(&mut lives, &pace, 1, 0);
    assert_eq!(told.as_deref(), Some("1 Started 0 0 of 12"));
    let ends = lives.end(EndReason::RuleRemoved, window(0));
    let ends: Vec<_> = ends
        .iter()
        .map(|m| (m.prefix, m.said, m.revision))
        .collect();
    let removed = Said::Ended(EndReason::RuleRemoved);
    assert_eq!(ends, [(prefix(1), removed, 1)], "the other was pending");
    assert!(lives.is_empty());
}

#[test]
fn of_equal_peaks_the_first_is_told() {
    let pace = pace(1, 3, 1);
    let mut lives = Lives::default();
    let mut last = Vec::new();
    for (n, bytes) in (0..).zip([5, 9, 9, 7]) {
        let all = BTreeMap::from([(prefix(1), seen(true, bytes))]);
        last = lives.window(&pace, &[], window(n), Some(&all), &BTreeSet::new());
    }
    assert_eq!(last[0].life.peak, (9, window(1).start));
}

#[test]
fn an_alert_of_which_no_severity_is_known_has_its_rules() {
    let message = |severity: &str| Message {
        prefix: prefix(1),
        said: Said::Ongoing,
        revision: 0,
        life: Life {
            severity: severity.to_owned(),
            ..Life::begin(name(1, 0), window(0))
        },
        by: None,
    };
    let rule = crate::detect::tests::rule("r", 1, 60);
    assert_eq!(message("").severity(Some(&rule)), rule.severity);
    assert_eq!(message("critical").severity(Some(&rule)), "critical");
    assert_eq!(message("critical").severity(None), "critical");
    assert_eq!(message("").severity(None), "");
}

fn name(number: u32, at: i64) -> Name {
    Name {
        first: window(at).start,
        prefix: prefix(number),
    }
}

#[test]
fn of_several_alerts_that_were_told_of_a_prefix_the_earliest_is_remembered() {
    let told = |at| Remembered::told(prefix(1), window(at).start, at as u32);
    for order in [[2, 5, 7], [7, 5, 2], [5, 2, 7]] {
        let mut lives = Lives::default();
        for at in order {
            lives.restore(prefix(1), told(at));
        }
        let kept = lives.shadows[&prefix(1)].clone();
        assert_eq!(
            (kept.first, kept.revision),
            (window(2).start, 3),
            "{order:?}"
        );
    }
}
