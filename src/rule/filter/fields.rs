//! What kind of value each field has, and how it is read from a flow.

use std::fmt;

use super::names::{self, Names};
use crate::flow::{Field, Flow};
use crate::net::Addr;

/// A number field.
#[derive(Clone, Copy)]
pub(super) struct Number {
    pub(super) field: Field,
    pub(super) get: fn(&Flow<'_>) -> u64,
    /// The largest value that means anything.
    pub(super) max: u64,
    /// Values that have names.
    pub(super) names: Names,
}

/// A text field.
#[derive(Clone, Copy)]
pub(super) struct Text {
    pub(super) field: Field,
    pub(super) get: for<'a> fn(&Flow<'a>) -> &'a [u8],
}

/// An address field.
#[derive(Clone, Copy)]
pub(super) struct Address {
    pub(super) field: Field,
    pub(super) get: fn(&Flow<'_>) -> Option<Addr>,
}

macro_rules! debug_as_field {
    ($($name:ident)*) => {
        $(impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.field.name())
            }
        })*
    };
}
debug_as_field!(Number Text Address);

/// How a filter can look at a field.
#[derive(Clone, Copy, Debug)]
pub(super) enum Kind {
    Number(Number),
    Text(Text),
    Address(Address),
    Direction,
    Normalized,
    Time,
}

impl Kind {
    /// The kind, for messages.
    pub(super) const fn describe(self) -> &'static str {
        match self {
            Self::Number(_) => "a number",
            Self::Text(_) => "text",
            Self::Address(_) => "an address",
            Self::Direction => "a direction",
            Self::Normalized => "true or false",
            Self::Time => "a time",
        }
    }

    /// What can stand behind a field's name, for messages.
    pub(super) const fn example(self) -> &'static str {
        match self {
            Self::Number(_) => "== 53, < 1024 or in [53, 123]",
            Self::Text(_) => "== \"x\" or .contains(\"x\")",
            Self::Address(_) => "== \"192.0.2.1\" or in \"10.0.0.0/8\"",
            Self::Direction => "== \"ingress\"",
            Self::Normalized => "by itself",
            Self::Time => "nothing: filters do not look at times",
        }
    }
}

const U16: u64 = u16::MAX as u64;
const U32: u64 = u32::MAX as u64;

/// The kind of every field.
pub(super) fn kind(field: Field) -> Kind {
    use Field as F;
    let number = |get, max, names| {
        Kind::Number(Number {
            field,
            get,
            max,
            names,
        })
    };
    let plain = |get, max| number(get, max, names::NONE);
    let text = |get| Kind::Text(Text { field, get });
    let address = |get| Kind::Address(Address { field, get });
    match field {
        F::SrcAddr => address(|f| f.src_addr),
        F::DstAddr => address(|f| f.dst_addr),
        F::Exporter => address(|f| f.exporter),
        F::NextHop => address(|f| f.next_hop),
        F::Direction => Kind::Direction,
        F::Normalized => Kind::Normalized,
        F::TimeReceived | F::TimeStart | F::TimeEnd => Kind::Time,
        F::Bytes => plain(|f| f.bytes, u64::MAX),
        F::Packets => plain(|f| f.packets, u64::MAX),
        F::SamplingRate => plain(|f| f.sampling_rate, u64::MAX),
        F::FlowType => number(|f| f.flow_type.into(), U32, names::FLOW_TYPE),
        F::Etype => number(|f| f.etype.into(), U16, names::ETYPE),
        F::Proto => number(|f| f.proto.into(), 255, names::PROTO),
        F::TcpFlags => number(|f| f.tcp_flags.into(), U16, names::TCP_FLAGS),
        F::ValidationStatus => number(|f| f.validation_status.into(), 3, names::VALIDATION),
        F::RemoteAddr => number(|f| f.remote_addr.into(), 2, names::REMOTE),
        F::SrcPort => plain(|f| f.src_port.into(), U16),
        F::DstPort => plain(|f| f.dst_port.into(), U16),
        F::InIf => plain(|f| f.in_if.into(), U32),
        F::OutIf => plain(|f| f.out_if.into(), U32),
        F::SrcAs => plain(|f| f.src_as.into(), U32),
        F::DstAs => plain(|f| f.dst_as.into(), U32),
        F::IpTos => plain(|f| f.ip_tos.into(), 255),
        F::ForwardingStatus => plain(|f| f.forwarding_status.into(), U32),
        F::IcmpType => plain(|f| f.icmp_type.into(), 255),
        F::IcmpCode => plain(|f| f.icmp_code.into(), 255),
        F::VlanId => plain(|f| f.vlan_id.into(), U16),
        F::FragmentOffset => plain(|f| f.fragment_offset.into(), U16),
        F::Cid => plain(|f| f.cid.into(), U32),
        F::SrcCid => plain(|f| f.src_cid.into(), U32),
        F::DstCid => plain(|f| f.dst_cid.into(), U32),
        F::SrcIfSpeed => plain(|f| f.src_if_speed.into(), U32),
        F::DstIfSpeed => plain(|f| f.dst_if_speed.into(), U32),
        F::SrcIfName => text(|f| f.src_if_name),
        F::SrcIfDesc => text(|f| f.src_if_desc),
        F::DstIfName => text(|f| f.dst_if_name),
        F::DstIfDesc => text(|f| f.dst_if_desc),
        F::SrcCountry => text(|f| f.src_country),
        F::DstCountry => text(|f| f.dst_country),
        F::RemoteCountry => text(|f| f.remote_country),
        F::ProtoName => text(|f| f.proto_name),
        F::CidString => text(|f| f.cid_string),
        F::Note => text(|f| f.note),
    }
}
