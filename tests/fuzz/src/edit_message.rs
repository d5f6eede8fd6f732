//! The mutator of protobuf: edits fields instead of bytes, so that most of what comes out is still a message.

use crate::random::Random;
use crate::wire::{self, Field, Value, put_delimited, put_varint};

/// Numbers at the ends of their types, and times: 1970, a second before and after 2019's vectors, far ahead.
const NUMBERS: [u64; 22] = [
    0,
    1,
    2,
    127,
    128,
    u16::MAX as u64,
    u16::MAX as u64 + 1,
    i32::MAX as u64,
    u32::MAX as u64,
    u32::MAX as u64 + 1,
    i64::MAX as u64,
    i64::MAX as u64 + 1,
    u64::MAX - 1,
    u64::MAX,
    3600,
    1_568_127_846,
    1_568_127_848,
    1_568_127_847_000,
    1_568_127_847_000_000_000,
    4_102_444_800,
    253_402_300_800_000,
    9_223_372_036_854_775_000,
];
/// Field numbers of flows, and some that nobody has.
const FIELDS: [u64; 24] = [
    1,
    2,
    3,
    5,
    6,
    7,
    9,
    10,
    11,
    12,
    18,
    20,
    30,
    38,
    42,
    63,
    64,
    90,
    110,
    1002,
    2002,
    2538,
    20_000,
    536_870_911,
];
/// Lengths of addresses, and lengths beside them.
const LENGTHS: [usize; 8] = [0, 1, 3, 4, 5, 15, 16, 17];

/// Edits one record, behind its length or not; at most `depth` messages deep.
pub fn edit(record: &mut Vec<u8>, random: &mut Random, depth: usize) {
    if let Some(body) = wire::delimited(record) {
        let mut body = body.to_vec();
        edit_body(&mut body, random, depth);
        let off_by = *random.pick(&[0, 0, 0, 0, 0, 0, 1, u64::MAX]);
        record.clear();
        if !random.one_in(16) {
            put_varint(record, (body.len() as u64).wrapping_add(off_by));
        }
        record.extend(body);
    } else {
        edit_body(record, random, depth);
        if random.one_in(16) {
            let body = std::mem::take(record);
            put_delimited(record, &body);
        }
    }
}

fn edit_body(message: &mut Vec<u8>, random: &mut Random, depth: usize) {
    let (fields, _) = wire::leading_fields(message);
    if fields.is_empty() || random.one_in(12) {
        return insert(message, 0, &hostile_field(random));
    }
    let field = random.pick(&fields).clone();
    let at = random.pick(&fields).span.start;
    let whole = message[field.span.clone()].to_vec();
    match random.below(14) {
        0 => drop(message.drain(field.span)),
        1 => insert(message, at, &whole),
        2 => {
            let other = random.pick(&fields).clone();
            swap(message, &field, &other);
        }
        3 => insert(message, at, &hostile_field(random)),
        4 => replace(message, &field, &renumbered(&field, &whole, random)),
        5 => replace(message, &field, &in_groups(&whole, random)),
        6 => message.truncate(field.span.start + random.below(whole.len())),
        _ => {
            let new = revalued(message, &field, random, depth);
            replace(message, &field, &new);
        }
    }
}

/// The field with another value: a hostile number, bytes of another length, an edited message.
fn revalued(message: &[u8], field: &Field, random: &mut Random, depth: usize) -> Vec<u8> {
    match &field.value {
        Value::Varint(value) => {
            let new = match random.below(4) {
                0 => value.wrapping_add(1),
                1 => value.wrapping_sub(1),
                2 => random.next() >> random.below(64),
                _ => *random.pick(&NUMBERS),
            };
            number_field(field.number, new, random)
        }
        Value::Bytes(range) => {
            let mut bytes = message[range.clone()].to_vec();
            let nested = wire::fields(&bytes).is_some() && !bytes.is_empty();
            if depth > 0 && nested && !random.one_in(4) {
                edit_body(&mut bytes, random, depth - 1);
            } else {
                edit_bytes(&mut bytes, random);
            }
            bytes_field(field.number, &bytes, random)
        }
        Value::Fixed(_) | Value::Group => hostile_field(random),
    }
}

fn edit_bytes(bytes: &mut Vec<u8>, random: &mut Random) {
    match random.below(4) {
        0 => bytes.resize(*random.pick(&LENGTHS), 0xff),
        1 => bytes.extend([random.next() as u8]),
        2 => drop(bytes.pop()),
        _ if bytes.is_empty() => bytes.push(0),
        _ => {
            let at = random.below(bytes.len());
            let any = random.next() as u8;
            bytes[at] = *random.pick(&[0, 1, 0x7f, 0x80, 0xff, any]);
        }
    }
}

fn hostile_field(random: &mut Random) -> Vec<u8> {
    let number = *random.pick(&FIELDS);
    match random.below(4) {
        0 => {
            let bytes = vec![random.next() as u8; *random.pick(&LENGTHS)];
            bytes_field(number, &bytes, random)
        }
        1 => {
            let wide = random.one_in(2);
            let mut field = Vec::new();
            put_varint(&mut field, number << 3 | if wide { 1 } else { 5 });
            field.extend_from_slice(&random.next().to_be_bytes()[..if wide { 8 } else { 4 }]);
            field
        }
        _ => {
            let value = *random.pick(&NUMBERS);
            number_field(number, value, random)
        }
    }
}

/// A number, now and then in more bytes than it needs: ten are valid, eleven are not.
fn number_field(number: u64, value: u64, random: &mut Random) -> Vec<u8> {
    let mut field = Vec::new();
    put_varint(&mut field, number << 3);
    let begin = field.len();
    put_varint(&mut field, value);
    if random.one_in(16) {
        let length = *random.pick(&[2, 5, 9, 10, 11]);
        while field.len() - begin < length {
            if let Some(last) = field.last_mut() {
                *last |= 0x80;
            }
            field.push(0);
        }
    }
    field
}

/// Bytes, now and then with a length that is off by one, or as far off as can be.
fn bytes_field(number: u64, bytes: &[u8], random: &mut Random) -> Vec<u8> {
    let mut field = Vec::new();
    put_varint(&mut field, number << 3 | 2);
    let length = bytes.len() as u64;
    let stated = match random.below(32) {
        0 => length + 1,
        1 => length.saturating_sub(1),
        2 => *random.pick(&NUMBERS),
        _ => length,
    };
    put_varint(&mut field, stated);
    field.extend_from_slice(bytes);
    field
}

/// The field under another number or with another wire type.
fn renumbered(field: &Field, whole: &[u8], random: &mut Random) -> Vec<u8> {
    let Some((tag, at)) = wire::varint(whole, 0) else {
        return whole.to_vec();
    };
    let mut out = Vec::new();
    if random.one_in(2) {
        put_varint(&mut out, *random.pick(&FIELDS) << 3 | tag & 7);
    } else {
        put_varint(&mut out, field.number << 3 | random.below(8) as u64);
    }
    out.extend_from_slice(&whole[at..]);
    out
}

/// The field inside of groups, as deep as is allowed or deeper; now and then one does not end.
fn in_groups(whole: &[u8], random: &mut Random) -> Vec<u8> {
    let depth = *random.pick(&[1, 2, 31, 32, 33, 100]);
    let number = *random.pick(&FIELDS);
    let mut out = Vec::new();
    for _ in 0..depth {
        put_varint(&mut out, number << 3 | 3);
    }
    out.extend_from_slice(whole);
    for _ in 0..depth - usize::from(random.one_in(8)) {
        put_varint(&mut out, number << 3 | 4);
    }
    out
}

fn insert(message: &mut Vec<u8>, at: usize, bytes: &[u8]) {
    message.splice(at..at, bytes.iter().copied());
}

fn replace(message: &mut Vec<u8>, field: &Field, with: &[u8]) {
    message.splice(field.span.clone(), with.iter().copied());
}

fn swap(message: &mut Vec<u8>, one: &Field, other: &Field) {
    let (first, second) = if one.span.start < other.span.start {
        (one.span.clone(), other.span.clone())
    } else {
        (other.span.clone(), one.span.clone())
    };
    if first.end <= second.start {
        let moved = message[second.clone()].to_vec();
        let back = message[first.clone()].to_vec();
        message.splice(second, back);
        message.splice(first, moved);
    }
}
