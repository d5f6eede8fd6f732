//! A flow while its record is being read, and what only the whole record decides.
//!
//! One field number means different things in different producers' schemas, so what is ambiguous is
//! kept aside and settled when every field has been seen: which family wrote the record, which of up to
//! three forms of a time counts, what a missing direction means.

use crate::net::Addr;
use crate::time::Timestamp;

use super::model::{Direction, Field, FieldSet, Flow, Normalized};
use super::settings::DirectionDefault;

/// sFlow's value of [`Flow::flow_type`]. sFlow never says a direction.
const SFLOW: u32 = 1;

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

/// One of the three times of a flow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Which {
    Received,
    Start,
    End,
}

impl Which {
    pub(super) const fn field(self) -> Field {
        match self {
            Self::Received => Field::TimeReceived,
            Self::Start => Field::TimeStart,
            Self::End => Field::TimeEnd,
        }
    }
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
    const fn settle(self) -> Option<Timestamp> {
        let millis = if self.ns > 0 {
            self.ns / 1_000_000
        } else if self.ms >= LEAST_MS {
            self.ms
        } else if self.s > 0 {
            self.s.saturating_mul(1000)
        } else {
            return None;
        };
        let most = i64::MAX as u64;
        let millis = if millis > most { most } else { millis };
        Some(Timestamp::from_millis(millis as i64))
    }
}

/// What tells the families apart. Bits of [`Draft::marks`].
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

/// Who wrote the record, as far as it matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Family {
    /// goflow v3, goflow2 v1, or bwNetFlow without enrichment: they cannot be told apart.
    Plain,
    /// bwNetFlow since 2019, flowpipeline v1, flowpipeline v2 with `legacy: true`.
    Enriched,
    /// goflow2 v2.
    Goflow2,
    /// flowpipeline v2.
    Flowpipeline2,
}

/// The schema of 2018 shares too little with the later ones to be read with them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct FirstSchema;

/// A flow in the making.
#[derive(Debug, Default)]
pub(super) struct Draft<'a> {
    pub(super) flow: Flow<'a>,
    /// Fields that carried something.
    pub(super) seen: FieldSet,
    /// Fields that somebody looks at: others need not be filled in if that saves work.
    pub(super) wanted: FieldSet,
    pub(super) marks: u8,
    pub(super) received: Time,
    pub(super) start: Time,
    pub(super) end: Time,
    /// Field 38: a start in seconds or IP flags.
    pub(super) start_or_flags: u64,
    /// The direction as a number, where the record has it: 0 in, 1 out.
    pub(super) direction: Option<u64>,
    /// Field 1002: whether counters are normalized, or a custom column.
    pub(super) normalized_or_custom: u64,
    /// Field 1001: a customer's name or a country.
    pub(super) cid_or_country: &'a [u8],
}

impl<'a> Draft<'a> {
    pub(super) fn new(wanted: FieldSet) -> Self {
        Self {
            wanted,
            ..Self::default()
        }
    }

    pub(super) const fn time(&mut self, which: Which) -> &mut Time {
        match which {
            Which::Received => &mut self.received,
            Which::Start => &mut self.start,
            Which::End => &mut self.end,
        }
    }

    /// Whether anything was read that makes it a flow.
    pub(super) const fn is_flow(&self) -> bool {
        self.seen.intersects(IDENTIFYING)
    }

    pub(super) const fn is_sflow(&self) -> bool {
        self.flow.flow_type == SFLOW
    }

    const fn marked(&self, marks: u8) -> bool {
        self.marks & marks != 0
    }

    const fn family(&self) -> Family {
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

    /// Decides what had to wait for the whole record.
    pub(super) fn settle(&mut self, default: Option<DirectionDefault>) -> Result<(), FirstSchema> {
        if self.marked(mark::FIRST_SCHEMA) && !self.marked(mark::NANOSECONDS) {
            return Err(FirstSchema);
        }
        self.settle_times();
        if self.marks != 0 {
            self.settle_enrichment();
        }
        if !self.cid_or_country.is_empty() {
            self.settle_text();
        }
        self.flow.direction = self.settle_direction(default);
        if self.flow.direction != Direction::Unknown {
            self.seen = self.seen.with(Field::Direction);
        }
        Ok(())
    }

    fn settle_times(&mut self) {
        if self.start_or_flags > MOST_IP_FLAGS && !self.marked(mark::NANOSECONDS) {
            self.start.s = self.start_or_flags;
        }
        self.flow.time_received = self.received.settle();
        self.flow.time_start = self.start.settle();
        self.flow.time_end = self.end.settle();
        if self.flow.time_start.is_some() {
            self.seen = self.seen.with(Field::TimeStart);
        }
    }

    fn settle_enrichment(&mut self) {
        let new = self.marked(mark::NANOSECONDS | mark::ENRICHED_2000);
        if self.marked(mark::CUSTOM) && !new {
            self.flow.src_country = b"";
            self.flow.dst_country = b"";
            self.flow.src_if_speed = 0;
        } else if self.normalized_or_custom == 1 && !new {
            self.flow.normalized = Normalized::Yes;
            self.seen = self.seen.with(Field::Normalized);
        }
    }

    fn settle_text(&mut self) {
        if self.marked(mark::NANOSECONDS | mark::ENRICHED_2000 | mark::COUNTRIES) {
            self.flow.dst_country = self.cid_or_country;
            self.seen = self.seen.with(Field::DstCountry);
        } else {
            self.flow.cid_string = self.cid_or_country;
            self.seen = self.seen.with(Field::CidString);
        }
    }

    /// proto3 does not send 0, which is ingress: what absence means depends on who wrote the record.
    fn settle_direction(&self, default: Option<DirectionDefault>) -> Direction {
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
        match (self.family(), self.flow.flow_type) {
            (_, SFLOW) | (Family::Goflow2, _) | (Family::Plain, 0) => Direction::Unknown,
            _ => Direction::Ingress,
        }
    }

    /// Reads an address; `None` if the bytes are none.
    #[inline]
    pub(super) fn addr(&mut self, field: Field, bytes: &[u8]) -> Option<Addr> {
        let addr = Addr::from_bytes(bytes);
        if addr.is_some() {
            self.seen = self.seen.with(field);
        }
        addr
    }

    /// Keeps a text; no bytes are none.
    #[inline]
    pub(super) fn text(&mut self, field: Field, bytes: &'a [u8]) {
        if bytes.is_empty() {
            return;
        }
        let flow = &mut self.flow;
        let slot = match field {
            Field::SrcIfName => &mut flow.src_if_name,
            Field::SrcIfDesc => &mut flow.src_if_desc,
            Field::DstIfName => &mut flow.dst_if_name,
            Field::DstIfDesc => &mut flow.dst_if_desc,
            Field::SrcCountry => &mut flow.src_country,
            Field::DstCountry => &mut flow.dst_country,
            Field::RemoteCountry => &mut flow.remote_country,
            Field::ProtoName => &mut flow.proto_name,
            Field::CidString => &mut flow.cid_string,
            Field::Note => &mut flow.note,
            _ => return,
        };
        *slot = bytes;
        self.seen = self.seen.with(field);
    }
}
