//! The schema of `proto/flow/v1` is read as the producers' own are.

use prost::Message as _;

use super::super::{Direction, Flow, Normalized};
use super::with_flow;
use crate::net::Addr;
use crate::proto::flow;
use crate::time::Timestamp;

fn message() -> flow::Flow {
    flow::Flow {
        flow_type: 4,
        time_received: 1_568_127_847,
        sampling_rate: 32,
        time_flow_end: 1_568_127_846,
        src_addr: vec![198, 51, 100, 7],
        dst_addr: vec![192, 0, 2, 1],
        bytes: 48_000_000,
        packets: 32_000,
        sampler_address: vec![192, 0, 2, 9],
        src_as: 64500,
        dst_as: 553,
        in_if: 5,
        out_if: 9,
        proto: 6,
        src_port: 443,
        dst_port: 40000,
        forwarding_status: 64,
        tcp_flags: 0x12,
        vlan_id: 17,
        etype: 0x0800,
        time_flow_start: 1_568_127_840,
        flow_direction: 1,
        cid: 10107,
        cid_string: "ten".into(),
        normalized: 1,
        src_if_name: "Hu0/1/0/1".into(),
        src_if_desc: "DFN".into(),
        src_if_speed: 100_000,
        dst_if_name: "Te0/0/0/7".into(),
        dst_if_desc: "Uni".into(),
        dst_if_speed: 10_000,
        proto_name: "TCP".into(),
        remote_country: "DE".into(),
        remote_addr: 1,
        src_cid: 1,
        dst_cid: 2,
        src_country: "FR".into(),
        dst_country: "NL".into(),
        note: "note".into(),
        validation_status: 3,
    }
}

fn expected() -> Flow<'static> {
    Flow {
        src_addr: Addr::from_bytes(&[198, 51, 100, 7]),
        dst_addr: Addr::from_bytes(&[192, 0, 2, 1]),
        exporter: Addr::from_bytes(&[192, 0, 2, 9]),
        bytes: 48_000_000,
        packets: 32_000,
        sampling_rate: 32,
        normalized: Normalized::Yes,
        time_received: Some(Timestamp::from_millis(1_568_127_847_000)),
        time_start: Some(Timestamp::from_millis(1_568_127_840_000)),
        time_end: Some(Timestamp::from_millis(1_568_127_846_000)),
        direction: Direction::Egress,
        flow_type: 4,
        etype: 0x0800,
        proto: 6,
        src_port: 443,
        dst_port: 40000,
        in_if: 5,
        out_if: 9,
        src_as: 64500,
        dst_as: 553,
        tcp_flags: 0x12,
        forwarding_status: 64,
        vlan_id: 17,
        cid: 10107,
        src_cid: 1,
        dst_cid: 2,
        validation_status: 3,
        remote_addr: 1,
        src_if_speed: 100_000,
        dst_if_speed: 10_000,
        src_if_name: b"Hu0/1/0/1",
        src_if_desc: b"DFN",
        dst_if_name: b"Te0/0/0/7",
        dst_if_desc: b"Uni",
        src_country: b"FR",
        dst_country: b"NL",
        remote_country: b"DE",
        proto_name: b"TCP",
        cid_string: b"ten",
        note: b"note",
        ..Flow::default()
    }
}

#[test]
fn own_schema_is_read_field_by_field_in_both_framings() {
    for record in [
        message().encode_to_vec(),
        message().encode_length_delimited_to_vec(),
    ] {
        with_flow(&record, |flow| assert_eq!(flow, Ok(expected())));
    }
}

#[test]
fn bwnetflow_record_reads_as_own_schema() {
    let (_, record) = super::recorded::all()
        .into_iter()
        .find(|(name, _)| *name == "bwnetflow-2021")
        .unwrap();
    let message = flow::Flow::decode(&record[..]).unwrap();
    let again = message.encode_to_vec();
    with_flow(&record, |flow| {
        with_flow(&again, |again| assert_eq!(flow, again));
    });
    assert_eq!((message.src_if_desc.as_str(), message.cid), ("DFN", 10107));
}
