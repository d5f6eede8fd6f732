use super::super::{Decoder, DecoderSettings, Direction, DirectionDefault, FieldSet, Normalized};
use super::{FormatName, Message, with_flow};
use crate::time::Timestamp;

/// Seconds in September 2019.
const NOW: u64 = 1_568_127_840;

fn at(millis: u64) -> Timestamp {
    Timestamp::from_millis(millis as i64)
}

fn typed(flow_type: u64) -> Message {
    Message::default()
        .number(1, flow_type)
        .bytes(7, &[192, 0, 2, 1])
}

fn direction(message: &Message) -> Direction {
    with_flow(&message.0, |flow| flow.unwrap().direction)
}

#[test]
fn missing_direction_is_what_the_family_means_by_it() {
    let (sflow, netflow, unknown) = (1, 3, 0);
    let goflow2_v2 = |t| typed(t).number(110, NOW * 1_000_000_000);
    let flowpipeline_v2 = |t| goflow2_v2(t).bytes(2004, b"DFN");
    let bwnetflow = |t| typed(t).bytes(1004, b"DFN");
    assert_eq!(direction(&typed(netflow)), Direction::Ingress);
    assert_eq!(direction(&typed(unknown)), Direction::Unknown);
    assert_eq!(direction(&goflow2_v2(netflow)), Direction::Unknown);
    assert_eq!(direction(&flowpipeline_v2(netflow)), Direction::Ingress);
    assert_eq!(direction(&bwnetflow(netflow)), Direction::Ingress);
    assert_eq!(direction(&bwnetflow(unknown)), Direction::Ingress);
    for message in [
        typed(sflow),
        goflow2_v2(sflow),
        flowpipeline_v2(sflow),
        bwnetflow(sflow),
    ] {
        assert_eq!(direction(&message), Direction::Unknown);
    }
}

#[test]
fn stated_direction_counts_in_every_family() {
    let goflow2_v2 = typed(3).number(110, NOW * 1_000_000_000);
    for message in [typed(3), typed(1), goflow2_v2] {
        assert_eq!(
            direction(&message.clone().number(42, 0)),
            Direction::Ingress
        );
        assert_eq!(direction(&message.clone().number(42, 1)), Direction::Egress);
        assert_eq!(direction(&message.number(42, 255)), Direction::Unknown);
    }
}

#[test]
fn direction_default_is_for_records_that_state_none() {
    for (default, direction) in [
        (DirectionDefault::Ingress, Direction::Ingress),
        (DirectionDefault::Egress, Direction::Egress),
        (DirectionDefault::Unknown, Direction::Unknown),
    ] {
        let mut decoder = Decoder::new(DecoderSettings {
            format: FormatName::Auto,
            direction_default: Some(default),
            fields: FieldSet::ALL,
        });
        for flow_type in [1, 3] {
            let stated = typed(flow_type).number(42, 1).0;
            let silent = typed(flow_type).0;
            assert_eq!(decoder.decode(&silent).unwrap().direction, direction);
            assert_eq!(
                decoder.decode(&stated).unwrap().direction,
                Direction::Egress
            );
        }
    }
}

#[test]
fn json_zero_direction_of_sflow_is_not_ingress() {
    let of = |record: &str| with_flow(record.as_bytes(), |flow| flow.unwrap().direction);
    assert_eq!(
        of(r#"{"FlowDirection":0,"Type":"SFLOW_5"}"#),
        Direction::Unknown
    );
    assert_eq!(
        of(r#"{"Type":"SFLOW_5","FlowDirection":1}"#),
        Direction::Egress
    );
    assert_eq!(
        of(r#"{"FlowDirection":0,"Type":"IPFIX"}"#),
        Direction::Ingress
    );
    assert_eq!(
        of(r#"{"type":"IPFIX","time_received_ns":1568127847913857000}"#),
        Direction::Unknown
    );
}

#[test]
fn field_38_is_a_time_only_where_it_can_be_one() {
    let start = |message: Message| with_flow(&message.0, |flow| flow.unwrap().time_start);
    assert_eq!(start(typed(3).number(38, NOW)), Some(at(NOW * 1000)));
    assert_eq!(start(typed(3).number(38, 2)), None, "IP flags");
    let v2 = || typed(3).number(112, NOW * 1_000_000_000);
    assert_eq!(start(v2().number(38, NOW)), None, "a v2 record's flags");
    assert_eq!(
        start(typed(3).number(38, 7).number(2538, NOW)),
        Some(at(NOW * 1000)),
        "flowpipeline v2 keeps the seconds elsewhere"
    );
}

#[test]
fn finest_form_of_a_time_counts() {
    let times = |message: Message| {
        with_flow(&message.0, |flow| {
            let flow = flow.unwrap();
            (flow.time_received, flow.time_start, flow.time_end)
        })
    };
    let seconds = typed(3).number(2, NOW).number(38, NOW).number(5, NOW);
    let second = Some(at(NOW * 1000));
    assert_eq!(times(seconds.clone()), (second, second, second));
    let millis = seconds
        .number(63, NOW * 1000 + 1)
        .number(64, NOW * 1000 + 2);
    let (start, end) = (Some(at(NOW * 1000 + 1)), Some(at(NOW * 1000 + 2)));
    assert_eq!(times(millis.clone()), (second, start, end));
    let nanos = (NOW * 1000 + 7) * 1_000_000 + 999_999;
    let all = millis
        .number(110, nanos)
        .number(111, nanos)
        .number(112, nanos);
    let finest = Some(at(NOW * 1000 + 7));
    assert_eq!(times(all), (finest, finest, finest));
}

#[test]
fn point_to_point_fields_of_goflow_are_not_times() {
    let message = typed(3).number(63, 1).number(64, 65535).number(5, NOW);
    with_flow(&message.0, |flow| {
        let flow = flow.unwrap();
        assert_eq!(flow.time_start, None);
        assert_eq!(flow.time_end, Some(at(NOW * 1000)));
    });
}

#[test]
fn absurd_times_saturate() {
    let message = typed(3)
        .number(2, u64::MAX)
        .number(64, u64::MAX)
        .number(38, u64::MAX);
    with_flow(&message.0, |flow| {
        let flow = flow.unwrap();
        assert_eq!(flow.time_received, Some(Timestamp::MAX));
        assert_eq!(flow.time_start, Some(Timestamp::MAX));
        assert_eq!(flow.time_end, Some(Timestamp::MAX));
    });
}

#[test]
fn text_in_1001_is_a_customer_or_a_country_by_family() {
    let of = |message: Message| {
        with_flow(&message.0, |flow| {
            let flow = flow.unwrap();
            (flow.cid_string.to_vec(), flow.dst_country.to_vec())
        })
    };
    let text = typed(3).bytes(1001, b"DE");
    let customer = (b"DE".to_vec(), vec![]);
    let country = (vec![], b"DE".to_vec());
    assert_eq!(of(text.clone()), customer);
    assert_eq!(of(text.clone().number(1000, 7)), customer);
    assert_eq!(of(text.clone().number(110, NOW * 1_000_000_000)), country);
    assert_eq!(of(text.clone().number(2000, 7)), country);
    assert_eq!(of(text.bytes(1000, b"FR")), country, "goflow2's enricher");
}

#[test]
fn number_in_1000_is_a_customer_and_text_a_country() {
    with_flow(&typed(3).number(1000, 7).0, |flow| {
        assert_eq!(flow.unwrap().cid, 7);
    });
    with_flow(&typed(3).bytes(1000, b"FR").0, |flow| {
        let flow = flow.unwrap();
        assert_eq!((flow.cid, flow.src_country), (0, &b"FR"[..]));
    });
}

#[test]
fn custom_columns_of_goflow2_are_no_enrichment() {
    // Columns 1 to 5 as numbers and 1 to 5 as bytes, where bwNetFlow has its enrichment.
    let mut message = typed(3);
    for field in 1001..=1005 {
        message = message.number(field, 1);
    }
    for field in 1011..=1015 {
        message = message.bytes(field, b"xy");
    }
    with_flow(&message.0, |flow| {
        with_flow(&typed(3).0, |plain| assert_eq!(flow, plain));
    });
    with_flow(&typed(3).number(1002, 1).0, |flow| {
        assert_eq!(flow.unwrap().normalized, Normalized::Yes, "without them");
    });
    with_flow(&typed(3).number(1002, 2).0, |flow| {
        assert_eq!(flow.unwrap().normalized, Normalized::No, "no such value");
    });
}

#[test]
fn normalized_of_flowpipeline_v2_is_not_a_goflow2_column() {
    let v2 = || typed(3).number(110, NOW * 1_000_000_000);
    let of = |message: Message| with_flow(&message.0, |flow| flow.unwrap().normalized);
    assert_eq!(of(v2().number(1002, 1)), Normalized::No);
    assert_eq!(of(v2().number(2002, 1)), Normalized::Yes);
    assert_eq!(of(v2().number(2002, 0)), Normalized::No);
}

#[test]
fn countries_that_are_not_text_are_skipped() {
    let message = typed(3).bytes(1014, b"DE").bytes(1015, &[0xff, 0xfe]);
    with_flow(&message.0, |flow| {
        let flow = flow.unwrap();
        assert_eq!((flow.src_country, flow.dst_country), (&b"DE"[..], &b""[..]));
    });
}

#[test]
fn every_enriched_field_reads_the_same_1000_higher() {
    let both = |base: u64| {
        let mut message = typed(3).number(base, 10107).number(base + 2, 1);
        for (field, value) in [(5, 10), (8, 20), (11, 2), (12, 30), (13, 40), (174, 3)] {
            message = message.number(base + field, value);
        }
        for field in [3u8, 4, 6, 7, 9, 10, 14, 15, 16] {
            message = message.bytes(base + u64::from(field), &[b'a' + field]);
        }
        message
    };
    let customer = |base: u64| both(base).bytes(base + 1, b"cid");
    with_flow(&customer(1000).0, |old| {
        with_flow(&customer(2000).0, |new| assert_eq!(old, new));
        let flow = old.unwrap();
        assert_eq!((flow.cid, flow.cid_string), (10107, &b"cid"[..]));
        assert_eq!(flow.normalized, Normalized::Yes);
        assert_eq!((flow.src_if_speed, flow.dst_if_speed), (10, 20));
        assert_eq!((flow.remote_addr, flow.validation_status), (2, 3));
        assert_eq!((flow.src_cid, flow.dst_cid), (30, 40));
        assert_eq!((flow.src_if_name, flow.src_if_desc), (&b"d"[..], &b"e"[..]));
        assert_eq!((flow.dst_if_name, flow.dst_if_desc), (&b"g"[..], &b"h"[..]));
        assert_eq!(
            (flow.proto_name, flow.remote_country),
            (&b"j"[..], &b"k"[..])
        );
        assert_eq!((flow.src_country, flow.dst_country), (&b"o"[..], &b"p"[..]));
        assert_eq!(flow.note, b"q");
    });
}

#[test]
fn schema_of_2018_is_refused_by_name() {
    let goflow_v2 = typed(9).number(8, 4).number(2, NOW);
    let enriched = typed(9).number(90, 1).bytes(99, b"peer");
    for message in [goflow_v2, enriched] {
        for record in [message.0.clone(), message.delimited()] {
            with_flow(&record, |flow| {
                let undecodable = flow.unwrap_err();
                assert_eq!(undecodable.kind(), "bwnetflow_2018");
                assert!(undecodable.to_string().contains("2018"), "{undecodable}");
            });
        }
    }
}

#[test]
fn communities_of_goflow2_are_not_the_schema_of_2018() {
    let message = typed(3)
        .bytes(100, &[192, 0, 2, 9])
        .bytes(101, &[1, 2])
        .number(102, 553);
    with_flow(&message.0, |flow| assert!(flow.is_ok()));
}

#[test]
fn delimited_flow_of_123_bytes_is_not_taken_for_json() {
    let padding = 123 - Message::flow().0.len() - 3;
    let message = Message::flow().bytes(500, &vec![b'x'; padding]);
    assert_eq!((message.0.len(), message.delimited()[0]), (123, b'{'));
    with_flow(&message.delimited(), |flow| {
        with_flow(&Message::flow().0, |plain| assert_eq!(flow, plain));
    });
}

#[test]
fn framing_of_long_records_is_found_too() {
    let message = Message::flow().bytes(500, &vec![b'x'; 20_000]);
    for record in [message.0.clone(), message.delimited()] {
        with_flow(&record, |flow| assert_eq!(flow.unwrap().bytes, 1500));
    }
}

#[test]
fn first_number_equal_to_the_length_does_not_make_a_bare_message_delimited() {
    // The tag of the type, 0x08, is also the number of bytes behind it.
    let bare = Message::default()
        .number(1, 3)
        .number(9, 60)
        .number(10, 1)
        .number(20, 6)
        .0;
    assert_eq!(usize::from(bare[0]), bare.len() - 1);
    with_flow(&bare, |flow| {
        let flow = flow.unwrap();
        assert_eq!((flow.flow_type, flow.bytes, flow.proto), (3, 60, 6));
    });
}
