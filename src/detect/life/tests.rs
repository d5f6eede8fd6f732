//! One prefix by hand, and what consumers may rely on for any history.

use std::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::net::Addr;
use crate::rule::Clear;

const MINUTE: Duration = Duration::from_mins(1);

pub(super) fn window(n: i64) -> Window {
    Window::starting(Timestamp::from_millis(n * 60_000), MINUTE)
}

/// A network, two hosts in it, and one that is elsewhere.
pub(super) fn prefix(n: u32) -> Prefix {
    match n {
        0 => Prefix::new(Addr::V4(0), 24),
        3 => Prefix::new(Addr::V4(7 << 8), 32),
        host => Prefix::new(Addr::V4(host), 32),
    }
}

pub(super) fn pace(after: u32, hold: u32, repeat: u32) -> Lifecycle {
    Lifecycle {
        after,
        hold,
        repeat,
        rearm: 2,
        clear: Clear::PerMille(1000),
    }
}

pub(super) fn seen(over: bool, bytes: u64) -> Seen {
    Seen {
        severity: over.then(|| "warning".to_owned()),
        bytes,
        packets: 1,
        flows: 1,
        silence: None,
    }
}

/// What is said of one prefix, window by window.
fn said(pace: &Lifecycle, over: &[bool]) -> Vec<Option<Said>> {
    let mut lives = Lives::default();
    let windows = (0..).zip(over).map(|(n, over)| {
        let seen = BTreeMap::from([(prefix(1), seen(*over, 5))]);
        let messages = lives.window(pace, window(n), Some(&seen), &BTreeSet::new());
        assert!(messages.len() <= 1);
        messages.first().map(|m| m.said)
    });
    windows.collect()
}

const START: Option<Said> = Some(Said::Started);
const GO: Option<Said> = Some(Said::Ongoing);
const END: Option<Said> = Some(Said::Ended(EndReason::BelowThreshold));

#[test]
fn an_alert_starts_after_so_many_windows_and_ends_after_so_many() {
    let (yes, no) = (true, false);
    assert_eq!(
        said(&pace(1, 1, 1), &[no, yes, yes, no, no, yes]),
        [None, START, GO, END, None, START]
    );
    assert_eq!(
        said(&pace(2, 2, 1), &[yes, no, yes, yes, no, yes, no, no, no]),
        [None, None, None, START, GO, GO, GO, END, None]
    );
    assert_eq!(
        said(&pace(1, 2, 3), &[yes, yes, yes, yes, yes, yes, yes, no, no]),
        [START, None, None, GO, None, None, GO, None, END]
    );
}

/// Whether a silence ends open alerts, by prefix.
type Hushes = BTreeMap<u32, bool>;

/// With what silences them.
fn hushed(mut all: BTreeMap<Prefix, Seen>, hushes: &Hushes) -> BTreeMap<Prefix, Seen> {
    for (number, ends) in hushes {
        if let Some(seen) = all.get_mut(&prefix(*number)) {
            seen.silence = Some(Hush {
                name: Arc::from("quiet"),
                ends: *ends,
            });
        }
    }
    all
}

/// One step of a rule's history.
#[derive(Clone, Debug)]
enum Step {
    /// Prefixes over, below, and not seen at all; and which of them are silenced, by a silence that ends open
    /// alerts or not.
    Window(Vec<(u32, Option<bool>)>, Hushes),
    /// The same told of the next window but so many, before it is final.
    Provisional(i64, Vec<u32>, Hushes),
    /// A window in which nothing is looked for.
    Unlooked,
    End,
}

fn step() -> impl Strategy<Value = Step> {
    let state = prop_oneof![Just(Some(true)), Just(Some(false)), Just(None)];
    let prefixes = prop::collection::vec((0u32..4, state), 0..5);
    let told = prop::collection::vec(0u32..4, 0..3);
    let hushes = || prop::collection::btree_map(0u32..4, any::<bool>(), 0..4);
    prop_oneof![
        6 => (prefixes, hushes()).prop_map(|(states, hushes)| Step::Window(states, hushes)),
        3 => (0i64..3, told, hushes()).prop_map(|(ahead, told, hushes)| Step::Provisional(ahead, told, hushes)),
        1 => Just(Step::Unlooked),
        1 => Just(Step::End),
    ]
}

/// Everything that consumers may rely on, message by message.
#[derive(Default)]
struct Consumer {
    /// Next revision and whether it has ended, by prefix and first window.
    alerts: BTreeMap<(Prefix, Timestamp), (u32, bool)>,
    /// Prefixes whose last message was no end.
    active: BTreeSet<Prefix>,
    incidents: BTreeMap<(Prefix, Timestamp), Incident>,
    silenced: BTreeMap<(Prefix, Timestamp), bool>,
}

impl Consumer {
    fn read(&mut self, message: &Message, is_final: bool) {
        let id = (message.prefix, message.life.first);
        let known = self.alerts.get(&id).copied();
        let (next, has_ended) = known.unwrap_or_default();
        assert_eq!(message.revision, next, "a gap or a repetition: {message:?}");
        assert!(!has_ended, "after its end: {message:?}");
        assert_eq!(known.is_none(), next == 0);
        if is_final && message.said != Said::Ended(EndReason::Unconfirmed) {
            self.incident(message);
            let is_silenced = message.life.silenced.is_some();
            let known = *self.silenced.entry(id).or_insert(is_silenced);
            assert_eq!(known, is_silenced, "{message:?}");
        }
        assert!(
            known.is_some() || message.said == Said::Started,
            "{message:?}"
        );
        let ends = message.is_end();
        if ends {
            self.active.remove(&message.prefix);
        } else {
            self.active.insert(message.prefix);
        }
        self.alerts.insert(id, (next + 1, ends));
    }

    /// Once it is final, an alert is of one incident all along: its own, or one of a prefix that covers it or that it covers, by
    /// way of others.
    fn incident(&mut self, message: &Message) {
        let (prefix, life) = (message.prefix, &message.life);
        let id = (prefix, life.first);
        let incident = *self.incidents.entry(id).or_insert(life.incident);
        assert_eq!(incident, life.incident, "{message:?}");
        let Name { first, prefix: of } = incident.name;
        let known = self.incidents.contains_key(&(of, first));
        assert!(first <= life.first && known, "{message:?}");
        match message.said {
            Said::Ended(EndReason::Superseded) => assert!(message.by.is_some()),
            Said::Ended(EndReason::Silenced) => assert!(life.silenced.is_none()),
            Said::Ended(EndReason::SilenceOver) => assert!(life.silenced.is_some()),
            _ => assert_eq!(message.by, None),
        }
        if let Some(by) = message.by {
            assert!(by.first >= life.last, "{message:?}");
            assert!(by.prefix.covers(prefix) || prefix.covers(by.prefix));
        }
    }

    fn open(&self) -> BTreeSet<Prefix> {
        let open = self.alerts.iter().filter(|(_, (_, ended))| !ended);
        open.map(|((prefix, _), _)| *prefix).collect()
    }
}

proptest! {
    #[test]
    fn what_consumers_may_rely_on_holds(
        after in 1u32..4,
        hold in 1u32..4,
        repeat in 1u32..4,
        steps in prop::collection::vec(step(), 0..40),
    ) {
        let pace = pace(after, hold, repeat);
        let mut lives = Lives::default();
        let mut consumer = Consumer::default();
        let mut told: BTreeMap<i64, BTreeSet<Prefix>> = BTreeMap::new();
        let mut next = 0;
        let mut before = Lives::default();
        let mut saved: BTreeMap<Prefix, Remembered> = BTreeMap::new();
        for step in steps {
            match step {
                Step::Window(states, hushes) => {
                    let states: BTreeMap<u32, Option<bool>> = states.into_iter().collect();
                    // An open prefix is seen, unless it is folded.
                    let unknown: BTreeSet<Prefix> = states.iter().filter(|(_, s)| s.is_none()).map(|(p, _)| prefix(*p)).collect();
                    let open = lives.open().iter().filter(|p| !unknown.contains(p));
                    let mut all: BTreeMap<Prefix, Seen> = open.map(|p| (*p, seen(false, 1))).collect();
                    all.extend(states.iter().filter_map(|(p, s)| Some((prefix(*p), seen((*s)?, 7)))));
                    let all = hushed(all, &hushes);
                    let told = told.remove(&next).unwrap_or_default();
                    let opened = lives.open().clone();
                    for message in lives.window(&pace, window(next), Some(&all), &told) {
                        consumer.read(&message, true);
                    }
                    for prefix in &opened {
                        let ended = !lives.open().contains(prefix);
                        prop_assert!(!ended || all[prefix].severity.is_none());
                    }
                    for (prefix, life) in lives.all.iter().filter(|(_, life)| life.is_open()) {
                        if let Some(seen) = all.get(prefix) {
                            prop_assert!(life.silenced.is_none() || seen.silence.is_some());
                            let must_end = seen.silence.as_ref().is_some_and(|silence| silence.ends);
                            prop_assert!(!must_end || life.silenced.is_some());
                        }
                    }
                    next += 1;
                }
                Step::Provisional(ahead, over, hushes) => {
                    let at = next + ahead;
                    let known = told.entry(at).or_default();
                    let over = over.into_iter().map(prefix).filter(|p| !known.contains(p));
                    let over = hushed(over.map(|p| (p, seen(true, 3))).collect(), &hushes);
                    for message in lives.provisional(&pace, window(at), ahead == 0, &over) {
                        consumer.read(&message, false);
                        known.insert(message.prefix);
                    }
                }
                Step::Unlooked => {
                    let told = told.remove(&next).unwrap_or_default();
                    for message in lives.window(&pace, window(next), None, &told) {
                        prop_assert_ne!(message.said, Said::Started);
                        consumer.read(&message, true);
                    }
                    next += 1;
                }
                Step::End => {
                    for message in lives.end(EndReason::RuleRemoved, window(next)) {
                        consumer.read(&message, true);
                    }
                    prop_assert_eq!(&lives, &Lives::default());
                    prop_assert_eq!(consumer.open(), BTreeSet::new());
                    // Nobody counts a rule that is gone.
                    told.clear();
                    next += 3;
                }
            }
            // Whoever goes on from what was saved goes on from the same.
            saved.extend(lives.changes(&before));
            let mut restored = Lives::default();
            for (prefix, remembered) in saved.clone() {
                restored.restore(prefix, remembered);
            }
            prop_assert_eq!(&restored, &lives);
            before = restored;
            if told.values().all(BTreeSet::is_empty) {
                prop_assert_eq!(lives.open(), &consumer.open());
                prop_assert_eq!(&consumer.active, &consumer.open());
            }
        }
    }
}

/// `prefix said incident pulse` of each message over windows in which these are over their threshold, of 1 byte each.
fn moves(pace: &Lifecycle, windows: &[&[u32]]) -> Vec<String> {
    let mut lives = Lives::default();
    let mut told = Vec::new();
    for (n, over) in (0..).zip(windows) {
        let mut all: BTreeMap<Prefix, Seen> =
            lives.open().iter().map(|p| (*p, seen(false, 0))).collect();
        all.extend(over.iter().map(|p| (prefix(*p), seen(true, 1))));
        for m in lives.window(pace, window(n), Some(&all), &BTreeSet::new()) {
            let said = match m.said {
                Said::Started => "started",
                Said::Ongoing => continue,
                Said::Ended(EndReason::Superseded) => "superseded by",
                Said::Ended(_) => "ended",
            };
            let by = m.by.map(|by| format!(" {}", by.prefix)).unwrap_or_default();
            let Incident { name, pulse } = m.life.incident;
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
        lives.window(&none, window(n), Some(&all), &BTreeSet::new());
    }
    assert!(lives.is_empty());
}

/// `window said revision first` of what is told of one prefix over a threshold in the window `ahead` of the next.
fn foretold(lives: &mut Lives, pace: &Lifecycle, next: i64, ahead: i64) -> Option<String> {
    let over = BTreeMap::from([(prefix(1), seen(true, 5))]);
    let at = next + ahead;
    let told = lives.provisional(pace, window(at), ahead == 0, &over);
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
    let last = lives.window(&pace, window(0), Some(&all), &told);
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
    let first = lives.window(&pace, window(0), Some(&all), &nothing);
    assert_eq!((first[0].said, first[0].revision), (Said::Started, 0));
    // What was told of window 1 is another alert until that is final.
    assert_eq!(foretold(&mut lives, &pace, 1, 1), None);
    let told = BTreeSet::from([prefix(1)]);
    let messages = lives.window(&pace, window(1), Some(&all), &told);
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
        assert_eq!(lives.window(&pace, window(0), Some(&all), &nothing), []);
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
    lives.window(&pace, window(0), Some(&two), &nothing);
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
