//! Which field number is which datum, for every protobuf schema since 2019 at once, and the framing.
//!
//! The base numbers mean the same in all of them. The enrichment of bwNetFlow and flowpipeline v1 sits
//! at 1000 and above, that of flowpipeline v2 exactly 1000 higher; goflow2 v1 had custom columns at 1000.
//! A field of the right number and the wrong wire type belongs to someone else and is skipped.

use super::draft::{Draft, mark};
use super::model::{Field, FieldSet, Normalized};
use super::wire::{Malformed, Reader, Value};

/// Reads one record: a message behind its length, or a bare message.
///
/// Delimited comes first. One in eight delimited records also parses as a bare message, with nonsense in
/// it; of a million bare ones 101 begin with a number that happens to be their length, and the rest of
/// none of those parses. A message without any field of a flow is read without an error.
pub(super) fn read<'a>(record: &'a [u8], draft: &mut Draft<'a>) -> Result<(), Malformed> {
    let delimited = delimited_body(record).map(|body| walk(body, draft));
    if delimited == Some(Ok(())) && draft.is_flow() {
        return Ok(());
    }
    if delimited.is_some() {
        *draft = Draft::new(draft.wanted);
    }
    match (walk(record, draft), delimited) {
        (Ok(()), _) => Ok(()),
        (Err(bare), None) => Err(bare),
        (Err(_), Some(delimited)) => {
            *draft = Draft::new(draft.wanted);
            delimited
        }
    }
}

/// Reads a record that can only be a message behind its length. Returns whether it is a flow.
pub(super) fn read_delimited<'a>(record: &'a [u8], draft: &mut Draft<'a>) -> bool {
    let read = delimited_body(record).is_some_and(|body| walk(body, draft).is_ok());
    if read && draft.is_flow() {
        return true;
    }
    *draft = Draft::new(draft.wanted);
    false
}

/// What follows a leading varint, if the varint states exactly its length.
fn delimited_body(record: &[u8]) -> Option<&[u8]> {
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

fn walk<'a>(message: &'a [u8], draft: &mut Draft<'a>) -> Result<(), Malformed> {
    let mut reader = Reader::new(message);
    while let Some((number, value)) = reader.field()? {
        match value {
            Value::Varint(value) => draft.varint(number, value),
            Value::Bytes(bytes) => draft.bytes(number, bytes),
            Value::Skipped => {}
        }
    }
    Ok(())
}

impl<'a> Draft<'a> {
    #[inline]
    fn varint(&mut self, number: u32, value: u64) {
        let field = match number {
            0..1000 => self.base_number(number, value),
            1000..2000 => self.enriched_number(number, value),
            2000..=2540 => {
                self.marks |= mark::ENRICHED_2000;
                self.enriched_2000_number(number, value)
            }
            _ => None,
        };
        if let Some(field) = field {
            self.seen = self.seen.with(field);
        }
    }

    #[inline]
    fn bytes(&mut self, number: u32, bytes: &'a [u8]) {
        match number {
            0..1000 => self.base_bytes(number, bytes),
            1000..2000 => self.enriched_bytes(number, bytes),
            2000..=2540 => {
                self.marks |= mark::ENRICHED_2000;
                self.shared_text(number - 1000, bytes);
            }
            _ => {}
        }
    }

    #[inline]
    fn base_number(&mut self, number: u32, value: u64) -> Option<Field> {
        let flow = &mut self.flow;
        let (slot, field) = match number {
            1 => (&mut flow.flow_type, Field::FlowType),
            14 => (&mut flow.src_as, Field::SrcAs),
            15 => (&mut flow.dst_as, Field::DstAs),
            18 => (&mut flow.in_if, Field::InIf),
            19 => (&mut flow.out_if, Field::OutIf),
            20 => (&mut flow.proto, Field::Proto),
            21 => (&mut flow.src_port, Field::SrcPort),
            22 => (&mut flow.dst_port, Field::DstPort),
            23 => (&mut flow.ip_tos, Field::IpTos),
            24 => (&mut flow.forwarding_status, Field::ForwardingStatus),
            26 => (&mut flow.tcp_flags, Field::TcpFlags),
            29 => (&mut flow.vlan_id, Field::VlanId),
            30 => (&mut flow.etype, Field::Etype),
            31 => (&mut flow.icmp_type, Field::IcmpType),
            32 => (&mut flow.icmp_code, Field::IcmpCode),
            36 => (&mut flow.fragment_offset, Field::FragmentOffset),
            _ => return self.base_wide_number(number, value),
        };
        *slot = value as u32;
        Some(field)
    }

    #[inline]
    fn base_wide_number(&mut self, number: u32, value: u64) -> Option<Field> {
        let (slot, field) = match number {
            2 => (&mut self.received.s, Field::TimeReceived),
            3 => (&mut self.flow.sampling_rate, Field::SamplingRate),
            5 => (&mut self.end.s, Field::TimeEnd),
            9 => (&mut self.flow.bytes, Field::Bytes),
            10 => (&mut self.flow.packets, Field::Packets),
            63 => (&mut self.start.ms, Field::TimeStart),
            64 => (&mut self.end.ms, Field::TimeEnd),
            110 => (&mut self.received.ns, Field::TimeReceived),
            111 => (&mut self.start.ns, Field::TimeStart),
            112 => (&mut self.end.ns, Field::TimeEnd),
            _ => {
                self.base_ambiguous_number(number, value);
                return None;
            }
        };
        *slot = value;
        if number >= 110 {
            self.marks |= mark::NANOSECONDS;
        }
        Some(field)
    }

    #[inline]
    fn base_ambiguous_number(&mut self, number: u32, value: u64) {
        match number {
            38 => self.start_or_flags = value,
            42 => self.direction = Some(value),
            8 if value == 4 || value == 6 => self.marks |= mark::FIRST_SCHEMA,
            90 | 91 | 92 | 95 | 98 => self.marks |= mark::FIRST_SCHEMA,
            _ => {}
        }
    }

    #[inline]
    fn base_bytes(&mut self, number: u32, bytes: &[u8]) {
        match number {
            6 => self.flow.src_addr = self.addr(Field::SrcAddr, bytes),
            7 => self.flow.dst_addr = self.addr(Field::DstAddr, bytes),
            11 => self.flow.exporter = self.addr(Field::Exporter, bytes),
            12 => self.flow.next_hop = self.addr(Field::NextHop, bytes),
            93 | 94 | 96 | 97 | 99 => self.marks |= mark::FIRST_SCHEMA,
            _ => {}
        }
    }

    /// bwNetFlow and flowpipeline v1, or goflow2 v1's custom columns.
    #[inline]
    fn enriched_number(&mut self, number: u32, value: u64) -> Option<Field> {
        match number {
            1001 | 1003 | 1004 | 1021 => self.marks |= mark::CUSTOM,
            1000 | 1002..=1016 => self.marks |= mark::ENRICHED_1000,
            _ => {}
        }
        if number == 1002 {
            self.normalized_or_custom = value;
            return None;
        }
        self.shared_number(number, value)
    }

    #[inline]
    fn enriched_2000_number(&mut self, number: u32, value: u64) -> Option<Field> {
        match number {
            2002 => {
                self.flow.normalized = if value == 1 {
                    Normalized::Yes
                } else {
                    Normalized::No
                };
                Some(Field::Normalized)
            }
            2538 => {
                self.start.s = value;
                Some(Field::TimeStart)
            }
            _ => self.shared_number(number - 1000, value),
        }
    }

    /// Numbers that both enrichment blocks have, by their lower form.
    #[inline]
    fn shared_number(&mut self, number: u32, value: u64) -> Option<Field> {
        let flow = &mut self.flow;
        let (slot, field) = match number {
            1000 => (&mut flow.cid, Field::Cid),
            1005 => (&mut flow.src_if_speed, Field::SrcIfSpeed),
            1008 => (&mut flow.dst_if_speed, Field::DstIfSpeed),
            1011 => (&mut flow.remote_addr, Field::RemoteAddr),
            1012 => (&mut flow.src_cid, Field::SrcCid),
            1013 => (&mut flow.dst_cid, Field::DstCid),
            1174 => (&mut flow.validation_status, Field::ValidationStatus),
            _ => return None,
        };
        *slot = value as u32;
        Some(field)
    }

    /// bwNetFlow and flowpipeline v1, goflow2 v1's custom columns, or the countries of goflow2's enricher
    /// and flowpipeline v2.
    #[inline]
    fn enriched_bytes(&mut self, number: u32, bytes: &'a [u8]) {
        match number {
            1000 => {
                self.marks |= mark::COUNTRIES;
                self.text(Field::SrcCountry, bytes);
            }
            1001 => self.cid_or_country = bytes,
            1002 => {}
            1011..=1013 | 1021 => self.marks |= mark::CUSTOM,
            _ => {
                if number <= 1016 {
                    self.marks |= mark::ENRICHED_1000;
                }
                self.shared_text(number, bytes);
            }
        }
    }

    /// Texts that both enrichment blocks have, by their lower number.
    #[inline]
    fn shared_text(&mut self, number: u32, bytes: &'a [u8]) {
        match number {
            1001 => self.text(Field::CidString, bytes),
            1003 => self.text(Field::SrcIfName, bytes),
            1004 => self.text(Field::SrcIfDesc, bytes),
            1006 => self.text(Field::DstIfName, bytes),
            1007 => self.text(Field::DstIfDesc, bytes),
            1009 => self.text(Field::ProtoName, bytes),
            1010 => self.text(Field::RemoteCountry, bytes),
            1014 => self.country(Field::SrcCountry, bytes),
            1015 => self.country(Field::DstCountry, bytes),
            1016 => self.text(Field::Note, bytes),
            _ => {}
        }
    }

    /// A country, unless the bytes are a custom column of goflow2 v1.
    fn country(&mut self, field: Field, bytes: &'a [u8]) {
        if self.wanted.contains(field) && std::str::from_utf8(bytes).is_ok() {
            self.text(field, bytes);
        }
    }
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
    let mut draft = Draft::new(FieldSet::EMPTY);
    if read(record, &mut draft).is_err() || !draft.is_flow() {
        return Looks::Other;
    }
    match draft.settle(None) {
        Ok(()) => Looks::Flow,
        Err(_) => Looks::FirstSchema,
    }
}
