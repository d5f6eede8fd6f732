//! Protobuf's wire format: tags, varints, lengths, groups. Knows no field.
//!
//! Accepts and refuses what Go's `protowire` does, which all known producers write with: ten bytes
//! to a varint, field numbers from 1 to 2^29−1, groups that end with their own number.

use std::fmt;

/// The largest field number.
const MAX_NUMBER: u64 = (1 << 29) - 1;

/// Groups may nest this deep. No flow schema has any, so this only bounds the work on junk.
const MAX_DEPTH: usize = 32;

/// The top bit of each byte: set in all bytes of a varint but the last.
pub(super) const CONTINUES: u64 = 0x8080_8080_8080_8080;

/// Why bytes are not a protobuf message, and where.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Malformed {
    pub(super) what: What,
    /// How many bytes were read before it was noticed.
    pub(super) at: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum What {
    /// A value reaches past the end.
    Truncated,
    /// A varint of more than 64 bits.
    Varint,
    /// A field number of 0 or above 2^29−1.
    Number,
    /// A wire type of 6 or 7.
    WireType,
    /// A group that ends without a beginning, or is nested too deep.
    Group,
}

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = match self.what {
            What::Truncated => "the value reaches past the end",
            What::Varint => "the varint has more than 64 bits",
            What::Number => "the field number is not between 1 and 2^29-1",
            What::WireType => "the wire type does not exist",
            What::Group => "the group does not match",
        };
        write!(f, "{what}, at byte {}", self.at)
    }
}

/// One field's value. What no flow field uses is skipped whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Value<'a> {
    Varint(u64),
    Bytes(&'a [u8]),
    /// Four or eight fixed bytes, or a group.
    Skipped,
}

/// Walks one message.
///
/// What runs for every field is inlined without asking: a call per field, with its result in memory, costs
/// more than the field. For the same reason what is not inlined takes the reader by value and returns it:
/// with its address known elsewhere it would live in memory.
#[derive(Clone, Copy, Debug)]
pub(super) struct Reader<'a> {
    rest: &'a [u8],
    length: usize,
}

#[allow(
    clippy::inline_always,
    reason = "halves the time per record, see above"
)]
impl<'a> Reader<'a> {
    pub(super) const fn new(bytes: &'a [u8]) -> Self {
        Self {
            rest: bytes,
            length: bytes.len(),
        }
    }

    /// What has not been read yet.
    pub(super) const fn rest(&self) -> &'a [u8] {
        self.rest
    }

    /// Goes on at `rest`, which is an end of what has not been read yet.
    #[inline(always)]
    pub(super) const fn go_on_at(&mut self, rest: &'a [u8]) {
        self.rest = rest;
    }

    /// The next field, or `None` at the end.
    #[inline(always)]
    pub(super) fn field(&mut self) -> Result<Option<(u32, Value<'a>)>, Malformed> {
        if self.rest.is_empty() {
            return Ok(None);
        }
        let (number, wire) = self.tag()?;
        let value = if wire == 0 {
            Value::Varint(self.varint()?)
        } else if wire == 2 {
            Value::Bytes(self.counted()?)
        } else {
            *self = self.skip_rare(number, wire)?;
            Value::Skipped
        };
        Ok(Some((number, value)))
    }

    /// Flows have tags of one and two bytes, and a few of three.
    #[inline(always)]
    fn tag(&mut self) -> Result<(u32, u8), Malformed> {
        let tag = match self.rest {
            [first, rest @ ..] if *first < 0x80 => {
                self.rest = rest;
                u32::from(*first)
            }
            [first, second, rest @ ..] if *second < 0x80 => {
                self.rest = rest;
                u32::from(first & 0x7f) | u32::from(*second) << 7
            }
            _ => {
                let (tag, after) = self.long_tag()?;
                *self = after;
                tag
            }
        };
        if tag < 8 {
            return Err(self.malformed(What::Number));
        }
        Ok((tag >> 3, (tag & 7) as u8))
    }

    #[cold]
    fn long_tag(self) -> Result<(u32, Self), Malformed> {
        match self.any_varint()? {
            (tag, _) if tag >> 3 > MAX_NUMBER => Err(self.malformed(What::Number)),
            (tag, after) => Ok((tag as u32, after)),
        }
    }

    /// A varint of up to ten bytes.
    #[inline(always)]
    pub(super) fn varint(&mut self) -> Result<u64, Malformed> {
        match self.rest {
            [byte, rest @ ..] if *byte < 0x80 => {
                self.rest = rest;
                Ok(u64::from(*byte))
            }
            _ => self.long_varint(),
        }
    }

    /// Eight bytes at once: a loop would mispredict its end on every counter and port.
    #[inline(always)]
    fn long_varint(&mut self) -> Result<u64, Malformed> {
        if let Some(chunk) = self.rest.first_chunk() {
            let word = u64::from_le_bytes(*chunk);
            let stops = !word & CONTINUES;
            if stops != 0 {
                let (value, bytes) = first_varint(word, stops);
                self.rest = &self.rest[bytes..];
                return Ok(value);
            }
        }
        let (value, after) = self.any_varint()?;
        *self = after;
        Ok(value)
    }

    /// The form for the last bytes of a record and for nine and ten bytes.
    #[inline(never)]
    fn any_varint(self) -> Result<(u64, Self), Malformed> {
        let mut value = 0;
        for (i, &byte) in self.rest.iter().enumerate().take(10) {
            if i == 9 && byte > 1 {
                return Err(self.malformed(What::Varint));
            }
            value |= u64::from(byte & 0x7f) << (7 * i);
            if byte < 0x80 {
                let rest = &self.rest[i + 1..];
                return Ok((value, Self { rest, ..self }));
            }
        }
        Err(self.malformed(What::Truncated))
    }

    /// A length and that many bytes.
    #[inline(always)]
    fn counted(&mut self) -> Result<&'a [u8], Malformed> {
        let length = usize::try_from(self.varint()?).unwrap_or(usize::MAX);
        match self.rest.split_at_checked(length) {
            Some((bytes, rest)) => {
                self.rest = rest;
                Ok(bytes)
            }
            None => Err(self.malformed(What::Truncated)),
        }
    }

    /// An error at the next byte to read.
    #[cold]
    const fn malformed(self, what: What) -> Malformed {
        Malformed {
            what,
            at: self.length - self.rest.len(),
        }
    }

    /// Wire types that no flow field has.
    #[cold]
    fn skip_rare(self, number: u32, wire: u8) -> Result<Self, Malformed> {
        match wire {
            1 => self.skip(8),
            5 => self.skip(4),
            3 => self.skip_group(number),
            4 => Err(self.malformed(What::Group)),
            _ => Err(self.malformed(What::WireType)),
        }
    }

    fn skip(self, count: usize) -> Result<Self, Malformed> {
        match self.rest.get(count..) {
            Some(rest) => Ok(Self { rest, ..self }),
            None => Err(self.malformed(What::Truncated)),
        }
    }

    fn skip_group(mut self, number: u32) -> Result<Self, Malformed> {
        let mut open = [0; MAX_DEPTH];
        open[0] = number;
        let mut depth = 1;
        while depth > 0 {
            if self.rest.is_empty() {
                return Err(self.malformed(What::Truncated));
            }
            let (number, wire) = self.tag()?;
            match wire {
                0 => drop(self.varint()?),
                1 => self = self.skip(8)?,
                2 => drop(self.counted()?),
                5 => self = self.skip(4)?,
                3 if depth < MAX_DEPTH => {
                    open[depth] = number;
                    depth += 1;
                }
                4 if open[depth - 1] == number => depth -= 1,
                3 | 4 => return Err(self.malformed(What::Group)),
                _ => return Err(self.malformed(What::WireType)),
            }
        }
        Ok(self)
    }
}

/// The varint that a word begins with, and its bytes: up to the first of `stops`, the top bits of bytes that end one.
#[allow(clippy::inline_always, reason = "part of the above")]
#[inline(always)]
pub(super) const fn first_varint(word: u64, stops: u64) -> (u64, usize) {
    let value = squeeze(word & (stops ^ (stops - 1)));
    (value, stops.trailing_zeros() as usize / 8 + 1)
}

/// Closes the gaps of the continuation bits: eight groups of 7 bits become one number of 56.
#[allow(clippy::inline_always, reason = "part of the above")]
#[inline(always)]
pub(super) const fn squeeze(word: u64) -> u64 {
    let w = word & !CONTINUES;
    let w = (w & 0x007f_007f_007f_007f) | ((w & 0x7f00_7f00_7f00_7f00) >> 1);
    let w = (w & 0x0000_3fff_0000_3fff) | ((w & 0x3fff_0000_3fff_0000) >> 2);
    (w & 0x0fff_ffff) | ((w & 0x0fff_ffff_0000_0000) >> 4)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(bytes: &[u8]) -> Result<Vec<(u32, Value<'_>)>, Malformed> {
        let mut reader = Reader::new(bytes);
        let mut fields = Vec::new();
        while let Some(field) = reader.field()? {
            fields.push(field);
        }
        Ok(fields)
    }

    fn varint(mut value: u64) -> Vec<u8> {
        let mut bytes = Vec::new();
        while value >= 0x80 {
            bytes.push(value as u8 | 0x80);
            value >>= 7;
        }
        bytes.push(value as u8);
        bytes
    }

    #[test]
    fn varints_of_every_length_read_the_same_with_and_without_bytes_behind_them() {
        for bits in 0..64 {
            for value in [1u64 << bits, (1 << bits) - 1, u64::MAX >> bits] {
                let mut bytes = varint(value);
                let length = bytes.len();
                assert_eq!(Reader::new(&bytes).varint(), Ok(value));
                bytes.extend([0xff; 16]);
                let mut reader = Reader::new(&bytes);
                assert_eq!(reader.varint(), Ok(value), "{value:#x} before other bytes");
                assert_eq!(reader.rest(), [0xff; 16], "{length} bytes");
            }
        }
    }

    #[test]
    fn varint_of_eleven_bytes_or_65_bits_is_refused() {
        let mut eleven = vec![0x08];
        eleven.extend([0x80; 10]);
        eleven.push(0x01);
        let mut bits65 = vec![0x08];
        bits65.extend([0xff; 9]);
        bits65.push(0x02);
        for bytes in [eleven, bits65] {
            let refused = fields(&bytes).unwrap_err();
            assert_eq!((refused.what, refused.at), (What::Varint, 1));
        }
        let mut ten = vec![0x08];
        ten.extend([0xff; 9]);
        ten.push(0x01);
        assert_eq!(fields(&ten), Ok(vec![(1, Value::Varint(u64::MAX))]));
    }

    #[test]
    fn nested_groups_are_skipped_and_the_next_field_is_read() {
        // Field 3 as a group that holds a varint, a group with fixed values, and text.
        let bytes = [
            0x1b, 0x08, 0x01, 0x23, 0x0d, 1, 2, 3, 4, 0x09, 1, 2, 3, 4, 5, 6, 7, 8, 0x24, 0x12, 1,
            b'x', 0x1c, 0x48, 0x05,
        ];
        assert_eq!(
            fields(&bytes),
            Ok(vec![(3, Value::Skipped), (9, Value::Varint(5))])
        );
    }

    #[test]
    fn groups_that_do_not_match_are_refused() {
        let group = |bytes: &[u8]| fields(bytes).unwrap_err().what;
        assert_eq!(group(&[0x1c]), What::Group, "an end without a beginning");
        assert_eq!(group(&[0x1b, 0x24]), What::Group, "the end of another");
        assert_eq!(group(&[0x1b, 0x08]), What::Truncated, "no end");
        assert_eq!(group(&[0x1b; 200]), What::Group, "nested too deep");
        assert_eq!(group(&[0x1b, 0x1e]), What::WireType, "wire type 6 inside");
    }

    #[test]
    fn field_number_zero_and_missing_wire_types_are_refused() {
        assert_eq!(fields(&[0x00, 0x01]).unwrap_err().what, What::Number);
        assert_eq!(
            fields(&[0xf8, 0xff, 0xff, 0xff, 0x7f, 0x01])
                .unwrap_err()
                .what,
            What::Number
        );
        assert_eq!(fields(&[0x0e]).unwrap_err().what, What::WireType);
        assert_eq!(fields(&[0x0f]).unwrap_err().what, What::WireType);
    }

    #[test]
    fn values_past_the_end_are_refused() {
        for bytes in [
            &[0x08][..],
            &[0x0a, 0x02, 0x01],
            &[0x0d, 1, 2, 3],
            &[0x09, 1, 2, 3, 4, 5, 6, 7],
            &[
                0x0a, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01,
            ],
            &[0x88],
        ] {
            assert_eq!(fields(bytes).unwrap_err().what, What::Truncated);
        }
    }
}
