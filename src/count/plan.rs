//! What to count, as configured: shared by all tasks of a process.

use std::sync::Arc;
use std::time::Duration;

use crate::flow::{DirectionDefault, Field, FieldSet, FormatName, SamplingConfig};
use crate::rule::Rule;
use crate::time::Timestamp;
use crate::window::{EventTime, TimeConfig};

/// How long, in event time, flows are counted both as before and by the new items after a named set has changed:
/// other instances learn of a change later. Two intervals come on top.
pub const OVERLAP: Duration = Duration::from_mins(5);

/// What every task of a process counts, and how.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Rules, at most [`super::MAX_RULES`].
    pub rules: Vec<Arc<Rule>>,
    /// What these rules were before named sets changed: whoever counts by one goes on to for [`OVERLAP`], so that every
    /// window is counted whole by one of both. None of them is in [`Self::rules`], with which they are at most
    /// [`super::MAX_RULES`].
    pub replaced: Vec<Arc<Rule>>,
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

    /// Whether `rule`, which was replaced, is counted no more at `stream`, where `from` says since when its
    /// successor is counted.
    pub(super) fn is_over(rule: &Rule, from: Timestamp, stream: Option<Timestamp>) -> bool {
        let until = from.plus(OVERLAP).plus(rule.interval).plus(rule.interval);
        stream.is_none_or(|stream| stream >= until)
    }

    /// The longest grace of any rule.
    pub fn longest_grace(&self) -> Duration {
        let graces = self.rules.iter().map(|rule| rule.grace);
        graces.max().unwrap_or_default()
    }
}
