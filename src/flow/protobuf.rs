//! Protobuf records: a message behind its length, or a bare one.

use super::clues::Unsettled;
use super::layout::Layout;
use super::slots::Slots;
use super::wire::{Malformed, Reader, Value};

/// How a message stands in its record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Framing {
    /// It is the record.
    Bare,
    /// Behind its length.
    Delimited,
}

/// Reads one record. A message without any field of a flow is read without an error.
///
/// Delimited comes first. One in eight delimited records also parses as a bare message, with nonsense in
/// it; of a million bare ones 101 begin with a number that happens to be their length, and the rest of
/// none of those parses.
#[inline]
pub(super) fn read<'a>(
    record: &'a [u8],
    layout: &mut Layout,
    slots: &mut Slots<'a>,
) -> Result<Framing, Malformed> {
    match delimited_body(record) {
        None => layout.walk(record, slots).map(|()| Framing::Bare),
        Some(body) => read_either(body, record, layout, slots),
    }
}

fn read_either<'a>(
    body: &'a [u8],
    record: &'a [u8],
    layout: &mut Layout,
    slots: &mut Slots<'a>,
) -> Result<Framing, Malformed> {
    let delimited = layout.walk(body, slots).map(|()| Framing::Delimited);
    if delimited.is_ok() && !matches!(slots.settle(None), Err(Unsettled::NotAFlow)) {
        return delimited;
    }
    *slots = Slots::new();
    if layout.walk(record, slots).is_err() {
        *slots = Slots::new();
        return delimited;
    }
    Ok(Framing::Bare)
}

/// What follows a leading varint, if the varint states exactly its length.
pub(super) fn delimited_body(record: &[u8]) -> Option<&[u8]> {
    let mut reader = Reader::new(record);
    let length = reader.varint().ok()?;
    let body = reader.rest();
    (!body.is_empty() && length == body.len() as u64).then_some(body)
}

/// The length that a record claims in front, if fewer bytes than that follow.
pub(super) fn missing_bytes(record: &[u8]) -> Option<u64> {
    let mut reader = Reader::new(record);
    let length = reader.varint().ok()?;
    let mut body = Reader::new(reader.rest());
    let cut = length > reader.rest().len() as u64 && length < 1 << 16;
    let begins_well = matches!(body.field(), Ok(Some((1..=3, Value::Varint(_)))));
    (cut && begins_well).then_some(length)
}

/// What bytes look like as protobuf.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Looks {
    Flow,
    FirstSchema,
    Other,
}

/// Looks at a record that was refused, or was never read as protobuf.
pub(super) fn looks(record: &[u8]) -> Looks {
    let mut slots = Slots::new();
    if read(record, &mut Layout::of_any_field(), &mut slots).is_err() {
        return Looks::Other;
    }
    match slots.settle(None) {
        Ok(_) => Looks::Flow,
        Err(Unsettled::FirstSchema) => Looks::FirstSchema,
        Err(Unsettled::NotAFlow) => Looks::Other,
    }
}
