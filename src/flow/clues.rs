//! What only the whole record decides.
//!
//! One field number means different things in different producers' schemas, so what is ambiguous is
//! kept aside and settled when every field has been seen: which family wrote the record, which of up to
//! three forms of a time counts, what a missing direction means.

use crate::time::Timestamp;

use super::model::{Direction, Field, FieldSet, Normalized};
use super::settings::DirectionDefault;

/// sFlow's value of [`super::Flow::flow_type`]. sFlow never says a direction.
pub(super) const SFLOW: u32 = 1;

/// Times in milliseconds below this are something else under the same number: goflow put PPP there.
const LEAST_MS: u64 = 100_000_000_000;

/// Field 38 is the start in seconds, or three bits of IP flags: above this it is a time.
const MOST_IP_FLAGS: u64 = 1_000_000;

/// A record with none of these cannot be a flow.
const IDENTIFYING: FieldSet = FieldSet::EMPTY
    .with(Field::SrcAddr)
    .with(Field::DstAddr)
    .with(Field::Exporter)
    .with(Field::FlowType)
    .with(Field::TimeReceived)
    .with(Field::TimeStart)
    .with(Field::TimeEnd);

/// What tells the families apart. Bits of [`Clues::marks`].
pub(super) mod mark {
    /// Times in nanoseconds: goflow2 v2 and what is built on it.
    pub(crate) const NANOSECONDS: u8 = 1;
    /// Enrichment where flowpipeline v2 has it, 2000 to 2540.
    pub(crate) const ENRICHED_2000: u8 = 1 << 1;
    /// Enrichment where bwNetFlow and flowpipeline v1 have it, 1000 to 1016.
    pub(crate) const ENRICHED_1000: u8 = 1 << 2;
    /// Custom columns of goflow2 v1 in the same numbers.
    pub(crate) const CUSTOM: u8 = 1 << 3;
    /// Field 1000 as text: a country, which makes 1001 one too.
    pub(crate) const COUNTRIES: u8 = 1 << 4;
    /// A number that only bwNetFlow's first schema of 2018 used.
    pub(crate) const FIRST_SCHEMA: u8 = 1 << 5;
}

/// One time in the forms in which records carry it. 0 is absent.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Time {
    pub(super) s: u64,
    pub(super) ms: u64,
    pub(super) ns: u64,
}

impl Time {
    /// The finest form that is there.
    fn settle(self) -> Option<Timestamp> {
        let millis = if self.ns > 0 {
            self.ns / 1_000_000
        } else if self.ms >= LEAST_MS {
            self.ms
        } else if self.s > 0 {
            self.s.saturating_mul(1000)
        } else {
            return None;
        };
        let millis = i64::try_from(millis).unwrap_or(i64::MAX);
        Some(Timestamp::from_millis(millis))
    }
}

/// Who wrote the record, as far as it matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Family {
    /// goflow v3, goflow2 v1, or bwNetFlow without enrichment: they cannot be told apart.
    Plain,
    /// bwNetFlow since 2019, flowpipeline v1, flowpipeline v2 with `legacy: true`.
    Enriched,
    /// goflow2 v2.
    Goflow2,
    /// flowpipeline v2.
    Flowpipeline2,
}

/// Why a message that was read whole is no flow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unsettled {
    /// The schema of 2018 shares too little with the later ones to be read with them.
    FirstSchema,
    /// Nothing in it is of a flow.
    NotAFlow,
}

/// What was kept aside.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Clues {
    pub(super) marks: u8,
    pub(super) flow_type: u32,
    pub(super) received: Time,
    pub(super) start: Time,
    pub(super) end: Time,
    /// Field 38: a start in seconds or IP flags.
    pub(super) start_or_flags: u64,
    /// The direction as a number, where the record has it: 0 in, 1 out.
    pub(super) direction: Option<u64>,
    /// Whether counters are normalized, under a name or number that means nothing else.
    pub(super) normalized: bool,
    /// Field 1002: whether counters are normalized, or a custom column.
    pub(super) normalized_or_custom: u64,
}

/// What the clues mean.
#[derive(Clone, Copy, Debug)]
pub(super) struct Settled {
    pub(super) received: Option<Timestamp>,
    pub(super) start: Option<Timestamp>,
    pub(super) end: Option<Timestamp>,
    pub(super) direction: Direction,
    pub(super) normalized: Normalized,
    /// Whether text in field 1001 is a country, and not a customer.
    pub(super) countries: bool,
    /// Whether goflow2 v1's custom columns are where enrichment would be.
    pub(super) custom: bool,
    /// Every field that carried something.
    pub(super) seen: FieldSet,
}

impl Clues {
    const fn marked(&self, marks: u8) -> bool {
        self.marks & marks != 0
    }

    /// Decides, for a record in which the fields of `seen` carried something besides.
    #[inline]
    pub(super) fn settle(
        &self,
        default: Option<DirectionDefault>,
        seen: FieldSet,
    ) -> Result<Settled, Unsettled> {
        if self.marked(mark::FIRST_SCHEMA) && !self.marked(mark::NANOSECONDS) {
            return Err(Unsettled::FirstSchema);
        }
        let received = self.received.settle();
        let start = self.start().settle();
        let end = self.end.settle();
        let direction = self.direction(default);
        let normalized = self.is_normalized();
        let seen = seen
            .with_if(Field::TimeReceived, received.is_some())
            .with_if(Field::TimeStart, start.is_some())
            .with_if(Field::TimeEnd, end.is_some())
            .with_if(Field::Direction, direction != Direction::Unknown)
            .with_if(Field::Normalized, normalized);
        if !seen.intersects(IDENTIFYING) {
            return Err(Unsettled::NotAFlow);
        }
        Ok(Settled {
            received,
            start,
            end,
            direction,
            normalized: if normalized {
                Normalized::Yes
            } else {
                Normalized::No
            },
            countries: self.is_new() || self.marked(mark::COUNTRIES),
            custom: self.has_custom(),
            seen,
        })
    }

    const fn start(&self) -> Time {
        let mut start = self.start;
        if self.start_or_flags > MOST_IP_FLAGS && !self.marked(mark::NANOSECONDS) {
            start.s = self.start_or_flags;
        }
        start
    }

    /// Whether the numbers are those of goflow2 v2 or flowpipeline v2.
    const fn is_new(&self) -> bool {
        self.marked(mark::NANOSECONDS | mark::ENRICHED_2000)
    }

    const fn has_custom(&self) -> bool {
        self.marked(mark::CUSTOM) && !self.is_new()
    }

    const fn is_normalized(&self) -> bool {
        let old = self.normalized_or_custom == 1 && !self.marked(mark::CUSTOM) && !self.is_new();
        self.normalized || old
    }

    /// proto3 does not send 0, which is ingress: what absence means depends on who wrote the record.
    const fn direction(&self, default: Option<DirectionDefault>) -> Direction {
        let Some(stated) = self.direction else {
            return match default {
                Some(DirectionDefault::Ingress) => Direction::Ingress,
                Some(DirectionDefault::Egress) => Direction::Egress,
                Some(DirectionDefault::Unknown) => Direction::Unknown,
                None => self.direction_by_family(),
            };
        };
        match stated {
            0 => Direction::Ingress,
            1 => Direction::Egress,
            _ => Direction::Unknown,
        }
    }

    const fn direction_by_family(&self) -> Direction {
        match (self.family(), self.flow_type) {
            (_, SFLOW) | (Family::Goflow2, _) | (Family::Plain, 0) => Direction::Unknown,
            _ => Direction::Ingress,
        }
    }

    pub(super) const fn family(&self) -> Family {
        if self.marked(mark::ENRICHED_2000) {
            Family::Flowpipeline2
        } else if self.marked(mark::NANOSECONDS) {
            Family::Goflow2
        } else if self.marked(mark::ENRICHED_1000) && !self.marked(mark::CUSTOM) {
            Family::Enriched
        } else {
            Family::Plain
        }
    }
}
