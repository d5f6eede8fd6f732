//! One record in, one flow out: which format, then the parts that the whole record decides.

use super::draft::Draft;
use super::model::{FieldSet, Flow};
use super::settings::{DirectionDefault, FormatName};
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
    seen: FieldSet,
    scratch: Vec<u8>,
}

impl Decoder {
    /// A decoder that has seen nothing yet.
    pub const fn new(settings: DecoderSettings) -> Self {
        Self {
            settings,
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
        let Self {
            settings,
            seen,
            scratch,
        } = self;
        let mut draft = Draft::new(settings.fields);
        let read = read(settings.format, record, &mut draft, scratch)
            .and_then(|()| finish(&mut draft, settings.direction_default));
        match read {
            Ok(()) => {
                *seen = seen.union(draft.seen);
                Ok(draft.flow)
            }
            Err(reason) => Err(undecodable(reason, record)),
        }
    }
}

fn finish(draft: &mut Draft<'_>, default: Option<DirectionDefault>) -> Result<(), Reason> {
    draft.settle(default).map_err(|_| Reason::FirstSchema)?;
    if draft.is_flow() {
        Ok(())
    } else {
        Err(Reason::NotAFlow)
    }
}

#[cold]
fn undecodable(reason: Reason, record: &[u8]) -> Undecodable {
    Undecodable {
        reason,
        likely: likely_format(record),
    }
}

fn read<'a>(
    format: FormatName,
    record: &'a [u8],
    draft: &mut Draft<'a>,
    scratch: &'a mut Vec<u8>,
) -> Result<(), Reason> {
    match (record.first(), format) {
        (None, _) => Err(Reason::Empty),
        (Some(0), _) => Err(Reason::LeadingZero),
        (_, FormatName::Protobuf) => protobuf::read(record, draft).map_err(Reason::Protobuf),
        (_, FormatName::Json) => read_json(record, draft, scratch),
        // A bare message never begins so, but the length of a delimited one may be 123.
        (Some(b'{'), FormatName::Auto) => {
            if protobuf::read_delimited(record, draft) {
                return Ok(());
            }
            read_json(record, draft, scratch)
        }
        (_, FormatName::Auto) => {
            let read = protobuf::read(record, draft);
            if read.is_err() || !draft.is_flow() {
                return read_text(record, draft, scratch).unwrap_or(read.map_err(Reason::Protobuf));
            }
            Ok(())
        }
    }
}

/// Reads a record that is no flow in protobuf, if it can be text at all.
#[cold]
fn read_text<'a>(
    record: &'a [u8],
    draft: &mut Draft<'a>,
    scratch: &'a mut Vec<u8>,
) -> Option<Result<(), Reason>> {
    let json = json::begins_object(record);
    if !json && !text::begins_pair(record) {
        return None;
    }
    *draft = Draft::new(draft.wanted);
    if json {
        return Some(read_json(record, draft, scratch));
    }
    text::read(record, draft);
    Some(Ok(()))
}

fn read_json<'a>(
    record: &'a [u8],
    draft: &mut Draft<'a>,
    scratch: &'a mut Vec<u8>,
) -> Result<(), Reason> {
    json::read(record, draft, scratch).map_err(|error| Reason::Json {
        line: error.line(),
        column: error.column(),
    })
}
