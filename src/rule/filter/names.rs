//! Numbers that have names in filters.

/// Names with their numbers.
pub(super) type Names = &'static [(&'static str, u64)];

/// No names.
pub(super) const NONE: Names = &[];

/// `direction`; the numbers are bits of a mask.
pub(super) const DIRECTION: Names = &[("unknown", 1), ("ingress", 2), ("egress", 4)];

/// `etype`: IEEE 802 numbers.
pub(super) const ETYPE: Names = &[
    ("ipv4", 0x0800),
    ("arp", 0x0806),
    ("vlan", 0x8100),
    ("ipv6", 0x86dd),
    ("mpls", 0x8847),
];

/// `proto`: IANA protocol numbers.
pub(super) const PROTO: Names = &[
    ("icmp", 1),
    ("igmp", 2),
    ("ipip", 4),
    ("tcp", 6),
    ("udp", 17),
    ("ipv6", 41),
    ("rsvp", 46),
    ("gre", 47),
    ("esp", 50),
    ("ah", 51),
    ("icmpv6", 58),
    ("ospf", 89),
    ("pim", 103),
    ("vrrp", 112),
    ("l2tp", 115),
    ("sctp", 132),
    ("udplite", 136),
];

/// Bits of `tcp_flags`.
pub(super) const TCP_FLAGS: Names = &[
    ("FIN", 0x01),
    ("SYN", 0x02),
    ("RST", 0x04),
    ("PSH", 0x08),
    ("ACK", 0x10),
    ("URG", 0x20),
    ("ECE", 0x40),
    ("CWR", 0x80),
];

/// `flow_type`
pub(super) const FLOW_TYPE: Names = &[
    ("unknown", 0),
    ("sflow", 1),
    ("netflow_v5", 2),
    ("netflow_v9", 3),
    ("ipfix", 4),
    ("ebpf", 5),
];

/// `validation_status`
pub(super) const VALIDATION: Names = &[
    ("unknown", 0),
    ("valid", 1),
    ("not_found", 2),
    ("invalid", 3),
];

/// `remote_addr`
pub(super) const REMOTE: Names = &[("neither", 0), ("src", 1), ("dst", 2)];

/// The number of a name.
pub(super) fn find(names: Names, text: &str) -> Option<u64> {
    names
        .iter()
        .find(|(name, _)| *name == text)
        .map(|(_, value)| *value)
}

/// The names, for messages; with the most similar one first said, if any is similar.
pub(super) fn valid(names: Names, text: &str) -> String {
    let hint = suggest(text, names.iter().map(|(name, _)| *name));
    let list: Vec<&str> = names.iter().map(|(name, _)| *name).collect();
    format!("{hint}valid names are {}", list.join(", "))
}

/// `did you mean …? `, or nothing when no candidate is similar.
pub(super) fn suggest<'a>(text: &str, candidates: impl Iterator<Item = &'a str>) -> String {
    let lower = text.to_lowercase();
    candidates
        .map(|name| (strsim::jaro_winkler(&lower, &name.to_lowercase()), name))
        .filter(|(score, _)| *score >= 0.8)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map_or_else(String::new, |(_, name)| format!("did you mean `{name}`? "))
}
