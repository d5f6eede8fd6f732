//! The flow as the rules see it, and the table of its fields.

use crate::net::Addr;
use crate::time::Timestamp;

/// Which way a flow crossed the exporter's interface.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Direction {
    /// The record does not say, and its format has no default.
    #[default]
    Unknown,
    /// Seen entering the exporter.
    Ingress,
    /// Seen leaving the exporter.
    Egress,
}

/// Whether bytes and packets are already multiplied by the sampling rate.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Normalized {
    /// As sampled, or not said.
    #[default]
    No,
    /// Already multiplied.
    Yes,
}

/// One flow, in the units of its record: bytes and packets as written, before sampling.
///
/// Text is borrowed from the record (or the decoder's scratch space) and compared as bytes.
/// A number that the record does not carry is 0; an address or time that it does not carry is `None`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Flow<'a> {
    /// Source address; `None` if absent, empty or not IP.
    pub src_addr: Option<Addr>,
    /// Destination address; `None` if absent, empty or not IP.
    pub dst_addr: Option<Addr>,
    /// The exporter (sampler) that saw the flow.
    pub exporter: Option<Addr>,
    /// Next hop address.
    pub next_hop: Option<Addr>,
    /// Bytes, as written.
    pub bytes: u64,
    /// Packets, as written.
    pub packets: u64,
    /// Sampling rate, 1 in N; 0 means that the exporter did not say.
    pub sampling_rate: u64,
    /// Whether the enricher multiplied bytes and packets already.
    pub normalized: Normalized,
    /// When the collector received it.
    pub time_received: Option<Timestamp>,
    /// When the flow began.
    pub time_start: Option<Timestamp>,
    /// When the flow ended.
    pub time_end: Option<Timestamp>,
    /// Ingress, egress or unknown, with the format's default applied.
    pub direction: Direction,
    /// Collector's record type: 0 unknown, 1 sFlow 5, 2 NetFlow v5, 3 NetFlow v9, 4 IPFIX, 5 eBPF.
    pub flow_type: u32,
    /// Ethernet type; 0x0800 IPv4, 0x86dd IPv6, 0 not said.
    pub etype: u32,
    /// IP protocol number.
    pub proto: u32,
    /// Source port.
    pub src_port: u32,
    /// Destination port.
    pub dst_port: u32,
    /// Input interface index (SNMP).
    pub in_if: u32,
    /// Output interface index (SNMP).
    pub out_if: u32,
    /// Source autonomous system number.
    pub src_as: u32,
    /// Destination autonomous system number.
    pub dst_as: u32,
    /// TCP flags, united over the flow.
    pub tcp_flags: u32,
    /// Type of service byte.
    pub ip_tos: u32,
    /// Forwarding status, RFC 7270.
    pub forwarding_status: u32,
    /// ICMP type.
    pub icmp_type: u32,
    /// ICMP code.
    pub icmp_code: u32,
    /// VLAN id.
    pub vlan_id: u32,
    /// Fragment offset.
    pub fragment_offset: u32,
    /// Customer id, set by the enricher.
    pub cid: u32,
    /// Customer id of the source.
    pub src_cid: u32,
    /// Customer id of the destination.
    pub dst_cid: u32,
    /// Route origin validation: 0 unknown, 1 valid, 2 not found, 3 invalid.
    pub validation_status: u32,
    /// Which side is remote: 0 neither, 1 source, 2 destination.
    pub remote_addr: u32,
    /// Input interface speed as the enricher writes it.
    pub src_if_speed: u32,
    /// Output interface speed as the enricher writes it.
    pub dst_if_speed: u32,
    /// Name of the input interface.
    pub src_if_name: &'a [u8],
    /// Description of the input interface.
    pub src_if_desc: &'a [u8],
    /// Name of the output interface.
    pub dst_if_name: &'a [u8],
    /// Description of the output interface.
    pub dst_if_desc: &'a [u8],
    /// Country of the source.
    pub src_country: &'a [u8],
    /// Country of the destination.
    pub dst_country: &'a [u8],
    /// Country of the remote side.
    pub remote_country: &'a [u8],
    /// Protocol name.
    pub proto_name: &'a [u8],
    /// Customer id as text.
    pub cid_string: &'a [u8],
    /// Free text of the enricher.
    pub note: &'a [u8],
}

impl Flow<'_> {
    /// Whether the Ethernet type leaves room for an IP flow: it is IPv4, IPv6, not said, or only a
    /// wrapping (VLAN tags, MPLS, `PPPoE`) around something else. A flow for which this is false, or whose
    /// key address is `None`, is not IP.
    pub const fn may_be_ip(&self) -> bool {
        matches!(
            self.etype,
            0 | 0x0800 | 0x86dd | 0x8100 | 0x88a8 | 0x8847 | 0x8848 | 0x8864
        )
    }
}

macro_rules! fields {
    ($($variant:ident $name:literal $doc:literal),* $(,)?) => {
        /// A field of [`Flow`], under the name that filters use.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[repr(u8)]
        pub enum Field { $(#[doc = $doc] $variant),* }

        impl Field {
            /// All fields, in the order of the table.
            pub const ALL: &[Self] = &[$(Self::$variant),*];

            /// The name in filters, in snake case.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name),* }
            }
        }
    };
}

fields! {
    SrcAddr "src_addr" "Source address.",
    DstAddr "dst_addr" "Destination address.",
    Exporter "exporter" "The exporter's address.",
    NextHop "next_hop" "Next hop address.",
    Bytes "bytes" "Bytes as written.",
    Packets "packets" "Packets as written.",
    SamplingRate "sampling_rate" "Sampling rate, 1 in N.",
    Normalized "normalized" "Whether counters are already multiplied.",
    TimeReceived "time_received" "Time of reception.",
    TimeStart "time_start" "Start of the flow.",
    TimeEnd "time_end" "End of the flow.",
    Direction "direction" "`ingress`, `egress` or `unknown`.",
    FlowType "flow_type" "Collector's record type.",
    Etype "etype" "Ethernet type.",
    Proto "proto" "IP protocol.",
    SrcPort "src_port" "Source port.",
    DstPort "dst_port" "Destination port.",
    InIf "in_if" "Input interface index.",
    OutIf "out_if" "Output interface index.",
    SrcAs "src_as" "Source AS.",
    DstAs "dst_as" "Destination AS.",
    TcpFlags "tcp_flags" "TCP flags.",
    IpTos "ip_tos" "Type of service.",
    ForwardingStatus "forwarding_status" "Forwarding status.",
    IcmpType "icmp_type" "ICMP type.",
    IcmpCode "icmp_code" "ICMP code.",
    VlanId "vlan_id" "VLAN id.",
    FragmentOffset "fragment_offset" "Fragment offset.",
    Cid "cid" "Customer id.",
    SrcCid "src_cid" "Customer id of the source.",
    DstCid "dst_cid" "Customer id of the destination.",
    ValidationStatus "validation_status" "Route origin validation.",
    RemoteAddr "remote_addr" "Which side is remote.",
    SrcIfSpeed "src_if_speed" "Input interface speed.",
    DstIfSpeed "dst_if_speed" "Output interface speed.",
    SrcIfName "src_if_name" "Input interface name.",
    SrcIfDesc "src_if_desc" "Input interface description.",
    DstIfName "dst_if_name" "Output interface name.",
    DstIfDesc "dst_if_desc" "Output interface description.",
    SrcCountry "src_country" "Country of the source.",
    DstCountry "dst_country" "Country of the destination.",
    RemoteCountry "remote_country" "Country of the remote side.",
    ProtoName "proto_name" "Protocol name.",
    CidString "cid_string" "Customer id as text.",
    Note "note" "Free text.",
}

/// A set of [`Field`]s: what a decoder must fill in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct FieldSet(u64);

impl FieldSet {
    /// No field.
    pub const EMPTY: Self = Self(0);
    /// Every field of the table.
    pub const ALL: Self = Self((1 << Field::ALL.len()) - 1);

    /// With `field` added.
    #[must_use]
    pub const fn with(self, field: Field) -> Self {
        Self(self.0 | 1 << field as u8)
    }

    /// With `field` added if `there`.
    #[must_use]
    pub(super) const fn with_if(self, field: Field, there: bool) -> Self {
        Self(self.0 | (there as u64) << field as u8)
    }

    /// The fields whose places in the table are set in `bits`; other bits mean nothing.
    pub(super) const fn from_bits(bits: u64) -> Self {
        Self(bits & Self::ALL.0)
    }

    /// The places of its fields in the table, a bit each.
    pub(super) const fn bits(self) -> u64 {
        self.0
    }

    /// Everything that is in either.
    #[must_use]
    pub const fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Whether `field` is in it.
    pub const fn contains(self, field: Field) -> bool {
        self.0 & (1 << field as u8) != 0
    }

    /// Whether the two have a field in common.
    pub const fn intersects(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }

    /// What is in this one and not in `other`.
    #[must_use]
    pub const fn minus(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    /// Its fields, in table order.
    pub fn iter(self) -> impl Iterator<Item = Field> {
        Field::ALL
            .iter()
            .copied()
            .filter(move |f| self.contains(*f))
    }
}

impl FromIterator<Field> for FieldSet {
    fn from_iter<I: IntoIterator<Item = Field>>(fields: I) -> Self {
        fields.into_iter().fold(Self::EMPTY, Self::with)
    }
}
