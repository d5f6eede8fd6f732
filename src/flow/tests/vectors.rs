use std::net::Ipv4Addr;

use super::super::{
    Decoder, DecoderSettings, Direction, Field, FieldSet, Flow, FormatName, Normalized,
};
use super::recorded::all;
use super::{decoder, with_flow};
use crate::net::Addr;
use crate::time::Timestamp;

fn addr(a: u8, b: u8, c: u8, d: u8) -> Addr {
    Addr::from_ip(Ipv4Addr::new(a, b, c, d).into())
}

/// What every collector wrote, with the time of reception in milliseconds.
fn collected(received: i64, direction: Direction) -> Flow<'static> {
    Flow {
        src_addr: Some(addr(198, 51, 100, 7)),
        dst_addr: Some(addr(192, 168, 24, 87)),
        exporter: Some(addr(192, 0, 2, 1)),
        bytes: 1_500_000,
        packets: 1000,
        sampling_rate: 32,
        time_received: Some(Timestamp::from_millis(received)),
        time_start: Some(Timestamp::from_millis(1_568_127_840_000)),
        time_end: Some(Timestamp::from_millis(1_568_127_846_000)),
        direction,
        flow_type: 3,
        etype: 0x0800,
        proto: 17,
        src_port: 123,
        dst_port: 40000,
        in_if: 5,
        out_if: 9,
        src_as: 64500,
        dst_as: 553,
        forwarding_status: 64,
        ..Flow::default()
    }
}

/// What every enricher made of it.
fn enriched(received: i64) -> Flow<'static> {
    Flow {
        bytes: 48_000_000,
        packets: 32_000,
        normalized: Normalized::Yes,
        cid: 10107,
        dst_cid: 10107,
        remote_addr: 1,
        src_if_speed: 100_000,
        dst_if_speed: 10_000,
        src_if_name: b"Hu0/1/0/1",
        src_if_desc: b"DFN",
        dst_if_name: b"Te0/0/0/7",
        dst_if_desc: b"Uni-Ulm",
        remote_country: b"DE",
        proto_name: b"UDP",
        ..collected(received, Direction::Ingress)
    }
}

fn expected(name: &str) -> Flow<'static> {
    match name {
        "goflow2-v1-bare" | "goflow2-v1-delimited" | "goflow2-v1-json" => {
            collected(1_568_127_847_000, Direction::Ingress)
        }
        "goflow2-v2-bare"
        | "goflow2-v2-delimited"
        | "goflow2-v2-json"
        | "goflow2-v2-enricher-json" => collected(1_568_127_847_913, Direction::Unknown),
        "bwnetflow-2021" | "bwnetflow-2021-protojson" => enriched(1_568_127_847_000),
        "flowpipeline-v2-delimited" | "flowpipeline-v2-protojson" => enriched(1_568_127_847_913),
        "flowpipeline-v2-legacy" => enriched(1_568_127_848_000),
        _ => panic!("no expectation for {name}"),
    }
}

#[test]
fn every_field_of_every_vector_is_as_its_encoder_was_given_it() {
    let vectors = all();
    assert_eq!(vectors.len(), 12);
    for (name, record) in &vectors {
        with_flow(record, |flow| {
            assert_eq!(flow, Ok(expected(name)), "{name}");
        });
    }
}

#[test]
fn one_decoder_reads_all_vectors_in_any_order() {
    let vectors = all();
    let mut decoder = decoder();
    for step in 1..vectors.len() {
        for at in 0..vectors.len() {
            let (name, record) = &vectors[at * step % vectors.len()];
            assert_eq!(decoder.decode(record), Ok(expected(name)), "{name}");
        }
    }
}

#[test]
fn forced_format_reads_its_own_and_names_the_other() {
    for (name, record) in all() {
        let is_json = record[0] == b'{';
        for format in [FormatName::Json, FormatName::Protobuf] {
            let mut decoder = Decoder::new(DecoderSettings {
                format,
                direction_default: None,
                fields: FieldSet::ALL,
            });
            let flow = decoder.decode(&record);
            if is_json == (format == FormatName::Json) {
                assert_eq!(flow, Ok(expected(name)));
            } else {
                let message = flow.unwrap_err().to_string();
                let named = if is_json {
                    "JSON"
                } else {
                    "a flow in protobuf"
                };
                assert!(message.ends_with(named), "{name}: {message}");
            }
        }
    }
}

#[test]
fn seen_is_what_the_records_carried() {
    let carried = |flow: &Flow<'_>, enriched: bool| {
        let mut fields: FieldSet = Field::ALL
            .iter()
            .filter(|f| f.name() != "direction")
            .copied()
            .take_while(|f| *f != Field::Cid)
            .filter(|f| {
                !matches!(
                    f,
                    Field::NextHop
                        | Field::Normalized
                        | Field::TcpFlags
                        | Field::IpTos
                        | Field::IcmpType
                        | Field::IcmpCode
                        | Field::VlanId
                        | Field::FragmentOffset
                )
            })
            .collect();
        if flow.direction != Direction::Unknown {
            fields = fields.with(Field::Direction);
        }
        if enriched {
            fields = [
                Field::Normalized,
                Field::Cid,
                Field::DstCid,
                Field::RemoteAddr,
                Field::SrcIfSpeed,
                Field::DstIfSpeed,
                Field::SrcIfName,
                Field::SrcIfDesc,
                Field::DstIfName,
                Field::DstIfDesc,
                Field::RemoteCountry,
                Field::ProtoName,
            ]
            .into_iter()
            .fold(fields, FieldSet::with);
        }
        fields
    };
    for (name, record) in all() {
        let mut decoder = decoder();
        assert_eq!(decoder.seen(), FieldSet::EMPTY);
        assert!(decoder.decode(b"\xff").is_err());
        assert_eq!(decoder.seen(), FieldSet::EMPTY, "junk carries nothing");
        decoder.decode(&record).unwrap();
        let flow = expected(name);
        let fields = carried(&flow, flow.cid != 0);
        let missing: Vec<_> = fields.minus(decoder.seen()).iter().collect();
        let invented: Vec<_> = decoder.seen().minus(fields).iter().collect();
        assert_eq!((missing, invented), (vec![], vec![]), "{name}");
    }
}

#[test]
fn text_nobody_asked_for_is_no_reason_to_lose_the_rest() {
    for (name, record) in all() {
        let mut decoder = Decoder::new(DecoderSettings {
            format: FormatName::Auto,
            direction_default: None,
            fields: FieldSet::EMPTY,
        });
        let flow = decoder.decode(&record).unwrap();
        let expected = expected(name);
        assert_eq!(flow.dst_addr, expected.dst_addr);
        assert_eq!(flow.bytes, expected.bytes);
        assert_eq!(flow.normalized, expected.normalized);
        assert_eq!(flow.direction, expected.direction);
        assert_eq!(flow.time_received, expected.time_received);
    }
}
