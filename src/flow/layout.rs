//! How the records before were laid out: the next one nearly always has the same fields in the same order, and most of
//! them as long as before.
//!
//! Reading a field costs little; waiting for where the next one begins costs more, since its place depends on every
//! length before it. A [`Layout`] foretells both tag and length, in one comparison, and the processor goes on at the
//! next field before it has them. Fields that nobody looks at are only stepped over.
//!
//! Invariant: what is read of a record does not depend on those before it, but for fields outside [`Wanted`], which may
//! be left out. A field that is not as foretold is read by [`Reader`].

use super::model::FieldSet;
use super::numbers::{bytes_slot, number_slot};
use super::slots::{Slots, Tally, Wanted};
use super::wire::{CONTINUES, Malformed, Reader, Value, first_varint, squeeze};

/// So many fields are foretold at most.
const MOST_STEPS: usize = 128;

/// A field whose length has changed so often is not foretold to keep it.
const MOST_CHANGES: u8 = 16;

/// After so many records all is learnt anew: producers change.
const LIFETIME: u32 = 1 << 16;

/// At most so many fields of the records before are left out before it is looked for more carefully.
const LEFT_OUT: usize = 4;

/// The fields of the records before, in order.
#[derive(Clone, Debug)]
pub(super) struct Layout {
    steps: Vec<Step>,
    wanted: Wanted,
    records: u32,
}

/// One field as it was.
#[derive(Clone, Copy, Debug)]
struct Step {
    /// Which bits of the field's first eight bytes are foretold: the tag, and what says how long it is.
    mask: u64,
    foretold: u64,
    /// The bits of its value, behind the tag.
    value: u64,
    tally: Tally,
    tag: u32,
    /// How many bytes it takes with its tag; of no meaning where its length may differ.
    bytes: usize,
    kind: Kind,
    slot: u8,
    /// How many bits its tag takes.
    shift: u8,
    changes: u8,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// As long as before, and nobody looks at it.
    Skipped,
    /// A number as long as before.
    Number,
    /// Bytes as many as before.
    Bytes,
    /// A number of any length.
    AnyNumber,
    /// A number of nine bytes: nanoseconds since 1970.
    Nine,
    /// Any number of bytes.
    AnyBytes,
    /// Nothing is foretold.
    Unknown,
}

impl Kind {
    const fn if_wanted(self, wanted: bool) -> Self {
        if wanted { self } else { Self::Skipped }
    }
}

impl Layout {
    /// Nothing is known yet.
    pub(super) const fn new(wanted: Wanted) -> Self {
        Self {
            steps: Vec::new(),
            wanted,
            records: 0,
        }
    }

    /// For a record of which anything may be looked at.
    pub(super) const fn of_any_field() -> Self {
        Self::new(Wanted::new(FieldSet::ALL))
    }

    /// Reads one message into `slots`.
    pub(super) fn walk<'a>(
        &mut self,
        message: &'a [u8],
        slots: &mut Slots<'a>,
    ) -> Result<(), Malformed> {
        self.records += 1;
        if self.records == LIFETIME {
            self.records = 0;
            self.steps.clear();
        }
        let result = self.follow(message, slots);
        if result.is_err() {
            // What it had is no flow's.
            self.steps.clear();
        }
        result
    }

    fn follow<'a>(&mut self, message: &'a [u8], slots: &mut Slots<'a>) -> Result<(), Malformed> {
        let mut reader = Reader::new(message);
        let mut tally = Tally::default();
        let mut at = 0;
        loop {
            for step in &self.steps[at..] {
                let Some(rest) = step.take(reader.rest(), slots, &mut tally) else {
                    break;
                };
                reader.go_on_at(rest);
                at += 1;
            }
            let rest = reader.rest();
            if let Some((left_out, rest)) = self.left_out(at, rest, slots, &mut tally) {
                at += left_out + 1;
                reader.go_on_at(rest);
                continue;
            }
            let Some((number, value)) = reader.field()? else {
                break;
            };
            match value {
                Value::Varint(value) => slots.number(&mut tally, number, value),
                Value::Bytes(bytes) => slots.bytes(&mut tally, number, bytes),
                Value::Skipped => {}
            }
            at = self.learn(at, &rest[..rest.len() - reader.rest().len()]);
        }
        slots.note(tally);
        Ok(())
    }

    /// Reads on where some of the fields that would be next are left out; says how many.
    fn left_out<'a>(
        &self,
        at: usize,
        rest: &'a [u8],
        slots: &mut Slots<'a>,
        tally: &mut Tally,
    ) -> Option<(usize, &'a [u8])> {
        let next = self.steps.get(at + 1..)?.iter().take(LEFT_OUT).enumerate();
        let mut found = next.filter_map(|(n, step)| Some((n + 1, step.take(rest, slots, tally)?)));
        found.next()
    }

    /// Takes note of a field that was not as foretold. Says where to go on.
    #[cold]
    fn learn(&mut self, at: usize, field: &[u8]) -> usize {
        let step = Step::of(field, self.wanted);
        let mut known = self.steps[at..].iter();
        match known.position(|known| known.tag == step.tag) {
            Some(known) => {
                let known = at + known;
                let changes = self.steps[known].changes.saturating_add(1);
                let changed = Step { changes, ..step };
                self.steps[known] = if changes > MOST_CHANGES {
                    changed.of_any_length()
                } else {
                    changed
                };
                known + 1
            }
            None if self.steps.len() < MOST_STEPS => {
                self.steps.insert(at, step);
                at + 1
            }
            None => at,
        }
    }
}

impl Step {
    /// What foretells a field like this one.
    fn of(field: &[u8], wanted: Wanted) -> Self {
        let word = first_word(field);
        let stops = !word & CONTINUES;
        let tag_bytes = stops.trailing_zeros() as usize / 8 + 1;
        let unknown = Self {
            mask: 0,
            foretold: 1,
            value: 0,
            tally: Tally::default(),
            tag: squeeze(word & low_bytes(tag_bytes.min(4))) as u32,
            bytes: field.len(),
            kind: Kind::Unknown,
            slot: 0,
            shift: 8 * tag_bytes.min(4) as u8,
            changes: 0,
        };
        if tag_bytes > 3 {
            return unknown;
        }
        let (number, wire) = (unknown.tag >> 3, unknown.tag & 7);
        let tag = low_bytes(tag_bytes);
        let (mask, kind, tally, slot) = match (wire, field.len() - tag_bytes) {
            (0, value) if tag_bytes + value <= 8 => {
                let mask = tag | CONTINUES & low_bytes(field.len());
                let slot = number_slot(number);
                let kind = Kind::Number.if_wanted(wanted.number(slot));
                (mask, kind, Tally::number(number), slot)
            }
            (0, 9) => {
                let mask = tag | CONTINUES;
                (mask, Kind::Nine, Tally::number(number), number_slot(number))
            }
            (2, value @ 1..=128) if usize::from(field[tag_bytes]) == value - 1 => {
                let slot = bytes_slot(number);
                let kind = Kind::Bytes.if_wanted(wanted.bytes(slot));
                let tally = Tally::bytes(number, value == 1);
                (low_bytes(tag_bytes + 1), kind, tally, slot)
            }
            _ => return unknown,
        };
        Self {
            mask,
            foretold: word & mask,
            value: low_bytes(field.len() - tag_bytes) & !CONTINUES,
            tally,
            kind,
            slot,
            ..unknown
        }
    }

    /// The same field with any length.
    fn of_any_length(self) -> Self {
        let (kind, tally) = match (self.kind, self.tag & 7) {
            // Its tag was not kept.
            (Kind::Unknown, _) => return self,
            (_, 0) => (Kind::AnyNumber, self.tally),
            _ => (Kind::AnyBytes, Tally::bytes(self.tag >> 3, false)),
        };
        let mask = low_bytes(usize::from(self.shift / 8));
        Self {
            mask,
            foretold: self.foretold & mask,
            tally,
            kind,
            ..self
        }
    }

    /// Reads the field at the beginning of `rest` if it is as foretold, and gives what follows.
    #[allow(clippy::inline_always, reason = "it runs for every field")]
    #[inline(always)]
    fn take<'a>(
        &self,
        rest: &'a [u8],
        slots: &mut Slots<'a>,
        tally: &mut Tally,
    ) -> Option<&'a [u8]> {
        let word = first_word(rest);
        if word & self.mask != self.foretold {
            return None;
        }
        match self.kind {
            Kind::Skipped => {
                let after = rest.get(self.bytes..)?;
                tally.add(self.tally);
                Some(after)
            }
            Kind::Number => {
                let after = rest.get(self.bytes..)?;
                slots.put_number(self.slot, squeeze(word >> self.shift & self.value));
                tally.add(self.tally);
                Some(after)
            }
            Kind::Bytes => {
                let (field, after) = rest.split_at_checked(self.bytes)?;
                slots.put_bytes(self.slot, &field[usize::from(self.shift) / 8 + 1..]);
                tally.add(self.tally);
                Some(after)
            }
            _ => self.take_any(word, rest, slots, tally),
        }
    }

    #[allow(clippy::inline_always, reason = "it runs for every field")]
    #[inline(always)]
    fn take_any<'a>(
        &self,
        word: u64,
        rest: &'a [u8],
        slots: &mut Slots<'a>,
        tally: &mut Tally,
    ) -> Option<&'a [u8]> {
        let (value, tag) = (word >> self.shift, usize::from(self.shift) / 8);
        if self.kind == Kind::AnyNumber {
            // No byte that was shifted in ends the number.
            let stops = !value & CONTINUES & u64::MAX >> self.shift;
            if stops == 0 {
                return None;
            }
            let (value, bytes) = first_varint(value, stops);
            let after = rest.get(tag + bytes..)?;
            slots.put_number(self.slot, value);
            tally.add(self.tally);
            return Some(after);
        }
        if self.kind == Kind::Nine {
            let (first, rest) = rest.get(tag..)?.split_first_chunk()?;
            let (ninth, after) = rest.split_first()?;
            let word = u64::from_le_bytes(*first);
            if word & CONTINUES != CONTINUES || *ninth >= 0x80 {
                return None;
            }
            slots.put_number(self.slot, squeeze(word) | u64::from(*ninth) << 56);
            tally.add(self.tally);
            return Some(after);
        }
        let length = (value & 0xff) as usize;
        if length == 0 || length >= 0x80 {
            return None;
        }
        let (bytes, after) = rest.get(tag + 1..)?.split_at_checked(length)?;
        slots.put_bytes(self.slot, bytes);
        tally.add(self.tally);
        Some(after)
    }
}

/// The first eight bytes, or those that there are.
#[inline]
fn first_word(bytes: &[u8]) -> u64 {
    if let Some(eight) = bytes.first_chunk() {
        return u64::from_le_bytes(*eight);
    }
    let mut word = 0;
    for (n, byte) in bytes.iter().enumerate().take(7) {
        word |= u64::from(*byte) << (8 * n);
    }
    word
}

/// The lowest so many bytes of eight.
const fn low_bytes(count: usize) -> u64 {
    if count >= 8 {
        u64::MAX
    } else {
        (1 << (8 * count)) - 1
    }
}
