//! What a message carries, by slot: each value is stored without looking at what it is, and the flow is built from the
//! slots once.

use crate::net::Addr;

use super::clues::{Clues, Family, Settled, Time, Unsettled, mark};
use super::model::{Field, FieldSet, Flow};
use super::numbers::{
    ENRICHED, FIELDS, IN_SECOND_BLOCK, NANOSECONDS, TEXTS, bits, block, bytes, bytes_slot, number,
    number_slot,
};
use super::settings::DirectionDefault;

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
