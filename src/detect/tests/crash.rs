//! A task that dies at any moment leaves no trace.

use std::borrow::Cow;

use proptest::prelude::*;

use super::sums::{interleave, records, rules, sources, undisturbed};
use super::*;
use crate::alert::{EndReason, Status, WindowState};

/// Each log ends with markers by which every source has closed all windows until then, in ms.
const CLOSED: i64 = 195_000;

/// What happens at a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Event {
    /// All is well.
    Nothing,
    /// The task is dropped.
    Crash,
    /// An emission that is being committed stays so for this many steps.
    Slow(u8),
    /// Position and sources are committed.
    Progress,
    /// The provisional pass is tried, at this wall-clock time in minutes.
    Overdue(u8),
}

fn events(overdue: bool) -> impl Strategy<Value = Vec<Event>> {
    let event = prop_oneof![
        4 => Just(Event::Nothing),
        3 => Just(Event::Crash),
        2 => (1u8..6).prop_map(Event::Slow),
        2 => Just(Event::Progress),
        4 => (0u8..9).prop_map(move |m| if overdue { Event::Overdue(m) } else { Event::Nothing }),
    ];
    prop::collection::vec(event, 0..120)
}

/// Runs a log with things happening: an event before each record and at each emission.
struct Run<'a> {
    plan: &'a DetectPlan,
    log: &'a [Partial],
    events: std::vec::IntoIter<Event>,
    task: DetectTask,
    committed: Committed,
    /// Position in the log.
    next: usize,
    crashes: usize,
}

impl<'a> Run<'a> {
    fn of(plan: &'a DetectPlan, log: &'a [Partial], events: Vec<Event>) -> (Committed, usize) {
        let committed = Committed::default();
        let mut run = Self {
            task: committed.task(plan).expect("no state"),
            plan,
            log,
            events: events.into_iter(),
            committed,
            next: 0,
            crashes: 0,
        };
        while run.next < run.log.len() || run.task.due() || run.task.held() > 0 {
            run.step();
        }
        (run.committed, run.crashes)
    }

    fn event(&mut self) -> Event {
        self.events.next().unwrap_or(Event::Nothing)
    }

    fn step(&mut self) {
        if let Some(emission) = self.task.emission() {
            return self.commit(emission);
        }
        match self.event() {
            Event::Crash => return self.crash(),
            Event::Progress => {
                if let Some(emission) = self.task.progress() {
                    return self.commit(emission);
                }
            }
            Event::Overdue(minutes) => {
                if let Some(emission) = self.task.overdue(at(i64::from(minutes) * 60)) {
                    return self.commit(emission);
                }
            }
            Event::Nothing | Event::Slow(_) => {}
        }
        self.read();
    }

    fn read(&mut self) {
        if let Some(partial) = self.log.get(self.next) {
            self.task.apply(offset(self.next), partial.clone(), at(0));
            self.next += 1;
        }
    }

    fn commit(&mut self, emission: Emission) {
        match self.event() {
            // Half of the time it was committed, and only the answer got lost.
            Event::Crash => {
                if self.crashes.is_multiple_of(2) {
                    self.committed.commit(&emission);
                }
                return self.crash();
            }
            Event::Slow(steps) => (0..steps).for_each(|_| self.read()),
            Event::Nothing | Event::Progress | Event::Overdue(_) => {}
        }
        assert!(self.task.emission().is_none(), "one emission at a time");
        self.committed.commit(&emission);
        self.task.committed(emission);
    }

    fn crash(&mut self) {
        self.crashes += 1;
        self.task = self.committed.task(self.plan).expect("own state");
        let from = self.committed.offset.unwrap_or(0);
        self.next = (0..self.log.len())
            .find(|i| offset(*i) >= from)
            .unwrap_or(self.log.len());
    }
}

/// What happens to sources now and then.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mishap {
    None,
    /// It is idle at this marker.
    Idle,
    /// Records were lost before this marker.
    Gap,
    /// It counts only some rules from here on.
    Drops,
}

/// A log with rules that nobody knows, a source that seems to be empty at first, and mishaps.
#[derive(Clone, Debug)]
struct Trouble {
    log: Vec<Partial>,
    events: Vec<Event>,
}

fn trouble(overdue: bool) -> impl Strategy<Value = Trouble> {
    let mishap = prop_oneof![
        6 => Just(Mishap::None),
        1 => Just(Mishap::Idle),
        1 => Just(Mishap::Gap),
        1 => Just(Mishap::Drops),
    ];
    let choices = prop::collection::vec(0usize..60, 1..20);
    let mishaps = prop::collection::vec(mishap, 0..20);
    (sources(), choices, mishaps, any::<bool>(), events(overdue)).prop_map(
        |(sources, choices, mishaps, empty, events)| {
            let mut known_by_count = rules();
            known_by_count.push(rule("gone", 3, 5));
            known_by_count.push(rule("long", 4, 10));
            let (mut records, _) = records(&known_by_count, &sources);
            if empty {
                let mut nothing = marker(0, sources.len() as u32, &[], None);
                nothing.idle = true;
                records[0].insert(0, vec![Partial::Marker(nothing)]);
            }
            let mut log = interleave(records, &choices);
            let markers = log.iter_mut().filter_map(|p| match p {
                Partial::Marker(marker) => Some(marker),
                Partial::Delta(_) => None,
            });
            for (marker, mishap) in markers.zip(mishaps) {
                suffer(marker, mishap);
            }
            Trouble { log, events }
        },
    )
}

fn suffer(marker: &mut Marker, mishap: Mishap) {
    match mishap {
        Mishap::None => {}
        Mishap::Idle => marker.idle = true,
        Mishap::Gap => {
            marker.complete_from = marker.stream_time.map_or(Timestamp::MIN, |t| t.plus(GRACE));
        }
        Mishap::Drops => {
            marker.rules.truncate(1);
            for rule in &mut marker.rules {
                rule.counted_from = marker.stream_time.unwrap_or(Timestamp::MIN);
            }
        }
    }
}

/// Messages without what provisional ones leave behind.
fn finals(committed: &Committed) -> (Vec<Alert>, Vec<WindowRecord>) {
    let mut alerts = committed.alerts.clone();
    let is_taken_back = |a: &Alert| a.end_reason == Some(EndReason::Unconfirmed);
    // Where nothing is looked for, what was told before is taken back, and what else is open said once more.
    let is_looked_at = |a: &Alert| {
        let same = |w: &&WindowRecord| (&w.rule.name, &w.window) == (&a.rule.name, &a.window);
        let mut windows = committed.windows.iter().filter(same);
        windows.any(|w| w.state == WindowState::Final)
    };
    alerts.retain(|a| a.r#final && !is_taken_back(a) && is_looked_at(a));
    for alert in &mut alerts {
        alert.revision = 0;
    }
    let mut windows = committed.windows.clone();
    windows.retain(|w| w.state != WindowState::Provisional);
    for window in &mut windows {
        window.revision = 0;
        window.superseded.clear();
        let here = |a: &&Alert| (&a.rule.name, &a.window) == (&window.rule.name, &window.window);
        let taken_back = committed.alerts.iter().filter(|a| is_taken_back(a));
        window.alerts_written -= taken_back.filter(here).count() as u64;
        if window.state != WindowState::Final {
            window.alerts_written = 0;
        }
    }
    (alerts, windows)
}

/// Revisions of one alert or window count up from 0. An alert starts, goes on, and may end, which its
/// last message then says; of one prefix no two are open, but for what is not final.
fn check_revisions(committed: &Committed) -> Result<(), TestCaseError> {
    let mut alerts: BTreeMap<&str, Vec<&Alert>> = BTreeMap::new();
    let mut open: BTreeMap<(&str, &str), &str> = BTreeMap::new();
    for alert in &committed.alerts {
        alerts.entry(&alert.id).or_default().push(alert);
        let of = (alert.rule.name.as_str(), alert.prefix.as_str());
        if alert.r#final && alert.status == Status::Ended {
            open.remove(&of).filter(|id| *id == alert.id);
        } else if alert.r#final {
            let known = *open.entry(of).or_insert(&alert.id);
            prop_assert_eq!(known, &alert.id, "two are open");
        }
    }
    for revisions in alerts.values() {
        let numbers: Vec<_> = revisions.iter().map(|a| a.revision as usize).collect();
        prop_assert_eq!(numbers, (0..revisions.len()).collect::<Vec<_>>());
        let (last, before) = revisions.split_last().expect("there is one");
        prop_assert!(last.r#final, "{} of {:?}", last.prefix, last.window);
        prop_assert!(before.iter().all(|a| a.status != Status::Ended));
        // A final one says once more what a provisional one said first.
        let started = |a: &&&Alert| a.status == Status::Started;
        prop_assert!(revisions[0].status == Status::Started);
        prop_assert!(
            revisions
                .iter()
                .filter(started)
                .filter(|a| a.r#final)
                .count()
                <= 1
        );
        let first = &revisions[0].first_seen;
        prop_assert!(revisions.iter().all(|a| a.first_seen == *first));
    }
    let mut windows: BTreeMap<(&str, &str), usize> = BTreeMap::new();
    // An unknown rule that is gone and comes back may tell of a window again.
    let known = |w: &&WindowRecord| w.state != WindowState::UnknownRule;
    for window in committed.windows.iter().filter(known) {
        let next = windows
            .entry((&window.rule.name, &window.window.start))
            .or_default();
        prop_assert_eq!(window.revision as usize, *next, "{:#?}", committed.told());
        *next += 1;
    }
    Ok(())
}

/// Keys of what is remembered of provisional messages on windows that all sources have closed, whichever counted them.
fn left_of_final_windows(run: &Committed) -> Vec<String> {
    let keys = run.state.keys().map(|key| String::from_utf8_lossy(key));
    let left = keys.filter(|key| {
        let start = key.strip_prefix("provisional/");
        let start = start.and_then(|rest| rest.split('/').nth(1));
        start.is_some_and(|start| start.parse::<i64>().unwrap() + 10_000 <= CLOSED)
    });
    left.map(Cow::into_owned).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn a_crash_at_any_moment_changes_no_message_and_not_their_order(
        Trouble { log, events } in trouble(false),
    ) {
        let plan = plan(rules());
        let expected = undisturbed(&plan, &log);
        let (got, _) = Run::of(&plan, &log, events);
        prop_assert_eq!(&got.alerts, &expected.alerts);
        prop_assert_eq!(&got.windows, &expected.windows);
    }

    #[test]
    fn provisional_messages_and_crashes_change_no_final_message(
        Trouble { log, events } in trouble(true),
    ) {
        let plan = plan(rules());
        let expected = undisturbed(&plan, &log);
        let (got, _) = Run::of(&plan, &log, events);
        prop_assert_eq!(finals(&got), finals(&expected));
        check_revisions(&got)?;
        prop_assert_eq!(left_of_final_windows(&got), Vec::<String>::new());
    }
}

/// Three windows of 600 alerts each become due at one marker, which takes three emissions.
#[test]
fn a_crash_between_the_emissions_of_one_marker_repeats_and_loses_nothing() {
    let mut many = rule("many", 1, 10);
    many.lengths_v4 = LengthSet::list([32]);
    many.limits = vec![limit(Metric::Bytes, 0)];
    let hosts: Vec<(u32, u64)> = (0..600).map(|h| (h, 1)).collect();
    let mut log: Vec<Partial> = [100, 110, 120].map(|s| delta(&many, s, &hosts)).into();
    log.push(Partial::Marker(marker(0, 1, &[&many], Some(103))));
    // Nothing comes after it that could make up for what was lost.
    log.push(Partial::Marker(marker(0, 1, &[&many], Some(132))));
    let plan = plan([many]);
    let expected = undisturbed(&plan, &log);
    assert_eq!(expected.alerts.len(), 1800);
    assert_eq!(expected.windows.len(), 3);
    // Five records and three emissions.
    for quiet in 0..8 {
        let mut events = vec![Event::Nothing; quiet];
        events.push(Event::Crash);
        events.extend([Event::Nothing; 4]);
        events.push(Event::Crash);
        let (got, crashes) = Run::of(&plan, &log, events);
        assert!(crashes > 0, "no crash after {quiet} steps");
        assert_eq!(got.alerts, expected.alerts, "crash after {quiet} steps");
        assert_eq!(got.windows, expected.windows, "crash after {quiet} steps");
    }
}
