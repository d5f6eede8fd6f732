use super::compiled;
use crate::flow::{Direction, Field, FieldSet, Flow, Normalized};
use crate::net::Addr;

fn addr(text: &str) -> Addr {
    Addr::from_ip(text.parse().expect("a test address"))
}

fn flow() -> Flow<'static> {
    Flow {
        src_addr: Some(addr("192.0.2.9")),
        dst_addr: Some(addr("198.51.100.7")),
        exporter: Some(addr("192.0.2.1")),
        bytes: 1500,
        packets: 2,
        normalized: Normalized::Yes,
        direction: Direction::Ingress,
        etype: 0x0800,
        proto: 6,
        src_port: 443,
        dst_port: 50000,
        in_if: 3,
        src_as: 64496,
        dst_as: 64496,
        tcp_flags: 0x12,
        src_if_desc: b"DFN uplink \xff",
        src_if_name: b"ge-0/0/0",
        ..Flow::default()
    }
}

fn holds(source: &str) -> bool {
    compiled(source).matches(&flow())
}

#[test]
fn every_documented_form_decides_as_written() {
    let cases = [
        ("", true),
        ("  // nothing but a comment\n true", true),
        (
            "direction == \"ingress\" && src_if_desc.contains(\"DFN\")",
            true,
        ),
        ("direction == 'egress'", false),
        ("direction != \"egress\"", true),
        ("direction in [\"egress\", \"unknown\"]", false),
        ("proto == \"tcp\"", true),
        ("proto == 6", true),
        ("proto == 6u", true),
        ("6 == proto", true),
        ("proto in [\"udp\", 1]", false),
        ("proto in sets.protocols", true),
        ("etype == \"ipv4\" && etype == 0x0800", true),
        ("etype == \"ipv6\"", false),
        ("normalized", true),
        ("!normalized", false),
        ("normalized == false", false),
        ("normalized != false", true),
        ("tcp_flags.has(\"SYN\")", true),
        ("tcp_flags.has(\"SYN\", \"ACK\")", true),
        ("tcp_flags.has(\"SYN|RST\")", false),
        ("tcp_flags.has_any(\"SYN\", \"RST\")", true),
        ("tcp_flags.has_any(\"RST\", \"FIN\")", false),
        ("tcp_flags == \"SYN\"", false),
        ("tcp_flags == \"SYN|ACK\"", true),
        ("tcp_flags == 18", true),
        ("src_addr == \"192.0.2.9\"", true),
        ("src_addr == \"::ffff:192.0.2.9\"", true),
        ("src_addr in \"192.0.2.0/24\"", true),
        ("src_addr in [\"10.0.0.0/8\", \"2001:db8::/32\"]", false),
        (
            "dst_addr.in_prefix(\"198.51.100.0/24\", \"203.0.113.0/24\")",
            true,
        ),
        ("dst_addr in \"0.0.0.0/0\"", true),
        ("dst_addr in \"::/0\"", false),
        ("exporter in sets.borders", true),
        ("dst_addr in sets.borders", true),
        ("exporter == \"192.0.2.1\"", true),
        ("src_as in sets.peers && src_as == dst_as", true),
        ("src_as != dst_as", false),
        ("src_port < dst_port && src_port <= dst_port", true),
        ("src_port >= dst_port || src_port > dst_port", false),
        ("src_if_name in sets.uplinks", true),
        ("src_if_name in [\"ge-0/0/1\"]", false),
        (
            "src_if_desc.startsWith(\"DFN\") && src_if_desc.endsWith(\"link\")",
            false,
        ),
        ("src_if_desc == \"\"", false),
        ("dst_if_desc == \"\"", true),
        ("src_if_name != dst_if_name", true),
        ("src_port in [53, 123, 443]", true),
        ("src_port in sets.none", false),
        ("bytes > 1499 && bytes <= 1500 && !(bytes < 1500)", true),
        ("dst_port >= 1024 && dst_port != 443", true),
        ("1024 < src_port", false),
        ("!!(src_port == 443)", true),
        ("true || normalized", true),
        ("false || (normalized && false)", false),
    ];
    for (source, expected) in cases {
        assert_eq!(holds(source), expected, "{source}");
    }
}

#[test]
fn an_absent_address_equals_nothing() {
    let empty = Flow::default();
    for source in [
        "next_hop == \"0.0.0.0\"",
        "next_hop in [\"0.0.0.0/0\", \"::/0\"]",
        "next_hop == src_addr",
    ] {
        assert!(!compiled(source).matches(&empty), "{source}");
        assert!(
            compiled(&format!("!({source})")).matches(&empty),
            "{source}"
        );
    }
}

#[test]
fn long_lists_decide_like_short_ones() {
    let ports: Vec<String> = (0..2000).map(|p| (p * 7).to_string()).collect();
    let filter = compiled(&format!("dst_port in [{}]", ports.join(", ")));
    let names: Vec<String> = (0..500).map(|n| format!("\"if-{n}\"")).collect();
    let by_name = compiled(&format!("src_if_name in [{}]", names.join(", ")));
    for port in 0..15_000u32 {
        let name = format!("if-{port}");
        let flow = Flow {
            dst_port: port,
            src_if_name: name.as_bytes(),
            ..Flow::default()
        };
        assert_eq!(filter.matches(&flow), port % 7 == 0 && port < 14_000);
        assert_eq!(by_name.matches(&flow), port < 500);
    }
}

#[test]
fn the_fields_it_looks_at_are_known() {
    let filter = compiled("direction == \"ingress\" && src_if_desc.contains(\"DFN\")");
    assert_eq!(
        filter.fields(),
        FieldSet::EMPTY
            .with(Field::Direction)
            .with(Field::SrcIfDesc)
    );
    assert_eq!(compiled("").fields(), FieldSet::EMPTY);
}

#[test]
fn every_field_but_times_can_be_filtered_on() {
    use crate::rule::filter::fields::{Kind, kind};
    for field in Field::ALL {
        let name = field.name();
        let source = match kind(*field) {
            Kind::Number(_) => format!("{name} == 1"),
            Kind::Text(_) => format!("{name} == \"x\""),
            Kind::Address(_) => format!("{name} in \"10.0.0.0/8\""),
            Kind::Direction => format!("{name} == \"ingress\""),
            Kind::Normalized => name.to_owned(),
            Kind::Time => continue,
        };
        assert_eq!(compiled(&source).fields(), FieldSet::EMPTY.with(*field));
    }
}

#[test]
fn each_number_field_reads_its_own_value() {
    use crate::rule::filter::fields::{Kind, kind};
    // One flow in which every number differs from every other.
    let flow = Flow {
        bytes: 101,
        packets: 102,
        sampling_rate: 103,
        flow_type: 104,
        etype: 105,
        proto: 106,
        src_port: 107,
        dst_port: 108,
        in_if: 109,
        out_if: 110,
        src_as: 111,
        dst_as: 112,
        tcp_flags: 113,
        ip_tos: 114,
        forwarding_status: 115,
        icmp_type: 116,
        icmp_code: 117,
        vlan_id: 118,
        fragment_offset: 119,
        cid: 120,
        src_cid: 121,
        dst_cid: 122,
        validation_status: 123,
        remote_addr: 124,
        src_if_speed: 125,
        dst_if_speed: 126,
        ..Flow::default()
    };
    let mut expected = 101;
    for field in Field::ALL {
        if let Kind::Number(number) = kind(*field) {
            assert_eq!((number.get)(&flow), expected, "{}", field.name());
            expected += 1;
        }
    }
    assert_eq!(expected, 127);
}

#[test]
fn canonical_text_ignores_layout_and_order() {
    let canonical = |source| compiled(source).canonical().to_owned();
    let one = canonical("direction == \"ingress\" && src_port in [53, 123]");
    assert_eq!(
        one,
        canonical("src_port in [123,\n  53, 53]  &&  'ingress' == direction // same")
    );
    assert_ne!(
        one,
        canonical("direction == \"ingress\" && src_port in [53, 124]")
    );
    assert_ne!(
        one,
        canonical("direction == \"ingress\" || src_port in [53, 123]")
    );
    assert_eq!(canonical("proto == \"tcp\""), canonical("proto == 6"));
    assert_eq!(
        canonical("exporter in sets.borders"),
        canonical("exporter in [\"2001:db8::1\", \"192.0.2.1\", \"198.51.100.0/24\"]")
    );
}

#[test]
fn both_filters_of_a_conjunction_must_hold() {
    let both = compiled("src_port == 443").and(&compiled("exporter in sets.borders"));
    assert!(both.matches(&flow()));
    assert!(!both.matches(&Flow {
        exporter: None,
        ..flow()
    }));
    assert!(both.fields().contains(Field::Exporter));
    assert_eq!(
        compiled("src_port == 443").and(&compiled("")).canonical(),
        compiled("src_port == 443").canonical()
    );
}
