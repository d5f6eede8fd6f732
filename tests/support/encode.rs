//! Flows as producers write them, encoded by hand: independent of the decoder under test.
//!
//! Field numbers are those of bwNetFlow 2021, flowpipeline 2 and goflow2 2.

use std::net::IpAddr;

use super::flows::{Flow, Format};

const ETYPE_IPV4: u64 = 0x0800;
const ETYPE_IPV6: u64 = 0x86dd;
const ETYPE_ARP: u64 = 0x0806;
const NETFLOW_V9: u64 = 3;

/// The record that a producer of the flow's format writes.
pub(crate) fn encode(flow: &Flow) -> Vec<u8> {
    match flow.format {
        Format::BwNetFlow => bwnetflow(flow),
        Format::Flowpipeline => delimited(&flowpipeline(flow)),
        Format::Goflow2 => delimited(&goflow2(flow)),
        Format::Goflow2Json => goflow2_json(flow).into_bytes(),
        Format::FlowpipelineJson => flowpipeline_json(flow).into_bytes(),
    }
}

/// A flow of a protocol that has no IP addresses.
pub(crate) fn arp(received_s: i64) -> Vec<u8> {
    let mut out = Message::default();
    out.int(1, NETFLOW_V9);
    out.int(2, received_s as u64);
    out.int(9, 60);
    out.int(10, 1);
    out.int(30, ETYPE_ARP);
    out.0
}

/// Prefixes a message with its length as a varint.
pub(crate) fn delimited(message: &[u8]) -> Vec<u8> {
    let mut out = Message::default();
    out.varint(message.len() as u64);
    out.0.extend_from_slice(message);
    out.0
}

fn bwnetflow(flow: &Flow) -> Vec<u8> {
    let mut out = Message::default();
    out.int(1, NETFLOW_V9);
    out.int(2, (flow.received / 1000) as u64);
    out.common(flow);
    out.int(42, u64::from(!flow.ingress));
    out.int(1000, 10107);
    out.int(1002, u64::from(flow.normalized));
    out.bytes(1003, b"Hu0/1/0/1");
    out.bytes(1004, flow.if_desc.as_bytes());
    out.0
}

fn flowpipeline(flow: &Flow) -> Vec<u8> {
    let mut out = Message::default();
    out.int(1, NETFLOW_V9);
    // It rounds where it fills the old field in; readers must prefer the nanoseconds.
    out.int(2, ((flow.received + 500) / 1000) as u64);
    out.common(flow);
    out.int(42, u64::from(!flow.ingress));
    out.int(110, flow.received as u64 * 1_000_000);
    out.bytes(1000, b"DE");
    out.int(2002, u64::from(flow.normalized));
    out.bytes(2004, flow.if_desc.as_bytes());
    out.0
}

fn goflow2(flow: &Flow) -> Vec<u8> {
    let mut out = Message::default();
    out.int(1, NETFLOW_V9);
    out.common(flow);
    out.int(38, 2);
    out.int(110, flow.received as u64 * 1_000_000);
    // Repeated fields that no rule reads: TTLs of MPLS labels, packed.
    out.bytes(80, &[64, 63]);
    out.0
}

fn goflow2_json(flow: &Flow) -> String {
    let etype = if is_ipv4(flow.dst) { "IPv4" } else { "IPv6" };
    format!(
        r#"{{"type":"NETFLOW_V9","time_received_ns":{},"sequence_num":0,"sampling_rate":{},"sampler_address":"{}","bytes":{},"packets":{},"src_addr":"{}","dst_addr":"{}","etype":"{etype}","proto":"UDP","src_port":{},"dst_port":{},"in_if":5,"out_if":9,"next_hop":"","bgp_communities":[],"layer_stack":[]}}"#,
        flow.received * 1_000_000,
        flow.rate,
        flow.exporter,
        flow.bytes,
        flow.packets,
        flow.src,
        flow.dst,
        flow.src_port,
        flow.dst_port,
    )
}

fn flowpipeline_json(flow: &Flow) -> String {
    let etype = if is_ipv4(flow.dst) {
        ETYPE_IPV4
    } else {
        ETYPE_IPV6
    };
    // proto3's JSON leaves defaults out.
    let direction = if flow.ingress {
        ""
    } else {
        r#""flowDirection":1,"#
    };
    let normalized = if flow.normalized {
        r#""Normalized":"Yes","#
    } else {
        ""
    };
    let rate = flow.rate;
    let rate = if rate == 0 {
        String::new()
    } else {
        format!(r#""samplingRate":"{rate}","#)
    };
    format!(
        r#"{{"type":"NETFLOW_V9", "timeReceivedNs":"{}", {rate}{direction}"samplerAddress":"{}", "bytes":"{}", "packets":"{}", "srcAddr":"{}", "dstAddr":"{}", "etype":{etype}, "proto":17, "srcPort":{}, "dstPort":{}, {normalized}"SrcIfName":"Hu0/1/0/1", "SrcIfDesc":"{}"}}"#,
        flow.received * 1_000_000,
        base64(&octets(flow.exporter)),
        flow.bytes,
        flow.packets,
        base64(&octets(flow.src)),
        base64(&octets(flow.dst)),
        flow.src_port,
        flow.dst_port,
        flow.if_desc,
    )
}

fn is_ipv4(addr: IpAddr) -> bool {
    addr.to_canonical().is_ipv4()
}

fn octets(addr: IpAddr) -> Vec<u8> {
    match addr {
        IpAddr::V4(v4) => v4.octets().to_vec(),
        IpAddr::V6(v6) => v6.octets().to_vec(),
    }
}

/// A protobuf message under construction.
#[derive(Default)]
struct Message(Vec<u8>);

impl Message {
    fn varint(&mut self, mut value: u64) {
        while value >= 0x80 {
            self.0.push(value as u8 | 0x80);
            value >>= 7;
        }
        self.0.push(value as u8);
    }

    /// A varint field; proto3 does not send 0.
    fn int(&mut self, field: u64, value: u64) {
        if value != 0 {
            self.varint(field << 3);
            self.varint(value);
        }
    }

    /// A length-delimited field; proto3 does not send an empty one.
    fn bytes(&mut self, field: u64, value: &[u8]) {
        if !value.is_empty() {
            self.varint(field << 3 | 2);
            self.varint(value.len() as u64);
            self.0.extend_from_slice(value);
        }
    }

    /// What has one number in every schema.
    fn common(&mut self, flow: &Flow) {
        self.int(3, flow.rate);
        self.bytes(6, &octets(flow.src));
        self.bytes(7, &octets(flow.dst));
        self.int(9, flow.bytes);
        self.int(10, flow.packets);
        self.bytes(11, &octets(flow.exporter));
        self.int(18, 5);
        self.int(19, 9);
        self.int(20, 17);
        self.int(21, u64::from(flow.src_port));
        self.int(22, u64::from(flow.dst_port));
        let etype = if is_ipv4(flow.dst) {
            ETYPE_IPV4
        } else {
            ETYPE_IPV6
        };
        self.int(30, etype);
    }
}

fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut out = String::new();
    for chunk in bytes.chunks(3) {
        let word =
            chunk.iter().fold(0u32, |w, b| w << 8 | u32::from(*b)) << (8 * (3 - chunk.len()));
        for digit in 0..4 {
            let index = (word >> (18 - 6 * digit)) as usize % 64;
            out.push(if digit > chunk.len() {
                '='
            } else {
                DIGITS[index].into()
            });
        }
    }
    out
}

#[test]
fn encodes_what_the_real_producers_write() {
    assert_eq!(base64(&[192, 168, 24, 87]), "wKgYVw==");
    assert_eq!(base64(&[192, 0, 2, 1]), "wAACAQ==");
    assert_eq!(base64(&[1, 2, 3]), "AQID");
    let mut out = Message::default();
    out.int(2, 1_568_127_847);
    out.bytes(6, &[198, 51, 100, 7]);
    assert_eq!(
        out.0,
        [
            0x10, 0xe7, 0xf6, 0xde, 0xeb, 0x05, 0x32, 0x04, 198, 51, 100, 7
        ]
    );
}
