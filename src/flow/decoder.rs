//! One record in, one flow out: which format, then the parts that the whole record decides.

use super::clues::Unsettled;
use super::layout::Layout;
use super::model::{FieldSet, Flow};
use super::named::Draft;
use super::settings::{DirectionDefault, FormatName};
use super::slots::{Slots, Wanted};
use super::undecodable::{Reason, Undecodable, likely_format};
use super::{json, protobuf, text};

/// What a [`Decoder`] reads, and what of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DecoderSettings {
    /// `input.format`
    pub format: FormatName,
    /// `input.direction_default`; `None` is the format's own.
    pub direction_default: Option<DirectionDefault>,
    /// The fields that somebody looks at. Addresses, counters, times, sampling and direction are always
    /// filled in, other fields outside this set only where that costs nothing.
    pub fields: FieldSet,
}

/// Turns records into flows.
///
/// Holds only scratch space and what was seen, so that one record never affects the next.
#[derive(Clone, Debug)]
pub struct Decoder {
    settings: DecoderSettings,
    layout: Layout,
    seen: FieldSet,
    scratch: Vec<u8>,
}

impl Decoder {
    /// A decoder that has seen nothing yet.
    pub const fn new(settings: DecoderSettings) -> Self {
        Self {
            settings,
            layout: Layout::new(Wanted::new(settings.fields)),
            seen: FieldSet::EMPTY,
            scratch: Vec::new(),
        }
    }

    /// The fields that ever carried something: a filter on another one never holds.
    ///
    /// A number of 0 and an empty text carry nothing; a direction does as soon as one is known, if only by
    /// default. Texts outside the fields asked for may be missing.
    pub const fn seen(&self) -> FieldSet {
        self.seen
    }

    /// Reads one record. Does not allocate on protobuf.
    pub fn decode<'a>(&'a mut self, record: &'a [u8]) -> Result<Flow<'a>, Undecodable> {
        match record.first() {
            None => return Err(undecodable(Reason::Empty, record)),
            Some(0) => return Err(undecodable(Reason::LeadingZero, record)),
            Some(first) if self.is_never_protobuf(*first, record) => {
                return self.decode_names(record, Reason::NotAFlow);
            }
            Some(_) => {}
        }
        let mut slots = Slots::new();
        if let Err(malformed) = protobuf::read(record, &mut self.layout, &mut slots) {
            return self.decode_names(record, Reason::Protobuf(malformed));
        }
        match slots.settle(self.settings.direction_default) {
            Ok(settled) => {
                self.seen = self.seen.union(settled.seen);
                Ok(slots.flow(&settled, self.settings.fields))
            }
            Err(Unsettled::NotAFlow) => self.decode_names(record, Reason::NotAFlow),
            Err(Unsettled::FirstSchema) => Err(undecodable(Reason::FirstSchema, record)),
        }
    }

    /// No bare message begins with a brace, but a delimited one does if its length is 123.
    fn is_never_protobuf(&self, first: u8, record: &[u8]) -> bool {
        match self.settings.format {
            FormatName::Protobuf => false,
            FormatName::Json => true,
            FormatName::Auto => first == b'{' && protobuf::delimited_body(record).is_none(),
        }
    }

    /// Reads a record with names in it, if it can be one and may; `reason` is why it is no other.
    #[cold]
    fn decode_names<'a>(
        &'a mut self,
        record: &'a [u8],
        reason: Reason,
    ) -> Result<Flow<'a>, Undecodable> {
        let mut draft = Draft::new(self.settings.fields);
        let format = self.settings.format;
        if format == FormatName::Json || format == FormatName::Auto && json::begins_object(record) {
            if let Err(error) = json::read(record, &mut draft, &mut self.scratch) {
                let (line, column) = (error.line(), error.column());
                return Err(undecodable(Reason::Json { line, column }, record));
            }
        } else if format == FormatName::Auto && text::begins_pair(record) {
            text::read(record, &mut draft);
        } else {
            return Err(undecodable(reason, record));
        }
        match draft.finish(self.settings.direction_default) {
            Ok((flow, seen)) => {
                self.seen = self.seen.union(seen);
                Ok(flow)
            }
            Err(_) => Err(undecodable(Reason::NotAFlow, record)),
        }
    }
}

#[cold]
fn undecodable(reason: Reason, record: &[u8]) -> Undecodable {
    Undecodable {
        reason,
        likely: likely_format(record),
    }
}
