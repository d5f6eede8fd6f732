//! One prefix by hand, and what consumers may rely on for any history.

use std::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::net::Addr;
use crate::rule::Clear;

mod by_hand;

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
        let messages = lives.window(pace, &[], window(n), Some(&seen), &BTreeSet::new());
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
                    for message in lives.window(&pace, &[], window(next), Some(&all), &told) {
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
                    for message in lives.provisional(&pace, &[], window(at), ahead == 0, &over) {
                        consumer.read(&message, false);
                        known.insert(message.prefix);
                    }
                }
                Step::Unlooked => {
                    let told = told.remove(&next).unwrap_or_default();
                    for message in lives.window(&pace, &[], window(next), None, &told) {
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
