//! Flows as an enricher writes them, of 177 bytes on average.

use hotprefix::net::AddrBits;
use hotprefix::proto::flow::Flow;
use prost::Message as _;

/// Seconds since the epoch at which all flows come, right after a window's beginning.
pub(crate) const RECEIVED: u64 = 1_700_000_041;

/// What has an `n`th address. They look random, and no two are the same.
pub(crate) trait Address: AddrBits {
    /// The address of `n`.
    fn nth(n: u32) -> Self;
    /// As in a record.
    fn octets(self) -> Vec<u8>;
}

impl Address for u32 {
    /// All over the address space.
    fn nth(n: u32) -> Self {
        scattered(n)
    }

    fn octets(self) -> Vec<u8> {
        self.to_be_bytes().to_vec()
    }
}

impl Address for u128 {
    /// In the networks of a provider, 2^16 of length 48 and in each of them 16 of length 64.
    fn nth(n: u32) -> Self {
        let low = scattered(n);
        let network = scattered(!low) >> 12;
        let host = u64::from(scattered(low ^ 0x5bd1_e995)) << 32 | u64::from(low);
        let prefix = 0x2001_0db8 << 32 | u64::from(network >> 4) << 16 | u64::from(network & 0xf);
        u128::from(prefix) << 64 | u128::from(host)
    }

    fn octets(self) -> Vec<u8> {
        self.to_be_bytes().to_vec()
    }
}

/// A cheap sequence that looks random; every step can be undone, so no number comes twice.
pub(crate) const fn scattered(n: u32) -> u32 {
    let mut x = n.wrapping_mul(0x9e37_79b9) ^ 0x85eb_ca6b;
    x ^= x >> 15;
    x = x.wrapping_mul(0x2c1b_3c6d);
    x ^= x >> 12;
    x = x.wrapping_mul(0x297a_2d39);
    x ^ (x >> 15)
}

/// What flows are, in turn. One in six is what the ancestor's rule selects.
const KINDS: [Kind; 6] = [
    Kind::new(0, "Hu0/1/0/1", "DFN", 17, 123, 48_000_000, 32_000),
    Kind::new(1, "Te0/0/0/7", "Uni-Ulm", 6, 443, 44_800, 32),
    Kind::new(0, "Te0/0/0/7", "Uni-Ulm", 6, 443, 1_664, 32),
    Kind::new(1, "Hu0/1/0/1", "DFN", 6, 50_432, 144_000, 96),
    Kind::new(0, "BE17.4001", "DE-CIX-FRA", 17, 53, 4_128, 32),
    Kind::new(1, "BE17.4001", "DE-CIX-FRA", 17, 443, 2_880_000, 2_240),
];

/// What differs between flows.
#[derive(Clone, Copy)]
struct Kind {
    direction: u32,
    if_name: &'static str,
    if_desc: &'static str,
    proto: u32,
    port: u32,
    bytes: u64,
    packets: u64,
}

impl Kind {
    const fn new(
        direction: u32,
        if_name: &'static str,
        if_desc: &'static str,
        proto: u32,
        port: u32,
        bytes: u64,
        packets: u64,
    ) -> Self {
        Self {
            direction,
            if_name,
            if_desc,
            proto,
            port,
            bytes,
            packets,
        }
    }

    fn record(self, src: Vec<u8>, dst: Vec<u8>) -> Vec<u8> {
        let is_v4 = dst.len() == 4;
        let flow = Flow {
            flow_type: 3,
            time_received: RECEIVED,
            sampling_rate: 32,
            time_flow_end: RECEIVED - 1,
            src_addr: src,
            dst_addr: dst,
            bytes: self.bytes,
            packets: self.packets,
            sampler_address: vec![192, 0, 2, 1],
            src_as: 64_500,
            dst_as: 553,
            in_if: 5,
            out_if: 9,
            proto: self.proto,
            src_port: self.port,
            dst_port: 40_000,
            forwarding_status: 64,
            tcp_flags: if self.proto == 6 { 0x18 } else { 0 },
            etype: if is_v4 { 0x0800 } else { 0x86dd },
            time_flow_start: RECEIVED - 7,
            flow_direction: self.direction,
            cid: 10_107,
            normalized: 1,
            src_if_name: self.if_name.to_owned(),
            src_if_desc: self.if_desc.to_owned(),
            src_if_speed: 100_000,
            dst_if_name: "Te0/0/0/12".to_owned(),
            dst_if_desc: "BelWue-Stuttgart-Core".to_owned(),
            dst_if_speed: 10_000,
            proto_name: if self.proto == 6 { "TCP" } else { "UDP" }.to_owned(),
            remote_country: "DE".to_owned(),
            remote_addr: 1,
            dst_cid: 10_107,
            ..Flow::default()
        };
        flow.encode_to_vec()
    }
}

/// The source of flow `n`: one of 2^20.
pub(crate) fn source<A: Address>(n: u32) -> A {
    A::nth(scattered(n) % (1 << 20))
}

/// The `n`th record, to `dst`.
pub(crate) fn record<A: Address>(n: u32, dst: A) -> Vec<u8> {
    let kind = KINDS[n as usize % KINDS.len()];
    kind.record(source::<A>(n).octets(), dst.octets())
}

/// Records that are not built anew for each flow: only the destination changes.
pub(crate) struct Stamp {
    records: Vec<(Vec<u8>, usize)>,
}

impl Stamp {
    /// Of flows to addresses like `A`.
    pub(crate) fn new<A: Address>() -> Self {
        let marked = A::from_u128(0x0123_4567_89ab_cdef_0123_4567_89ab_cdef);
        let marker = marked.octets();
        let records = (0..KINDS.len() as u32).map(|n| {
            let record = record(n, marked);
            let mut at = record.windows(marker.len());
            let at = at.position(|bytes| bytes == marker);
            (record, at.expect("the record has its destination"))
        });
        Self {
            records: records.collect(),
        }
    }

    /// The `n`th record, to `dst`.
    pub(crate) fn record<A: Address>(&mut self, n: u32, dst: A) -> &[u8] {
        let kinds = self.records.len();
        let (record, at) = &mut self.records[n as usize % kinds];
        let addr = dst.to_u128() << (128 - u32::from(A::BITS));
        let octets = usize::from(A::BITS / 8);
        record[*at..*at + octets].copy_from_slice(&addr.to_be_bytes()[..octets]);
        record
    }
}

/// The first kind of flow as flowpipeline's protojson.
pub(crate) const JSON: &str = r#"{"type":"NETFLOW_V9","timeReceived":"1700000041","timeReceivedNs":"1700000041913857000","sequenceNum":7,"samplingRate":"32","timeFlowStartNs":"1700000034000000000","timeFlowEndNs":"1700000040000000000","samplerAddress":"wAACAQ==","timeFlowEnd":"1700000040","bytes":"48000000","packets":"32000","srcAddr":"xjNkBw==","dstAddr":"wKgYVw==","etype":2048,"proto":17,"srcPort":123,"dstPort":40000,"inIf":5,"outIf":9,"forwardingStatus":64,"ipFlags":2,"srcAs":64500,"dstAs":553,"Cid":10107,"DstCid":10107,"RemoteCountry":"DE","Normalized":"Yes","ProtoName":"UDP","RemoteAddr":"Src","SrcIfName":"Hu0/1/0/1","SrcIfDesc":"DFN","SrcIfSpeed":100000,"DstIfName":"Te0/0/0/7","DstIfDesc":"Uni-Ulm","DstIfSpeed":10000,"TimeFlowStart":"1700000034"}"#;
