//! What to count, as configured: shared by all tasks of a process.

use std::sync::Arc;
use std::time::Duration;

use crate::flow::{DirectionDefault, Field, FieldSet, FormatName, SamplingConfig};
use crate::rule::Rule;
use crate::window::{EventTime, TimeConfig};

/// What every task of a process counts, and how.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Rules, at most [`super::MAX_RULES`].
    pub rules: Vec<Arc<Rule>>,
    /// Event time and its bounds.
    pub time: TimeConfig,
    /// Sampling rates.
    pub sampling: SamplingConfig,
    /// The input's format.
    pub format: FormatName,
    /// Overrides the format's default for flows that do not say their direction.
    pub direction_default: Option<DirectionDefault>,
    /// At most this many dead letters per block of 10,000 offsets of a partition.
    pub dead_letters_per_block: u32,
}

impl Plan {
    /// The fields that must be decoded: those of the rules, and those that every count needs.
    pub fn fields(&self) -> FieldSet {
        let event_time = match self.time.event_time {
            EventTime::Received => Field::TimeReceived,
            EventTime::End => Field::TimeEnd,
            EventTime::Start => Field::TimeStart,
        };
        let always = FieldSet::EMPTY
            .with(Field::SamplingRate)
            .with(Field::Normalized)
            .with(Field::Exporter)
            .with(Field::Etype)
            .with(event_time);
        let of_rules = self.rules.iter().map(|rule| rule.fields());
        of_rules.fold(always, FieldSet::union)
    }

    /// The longest grace of any rule.
    pub fn longest_grace(&self) -> Duration {
        let graces = self.rules.iter().map(|rule| rule.grace);
        graces.max().unwrap_or_default()
    }
}
