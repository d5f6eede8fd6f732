//! A second reading of protobuf's wire format, plain and slow: what the mutator edits, and what the decoder is held
//! against. It accepts what Go's `protowire` does, with groups of at most 32 levels, as `flow::wire` says of itself.

use std::ops::Range;

/// One field of a message: its number, its value, and where it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Field {
    pub number: u64,
    pub value: Value,
    pub span: Range<usize>,
}

/// The value of a field; ranges are places in the message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    Varint(u64),
    Fixed(Range<usize>),
    Bytes(Range<usize>),
    Group,
}

const DEEPEST: usize = 32;

/// The varint at `at` and where it ends; `None` where it is cut or has more than 64 bits.
pub fn varint(bytes: &[u8], at: usize) -> Option<(u64, usize)> {
    let mut value = 0_u128;
    for index in 0..10 {
        let byte = *bytes.get(at + index)?;
        value |= u128::from(byte & 0x7f) << (7 * index);
        if byte < 0x80 {
            return Some((u64::try_from(value).ok()?, at + index + 1));
        }
    }
    None
}

/// The fields of a whole message; `None` where it is malformed anywhere.
pub fn fields(bytes: &[u8]) -> Option<Vec<Field>> {
    let (fields, end) = leading_fields(bytes);
    (end == bytes.len()).then_some(fields)
}

/// The fields that can be read, and where that ends.
pub fn leading_fields(bytes: &[u8]) -> (Vec<Field>, usize) {
    let mut fields = Vec::new();
    let mut at = 0;
    while at < bytes.len() {
        match field(bytes, at, 0) {
            Some(Step::Field(field)) => {
                at = field.span.end;
                fields.push(field);
            }
            _ => break,
        }
    }
    (fields, at)
}

enum Step {
    Field(Field),
    GroupEnd(u64, usize),
}

fn field(bytes: &[u8], start: usize, depth: usize) -> Option<Step> {
    let (tag, at) = varint(bytes, start)?;
    let number = tag >> 3;
    if !(1..1 << 29).contains(&number) {
        return None;
    }
    let within = |range: Range<usize>| (range.end <= bytes.len()).then_some(range);
    let (value, end) = match tag & 7 {
        0 => varint(bytes, at).map(|(value, end)| (Value::Varint(value), end))?,
        1 => (Value::Fixed(within(at..at + 8)?), at + 8),
        2 => {
            let (length, begin) = varint(bytes, at)?;
            let end = begin.checked_add(usize::try_from(length).ok()?)?;
            (Value::Bytes(within(begin..end)?), end)
        }
        3 if depth < DEEPEST => (Value::Group, group_end(bytes, at, number, depth + 1)?),
        4 => return Some(Step::GroupEnd(number, at)),
        5 => (Value::Fixed(within(at..at + 4)?), at + 4),
        _ => return None,
    };
    let span = start..end;
    Some(Step::Field(Field {
        number,
        value,
        span,
    }))
}

fn group_end(bytes: &[u8], mut at: usize, number: u64, depth: usize) -> Option<usize> {
    loop {
        match field(bytes, at, depth)? {
            Step::Field(field) => at = field.span.end,
            Step::GroupEnd(of, end) => return (of == number).then_some(end),
        }
    }
}

/// What follows a leading varint that states exactly its length, and is not empty.
pub fn delimited(record: &[u8]) -> Option<&[u8]> {
    let (length, at) = varint(record, 0)?;
    let body = &record[at..];
    (!body.is_empty() && body.len() as u64 == length).then_some(body)
}

/// Appends a varint.
pub fn put_varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

/// Appends bytes behind their length.
pub fn put_delimited(out: &mut Vec<u8>, bytes: &[u8]) {
    put_varint(out, bytes.len() as u64);
    out.extend_from_slice(bytes);
}
