//! Items of a set that change while a task counts.

use super::*;
use crate::rule::Sets;

const INTERVAL: u64 = 10_000;

/// Rules that want flows of at least and of more than 100 bytes, in order of the change.
fn rules() -> [Arc<Rule>; 2] {
    let rule = |filter: &str, selection| {
        let mut rule = rule("a", INTERVAL, 0, LatePolicy::OldestOpen);
        rule.filter = Filter::compile(filter, &Sets::new()).unwrap();
        rule.selection = Fingerprint(selection);
        Arc::new(rule)
    };
    [rule("bytes >= 100", 1), rule("bytes > 100", 2)]
}

fn plan_of(rules: &[&Arc<Rule>], replaced: &[&Arc<Rule>]) -> Arc<Plan> {
    let owned = |rules: &[&Arc<Rule>]| rules.iter().map(|r| Arc::clone(r)).collect();
    Arc::new(Plan {
        rules: owned(rules),
        replaced: owned(replaced),
        ..plan(vec![])
    })
}

fn begun(plan: Arc<Plan>) -> CountTask {
    let resume = Resume::Fresh {
        next_offset: 0,
        from_log_start: true,
    };
    CountTask::new(source(), plan, resume).unwrap()
}

/// What a flush tells: flows by selection, selections with the time they are counted from, and flows of the rule.
fn told(flush: Flush) -> (BTreeMap<u64, u64>, Vec<(u64, Timestamp)>, u64) {
    let encoded = flush.encode(1, 4);
    let mut flows = BTreeMap::new();
    let mut counted = Vec::new();
    for record in encoded.records {
        match partial::decode(&record.payload).unwrap() {
            Partial::Delta(delta) => {
                *flows.entry(delta.selection.0).or_default() += sums_of(&delta).flows;
            }
            Partial::Marker(marker) => {
                let rules = marker.rules.iter();
                counted = rules.map(|r| (r.selection.0, r.counted_from)).collect();
            }
        }
    }
    let of_rule = encoded.rules.iter().map(|(_, sums)| sums.flows).sum();
    (flows, counted, of_rule)
}

fn feed_both(task: &mut CountTask, at: i64) {
    feed_flow(task, Sample::at(at));
    let more = Sample {
        bytes: 101,
        ..Sample::at(at)
    };
    feed_flow(task, more);
}

#[test]
fn both_are_counted_until_others_must_have_learnt_of_the_change() {
    let [old, new] = rules();
    let mut task = begun(plan_of(&[&old], &[]));
    feed_both(&mut task, 95_000);
    let whole = Timestamp::MIN;
    assert_eq!(
        told(task.flush()),
        (BTreeMap::from([(1, 2)]), vec![(1, whole)], 2)
    );

    task.replan(plan_of(&[&new], &[&old]));
    assert!(task.has_news(), "detect must hear of it");
    feed_both(&mut task, 99_000);
    let both = vec![(1, whole), (2, ms(95_001))];
    let (flows, counted, of_rule) = told(task.flush());
    assert_eq!(flows, BTreeMap::from([(1, 2), (2, 1)]));
    assert_eq!(counted, both);
    assert_eq!(of_rule, 1, "a flow is told of once");

    // Elsewhere, in the time between.
    feed_both(&mut task, 200_000);
    let flush = task.flush();
    let resume = Resume::Committed {
        next_offset: flush.next_offset,
        metadata: &flush.metadata,
    };
    let mut elsewhere = CountTask::new(source(), plan_of(&[&new], &[&old]), resume).unwrap();
    assert!(!elsewhere.has_news());
    let until = 95_001 + OVERLAP.as_millis() as i64 + 2 * INTERVAL as i64;
    feed_both(&mut elsewhere, until - 1);
    assert_eq!(told(elsewhere.flush()).1, both);
    feed_both(&mut elsewhere, until);
    assert_eq!(told(elsewhere.flush()).1, both, "the last time");
    feed_both(&mut elsewhere, until + 1);
    let flush = elsewhere.flush();
    let metadata = flush.metadata.clone();
    assert_eq!(
        told(flush),
        (BTreeMap::from([(2, 1)]), vec![(2, ms(95_001))], 1)
    );

    // What is not counted any more does not come back.
    let resume = Resume::Committed {
        next_offset: 8,
        metadata: &metadata,
    };
    let mut later = CountTask::new(source(), plan_of(&[&new], &[&old]), resume).unwrap();
    feed_both(&mut later, until + 2);
    assert_eq!(told(later.flush()).1, [(2, ms(95_001))]);
}

#[test]
fn items_that_come_back_are_counted_on() {
    let [old, new] = rules();
    let mut task = begun(plan_of(&[&old], &[]));
    feed_both(&mut task, 95_000);
    task.flush();
    task.replan(plan_of(&[&new], &[&old]));
    feed_both(&mut task, 96_000);
    task.flush();
    task.replan(plan_of(&[&old], &[&new]));
    feed_both(&mut task, 97_000);
    let (flows, counted, of_rule) = told(task.flush());
    assert_eq!(flows, BTreeMap::from([(1, 2), (2, 1)]));
    assert_eq!(counted, [(1, Timestamp::MIN), (2, ms(95_001))]);
    assert_eq!(of_rule, 2);
}

#[test]
fn a_source_without_a_record_counts_by_the_new_items_alone() {
    let [old, new] = rules();
    let mut task = begun(plan_of(&[&old], &[]));
    task.flush();
    task.replan(plan_of(&[&new], &[&old]));
    task.flush();
    feed_both(&mut task, 95_000);
    assert_eq!(told(task.flush()).1, [(2, Timestamp::MIN)]);
}
