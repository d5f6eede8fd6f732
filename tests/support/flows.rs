//! Loads: flows in mixed formats with junk between them, the same for the same seed.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::encode;

/// Who wrote a flow's record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Format {
    /// bwNetFlow 2021, raw protobuf. Times in seconds.
    BwNetFlow,
    /// flowpipeline 2, delimited protobuf.
    Flowpipeline,
    /// goflow2 2, delimited protobuf: no direction, no interface description, not normalized.
    Goflow2,
    /// goflow2 2 as JSON.
    Goflow2Json,
    /// flowpipeline 2 as protojson.
    FlowpipelineJson,
}

impl Format {
    /// Whether an enricher wrote it, so that direction, description and normalization are said.
    pub(crate) fn is_enriched(self) -> bool {
        !matches!(self, Self::Goflow2 | Self::Goflow2Json)
    }
}

/// A flow, as its record says it.
#[derive(Clone, Debug)]
pub(crate) struct Flow {
    pub(crate) format: Format,
    /// Milliseconds since the epoch; whole seconds where the format has no more.
    pub(crate) received: i64,
    pub(crate) src: IpAddr,
    pub(crate) dst: IpAddr,
    pub(crate) exporter: IpAddr,
    pub(crate) src_port: u16,
    pub(crate) dst_port: u16,
    pub(crate) bytes: u64,
    pub(crate) packets: u64,
    /// 1 in N; 0 is not said.
    pub(crate) rate: u64,
    pub(crate) normalized: bool,
    /// Meaningful where the format is enriched.
    pub(crate) ingress: bool,
    /// Meaningful where the format is enriched.
    pub(crate) if_desc: &'static str,
}

impl Flow {
    /// A flow of 1,000 bytes in one packet to 192.0.2.80, not sampled.
    pub(crate) fn plain(received: i64) -> Self {
        Self {
            format: Format::Goflow2,
            received,
            src: IpAddr::V4(Ipv4Addr::new(203, 0, 113, 1)),
            dst: IpAddr::V4(Ipv4Addr::new(192, 0, 2, 80)),
            exporter: IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1)),
            src_port: 53,
            dst_port: 4444,
            bytes: 1_000,
            packets: 1,
            rate: 1,
            normalized: false,
            ingress: true,
            if_desc: "",
        }
    }
}

impl Flow {
    /// What bytes and packets are multiplied by.
    pub(crate) fn factor(&self) -> u64 {
        if self.normalized { 1 } else { self.rate.max(1) }
    }
}

/// What a record is.
#[derive(Clone, Debug)]
pub(crate) enum Content {
    Flow(Flow),
    /// Decodes, but has no IP addresses; moves stream time. Received at, in whole seconds.
    NotIp {
        received: i64,
    },
    /// In no known format.
    Undecodable,
}

/// One record to write.
#[derive(Clone, Debug)]
pub(crate) struct Outgoing {
    pub(crate) partition: i32,
    /// Milliseconds since the epoch.
    pub(crate) timestamp: i64,
    pub(crate) payload: Option<Vec<u8>>,
}

/// A record with its place.
#[derive(Clone, Debug)]
pub(crate) struct Record {
    pub(crate) content: Content,
    pub(crate) out: Outgoing,
}

/// What to generate.
#[derive(Clone, Debug)]
pub(crate) struct Load {
    pub(crate) seed: u64,
    pub(crate) flows: usize,
    pub(crate) partitions: usize,
    /// Start of the first interval, milliseconds since the epoch, a multiple of the interval.
    pub(crate) base: i64,
    pub(crate) interval_ms: i64,
    pub(crate) intervals: i64,
    /// How far behind the newest record before it a record may be. Below the grace.
    pub(crate) disorder_ms: i64,
    /// Of 1000 flows, how many come up to `lateness_ms` after their time.
    pub(crate) late_permille: u64,
    pub(crate) lateness_ms: i64,
    /// Time of the last record of each partition, after the end of the last interval, which closes
    /// windows that end a grace or more before it.
    pub(crate) closer_ms: i64,
    /// Whether the first partitions get several times what others get, and some nothing.
    pub(crate) uneven: bool,
}

impl Load {
    /// A load of `flows` over five intervals of 10 s that ended lately, with disorder below 5 s.
    pub(crate) fn new(seed: u64, flows: usize, partitions: usize, base: i64) -> Self {
        Self {
            seed,
            flows,
            partitions,
            base,
            interval_ms: 10_000,
            intervals: 5,
            disorder_ms: 3_000,
            late_permille: 0,
            lateness_ms: 0,
            closer_ms: 6_000,
            uneven: false,
        }
    }

    /// All records, in the order in which they are written. Content and order do not depend on
    /// the number of partitions, but for one last record in each.
    pub(crate) fn generate(&self) -> Vec<Record> {
        let mut random = Random(self.seed);
        let length = self.interval_ms * self.intervals;
        let span = length - self.disorder_ms;
        let mut records: Vec<Record> = (0..self.flows as i64)
            .map(|i| {
                let now = self.base + self.disorder_ms + i * span / self.flows as i64;
                let record = self.record(&mut random, now);
                self.place(record, self.choose(random.below(1 << 32)), now)
            })
            .collect();
        let end = self.base + length + self.closer_ms;
        records.extend((0..self.partitions as u64).map(|p| {
            let content = Content::NotIp { received: end };
            self.place((content, encode::arp(end / 1000)), p, end)
        }));
        records
    }

    fn choose(&self, number: u64) -> u64 {
        let partitions = self.partitions as u64;
        let choice = number % partitions;
        if self.uneven {
            choice * choice / partitions
        } else {
            choice
        }
    }

    fn place(&self, record: (Content, Vec<u8>), choice: u64, now: i64) -> Record {
        let (content, payload) = record;
        Record {
            content,
            out: Outgoing {
                partition: (choice % self.partitions as u64) as i32,
                timestamp: now,
                payload: Some(payload),
            },
        }
    }

    fn record(&self, random: &mut Random, now: i64) -> (Content, Vec<u8>) {
        if random.below(100) < 3 {
            return junk(random, now);
        }
        let late = random.below(1000) < self.late_permille;
        let slack = if late {
            self.lateness_ms
        } else {
            self.disorder_ms
        };
        let received = (now - random.below(slack as u64 + 1) as i64).max(self.base);
        let flow = flow(random, received);
        let payload = encode::encode(&flow);
        (Content::Flow(flow), payload)
    }
}

/// Background, a carpet over a /22, one hot host, and IPv6.
fn flow(random: &mut Random, received: i64) -> Flow {
    let format = match random.below(10) {
        0..4 => Format::BwNetFlow,
        4..6 => Format::Flowpipeline,
        6..8 => Format::Goflow2,
        8 => Format::Goflow2Json,
        _ => Format::FlowpipelineJson,
    };
    let packets = 1 + random.below(20);
    let rate = [0, 1, 32, 1000][random.below(4) as usize];
    Flow {
        format,
        received: if format == Format::BwNetFlow {
            received / 1000 * 1000
        } else {
            received
        },
        src: IpAddr::V4(Ipv4Addr::from_bits(0xcb00_7100 + random.below(256) as u32)),
        dst: destination(random),
        exporter: IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1 + random.below(4) as u8)),
        src_port: 123,
        dst_port: 1024 + random.below(60_000) as u16,
        bytes: packets * (40 + random.below(1460)),
        packets,
        rate,
        normalized: format.is_enriched() && random.below(2) == 0,
        ingress: random.below(4) != 0,
        if_desc: ["DFN", "BelWue-DFN-1", "Uni-Ulm", ""][random.below(4) as usize],
    }
}

fn destination(random: &mut Random) -> IpAddr {
    let v4 = |bits: u64| IpAddr::V4(Ipv4Addr::from_bits(bits as u32));
    match random.below(20) {
        0..8 => {
            // A heavy head and a long tail over 10.0.0.0/12.
            let spread = random.below(20);
            v4(0x0a00_0000 + random.below(1 << spread))
        }
        8..13 => v4(0xc633_6400 + random.below(1 << 10)),
        13..15 => v4(0xc000_0201),
        15 => {
            let bits = 0xc000_0200 + random.below(256) as u32;
            IpAddr::V6(Ipv4Addr::from_bits(bits).to_ipv6_mapped())
        }
        _ => {
            let net = u128::from(random.below(1 << 6)) << 80;
            let host = u128::from(random.below(1 << 8));
            IpAddr::V6(Ipv6Addr::from_bits(0x2001_0db8 << 96 | net | host))
        }
    }
}

/// A record that is no IP flow: nothing that could be taken for one by chance.
fn junk(random: &mut Random, now: i64) -> (Content, Vec<u8>) {
    match random.below(5) {
        0 => (
            Content::NotIp {
                received: now / 1000 * 1000,
            },
            encode::arp(now / 1000),
        ),
        1 => (Content::Undecodable, Vec::new()),
        2 => {
            // No field has number 0.
            let mut bytes = vec![0];
            bytes.extend((0..random.below(200)).map(|_| random.below(256) as u8));
            (Content::Undecodable, bytes)
        }
        3 => (
            Content::Undecodable,
            br#"{"type":"NETFLOW_V9","bytes":12"#.to_vec(),
        ),
        _ => {
            let mut whole = flow(random, now);
            whole.format = Format::BwNetFlow;
            whole.if_desc = "Uni-Ulm";
            let mut payload = encode::encode(&whole);
            // The last field says that it is longer than what is left.
            payload.truncate(payload.len() - 3);
            (Content::Undecodable, payload)
        }
    }
}

/// splitmix64: small, and the same everywhere.
pub(crate) struct Random(pub(crate) u64);

impl Random {
    /// A number below `bound`, which is not 0. The bias is of no consequence here.
    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % bound
    }
}
