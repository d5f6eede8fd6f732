use proptest::prelude::*;

use super::super::{Decoder, likely_format};
use super::recorded::all;
use super::{Message, decoder, with_flow};
use crate::net::Addr;

/// A record that every neighbour test decodes again.
fn neighbour() -> Vec<u8> {
    Message::flow().number(18, 7).delimited()
}

fn assert_neighbour_is_unaffected(decoder: &mut Decoder) {
    let record = neighbour();
    let flow = decoder.decode(&record);
    with_flow(&record, |alone| assert_eq!(flow, alone));
}

/// Both must hold on any input: an outcome, and a message for it.
fn survives(decoder: &mut Decoder, record: &[u8]) {
    if let Err(undecodable) = decoder.decode(record) {
        assert!(!undecodable.to_string().is_empty());
        assert_eq!(undecodable.likely(), likely_format(record));
    }
    assert_neighbour_is_unaffected(decoder);
}

#[test]
fn truncation_at_every_byte_never_panics_and_spares_the_neighbour() {
    let mut decoder = decoder();
    for (name, record) in all() {
        for length in 0..record.len() {
            survives(&mut decoder, &record[..length]);
        }
        assert!(decoder.decode(&record).is_ok(), "{name}");
    }
}

#[test]
fn truncated_delimited_and_json_records_are_never_flows() {
    for (name, record) in all() {
        if name.ends_with("bare") || name.starts_with("bwnetflow-2021") && record[0] != b'{' {
            continue;
        }
        if name == "flowpipeline-v2-legacy" {
            continue;
        }
        for length in 0..record.len() {
            let decoded = with_flow(&record[..length], |flow| flow.is_ok());
            assert!(!decoded, "{name} cut to {length} bytes");
        }
    }
}

#[test]
fn corruption_of_every_byte_never_panics_and_spares_the_neighbour() {
    let mut decoder = decoder();
    for (_, mut record) in all() {
        let text = record[0] == b'{';
        for at in 0..record.len() {
            let good = record[at];
            // JSON is long, and most bytes do the same to it.
            let all_of_binary = (0..=u8::MAX).filter(|_| !text);
            let some_of_text = b"\0\x01\x7f\x80\xff\"\\{}[],:-.e019".iter().copied();
            for bad in all_of_binary.chain(some_of_text) {
                record[at] = bad;
                survives(&mut decoder, &record);
            }
            record[at] = good;
        }
    }
}

#[test]
fn varint_of_eleven_bytes_is_refused() {
    let mut record = Message::flow().0;
    record.extend([0x18, 0x80, 0x80, 0x80, 0x80, 0x80]);
    record.extend([0x80, 0x80, 0x80, 0x80, 0x80, 0x01]);
    with_flow(&record, |flow| {
        let undecodable = flow.unwrap_err();
        assert_eq!(undecodable.kind(), "malformed_protobuf");
        assert!(undecodable.to_string().contains("more than 64 bits"));
    });
}

#[test]
fn nested_groups_fixed_values_and_unknown_fields_are_skipped() {
    let mut message = Message::default()
        .fixed(500, &[1; 8])
        .fixed(501, &[2; 4])
        .number(3000, u64::MAX)
        .bytes(4000, b"unknown");
    // Group 600 around group 601 around a field that would be the destination port.
    message = message
        .raw_varint(600 << 3 | 3)
        .raw_varint(601 << 3 | 3)
        .number(22, 53)
        .raw_varint(601 << 3 | 4)
        .raw_varint(600 << 3 | 4);
    message.0.extend(Message::flow().0);
    for record in [message.0.clone(), message.delimited()] {
        with_flow(&record, |flow| {
            with_flow(&Message::flow().0, |plain| assert_eq!(flow, plain));
        });
    }
}

/// Around a message, `depth` groups of one number.
fn in_groups(depth: usize, message: &Message) -> Message {
    let tags = |mut around: Message, wire: u64| {
        for _ in 0..depth {
            around = around.raw_varint(600 << 3 | wire);
        }
        around
    };
    let mut record = tags(Message::default(), 3);
    record.0.extend(&message.0);
    tags(record, 4)
}

#[test]
fn groups_are_skipped_32_deep_and_refused_from_there_on_to_a_megabyte_of_them() {
    let hidden = Message::default().number(9, 7);
    for (depth, is_flow) in [(32, true), (33, false), (100, false), (250_000, false)] {
        let mut record = in_groups(depth, &hidden);
        record.0.extend(Message::flow().0);
        with_flow(&record.0, |flow| {
            assert_eq!(flow.as_ref().is_ok_and(|f| f.bytes == 1500), is_flow);
            if let Err(undecodable) = flow {
                assert_eq!(undecodable.kind(), "malformed_protobuf", "{depth}");
            }
        });
    }
    // Half a million that never end.
    let open = [0xc3, 0x25].repeat(500_000);
    with_flow(&open, |flow| assert!(flow.is_err()));
}

#[test]
fn a_megabyte_of_one_byte_is_no_flow_and_spares_the_neighbour() {
    let mut decoder = decoder();
    for byte in [
        0, 1, 0x0a, 0x7f, 0x80, 0xff, b'{', b'[', b'"', b' ', b'a', b'=',
    ] {
        let record = vec![byte; 1_000_000];
        assert!(decoder.decode(&record).is_err(), "{byte:#04x}");
        assert_neighbour_is_unaffected(&mut decoder);
    }
    for opening in ["{\"a\":", "{\"bytes\":[", "{\"type\":3,\"a\":[["] {
        let record = opening.repeat(1_000_000 / opening.len());
        assert!(decoder.decode(record.as_bytes()).is_err(), "{opening}");
        assert_neighbour_is_unaffected(&mut decoder);
    }
}

#[test]
fn a_flow_in_a_record_of_a_megabyte_is_read() {
    let filler = vec![0x5a; 1_000_000];
    let mut record = Message::default().bytes(20_000, &filler);
    record.0.extend(Message::flow().0);
    for record in [record.0.clone(), record.delimited()] {
        with_flow(&record, |flow| assert_eq!(flow.map(|f| f.bytes), Ok(1500)));
    }
    let note = "z".repeat(1_000_000);
    let json = format!(r#"{{"type":3,"unknown":"{note}","bytes":1500,"Note":"\\{note}"}}"#);
    with_flow(json.as_bytes(), |flow| {
        let flow = flow.unwrap();
        assert_eq!((flow.bytes, flow.note.len()), (1500, 1_000_001));
    });
}

#[test]
fn numbers_at_their_limits_are_read_as_they_are_written() {
    for number in [0, 1, u64::from(u32::MAX), i64::MAX as u64, u64::MAX] {
        let protobuf = Message::flow().number(9, number).number(10, number).0;
        let json = format!(r#"{{"type":3,"bytes":{number},"packets":"{number}"}}"#);
        for record in [&protobuf[..], json.as_bytes()] {
            with_flow(record, |flow| {
                let flow = flow.unwrap();
                assert_eq!((flow.bytes, flow.packets), (number, number));
            });
        }
    }
}

#[test]
fn fields_of_the_wrong_wire_type_are_skipped() {
    let plain = Message::flow();
    let numbers = [
        1, 2, 3, 5, 9, 10, 18, 20, 30, 38, 42, 63, 110, 1005, 1174, 2000, 2002, 2538,
    ];
    let texts = [6, 7, 11, 12, 1006, 1007, 1009, 2003, 2004];
    let mut wrong = Message::default();
    for field in numbers {
        wrong = wrong.bytes(field, b"text").fixed(field, &[9; 4]);
    }
    for field in texts {
        wrong = wrong.number(field, 7).fixed(field, &[9; 8]);
    }
    wrong.0.extend(&plain.0);
    let enriched = Message(plain.0.clone()).number(2000, 0);
    with_flow(&wrong.0, |flow| {
        with_flow(&enriched.0, |plain| assert_eq!(flow, plain));
    });
}

#[test]
fn repeated_fields_are_skipped_packed_and_unpacked() {
    let packed = Message::flow()
        .bytes(101, &[1, 2, 3])
        .bytes(102, &[4, 5])
        .bytes(80, &[6]);
    let unpacked = Message::flow()
        .number(101, 1)
        .number(101, 2)
        .number(102, 4)
        .number(80, 6);
    for record in [packed.0, unpacked.0] {
        with_flow(&record, |flow| {
            with_flow(&Message::flow().0, |plain| assert_eq!(flow, plain));
        });
    }
}

#[test]
fn the_last_of_a_repeated_singular_field_counts() {
    let record = Message::flow()
        .number(9, 7)
        .bytes(7, &[192, 0, 2, 99])
        .number(20, 6)
        .number(20, 17)
        .0;
    with_flow(&record, |flow| {
        let flow = flow.unwrap();
        assert_eq!((flow.bytes, flow.proto), (7, 17));
        assert_eq!(flow.dst_addr, Addr::from_bytes(&[192, 0, 2, 99]));
    });
}

#[test]
fn empty_and_odd_addresses_are_none_and_not_zero() {
    for bytes in [&[][..], &[1, 2, 3], &[0; 5], &[0; 17]] {
        let record = Message::default()
            .number(1, 3)
            .bytes(6, &[198, 51, 100, 7])
            .bytes(7, bytes)
            .number(9, 60);
        with_flow(&record.0, |flow| {
            let flow = flow.unwrap();
            assert_eq!(flow.dst_addr, None);
            assert!(flow.src_addr.is_some());
        });
    }
    for record in [
        &br#"{"type":3,"dst_addr":""}"#[..],
        br#"{"type":3,"dst_addr":"-"}"#,
    ] {
        with_flow(record, |flow| assert_eq!(flow.unwrap().dst_addr, None));
    }
}

#[test]
fn mapped_addresses_fold_and_others_stay() {
    let mut mapped = [0; 16];
    mapped[10..].copy_from_slice(&[0xff, 0xff, 192, 0, 2, 1]);
    let mut v6 = [0; 16];
    v6[..4].copy_from_slice(&[0x20, 0x01, 0x0d, 0xb8]);
    let record = Message::default().bytes(6, &v6).bytes(7, &mapped);
    with_flow(&record.0, |flow| {
        let flow = flow.unwrap();
        assert_eq!(flow.dst_addr, Addr::from_bytes(&[192, 0, 2, 1]));
        assert_eq!(flow.src_addr, Some(Addr::V6(0x2001_0db8 << 96)));
    });
}

#[test]
fn ethernet_types_that_cannot_be_ip_are_told() {
    let of = |etype| {
        with_flow(&Message::default().number(1, 1).number(30, etype).0, |f| {
            f.unwrap().may_be_ip()
        })
    };
    for etype in [0, 0x0800, 0x86dd, 0x8100, 0x8847] {
        assert!(of(etype), "{etype:#06x}");
    }
    for etype in [0x0806, 0x88cc, 0x8035, 1, 0xffff] {
        assert!(!of(etype), "{etype:#06x}");
    }
}

#[test]
fn messages_without_a_field_of_a_flow_are_no_flows() {
    let strange = Message::default()
        .bytes(1, b"order")
        .number(500, 3)
        .bytes(2, b"x");
    for record in [
        &strange.0[..],
        &strange.delimited(),
        b"{}",
        b"{\"user\":\"x\"}",
    ] {
        with_flow(record, |flow| {
            assert_eq!(flow.unwrap_err().kind(), "not_a_flow");
        });
    }
    with_flow(b"", |flow| assert_eq!(flow.unwrap_err().kind(), "empty"));
}

#[test]
fn record_that_begins_with_zero_names_the_schema_registry() {
    let mut record = vec![0, 0, 0, 0, 7, 0];
    record.extend(Message::flow().0);
    with_flow(&record, |flow| {
        let undecodable = flow.unwrap_err();
        assert_eq!(undecodable.kind(), "leading_zero");
        let message = undecodable.to_string();
        assert!(message.contains("schema registry"), "{message}");
        assert!(message.contains("schema id 7"), "{message}");
    });
}

proptest! {
    #[test]
    fn random_bytes_never_panic(record in prop::collection::vec(any::<u8>(), 0..300)) {
        survives(&mut decoder(), &record);
    }

    #[test]
    fn random_text_never_panics(
        record in r#"[\{\[]?(["a-z_]{0,6}(bytes|src_addr|type|dstIfDesc)?"?[:=,\{\}\[\]0-9"\\. ]{0,6}){0,12}\}?"#
    ) {
        survives(&mut decoder(), record.as_bytes());
    }

    #[test]
    fn random_fields_around_a_flow_do_not_hide_its_bytes(
        before in prop::collection::vec((3000u64..20_000, any::<u64>()), 0..20),
        after in prop::collection::vec((3000u64..20_000, prop::collection::vec(any::<u8>(), 0..40)), 0..20),
    ) {
        let mut message = Message::default();
        for (field, value) in before {
            message = message.number(field, value);
        }
        message.0.extend(Message::flow().0);
        for (field, bytes) in after {
            message = message.bytes(field, &bytes);
        }
        for record in [message.0.clone(), message.delimited()] {
            let bytes = with_flow(&record, |flow| flow.map(|f| f.bytes));
            prop_assert_eq!(bytes, Ok(1500));
        }
    }
}
