//! Which field number is which datum, for every protobuf schema since 2019 at once.
//!
//! The base numbers mean the same in all of them. The enrichment of bwNetFlow and flowpipeline v1 sits
//! at 1000 and above, that of flowpipeline v2 exactly 1000 higher; goflow2 v1 had custom columns at 1000.
//! A field of the right number and the wrong wire type belongs to someone else and is skipped.
//!
//! A table leads from the number to a slot, and each value is stored without looking at what it is: a
//! branch per field would be as slow as reading the field. The flow is built from the slots once.

use crate::net::Addr;

use super::clues::{Clues, Family, Settled, Time, Unsettled, mark};
use super::model::{Field, FieldSet, Flow};
use super::settings::DirectionDefault;

/// One past the highest field number that means anything.
const NUMBERS: usize = 2541;

/// Where flowpipeline v2's enrichment begins.
const SECOND_BLOCK: usize = 2000;

/// Slots of numbers. Those below [`FIRST_FREE`] are fields by their place in the table of fields.
mod number {
    use super::FIRST_FREE as FREE;

    pub(super) const RECEIVED_S: u8 = FREE;
    pub(super) const RECEIVED_NS: u8 = FREE + 1;
    pub(super) const START_S_OR_FLAGS: u8 = FREE + 2;
    pub(super) const START_S: u8 = FREE + 3;
    pub(super) const START_MS: u8 = FREE + 4;
    pub(super) const START_NS: u8 = FREE + 5;
    pub(super) const END_S: u8 = FREE + 6;
    pub(super) const END_MS: u8 = FREE + 7;
    pub(super) const END_NS: u8 = FREE + 8;
    pub(super) const NORMALIZED_OR_CUSTOM: u8 = FREE + 9;
    pub(super) const CUSTOM: u8 = FREE + 10;
    pub(super) const IP_VERSION: u8 = FREE + 11;
    pub(super) const FIRST_SCHEMA: u8 = FREE + 12;
    pub(super) const NOTHING: u8 = FREE + 13;
    pub(super) const COUNT: usize = FREE as usize + 14;
}

/// The first slot of a number that is no field.
const FIRST_FREE: u8 = Field::ALL.len() as u8;

/// Slots of bytes. The addresses keep their place in the table of fields, the texts follow.
mod bytes {
    use super::Field;

    pub(super) const FIRST_TEXT: u8 = 4;
    /// How far the slots of texts are below their place in the table of fields.
    pub(super) const SHIFT: u8 = Field::SrcIfName as u8 - FIRST_TEXT;
    pub(super) const SRC_COUNTRY: u8 = 14;
    pub(super) const CID_OR_COUNTRY: u8 = 15;
    pub(super) const CUSTOM: u8 = 16;
    pub(super) const FIRST_SCHEMA: u8 = 17;
    pub(super) const NOTHING: u8 = 18;
    pub(super) const COUNT: usize = 19;
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

const fn bits(slots: &[u8]) -> u64 {
    let mut bits = 0;
    let mut i = 0;
    while i < slots.len() {
        bits |= 1 << slots[i];
        i += 1;
    }
    bits
}

/// Numbers that are fields as they are. The direction is not: its 0 may be missing.
const FIELDS: u64 = (bits(&[FIRST_FREE]) - 1) & !bits(&[Field::Direction as u8]);
const TEXTS: u64 = bits(&[bytes::SRC_COUNTRY]) - bits(&[bytes::FIRST_TEXT]);
const NANOSECONDS: u64 = bits(&[number::RECEIVED_NS, number::START_NS, number::END_NS]);
const ENRICHED: u64 = bits(&[
    Field::Cid as u8,
    Field::SrcIfSpeed as u8,
    Field::DstIfSpeed as u8,
    Field::RemoteAddr as u8,
    Field::SrcCid as u8,
    Field::DstCid as u8,
    number::NORMALIZED_OR_CUSTOM,
]);

/// What one message carried, by slot.
pub(super) struct Slots<'a> {
    numbers: [u64; number::COUNT],
    bytes: [&'a [u8]; bytes::COUNT],
    tally: Tally,
}

/// What there was. Apart from the slots, so that it stays in registers while they are written.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Tally {
    /// Which numbers there were, a bit by slot: 0 may be stated.
    present: u64,
    /// Which bytes there were that are not empty, a bit by slot; and [`IN_SECOND_BLOCK`].
    filled: u64,
}

/// There was something in the second block.
const IN_SECOND_BLOCK: u64 = 1 << 63;

const fn block(number: u32) -> u64 {
    if number as usize >= SECOND_BLOCK && (number as usize) < NUMBERS {
        IN_SECOND_BLOCK
    } else {
        0
    }
}

impl Tally {
    /// What a number under this field number leaves.
    #[inline]
    pub(super) fn number(number: u32) -> Self {
        Self {
            present: 1 << number_slot(number),
            filled: block(number),
        }
    }

    /// What bytes under this field number leave.
    #[inline]
    pub(super) fn bytes(number: u32, are_empty: bool) -> Self {
        Self {
            present: 0,
            filled: u64::from(!are_empty) << bytes_slot(number) | block(number),
        }
    }

    #[inline]
    pub(super) const fn add(&mut self, other: Self) {
        self.present |= other.present;
        self.filled |= other.filled;
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

/// Which slots are looked at.
#[derive(Clone, Copy, Debug)]
pub(super) struct Wanted {
    numbers: u64,
    bytes: u64,
}

impl Wanted {
    /// Those of the fields, and those that decide about others.
    pub(super) const fn new(fields: FieldSet) -> Self {
        let numbers = FIELDS & !ALWAYS;
        Self {
            numbers: !(numbers | bits(&[number::NOTHING])) | fields.bits(),
            bytes: !(TEXTS | bits(&[bytes::NOTHING])) | fields.bits() >> bytes::SHIFT,
        }
    }

    /// Whether anybody looks at a slot of numbers.
    pub(super) const fn number(self, slot: u8) -> bool {
        self.numbers >> slot & 1 != 0
    }

    /// The same for bytes.
    pub(super) const fn bytes(self, slot: u8) -> bool {
        self.bytes >> slot & 1 != 0
    }
}

/// Numbers that are looked at in every record.
const ALWAYS: u64 = bits(&[
    Field::Bytes as u8,
    Field::Packets as u8,
    Field::SamplingRate as u8,
    Field::FlowType as u8,
    Field::Normalized as u8,
    Field::Etype as u8,
]);

impl<'a> Slots<'a> {
    pub(super) const fn new() -> Self {
        Self {
            numbers: [0; number::COUNT],
            bytes: [&[]; bytes::COUNT],
            tally: Tally {
                present: 0,
                filled: 0,
            },
        }
    }

    #[inline]
    pub(super) fn number(&mut self, tally: &mut Tally, number: u32, value: u64) {
        tally.add(Tally::number(number));
        self.put_number(number_slot(number), value);
    }

    #[inline]
    pub(super) fn bytes(&mut self, tally: &mut Tally, number: u32, bytes: &'a [u8]) {
        tally.add(Tally::bytes(number, bytes.is_empty()));
        self.put_bytes(bytes_slot(number), bytes);
    }

    #[inline]
    pub(super) fn put_number(&mut self, slot: u8, value: u64) {
        self.numbers[usize::from(slot)] = value;
    }

    #[inline]
    pub(super) fn put_bytes(&mut self, slot: u8, bytes: &'a [u8]) {
        self.bytes[usize::from(slot)] = bytes;
    }

    /// Takes note of what there was.
    #[inline]
    pub(super) const fn note(&mut self, tally: Tally) {
        self.tally = tally;
    }

    /// Whose numbers these are.
    pub(super) fn family(&self) -> Family {
        self.clues().family()
    }

    /// Decides what is ambiguous.
    #[inline]
    pub(super) fn settle(&self, default: Option<DirectionDefault>) -> Result<Settled, Unsettled> {
        self.clues().settle(default, self.seen())
    }

    #[inline]
    fn clues(&self) -> Clues {
        Clues {
            marks: self.marks(),
            flow_type: self.numbers[Field::FlowType as usize] as u32,
            received: Time {
                s: self.of(number::RECEIVED_S),
                ms: 0,
                ns: self.of(number::RECEIVED_NS),
            },
            start: Time {
                s: self.of(number::START_S),
                ms: self.of(number::START_MS),
                ns: self.of(number::START_NS),
            },
            end: Time {
                s: self.of(number::END_S),
                ms: self.of(number::END_MS),
                ns: self.of(number::END_NS),
            },
            start_or_flags: self.of(number::START_S_OR_FLAGS),
            direction: (self.tally.present & bits(&[Field::Direction as u8]) != 0)
                .then_some(self.of(Field::Direction as u8)),
            normalized: self.of(Field::Normalized as u8) == 1,
            normalized_or_custom: self.of(number::NORMALIZED_OR_CUSTOM),
        }
    }

    #[inline]
    fn seen(&self) -> FieldSet {
        let texts = (self.tally.filled & TEXTS) << bytes::SHIFT;
        [
            Field::SrcAddr,
            Field::DstAddr,
            Field::Exporter,
            Field::NextHop,
        ]
        .into_iter()
        .fold(
            FieldSet::from_bits(self.tally.present & FIELDS | texts),
            |seen, field| seen.with_if(field, self.addr(field).is_some()),
        )
    }

    #[inline]
    fn marks(&self) -> u8 {
        let numbers = |bits| self.tally.present & bits != 0;
        let texts = |bits| self.tally.filled & bits != 0;
        let custom = numbers(bits(&[number::CUSTOM])) || texts(bits(&[bytes::CUSTOM]));
        let first_schema = numbers(bits(&[number::FIRST_SCHEMA]))
            || texts(bits(&[bytes::FIRST_SCHEMA]))
            || matches!(self.of(number::IP_VERSION), 4 | 6);
        let mark = |mark: u8, there: bool| mark * u8::from(there);
        mark(mark::NANOSECONDS, numbers(NANOSECONDS))
            | mark(mark::ENRICHED_2000, texts(IN_SECOND_BLOCK))
            | mark(mark::ENRICHED_1000, numbers(ENRICHED) || texts(TEXTS))
            | mark(mark::CUSTOM, custom)
            | mark(mark::COUNTRIES, texts(bits(&[bytes::SRC_COUNTRY])))
            | mark(mark::FIRST_SCHEMA, first_schema)
    }

    /// The flow, with what was decided and the fields that are looked at. Others may be filled in, too. It is written
    /// down in one go: to fill it in bit by bit, it would have to be copied.
    #[inline]
    pub(super) fn flow(&self, settled: &Settled, wanted: FieldSet) -> Flow<'a> {
        let number = |field: Field| self.of(field as u8) as u32;
        let text = |field: Field| self.text(field);
        Flow {
            src_addr: self.addr(Field::SrcAddr),
            dst_addr: self.addr(Field::DstAddr),
            exporter: self.addr(Field::Exporter),
            next_hop: self.addr(Field::NextHop),
            bytes: self.of(Field::Bytes as u8),
            packets: self.of(Field::Packets as u8),
            sampling_rate: self.of(Field::SamplingRate as u8),
            normalized: settled.normalized,
            time_received: settled.received,
            time_start: settled.start,
            time_end: settled.end,
            direction: settled.direction,
            flow_type: number(Field::FlowType),
            etype: number(Field::Etype),
            proto: number(Field::Proto),
            src_port: number(Field::SrcPort),
            dst_port: number(Field::DstPort),
            in_if: number(Field::InIf),
            out_if: number(Field::OutIf),
            src_as: number(Field::SrcAs),
            dst_as: number(Field::DstAs),
            tcp_flags: number(Field::TcpFlags),
            ip_tos: number(Field::IpTos),
            forwarding_status: number(Field::ForwardingStatus),
            icmp_type: number(Field::IcmpType),
            icmp_code: number(Field::IcmpCode),
            vlan_id: number(Field::VlanId),
            fragment_offset: number(Field::FragmentOffset),
            cid: number(Field::Cid),
            src_cid: number(Field::SrcCid),
            dst_cid: number(Field::DstCid),
            validation_status: number(Field::ValidationStatus),
            remote_addr: number(Field::RemoteAddr),
            src_if_speed: if settled.custom {
                0
            } else {
                number(Field::SrcIfSpeed)
            },
            dst_if_speed: number(Field::DstIfSpeed),
            src_if_name: text(Field::SrcIfName),
            src_if_desc: text(Field::SrcIfDesc),
            dst_if_name: text(Field::DstIfName),
            dst_if_desc: text(Field::DstIfDesc),
            src_country: if wanted.contains(Field::SrcCountry) {
                self.src_country(settled)
            } else {
                &[]
            },
            dst_country: if wanted.contains(Field::DstCountry) {
                self.dst_country(settled)
            } else {
                &[]
            },
            remote_country: text(Field::RemoteCountry),
            proto_name: text(Field::ProtoName),
            cid_string: self.cid_string(settled),
            note: text(Field::Note),
        }
    }

    #[inline]
    fn of(&self, slot: u8) -> u64 {
        self.numbers[usize::from(slot)]
    }

    #[inline]
    fn addr(&self, field: Field) -> Option<Addr> {
        Addr::from_bytes(self.bytes[field as usize])
    }

    #[inline]
    fn text(&self, field: Field) -> &'a [u8] {
        self.bytes[usize::from(field as u8 - bytes::SHIFT)]
    }

    #[inline]
    fn src_country(&self, settled: &Settled) -> &'a [u8] {
        let country = self.country(Field::SrcCountry, settled);
        if country.is_empty() {
            return self.bytes[usize::from(bytes::SRC_COUNTRY)];
        }
        country
    }

    #[inline]
    fn dst_country(&self, settled: &Settled) -> &'a [u8] {
        let country = self.country(Field::DstCountry, settled);
        if country.is_empty() && settled.countries {
            return self.bytes[usize::from(bytes::CID_OR_COUNTRY)];
        }
        country
    }

    #[inline]
    fn cid_string(&self, settled: &Settled) -> &'a [u8] {
        let text = self.text(Field::CidString);
        if text.is_empty() && !settled.countries {
            return self.bytes[usize::from(bytes::CID_OR_COUNTRY)];
        }
        text
    }

    /// A country of bwNetFlow, unless the bytes are a custom column of goflow2 v1.
    #[inline]
    fn country(&self, field: Field, settled: &Settled) -> &'a [u8] {
        let bytes = self.text(field);
        if bytes.is_empty() || settled.custom || std::str::from_utf8(bytes).is_err() {
            return &[];
        }
        bytes
    }
}
