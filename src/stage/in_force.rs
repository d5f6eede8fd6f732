//! The rules in force: replaced as a whole when the items of named sets change.

use std::sync::{Arc, Mutex, PoisonError};

use crate::count::MAX_RULES;
use crate::rule::Rule;

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
    /// What these were before, oldest first: counted for a while longer.
    pub(super) replaced: Vec<Arc<Rule>>,
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

    /// Puts `rules` in force, which differ in the items of sets alone. Those that do are returned; when there is none,
    /// nothing happens.
    pub fn replace(&self, rules: impl IntoIterator<Item = Rule>) -> Vec<Arc<Rule>> {
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
        let replaced = latest.replaced.iter().chain(before);
        let replaced = replaced.filter(|rule| !is_now(rule)).cloned();
        let mut replaced: Vec<_> = replaced.collect();
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

    #[test]
    fn what_changed_is_counted_on_until_it_comes_back() {
        let rules = RulesInForce::new([rule("a", 1), rule("b", 2)]);
        assert!(rules.after(0).is_some() && rules.after(1).is_none());
        assert!(rules.replace([rule("a", 1), rule("b", 2)]).is_empty());
        assert!(rules.after(1).is_none(), "nothing changed");

        let changed = rules.replace([rule("a", 3), rule("b", 2)]);
        assert_eq!(selections(&changed), [3]);
        let now = rules.after(1).expect("another generation");
        assert_eq!(selections(&now.rules), [3, 2]);
        assert_eq!(selections(&now.replaced), [1]);

        rules.replace([rule("a", 4), rule("b", 2)]);
        assert_eq!(selections(&rules.now().replaced), [1, 3]);
        rules.replace([rule("a", 1), rule("b", 2)]);
        let now = rules.now();
        assert_eq!(selections(&now.rules), [1, 2]);
        assert_eq!(selections(&now.replaced), [3, 4]);
    }

    #[test]
    fn the_oldest_go_when_a_commit_has_no_room_for_more() {
        let rules = RulesInForce::new([rule("a", 0)]);
        for selection in 1..=MAX_RULES as u64 {
            rules.replace([rule("a", selection)]);
        }
        let now = rules.now();
        assert_eq!(selections(&now.rules), [MAX_RULES as u64]);
        let kept: Vec<u64> = (1..MAX_RULES as u64).collect();
        assert_eq!(selections(&now.replaced), kept);
    }
}
