//! Which field number is which datum, for every protobuf schema since 2019 at once.
//!
//! The base numbers mean the same in all of them. The enrichment of bwNetFlow and flowpipeline v1 sits
//! at 1000 and above, that of flowpipeline v2 exactly 1000 higher; goflow2 v1 had custom columns at 1000.
//! A field of the right number and the wrong wire type belongs to someone else and is skipped.
//!
//! A table leads from the number to a slot, without looking at what it is: a branch per field would be as slow as
//! reading the field.

use super::model::Field;

/// One past the highest field number that means anything.
const NUMBERS: usize = 2541;

/// Where flowpipeline v2's enrichment begins.
const SECOND_BLOCK: usize = 2000;

/// Slots of numbers. Those below [`FIRST_FREE`] are fields by their place in the table of fields.
pub(super) mod number {
    use super::FIRST_FREE as FREE;

    pub(crate) const RECEIVED_S: u8 = FREE;
    pub(crate) const RECEIVED_NS: u8 = FREE + 1;
    pub(crate) const START_S_OR_FLAGS: u8 = FREE + 2;
    pub(crate) const START_S: u8 = FREE + 3;
    pub(crate) const START_MS: u8 = FREE + 4;
    pub(crate) const START_NS: u8 = FREE + 5;
    pub(crate) const END_S: u8 = FREE + 6;
    pub(crate) const END_MS: u8 = FREE + 7;
    pub(crate) const END_NS: u8 = FREE + 8;
    pub(crate) const NORMALIZED_OR_CUSTOM: u8 = FREE + 9;
    pub(crate) const CUSTOM: u8 = FREE + 10;
    pub(crate) const IP_VERSION: u8 = FREE + 11;
    pub(crate) const FIRST_SCHEMA: u8 = FREE + 12;
    pub(crate) const NOTHING: u8 = FREE + 13;
    pub(crate) const COUNT: usize = FREE as usize + 14;
}

/// The first slot of a number that is no field.
pub(super) const FIRST_FREE: u8 = Field::ALL.len() as u8;

/// Slots of bytes. The addresses keep their place in the table of fields, the texts follow.
pub(super) mod bytes {
    use super::Field;

    pub(crate) const FIRST_TEXT: u8 = 4;
    /// How far the slots of texts are below their place in the table of fields.
    pub(crate) const SHIFT: u8 = Field::SrcIfName as u8 - FIRST_TEXT;
    pub(crate) const SRC_COUNTRY: u8 = 14;
    pub(crate) const CID_OR_COUNTRY: u8 = 15;
    pub(crate) const CUSTOM: u8 = 16;
    pub(crate) const FIRST_SCHEMA: u8 = 17;
    pub(crate) const NOTHING: u8 = 18;
    pub(crate) const COUNT: usize = 19;
}

const _: () = assert!(number::COUNT <= 64, "presence is a word of bits");
const _: () = assert!(Field::NextHop as u8 == 3, "addresses come first");
const _: () = assert!(Field::Note as u8 - bytes::SHIFT + 1 == bytes::SRC_COUNTRY);
const _: () = assert!(
    Field::ALL.len() == Field::Note as usize + 1,
    "texts come last"
);

/// What only [`SECOND_BLOCK`] or only the lower one has is given apart.
static NUMBER_SLOTS: [u8; NUMBERS] = {
    let base = [
        (1, Field::FlowType as u8),
        (2, number::RECEIVED_S),
        (3, Field::SamplingRate as u8),
        (5, number::END_S),
        (8, number::IP_VERSION),
        (9, Field::Bytes as u8),
        (10, Field::Packets as u8),
        (14, Field::SrcAs as u8),
        (15, Field::DstAs as u8),
        (18, Field::InIf as u8),
        (19, Field::OutIf as u8),
        (20, Field::Proto as u8),
        (21, Field::SrcPort as u8),
        (22, Field::DstPort as u8),
        (23, Field::IpTos as u8),
        (24, Field::ForwardingStatus as u8),
        (26, Field::TcpFlags as u8),
        (29, Field::VlanId as u8),
        (30, Field::Etype as u8),
        (31, Field::IcmpType as u8),
        (32, Field::IcmpCode as u8),
        (36, Field::FragmentOffset as u8),
        (38, number::START_S_OR_FLAGS),
        (42, Field::Direction as u8),
        (63, number::START_MS),
        (64, number::END_MS),
        (90, number::FIRST_SCHEMA),
        (91, number::FIRST_SCHEMA),
        (92, number::FIRST_SCHEMA),
        (95, number::FIRST_SCHEMA),
        (98, number::FIRST_SCHEMA),
        (110, number::RECEIVED_NS),
        (111, number::START_NS),
        (112, number::END_NS),
        (1001, number::CUSTOM),
        (1002, number::NORMALIZED_OR_CUSTOM),
        (1003, number::CUSTOM),
        (1004, number::CUSTOM),
        (1021, number::CUSTOM),
        (2002, Field::Normalized as u8),
        (2538, number::START_S),
    ];
    let both_blocks = [
        (1000, Field::Cid as u8),
        (1005, Field::SrcIfSpeed as u8),
        (1008, Field::DstIfSpeed as u8),
        (1011, Field::RemoteAddr as u8),
        (1012, Field::SrcCid as u8),
        (1013, Field::DstCid as u8),
        (1174, Field::ValidationStatus as u8),
    ];
    table(&base, &both_blocks, number::NOTHING)
};

static BYTES_SLOTS: [u8; NUMBERS] = {
    let base = [
        (6, Field::SrcAddr as u8),
        (7, Field::DstAddr as u8),
        (11, Field::Exporter as u8),
        (12, Field::NextHop as u8),
        (93, bytes::FIRST_SCHEMA),
        (94, bytes::FIRST_SCHEMA),
        (96, bytes::FIRST_SCHEMA),
        (97, bytes::FIRST_SCHEMA),
        (99, bytes::FIRST_SCHEMA),
        (1000, bytes::SRC_COUNTRY),
        (1001, bytes::CID_OR_COUNTRY),
        (1011, bytes::CUSTOM),
        (1012, bytes::CUSTOM),
        (1013, bytes::CUSTOM),
        (1021, bytes::CUSTOM),
        (2001, Field::CidString as u8 - bytes::SHIFT),
    ];
    let both_blocks = [
        (1003, Field::SrcIfName as u8 - bytes::SHIFT),
        (1004, Field::SrcIfDesc as u8 - bytes::SHIFT),
        (1006, Field::DstIfName as u8 - bytes::SHIFT),
        (1007, Field::DstIfDesc as u8 - bytes::SHIFT),
        (1009, Field::ProtoName as u8 - bytes::SHIFT),
        (1010, Field::RemoteCountry as u8 - bytes::SHIFT),
        (1014, Field::SrcCountry as u8 - bytes::SHIFT),
        (1015, Field::DstCountry as u8 - bytes::SHIFT),
        (1016, Field::Note as u8 - bytes::SHIFT),
    ];
    table(&base, &both_blocks, bytes::NOTHING)
};

const fn table(base: &[(usize, u8)], both_blocks: &[(usize, u8)], rest: u8) -> [u8; NUMBERS] {
    let mut slots = [rest; NUMBERS];
    let mut i = 0;
    while i < base.len() {
        slots[base[i].0] = base[i].1;
        i += 1;
    }
    let mut i = 0;
    while i < both_blocks.len() {
        slots[both_blocks[i].0] = both_blocks[i].1;
        slots[both_blocks[i].0 + SECOND_BLOCK / 2] = both_blocks[i].1;
        i += 1;
    }
    slots
}

pub(super) const fn bits(slots: &[u8]) -> u64 {
    let mut bits = 0;
    let mut i = 0;
    while i < slots.len() {
        bits |= 1 << slots[i];
        i += 1;
    }
    bits
}

/// Numbers that are fields as they are. The direction is not: its 0 may be missing.
pub(super) const FIELDS: u64 = (bits(&[FIRST_FREE]) - 1) & !bits(&[Field::Direction as u8]);
pub(super) const TEXTS: u64 = bits(&[bytes::SRC_COUNTRY]) - bits(&[bytes::FIRST_TEXT]);
pub(super) const NANOSECONDS: u64 = bits(&[number::RECEIVED_NS, number::START_NS, number::END_NS]);
pub(super) const ENRICHED: u64 = bits(&[
    Field::Cid as u8,
    Field::SrcIfSpeed as u8,
    Field::DstIfSpeed as u8,
    Field::RemoteAddr as u8,
    Field::SrcCid as u8,
    Field::DstCid as u8,
    number::NORMALIZED_OR_CUSTOM,
]);

/// There was something in the second block.
pub(super) const IN_SECOND_BLOCK: u64 = 1 << 63;

pub(super) const fn block(number: u32) -> u64 {
    if number as usize >= SECOND_BLOCK && (number as usize) < NUMBERS {
        IN_SECOND_BLOCK
    } else {
        0
    }
}

/// Where the number of a field goes.
#[inline]
pub(super) fn number_slot(number: u32) -> u8 {
    let slot = NUMBER_SLOTS.get(number as usize).copied();
    slot.unwrap_or(number::NOTHING)
}

/// The same for bytes.
#[inline]
pub(super) fn bytes_slot(number: u32) -> u8 {
    let slot = BYTES_SLOTS.get(number as usize).copied();
    slot.unwrap_or(bytes::NOTHING)
}
