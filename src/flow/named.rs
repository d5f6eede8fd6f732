//! Fields by name, as JSON and text records have them: four dialects, one table.
//!
//! The dialects differ in case and underscores (`SrcAddr`, `srcAddr`, `src_addr`), in whether 64-bit
//! numbers are text, in how addresses are written (text, base64, lists of bytes), and in whether
//! protocols and record types are names. All forms are accepted for every field. Zero and empty mean absent:
//! some dialects write every field, others none that is zero.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::net::Addr;

use super::clues::{Clues, SFLOW, Settled, Time, Unsettled, mark};
use super::model::{Field, FieldSet, Flow};
use super::settings::DirectionDefault;

/// One of the three times of a flow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Which {
    Received,
    Start,
    End,
}

/// What a key of a record names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Key {
    Field(Field),
    Seconds(Which),
    Millis(Which),
    Nanos(Which),
}

/// Longer than every key that is known.
const LONGEST: usize = 24;

/// Keys in lower case without underscores, sorted.
#[rustfmt::skip]
const KEYS: &[(&str, Key)] = &[
    ("bytes", Key::Field(Field::Bytes)),
    ("cid", Key::Field(Field::Cid)),
    ("cidstring", Key::Field(Field::CidString)),
    ("dstaddr", Key::Field(Field::DstAddr)),
    ("dstas", Key::Field(Field::DstAs)),
    ("dstcid", Key::Field(Field::DstCid)),
    ("dstcountry", Key::Field(Field::DstCountry)),
    ("dstcountrybw", Key::Field(Field::DstCountry)),
    ("dstif", Key::Field(Field::OutIf)),
    ("dstifdesc", Key::Field(Field::DstIfDesc)),
    ("dstifname", Key::Field(Field::DstIfName)),
    ("dstifspeed", Key::Field(Field::DstIfSpeed)),
    ("dstport", Key::Field(Field::DstPort)),
    ("etype", Key::Field(Field::Etype)),
    ("flowdirection", Key::Field(Field::Direction)),
    ("forwardingstatus", Key::Field(Field::ForwardingStatus)),
    ("fragmentoffset", Key::Field(Field::FragmentOffset)),
    ("icmpcode", Key::Field(Field::IcmpCode)),
    ("icmptype", Key::Field(Field::IcmpType)),
    ("inif", Key::Field(Field::InIf)),
    ("iptos", Key::Field(Field::IpTos)),
    ("nexthop", Key::Field(Field::NextHop)),
    ("normalized", Key::Field(Field::Normalized)),
    ("note", Key::Field(Field::Note)),
    ("outif", Key::Field(Field::OutIf)),
    ("packets", Key::Field(Field::Packets)),
    ("proto", Key::Field(Field::Proto)),
    ("protoname", Key::Field(Field::ProtoName)),
    ("remoteaddr", Key::Field(Field::RemoteAddr)),
    ("remotecountry", Key::Field(Field::RemoteCountry)),
    ("sampleraddress", Key::Field(Field::Exporter)),
    ("samplingrate", Key::Field(Field::SamplingRate)),
    ("srcaddr", Key::Field(Field::SrcAddr)),
    ("srcas", Key::Field(Field::SrcAs)),
    ("srccid", Key::Field(Field::SrcCid)),
    ("srccountry", Key::Field(Field::SrcCountry)),
    ("srccountrybw", Key::Field(Field::SrcCountry)),
    ("srcif", Key::Field(Field::InIf)),
    ("srcifdesc", Key::Field(Field::SrcIfDesc)),
    ("srcifname", Key::Field(Field::SrcIfName)),
    ("srcifspeed", Key::Field(Field::SrcIfSpeed)),
    ("srcport", Key::Field(Field::SrcPort)),
    ("tcpflags", Key::Field(Field::TcpFlags)),
    ("timeflowend", Key::Seconds(Which::End)),
    ("timeflowendms", Key::Millis(Which::End)),
    ("timeflowendns", Key::Nanos(Which::End)),
    ("timeflowstart", Key::Seconds(Which::Start)),
    ("timeflowstartms", Key::Millis(Which::Start)),
    ("timeflowstartns", Key::Nanos(Which::Start)),
    ("timereceived", Key::Seconds(Which::Received)),
    ("timereceivedns", Key::Nanos(Which::Received)),
    ("type", Key::Field(Field::FlowType)),
    ("validationstatus", Key::Field(Field::ValidationStatus)),
    ("vlanid", Key::Field(Field::VlanId)),
];

impl Key {
    /// The field of a key, whatever its case and underscores.
    pub(super) fn of(name: &[u8]) -> Option<Self> {
        let mut plain = [0; LONGEST];
        let mut length = 0;
        for byte in name.iter().filter(|b| **b != b'_') {
            *plain.get_mut(length)? = byte.to_ascii_lowercase();
            length += 1;
        }
        let at = KEYS
            .binary_search_by(|(key, _)| key.as_bytes().cmp(&plain[..length]))
            .ok()?;
        Some(KEYS[at].1)
    }
}

/// A flow in the making.
#[derive(Debug, Default)]
pub(super) struct Draft<'a> {
    flow: Flow<'a>,
    seen: FieldSet,
    wanted: FieldSet,
    clues: Clues,
}

impl<'a> Draft<'a> {
    /// An empty one. Texts that are not `wanted` are not kept.
    pub(super) fn new(wanted: FieldSet) -> Self {
        Self {
            wanted,
            ..Self::default()
        }
    }

    /// The flow, when the whole record was read.
    pub(super) fn finish(
        mut self,
        default: Option<DirectionDefault>,
    ) -> Result<(Flow<'a>, FieldSet), Unsettled> {
        let settled = self.settle(default)?;
        self.flow.time_received = settled.received;
        self.flow.time_start = settled.start;
        self.flow.time_end = settled.end;
        self.flow.direction = settled.direction;
        self.flow.normalized = settled.normalized;
        Ok((self.flow, settled.seen))
    }

    /// Flowpipeline v2 writes what goflow2 v2 does, and seconds or enrichment beside it.
    fn settle(&mut self, default: Option<DirectionDefault>) -> Result<Settled, Unsettled> {
        let clues = &mut self.clues;
        clues.flow_type = self.flow.flow_type;
        let seconds = [clues.received, clues.start, clues.end]
            .iter()
            .any(|time| time.s != 0);
        let enriched = clues.marks & mark::ENRICHED_1000 != 0;
        if clues.marks & mark::NANOSECONDS != 0 && (seconds || enriched) {
            clues.marks |= mark::ENRICHED_2000;
        }
        // sFlow says no direction, but goflow2 v1 writes every field, and this one as 0.
        if clues.direction == Some(0) && clues.flow_type == SFLOW {
            clues.direction = None;
        }
        clues.settle(default, self.seen)
    }

    const fn time(&mut self, which: Which) -> &mut Time {
        match which {
            Which::Received => &mut self.clues.received,
            Which::Start => &mut self.clues.start,
            Which::End => &mut self.clues.end,
        }
    }

    /// A field whose value is a number, or text that is one.
    pub(super) fn named_number(&mut self, key: Key, value: u64) {
        match key {
            // 0 is ingress.
            Key::Field(Field::Direction) => self.clues.direction = Some(value),
            _ if value == 0 => {}
            Key::Field(field) => self.number(field, value),
            Key::Seconds(which) => self.time(which).s = value,
            Key::Millis(which) => self.time(which).ms = value,
            Key::Nanos(which) => {
                self.time(which).ns = value;
                self.clues.marks |= mark::NANOSECONDS;
            }
        }
    }

    /// A field whose value is text.
    pub(super) fn named_text(&mut self, key: Key, text: &'a [u8]) {
        if text.is_empty() {
            return;
        }
        if let Some(value) = decimal(text) {
            return self.named_text_number(key, value, text);
        }
        match key {
            Key::Field(field) => self.text_or_name(field, text),
            Key::Seconds(which) | Key::Millis(which) | Key::Nanos(which) => {
                if let Some(nanos) = rfc3339_nanos(text) {
                    if matches!(key, Key::Nanos(_)) {
                        self.clues.marks |= mark::NANOSECONDS;
                    }
                    self.time(which).ns = nanos;
                }
            }
        }
    }

    /// An address as a list of bytes.
    pub(super) fn named_bytes(&mut self, key: Key, bytes: &[u8]) {
        if let (Key::Field(field), Some(addr)) = (key, Addr::from_bytes(bytes)) {
            self.named_addr(field, addr);
        }
    }

    /// Text of digits: a number for most fields, but a name may be of digits too.
    fn named_text_number(&mut self, key: Key, value: u64, text: &'a [u8]) {
        match key {
            Key::Field(field) if is_text(field) => self.text_or_name(field, text),
            _ => self.named_number(key, value),
        }
    }

    fn text_or_name(&mut self, field: Field, text: &'a [u8]) {
        match field {
            Field::SrcAddr | Field::DstAddr | Field::Exporter | Field::NextHop => {
                if let Some(addr) = address(text) {
                    self.named_addr(field, addr);
                }
            }
            Field::Direction => match text {
                b"ingress" => self.clues.direction = Some(0),
                b"egress" => self.clues.direction = Some(1),
                _ => {}
            },
            _ if is_text(field) => {
                self.mark_enrichment(field);
                if self.wanted.contains(field) {
                    self.keep_text(field, text);
                }
            }
            _ => {
                if let Some(value) = number_of_name(field, text) {
                    self.named_number(Key::Field(field), value);
                }
            }
        }
    }

    fn keep_text(&mut self, field: Field, text: &'a [u8]) {
        let flow = &mut self.flow;
        let slot = match field {
            Field::SrcIfName => &mut flow.src_if_name,
            Field::SrcIfDesc => &mut flow.src_if_desc,
            Field::DstIfName => &mut flow.dst_if_name,
            Field::DstIfDesc => &mut flow.dst_if_desc,
            Field::SrcCountry => &mut flow.src_country,
            Field::DstCountry => &mut flow.dst_country,
            Field::RemoteCountry => &mut flow.remote_country,
            Field::ProtoName => &mut flow.proto_name,
            Field::CidString => &mut flow.cid_string,
            Field::Note => &mut flow.note,
            _ => return,
        };
        *slot = text;
        self.seen = self.seen.with(field);
    }

    fn named_addr(&mut self, field: Field, addr: Addr) {
        let slot = match field {
            Field::SrcAddr => &mut self.flow.src_addr,
            Field::DstAddr => &mut self.flow.dst_addr,
            Field::Exporter => &mut self.flow.exporter,
            Field::NextHop => &mut self.flow.next_hop,
            _ => return,
        };
        *slot = Some(addr);
        self.seen = self.seen.with(field);
    }

    fn number(&mut self, field: Field, value: u64) {
        let flow = &mut self.flow;
        let slot = match field {
            Field::FlowType => &mut flow.flow_type,
            Field::Etype => &mut flow.etype,
            Field::Proto => &mut flow.proto,
            Field::SrcPort => &mut flow.src_port,
            Field::DstPort => &mut flow.dst_port,
            Field::InIf => &mut flow.in_if,
            Field::OutIf => &mut flow.out_if,
            Field::SrcAs => &mut flow.src_as,
            Field::DstAs => &mut flow.dst_as,
            Field::TcpFlags => &mut flow.tcp_flags,
            Field::IpTos => &mut flow.ip_tos,
            Field::ForwardingStatus => &mut flow.forwarding_status,
            Field::IcmpType => &mut flow.icmp_type,
            Field::IcmpCode => &mut flow.icmp_code,
            Field::VlanId => &mut flow.vlan_id,
            Field::FragmentOffset => &mut flow.fragment_offset,
            Field::Cid => &mut flow.cid,
            Field::SrcCid => &mut flow.src_cid,
            Field::DstCid => &mut flow.dst_cid,
            Field::ValidationStatus => &mut flow.validation_status,
            Field::RemoteAddr => &mut flow.remote_addr,
            Field::SrcIfSpeed => &mut flow.src_if_speed,
            Field::DstIfSpeed => &mut flow.dst_if_speed,
            _ => return self.wide_number(field, value),
        };
        *slot = value as u32;
        self.seen = self.seen.with(field);
        self.mark_enrichment(field);
    }

    fn wide_number(&mut self, field: Field, value: u64) {
        match field {
            Field::Bytes => self.flow.bytes = value,
            Field::Packets => self.flow.packets = value,
            Field::SamplingRate => self.flow.sampling_rate = value,
            Field::Normalized => self.clues.normalized = value == 1,
            _ => return,
        }
        self.seen = self.seen.with(field);
        self.mark_enrichment(field);
    }

    /// Names mean the same in every schema; only who wrote them matters, for the direction.
    fn mark_enrichment(&mut self, field: Field) {
        let country = matches!(field, Field::SrcCountry | Field::DstCountry);
        let enrichment = matches!(
            field,
            Field::Normalized
                | Field::ValidationStatus
                | Field::RemoteAddr
                | Field::Cid
                | Field::SrcCid
                | Field::DstCid
                | Field::SrcIfSpeed
                | Field::DstIfSpeed
        );
        if enrichment || is_text(field) && !country {
            self.clues.marks |= mark::ENRICHED_1000;
        }
    }
}

const fn is_text(field: Field) -> bool {
    matches!(
        field,
        Field::SrcIfName
            | Field::SrcIfDesc
            | Field::DstIfName
            | Field::DstIfDesc
            | Field::SrcCountry
            | Field::DstCountry
            | Field::RemoteCountry
            | Field::ProtoName
            | Field::CidString
            | Field::Note
    )
}

/// Digits only; more than 64 bits saturate, so that they end up implausible rather than absent.
fn decimal(text: &[u8]) -> Option<u64> {
    if text.is_empty() || !text.iter().all(u8::is_ascii_digit) {
        return None;
    }
    Some(text.iter().fold(0u64, |sum, digit| {
        sum.saturating_mul(10)
            .saturating_add(u64::from(digit - b'0'))
    }))
}

fn rfc3339_nanos(text: &[u8]) -> Option<u64> {
    let time: jiff::Timestamp = std::str::from_utf8(text).ok()?.parse().ok()?;
    u64::try_from(time.as_nanosecond())
        .ok()
        .filter(|ns| *ns > 0)
}

/// Text of an address, or base64 of its 4 or 16 bytes: neither can be taken for the other.
fn address(text: &[u8]) -> Option<Addr> {
    if let Ok(ip) = std::str::from_utf8(text).ok()?.parse() {
        return Some(Addr::from_ip(ip));
    }
    let mut bytes = [0; 18];
    let length = STANDARD.decode_slice(text, &mut bytes).ok()?;
    Addr::from_bytes(&bytes[..length])
}

/// Enumerations as protojson writes them, and the names that goflow2 renders.
const NAMES: &[(Field, &[u8], u64)] = &[
    (Field::FlowType, b"SFLOW_5", 1),
    (Field::FlowType, b"NETFLOW_V5", 2),
    (Field::FlowType, b"NETFLOW_V9", 3),
    (Field::FlowType, b"IPFIX", 4),
    (Field::FlowType, b"EBPF", 5),
    (Field::Etype, b"IPv4", 0x0800),
    (Field::Etype, b"ARP", 0x0806),
    (Field::Etype, b"IPv6", 0x86dd),
    (Field::Proto, b"UDP", 17),
    (Field::Proto, b"TCP", 6),
    (Field::Proto, b"ICMP", 1),
    (Field::Proto, b"IPv6-ICMP", 58),
    (Field::Proto, b"ICMPv6", 58),
    (Field::Proto, b"IGMP", 2),
    (Field::Proto, b"GRE", 47),
    (Field::Proto, b"ESP", 50),
    (Field::Proto, b"AH", 51),
    (Field::Proto, b"SCTP", 132),
    (Field::Normalized, b"Yes", 1),
    (Field::RemoteAddr, b"Src", 1),
    (Field::RemoteAddr, b"Dst", 2),
    (Field::ValidationStatus, b"Valid", 1),
    (Field::ValidationStatus, b"NotFound", 2),
    (Field::ValidationStatus, b"Invalid", 3),
];

fn number_of_name(field: Field, name: &[u8]) -> Option<u64> {
    let known = NAMES.iter().find(|(f, n, _)| *f == field && *n == name)?;
    Some(known.2)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_sorted_and_fit() {
        assert!(KEYS.windows(2).all(|w| w[0].0 < w[1].0));
        assert!(KEYS.iter().all(|(key, _)| key.len() <= LONGEST));
    }

    #[test]
    fn every_key_is_found_in_every_spelling() {
        for spelling in [&b"dst_addr"[..], b"dstAddr", b"DstAddr", b"DST_ADDR_"] {
            assert_eq!(Key::of(spelling), Some(Key::Field(Field::DstAddr)));
        }
        for (key, meaning) in KEYS {
            assert_eq!(Key::of(key.as_bytes()), Some(*meaning));
        }
        assert_eq!(Key::of(b""), None);
        assert_eq!(Key::of(&[b'a'; 100]), None);
    }

    #[test]
    fn every_field_has_a_name() {
        for field in Field::ALL {
            let named = KEYS.iter().any(|(_, key)| match key {
                Key::Field(f) => f == field,
                Key::Seconds(Which::Received) => *field == Field::TimeReceived,
                Key::Seconds(Which::Start) => *field == Field::TimeStart,
                Key::Seconds(Which::End) => *field == Field::TimeEnd,
                Key::Millis(_) | Key::Nanos(_) => false,
            });
            assert!(named, "no key for {}", field.name());
        }
    }

    #[test]
    fn addresses_as_text_and_as_base64() {
        let v4 = Addr::from_bytes(&[192, 168, 24, 87]);
        assert_eq!(address(b"192.168.24.87"), v4);
        assert_eq!(address(b"wKgYVw=="), v4);
        assert_eq!(address(b"::ffff:192.168.24.87"), v4);
        assert_eq!(address(b"AAAAAAAAAAAAAP//wKgYVw=="), v4);
        assert_eq!(
            address(b"2001:db8::1"),
            address(b"IAENuAAAAAAAAAAAAAAAAQ==")
        );
        assert!(address(b"2001:db8::1").is_some());
        assert_eq!(address(b"wKgY"), None, "three bytes");
        assert_eq!(address(b"not an address"), None);
        assert_eq!(address(&[b'A'; 400]), None);
    }

    #[test]
    fn decimals_above_64_bits_saturate() {
        assert_eq!(decimal(b"18446744073709551615"), Some(u64::MAX));
        assert_eq!(decimal(b"99999999999999999999999"), Some(u64::MAX));
        assert_eq!(decimal(b"-1"), None);
        assert_eq!(decimal(b"1.5"), None);
    }
}
