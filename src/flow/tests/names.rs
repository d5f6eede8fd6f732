use super::super::{Direction, Field, FieldSet, Flow, Normalized};
use super::{decoder, with_flow};
use crate::net::Addr;
use crate::time::Timestamp;

/// Reads two records and asserts that they are the same flow.
fn assert_same(one: &str, other: &str) {
    with_flow(one.as_bytes(), |one| {
        assert!(one.is_ok(), "{one:?}");
        with_flow(other.as_bytes(), |other| assert_eq!(one, other));
    });
}

#[test]
fn numbers_addresses_and_names_are_read_in_every_form() {
    let plain = r#"{"type":4,"bytes":18446744073709551615,"dst_addr":"2001:db8::1","etype":34525,"proto":58}"#;
    for other in [
        r#"{"Type":"IPFIX","Bytes":"18446744073709551615","DstAddr":"IAENuAAAAAAAAAAAAAAAAQ==","Etype":"IPv6","Proto":"IPv6-ICMP"}"#,
        r#"{"TYPE":"4","b_y_t_e_s":18446744073709551615,"dstAddr":[32,1,13,184,0,0,0,0,0,0,0,0,0,0,0,1],"eType":"34525","proto":"ICMPv6"}"#,
        r#" {"type":4.0,"bytes":1e30,"dst_addr":"2001:DB8:0::1","etype":34525.0,"proto":58} "#,
    ] {
        assert_same(plain, other);
    }
}

#[test]
fn values_of_an_unexpected_type_are_skipped() {
    assert_same(
        r#"{"type":3,"bytes":5}"#,
        r#"{"type":3,"bytes":5,"packets":null,"dst_addr":{"a":[1,{"b":2}]},"src_addr":[1,2],"next_hop":[1,"2",3,4],
            "proto":"no such","etype":"","in_if":-1,"out_if":1.5,"src_port":[],"dst_port":{},"note":7,
            "sampler_address":17,"time_received_ns":"yesterday","cid":"","flow_direction":"sideways",
            "extra":[[[{"deep":[1,2,3]}]]],"normalized":"No","src_as":[300,1,1,1]}"#,
    );
}

#[test]
fn escaped_text_is_unescaped_without_leaking_into_the_next_record() {
    let mut decoder = decoder();
    let record = r#"{"type":3,"src_if_desc":"a\"b\\cé\n😀","\u0064st_addr":"192.0.2.1","dst_if_desc":"plain",
        "note":"\u00fc","src_if_name":"\/dev"}"#;
    let flow = decoder.decode(record.as_bytes()).unwrap();
    assert_eq!(flow.src_if_desc, "a\"b\\cé\n😀".as_bytes());
    assert_eq!(flow.dst_if_desc, b"plain");
    assert_eq!(flow.note, "ü".as_bytes());
    assert_eq!(flow.src_if_name, b"/dev");
    assert_eq!(flow.dst_addr, Addr::from_bytes(&[192, 0, 2, 1]));
    let flow = decoder.decode(br#"{"type":3,"note":"\u0041"}"#).unwrap();
    assert_eq!((flow.note, flow.src_if_desc), (&b"A"[..], &b""[..]));
}

#[test]
fn nanoseconds_above_2_to_the_53_are_exact_and_rendered_times_are_read() {
    let received = |record: &str| with_flow(record.as_bytes(), |f| f.unwrap().time_received);
    let expected = Some(Timestamp::from_millis(1_568_127_847_913));
    for record in [
        r#"{"time_received_ns":1568127847913857000}"#,
        r#"{"timeReceivedNs":"1568127847913857000"}"#,
        r#"{"time_received_ns":"2019-09-10T15:04:07.913857Z"}"#,
        r#"{"TimeReceived":"2019-09-10T17:04:07.913857+02:00"}"#,
    ] {
        assert_eq!(received(record), expected, "{record}");
    }
    assert_eq!(
        received(r#"{"TimeReceived":1568127847}"#),
        Some(Timestamp::from_millis(1_568_127_847_000))
    );
}

#[test]
fn enumerations_are_read_by_name() {
    let record =
        br#"{"Type":"EBPF","Normalized":"Yes","RemoteAddr":"Dst","ValidationStatus":"Invalid"}"#;
    with_flow(record, |flow| {
        let flow = flow.unwrap();
        assert_eq!((flow.flow_type, flow.normalized), (5, Normalized::Yes));
        assert_eq!((flow.remote_addr, flow.validation_status), (2, 3));
    });
}

#[test]
fn broken_json_is_undecodable_with_its_place() {
    for record in [
        &br#"{"type":3,"bytes":5"#[..],
        br#"{"type":3,}"#,
        br#"{"type":3} {"type":3}"#,
        br#"{"type":3}x"#,
        b"{\"type\":3,\"note\":\"\xff\"}",
    ] {
        with_flow(record, |flow| {
            let undecodable = flow.unwrap_err();
            assert_eq!(undecodable.kind(), "malformed_json");
            assert!(undecodable.to_string().contains("line 1 column"));
        });
    }
}

#[test]
fn deeply_nested_values_are_skipped() {
    for (open, close) in [("[", "]"), (r#"{"a":"#, "}")] {
        for key in ["dst_addr", "unknown"] {
            let inner = format!("{}1{}", open.repeat(50_000), close.repeat(50_000));
            let record = format!(r#"{{"type":3,"{key}":{inner}}}"#);
            with_flow(record.as_bytes(), |flow| {
                assert_eq!(flow.unwrap().flow_type, 3);
            });
        }
    }
}

#[test]
fn json_flow_nobody_enriched_carries_only_what_is_not_zero() {
    let mut decoder = decoder();
    let record =
        br#"{"type":"NETFLOW_V9","bytes":0,"packets":7,"src_if_desc":"","dst_addr":"","cid":0}"#;
    decoder.decode(record).unwrap();
    let seen: FieldSet = [Field::FlowType, Field::Packets, Field::Direction]
        .into_iter()
        .collect();
    assert_eq!(decoder.seen(), seen);
}

#[test]
fn text_records_read_like_json_ones() {
    let text = "type=NETFLOW_V9 time_received_ns=1568127847913857000 sampling_rate=32 \
         sampler_address=192.0.2.1 bytes=1500000 packets=1000 src_addr=198.51.100.7 \
         dst_addr=192.168.24.87 etype=IPv4 proto=UDP src_net=198.51.100.0/24 as_path=[1 2] mpls_ip=[] \
         bgp_next_hop= in_if=5\n";
    let json = r#"{"type":"NETFLOW_V9","time_received_ns":1568127847913857000,"sampling_rate":32,
        "sampler_address":"192.0.2.1","bytes":1500000,"packets":1000,"src_addr":"198.51.100.7",
        "dst_addr":"192.168.24.87","etype":"IPv4","proto":"UDP","in_if":5}"#;
    assert_same(json, text);
    let flow = Flow {
        flow_type: 3,
        src_if_desc: b"DFN 100G",
        note: b"x",
        direction: Direction::Ingress,
        ..Flow::default()
    };
    with_flow(br#"Type=NETFLOW_V9 SrcIfDesc="DFN 100G" Note=x"#, |read| {
        assert_eq!(read, Ok(flow));
    });
    for text in ["hello=world", "a=b c=d", "bytes=", "type=3 \"", "=", "x"] {
        with_flow(text.as_bytes(), |flow| {
            assert_eq!(flow.is_ok(), text.starts_with("type=3"), "{text}");
        });
    }
    with_flow(b"level=info msg=\"started\"", |flow| {
        let undecodable = flow.unwrap_err();
        assert_eq!(undecodable.kind(), "not_a_flow");
        assert!(undecodable.to_string().ends_with("name=value text"));
    });
}
