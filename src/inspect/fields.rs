//! Which fields carry something, with examples.

use std::fmt;

use crate::flow::{Direction, Field, Flow, Normalized};
use crate::net::Addr;
use crate::time::Timestamp;

/// Different values kept of a field.
const EXAMPLES: usize = 3;
/// Of a text, this many characters are shown.
const SHOWN: usize = 32;

/// What a field carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Carried<'a> {
    Number(u64),
    Address(Addr),
    Time(Timestamp),
    Word(&'static str),
    Text(&'a [u8]),
}

impl fmt::Display for Carried<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(number) => number.fmt(f),
            Self::Address(address) => address.fmt(f),
            Self::Time(time) => time.fmt(f),
            Self::Word(word) => f.write_str(word),
            Self::Text(text) => {
                let text = String::from_utf8_lossy(text);
                let shown: String = text.chars().take(SHOWN).collect();
                let more = if shown.len() < text.len() { "…" } else { "" };
                write!(f, "\"{}{more}\"", shown.escape_debug())
            }
        }
    }
}

/// What `field` of a flow carries. A number of 0 and an empty text carry nothing, as for
/// [`crate::flow::Decoder::seen`].
pub(super) fn carried<'a>(flow: &Flow<'a>, field: Field) -> Option<Carried<'a>> {
    let number = |n: u64| (n > 0).then_some(Carried::Number(n));
    let text = |text: &'a [u8]| (!text.is_empty()).then_some(Carried::Text(text));
    match field {
        Field::SrcAddr => flow.src_addr.map(Carried::Address),
        Field::DstAddr => flow.dst_addr.map(Carried::Address),
        Field::Exporter => flow.exporter.map(Carried::Address),
        Field::NextHop => flow.next_hop.map(Carried::Address),
        Field::TimeReceived => flow.time_received.map(Carried::Time),
        Field::TimeStart => flow.time_start.map(Carried::Time),
        Field::TimeEnd => flow.time_end.map(Carried::Time),
        Field::Normalized => match flow.normalized {
            Normalized::Yes => Some(Carried::Word("yes")),
            Normalized::No => None,
        },
        Field::Direction => match flow.direction {
            Direction::Ingress => Some(Carried::Word("ingress")),
            Direction::Egress => Some(Carried::Word("egress")),
            Direction::Unknown => None,
        },
        Field::Bytes => number(flow.bytes),
        Field::Packets => number(flow.packets),
        Field::SamplingRate => number(flow.sampling_rate),
        Field::FlowType => number(flow.flow_type.into()),
        Field::Etype => number(flow.etype.into()),
        Field::Proto => number(flow.proto.into()),
        Field::SrcPort => number(flow.src_port.into()),
        Field::DstPort => number(flow.dst_port.into()),
        Field::InIf => number(flow.in_if.into()),
        Field::OutIf => number(flow.out_if.into()),
        Field::SrcAs => number(flow.src_as.into()),
        Field::DstAs => number(flow.dst_as.into()),
        Field::TcpFlags => number(flow.tcp_flags.into()),
        Field::IpTos => number(flow.ip_tos.into()),
        Field::ForwardingStatus => number(flow.forwarding_status.into()),
        Field::IcmpType => number(flow.icmp_type.into()),
        Field::IcmpCode => number(flow.icmp_code.into()),
        Field::VlanId => number(flow.vlan_id.into()),
        Field::FragmentOffset => number(flow.fragment_offset.into()),
        Field::Cid => number(flow.cid.into()),
        Field::SrcCid => number(flow.src_cid.into()),
        Field::DstCid => number(flow.dst_cid.into()),
        Field::ValidationStatus => number(flow.validation_status.into()),
        Field::RemoteAddr => number(flow.remote_addr.into()),
        Field::SrcIfSpeed => number(flow.src_if_speed.into()),
        Field::DstIfSpeed => number(flow.dst_if_speed.into()),
        Field::SrcIfName => text(flow.src_if_name),
        Field::SrcIfDesc => text(flow.src_if_desc),
        Field::DstIfName => text(flow.dst_if_name),
        Field::DstIfDesc => text(flow.dst_if_desc),
        Field::SrcCountry => text(flow.src_country),
        Field::DstCountry => text(flow.dst_country),
        Field::RemoteCountry => text(flow.remote_country),
        Field::ProtoName => text(flow.proto_name),
        Field::CidString => text(flow.cid_string),
        Field::Note => text(flow.note),
    }
}

/// One field.
#[derive(Clone, Debug, Default)]
pub(super) struct Seen {
    /// Flows in which it carried something.
    pub(super) flows: u64,
    /// Of those, the first different values.
    pub(super) examples: Vec<String>,
}

/// All fields.
#[derive(Debug)]
pub(super) struct Fields(Vec<Seen>);

impl Default for Fields {
    fn default() -> Self {
        Self(vec![Seen::default(); Field::ALL.len()])
    }
}

impl Fields {
    pub(super) fn flow(&mut self, flow: &Flow<'_>) {
        for (field, seen) in Field::ALL.iter().zip(&mut self.0) {
            let Some(value) = carried(flow, *field) else {
                continue;
            };
            seen.flows += 1;
            if seen.examples.len() < EXAMPLES {
                let example = value.to_string();
                if !seen.examples.contains(&example) {
                    seen.examples.push(example);
                }
            }
        }
    }

    /// In how many flows `field` carried something.
    pub(super) fn flows(&self, field: Field) -> u64 {
        self.0[field as usize].flows
    }

    /// Every field that ever carried something, in the order of the table.
    pub(super) fn iter(&self) -> impl Iterator<Item = (Field, &Seen)> {
        let all = Field::ALL.iter().copied().zip(&self.0);
        all.filter(|(_, seen)| seen.flows > 0)
    }
}
