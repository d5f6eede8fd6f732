//! Filters of several rules, whose common conditions are looked at once for each flow.

use super::Filter;
use super::predicate::{Predicate, SetsAs};
use crate::flow::Flow;

/// Filters that are asked about the same flows. What must hold for a filter to take a flow, each condition on its
/// own, is looked at once for a flow, however many filters state it.
#[derive(Clone, Debug, Default)]
pub struct SharedFilters {
    conditions: Vec<Condition>,
    filters: Vec<Box<[u32]>>,
    verdicts: Vec<Option<bool>>,
}

#[derive(Clone, Debug)]
struct Condition {
    canonical: String,
    predicate: Predicate,
}

impl SharedFilters {
    /// Takes in a filter. What is returned stands for it.
    pub fn add(&mut self, filter: &Filter) -> usize {
        let parts = match &filter.root {
            Predicate::All(parts) => parts,
            one => std::slice::from_ref(one),
        };
        let conditions = parts.iter().map(|part| self.condition(part)).collect();
        self.filters.push(conditions);
        self.filters.len() - 1
    }

    fn condition(&mut self, predicate: &Predicate) -> u32 {
        let canonical = predicate.canonical(SetsAs::Items);
        let mut known = self.conditions.iter();
        let position = known.position(|known| known.canonical == canonical);
        let position = position.unwrap_or_else(|| {
            self.verdicts.push(None);
            self.conditions.push(Condition {
                canonical,
                predicate: predicate.clone(),
            });
            self.conditions.len() - 1
        });
        position as u32
    }

    /// Turns to another flow.
    #[inline]
    pub fn turn(&mut self) {
        self.verdicts.fill(None);
    }

    /// Whether a filter takes the flow, which is the same from one [`Self::turn`] to the next.
    ///
    /// # Panics
    ///
    /// Where no such filter was added.
    #[inline]
    pub fn matches(&mut self, filter: usize, flow: &Flow<'_>) -> bool {
        let (conditions, verdicts) = (&self.conditions, &mut self.verdicts);
        self.filters[filter].iter().all(|&condition| {
            let condition = condition as usize;
            *verdicts[condition]
                .get_or_insert_with(|| conditions[condition].predicate.matches(flow))
        })
    }
}
