//! The rules in force: replaced as a whole when the items of named sets change.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::count::MAX_RULES;
use crate::rule::Rule;

/// What a rule was before is of use for some minutes of event time; to partitions that are further behind than this
/// nobody can say what decides there.
const STALE: Duration = Duration::from_hours(1);
/// At most so many of what one rule was before are counted: when a file changes again and again, the oldest decides until it
/// stands still, and those between never do.
const KEPT: usize = 8;

/// Rules that count and detect look up whenever they can change to others. Clones share them.
#[derive(Clone, Debug)]
pub struct RulesInForce(Arc<Mutex<Arc<Generation>>>);

/// Rules, as they were from one change to the next.
#[derive(Debug)]
pub(super) struct Generation {
    /// Which one; later ones have higher numbers.
    pub(super) number: u64,
    /// What decides.
    pub(super) rules: Vec<Arc<Rule>>,
    /// Oldest first.
    replaced: Vec<Replaced>,
}

/// What a rule was until then.
#[derive(Clone, Debug)]
struct Replaced {
    rule: Arc<Rule>,
    at: Instant,
}

impl Generation {
    /// What its rules were before, oldest first: counted for a while longer.
    pub(super) fn replaced(&self) -> impl Iterator<Item = &Arc<Rule>> {
        self.replaced.iter().map(|replaced| &replaced.rule)
    }
}

impl RulesInForce {
    /// The first generation.
    pub fn new(rules: impl IntoIterator<Item = Rule>) -> Self {
        let first = Generation {
            number: 1,
            rules: rules.into_iter().map(Arc::new).collect(),
            replaced: Vec::new(),
        };
        Self(Arc::new(Mutex::new(Arc::new(first))))
    }

    /// The latest generation.
    pub(super) fn now(&self) -> Arc<Generation> {
        Arc::clone(&self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// The latest generation, if it came after number `known`.
    pub(super) fn after(&self, known: u64) -> Option<Arc<Generation>> {
        Some(self.now()).filter(|now| now.number > known)
    }

    /// The latest rules.
    pub fn rules(&self) -> Vec<Arc<Rule>> {
        self.now().rules.clone()
    }

    /// Puts `rules` in force at `now`, which differ in the items of sets alone. Those that do are returned; when there is
    /// none, nothing happens.
    pub fn replace(&self, rules: impl IntoIterator<Item = Rule>, now: Instant) -> Vec<Arc<Rule>> {
        let mut latest = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let before = &latest.rules;
        let mut changed = Vec::new();
        let rules = rules.into_iter().map(|rule| {
            let is_same = |known: &&Arc<Rule>| known.selection == rule.selection;
            if let Some(known) = before.iter().find(is_same) {
                return Arc::clone(known);
            }
            let rule = Arc::new(rule);
            changed.push(Arc::clone(&rule));
            rule
        });
        let rules: Vec<_> = rules.collect();
        if changed.is_empty() {
            return changed;
        }
        let is_now = |rule: &&Arc<Rule>| rules.iter().any(|now| now.selection == rule.selection);
        let stays = |replaced: &&Replaced| {
            !is_now(&&replaced.rule) && now.duration_since(replaced.at) < STALE
        };
        let mut replaced: Vec<_> = latest.replaced.iter().filter(stays).cloned().collect();
        let newly = before.iter().filter(|rule| !is_now(rule)).cloned();
        replaced.extend(newly.map(|rule| Replaced { rule, at: now }));
        for rule in &changed {
            thin(&mut replaced, rule);
        }
        // A commit has room for so many.
        let excess = (rules.len() + replaced.len()).saturating_sub(MAX_RULES);
        replaced.drain(..excess.min(replaced.len()));
        *latest = Arc::new(Generation {
            number: latest.number + 1,
            rules,
            replaced,
        });
        changed
    }
}

/// Leaves [`KEPT`] of what `rule` was before: the oldest and the latest.
fn thin(replaced: &mut Vec<Replaced>, rule: &Rule) {
    loop {
        let mut of_rule = (0..replaced.len()).filter(|i| replaced[*i].rule.name == rule.name);
        let second = of_rule.by_ref().nth(1);
        match second.filter(|_| of_rule.count() + 2 > KEPT) {
            Some(second) => replaced.remove(second),
            None => return,
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rule::{Fingerprint, RuleConfig, RuleContext, compile};

    fn rule(name: &str, selection: u64) -> Rule {
        let config = serde_json::json!({"name": name, "thresholds": {"bytes": "100"}});
        let config: RuleConfig = serde_json::from_value(config).expect("a rule");
        Rule {
            selection: Fingerprint(selection),
            ..compile(&config, &RuleContext::default()).expect("a valid rule")
        }
    }

    fn selections(rules: &[Arc<Rule>]) -> Vec<u64> {
        rules.iter().map(|rule| rule.selection.0).collect()
    }

    fn replaced(rules: &RulesInForce) -> Vec<u64> {
        let now = rules.now();
        now.replaced().map(|rule| rule.selection.0).collect()
    }

    #[test]
    fn what_changed_is_counted_on_until_it_comes_back() {
        let rules = RulesInForce::new([rule("a", 1), rule("b", 2)]);
        let now = Instant::now();
        assert!(rules.after(0).is_some() && rules.after(1).is_none());
        assert!(rules.replace([rule("a", 1), rule("b", 2)], now).is_empty());
        assert!(rules.after(1).is_none(), "nothing changed");

        let changed = rules.replace([rule("a", 3), rule("b", 2)], now);
        assert_eq!(selections(&changed), [3]);
        assert_eq!(selections(&rules.after(1).expect("another").rules), [3, 2]);
        assert_eq!(replaced(&rules), [1]);

        rules.replace([rule("a", 4), rule("b", 2)], now);
        assert_eq!(replaced(&rules), [1, 3]);
        rules.replace([rule("a", 1), rule("b", 2)], now);
        assert_eq!(selections(&rules.rules()), [1, 2]);
        assert_eq!(replaced(&rules), [3, 4]);
    }

    #[test]
    fn of_many_changes_the_oldest_and_the_latest_are_counted_on_until_they_are_stale() {
        let rules = RulesInForce::new([rule("a", 0), rule("b", 1_000)]);
        let begun = Instant::now();
        for selection in 1..=20 {
            rules.replace([rule("a", selection), rule("b", 1_000 + selection)], begun);
        }
        let of_a: Vec<u64> = replaced(&rules)
            .into_iter()
            .filter(|s| *s < 1_000)
            .collect();
        assert_eq!(of_a, [0, 13, 14, 15, 16, 17, 18, 19]);
        assert_eq!(replaced(&rules).len(), 2 * KEPT);
        rules.replace([rule("a", 21), rule("b", 1_020)], begun + STALE);
        assert_eq!(replaced(&rules), [20]);
    }

    #[test]
    fn the_oldest_go_when_a_commit_has_no_room_for_more() {
        let many = |selection: u64| {
            (0..MAX_RULES as u64 - 2).map(move |n| rule(&format!("r{n}"), 1_000 * n + selection))
        };
        let rules = RulesInForce::new(many(0));
        rules.replace(many(1), Instant::now());
        let last = MAX_RULES as u64 - 3;
        assert_eq!(replaced(&rules), [1_000 * (last - 1), 1_000 * last]);
    }
}
