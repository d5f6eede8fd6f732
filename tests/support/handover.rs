//! Rules whose named set changes while flows come, and what must be told of that.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use serde_json::{Value, json};

use super::flows::Flow;
use super::model::{Outcome, Rule};
use super::outcome::{self, Message};
use super::rules;

/// The items of the set before and after.
pub(crate) const ITEMS: [&[&str]; 2] = [
    &["192.0.2.1", "192.0.2.2"],
    &["192.0.2.2", "192.0.2.3", "192.0.2.4"],
];

/// `sets` with these items in the configuration.
pub(crate) fn sets(items: &[&str]) -> Value {
    json!({"borders": items})
}

/// One rule that goes by the set and one that does not: with the items before, and with those after.
pub(crate) fn two_rules() -> [Vec<Rule>; 2] {
    let selects: [fn(&Flow) -> bool; 2] = [|flow| exporter(flow) <= 2, |flow| exporter(flow) >= 2];
    selects.map(|selects| {
        let mut rules = rules::rules();
        rules.truncate(2);
        rules[0].filter = "exporter in sets.borders";
        rules[0].selects = selects;
        rules
    })
}

fn exporter(flow: &Flow) -> u8 {
    match flow.exporter {
        IpAddr::V4(addr) => addr.octets()[3],
        IpAddr::V6(_) => unreachable!("exporters of loads have IPv4 addresses"),
    }
}

/// Panics unless each window is told once, as the model has it with the items before, until one from which on it is as with those
/// after, and alerts that are open then go on. Windows that are not
/// final are left out. That one window, by rule.
pub(crate) fn assert_handed_over(
    what: &str,
    outcomes: &[Outcome; 2],
    alerts: &[Message],
    windows: &[Message],
) -> BTreeMap<String, i64> {
    let boundaries = boundaries(windows);
    let torn = windows.iter().filter(|window| !window.is_final());
    let torn: BTreeSet<_> = torn
        .map(|w| (w.rule().to_owned(), w.window_start()))
        .collect();
    let [old, new] = outcomes;
    let expected_alerts = expected(
        |(rule, window, _)| (rule.clone(), *window),
        (&old.alerts, &new.alerts),
        &boundaries,
        &torn,
    );
    let expected_windows = expected(
        Clone::clone,
        (&old.windows, &new.windows),
        &boundaries,
        &torn,
    );
    let told = outcome::alerts(alerts.iter().cloned());
    outcome::assert_same(what, &told, &expected_alerts);
    outcome::assert_lives(what, alerts, windows, None);
    let told = outcome::windows(windows.iter().cloned());
    outcome::assert_same(what, &told, &expected_windows);
    boundaries
}

/// The first window of each rule with another fingerprint than its first.
fn boundaries(windows: &[Message]) -> BTreeMap<String, i64> {
    let mut told: BTreeMap<&str, BTreeMap<i64, &str>> = BTreeMap::new();
    for window in windows {
        let print = window.body["rule"]["fingerprint"].as_str();
        let of_rule = told.entry(window.rule()).or_default();
        of_rule.insert(window.window_start(), print.expect("it is text"));
    }
    let mut boundaries = BTreeMap::new();
    for (rule, windows) in told {
        let mut prints: Vec<&str> = windows.values().copied().collect();
        prints.dedup();
        assert!(prints.len() <= 2, "{rule} changes once: {windows:?}");
        let mut windows = windows.iter().skip_while(|(_, print)| **print == prints[0]);
        boundaries.extend(windows.next().map(|(start, _)| (rule.to_owned(), *start)));
    }
    boundaries
}

/// What was before until the window in which a rule changes, and from there on what is after; without what is torn.
fn expected<K: Ord + Clone, V: Clone>(
    window_of: impl Fn(&K) -> (String, i64),
    (before, after): (&BTreeMap<K, V>, &BTreeMap<K, V>),
    boundaries: &BTreeMap<String, i64>,
    torn: &BTreeSet<(String, i64)>,
) -> BTreeMap<K, V> {
    let is_after = |key: &K| {
        let (rule, window) = window_of(key);
        boundaries.get(&rule).is_some_and(|from| window >= *from)
    };
    let before = before.iter().filter(|(key, _)| !is_after(key));
    let after = after.iter().filter(|(key, _)| is_after(key));
    let whole = before
        .chain(after)
        .filter(|(key, _)| !torn.contains(&window_of(key)));
    whole.map(|(k, v)| (k.clone(), v.clone())).collect()
}
