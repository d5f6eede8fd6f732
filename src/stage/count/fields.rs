//! A field that a rule looks at and the input never carries: a filter that can never hold, or always does.

use std::sync::Arc;

use crate::flow::{Field, FieldSet};
use crate::rule::Rule;

/// Records after which a field that none of them carried is called absent.
const ENOUGH: u64 = 10_000;

/// Watches until enough records have been seen, and tells once.
#[derive(Debug, Default)]
pub(super) struct FieldWatch {
    records: u64,
    told: bool,
}

impl FieldWatch {
    /// Learns of `records` more.
    pub(super) const fn add(&mut self, records: u64) {
        self.records = self.records.saturating_add(records);
    }

    /// Whether it is time to look.
    pub(super) const fn is_due(&self) -> bool {
        !self.told && self.records >= ENOUGH
    }

    /// Rules with the fields that they look at and that are not in `seen`. Once.
    pub(super) fn absent<'r>(
        &mut self,
        rules: &'r [Arc<Rule>],
        seen: FieldSet,
    ) -> Vec<(&'r str, Vec<Field>)> {
        self.told = true;
        let absent = |rule: &Rule| -> Vec<Field> {
            rule.fields()
                .iter()
                .filter(|f| !seen.contains(*f))
                .collect()
        };
        rules
            .iter()
            .map(|rule| (&*rule.name, absent(rule)))
            .filter(|(_, fields)| !fields.is_empty())
            .collect()
    }
}
