//! Windows as sums of what the sources counted, in any interleaving.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::*;
use crate::detect::pass::{Input, Question, pass};

/// One flush of a source: how far stream time moves, and flows by age in seconds, host and bytes.
#[derive(Clone, Debug)]
pub(in crate::detect) struct Flush {
    advance: i64,
    flows: Vec<(i64, u32, u64)>,
    chunks: usize,
}

/// What is counted of one flow: rule, window start, host, bytes.
pub(in crate::detect) type Row = (usize, i64, u32, u64);

pub(in crate::detect) fn rules() -> Vec<Rule> {
    let mut short = rule("short", 2, 4);
    short.mode = Mode::Discounted;
    short.grace = GRACE + Duration::from_secs(3);
    let mut rules = vec![rule("long", 1, 10), short];
    for rule in &mut rules {
        rule.incident_group = Some("both".into());
    }
    rules
}

fn flush() -> impl Strategy<Value = Flush> {
    let flows = prop::collection::vec((0i64..12, 0u32..16, 1u64..120), 0..6);
    (0i64..9, flows, 1usize..3).prop_map(|(advance, flows, chunks)| Flush {
        advance,
        flows,
        chunks,
    })
}

/// Flushes by source.
pub(in crate::detect) fn sources() -> impl Strategy<Value = Vec<Vec<Flush>>> {
    prop::collection::vec(prop::collection::vec(flush(), 1..7), 1..4)
}

/// The records of each flush of each source, as count would write them, and what is in them. The
/// last flush closes everything that any source has.
pub(in crate::detect) fn records(
    rules: &[Rule],
    sources: &[Vec<Flush>],
) -> (Vec<Vec<Vec<Partial>>>, Vec<Row>) {
    let all: Vec<&Rule> = rules.iter().collect();
    let of = sources.len() as u32;
    let mut rows = Vec::new();
    let mut records = Vec::new();
    for (partition, flushes) in sources.iter().enumerate() {
        let mut now = 100;
        let mut of_source = Vec::new();
        for flush in flushes {
            let before = now;
            now += flush.advance;
            let mut deltas: BTreeMap<(usize, i64, usize), Vec<(u32, u64)>> = BTreeMap::new();
            for (n, (age, host, bytes)) in flush.flows.iter().enumerate() {
                for (r, rule) in rules.iter().enumerate() {
                    let seconds = rule.interval.as_secs() as i64;
                    let oldest = before - GRACE.as_secs() as i64;
                    let start = (now - age).max(oldest).div_euclid(seconds) * seconds;
                    let key = (r, start, n % flush.chunks);
                    deltas.entry(key).or_default().push((*host, *bytes));
                    rows.push((r, start, *host, *bytes));
                }
            }
            let deltas = deltas.into_iter();
            let mut written: Vec<Partial> = deltas
                .map(|((r, start, _), rows)| delta(&rules[r], start, &rows))
                .collect();
            written.push(Partial::Marker(marker(
                partition as i32,
                of,
                &all,
                Some(now),
            )));
            of_source.push(written);
        }
        of_source.push(vec![Partial::Marker(marker(
            partition as i32,
            of,
            &all,
            Some(200),
        ))]);
        records.push(of_source);
    }
    (records, rows)
}

/// One log: each number chooses the source whose next flush is written.
pub(in crate::detect) fn interleave(
    mut records: Vec<Vec<Vec<Partial>>>,
    choices: &[usize],
) -> Vec<Partial> {
    let mut log = Vec::new();
    let mut choices = choices.iter().cycle();
    for of_source in &mut records {
        of_source.reverse();
    }
    while records.iter().any(|r| !r.is_empty()) {
        records.retain(|r| !r.is_empty());
        let source = choices.next().expect("a cycle") % records.len();
        log.extend(records[source].pop().expect("not empty"));
    }
    log
}

pub(in crate::detect) fn undisturbed(plan: &DetectPlan, log: &[Partial]) -> Committed {
    let mut world = World::new(plan.clone());
    for partial in log {
        world.apply(partial.clone());
    }
    world.committed
}

fn sorted(mut committed: Committed) -> (Vec<Alert>, Vec<WindowRecord>) {
    let key = |a: &Alert| {
        (
            a.rule.name.clone(),
            a.window.start.clone(),
            a.prefix.clone(),
        )
    };
    committed.alerts.sort_by_key(key);
    committed
        .windows
        .sort_by_key(|w| (w.rule.name.clone(), w.window.start.clone()));
    (committed.alerts, committed.windows)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn sources_in_any_interleaving_give_the_same_messages(
        sources in sources(),
        one in prop::collection::vec(0usize..60, 1..20),
        other in prop::collection::vec(0usize..60, 1..20),
    ) {
        let (records, _) = records(&rules(), &sources);
        let plan = plan(rules());
        let one = undisturbed(&plan, &interleave(records.clone(), &one));
        let other = undisturbed(&plan, &interleave(records, &other));
        prop_assert_eq!(sorted(one), sorted(other));
    }

    #[test]
    fn every_window_is_told_once_with_the_sums_of_all_sources(
        sources in sources(),
        choices in prop::collection::vec(0usize..60, 1..20),
    ) {
        let rules = rules();
        let (records, rows) = records(&rules, &sources);
        let committed = undisturbed(&plan(rules.clone()), &interleave(records, &choices));
        for (r, rule) in rules.iter().enumerate() {
            let told: Vec<_> = committed.windows.iter().filter(|w| w.rule.name == *rule.name).collect();
            let seconds = rule.interval.as_secs() as i64;
            let end = (200 - rule.grace.as_secs() as i64) / seconds * seconds;
            let starts: BTreeSet<String> = told.iter().map(|w| w.window.start.clone()).collect();
            prop_assert_eq!(starts.len(), told.len());
            for (i, record) in told.iter().enumerate() {
                let start = end - seconds * (told.len() - i) as i64;
                prop_assert_eq!(&record.window.start, &at(start).to_string());
                let mut sums: BTreeMap<u32, u64> = BTreeMap::new();
                for (_, _, host, bytes) in rows.iter().filter(|x| x.0 == r && x.1 == start) {
                    *sums.entry(*host).or_default() += bytes;
                }
                prop_assert_eq!(record.total.bytes, sums.values().sum::<u64>());
                let Partial::Delta(whole) = delta(rule, start, &sums.into_iter().collect::<Vec<_>>())
                    else { unreachable!() };
                let Leaves::V4(v4) = whole.leaves else { unreachable!() };
                let v6 = LeavesOf::empty();
                let outcome = pass(
                    &Question::of(rule),
                    Input { leaves: &v4, resolution: 32 },
                    Input { leaves: &v6, resolution: 128 },
                );
                let expected: Vec<_> = outcome.findings.iter()
                    .map(|f| (f.prefix.to_string(), f.volume.bytes as u64)).collect();
                let got: Vec<_> = committed.alerts.iter()
                    .filter(|a| a.rule.name == *rule.name && a.window == record.window)
                    .filter(|a| !a.triggers.is_empty())
                    .map(|a| (a.prefix.clone(), a.volume.bytes)).collect();
                prop_assert_eq!(record.prefixes_over as usize, expected.len());
                prop_assert_eq!(got, expected);
            }
            let first = end - seconds * told.len() as i64;
            prop_assert!(rows.iter().filter(|x| x.0 == r).all(|x| x.1 >= first));
        }
    }
}
