//! The topic: flows as an enricher writes them, 176 bytes each, a minute of event time for every four million.

use std::fmt;
use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use hotprefix::proto::flow::Flow;
use prost::Message as _;

use crate::support::encode;
use crate::support::flows::Outgoing;
use crate::support::kafka_client::{Topic, Writer};
use crate::support::kafka_node::Cluster;

pub(crate) const PARTITIONS: usize = 4;
/// Flows of a window.
const WINDOW: u64 = 4_000_000;
/// More than half of the flows go to any of these, with the same chance for each…
const ADDRESSES: u64 = 597_000;
const IN_1000: u64 = 543;
/// … and the others to some of these, more to the first of them.
const POPULAR: u64 = 20_000;
const LINGER: Duration = Duration::from_millis(5);

/// What to write.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Shape {
    pub(crate) flows: u64,
    pub(crate) partitions: usize,
    /// Addresses that flows go to, all with the same chance; `None`: a university's.
    pub(crate) addresses: Option<u64>,
}

impl Shape {
    /// A university's flows, in as many partitions as always.
    pub(crate) const fn of(flows: u64) -> Self {
        Self {
            flows,
            partitions: PARTITIONS,
            addresses: None,
        }
    }

    const fn host(&self, n: u64) -> u64 {
        match self.addresses {
            Some(addresses) => scattered(n) % addresses,
            None => host(n),
        }
    }
}

/// What was written.
#[derive(Clone, Debug)]
pub(crate) struct Load {
    pub(crate) topic: String,
    /// Flows, in all partitions together.
    pub(crate) flows: u64,
    /// Those that the ancestor's rule selects.
    pub(crate) selected: u64,
    /// Seconds since the epoch at which the last window begins.
    pub(crate) last_window: u64,
    /// Mean bytes of a record.
    pub(crate) record: f64,
    /// Offset of each partition's end.
    pub(crate) ends: Vec<i64>,
}

impl fmt::Display for Load {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} flows of {:.0} bytes in {} partitions, lz4; the ancestor's rule selects {}",
            self.flows,
            self.record,
            self.ends.len(),
            self.selected
        )
    }
}

/// A number that looks random.
pub(crate) const fn scattered(n: u64) -> u64 {
    let mut x = n.wrapping_add(0x9e37_79b9_7f4a_7c15);
    x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}

/// Of the number-th host.
pub(crate) const fn address(host: u64) -> [u8; 4] {
    // A university's networks: a /8, somewhat clustered.
    let at = scattered(host / 64) as u32 & 0x00ff_ffc0 | (host as u32 & 63);
    (0x8d00_0000 | at).to_be_bytes()
}

pub(crate) const fn host(n: u64) -> u64 {
    let random = scattered(n);
    let share = random >> 44;
    if random % 1000 < IN_1000 {
        (share * ADDRESSES) >> 20
    } else {
        // The third power of what is evenly spread.
        let square = (share * share) >> 20;
        (((square * share) >> 20) * POPULAR) >> 20
    }
}

/// Whether the ancestor's rule selects the number-th flow: one in six.
const fn is_selected(n: u64) -> bool {
    scattered(!n).is_multiple_of(6)
}

/// The number-th flow, to that host.
pub(crate) fn flow(n: u64, host: u64, received: u64) -> Flow {
    let random = scattered(n ^ 0x5555_5555);
    let selected = is_selected(n);
    Flow {
        flow_type: 3,
        time_received: received,
        sampling_rate: 32,
        time_flow_end: received - 1,
        time_flow_start: received - 1 - random % 30,
        src_addr: (random as u32).to_be_bytes().to_vec(),
        dst_addr: address(host).to_vec(),
        bytes: 40 + random % 1460,
        packets: 1 + random % 7,
        sampler_address: vec![192, 0, 2, (random % 6) as u8],
        src_as: 64_500 + (random % 30) as u32,
        dst_as: 553,
        in_if: 5 + (random % 40) as u32,
        out_if: 9,
        proto: if random.is_multiple_of(4) { 17 } else { 6 },
        src_port: 443,
        dst_port: (random >> 32) as u32 & 0xffff,
        forwarding_status: 64,
        tcp_flags: 24,
        etype: 0x0800,
        // What is not selected is half of each: what goes out, and what comes in elsewhere.
        flow_direction: u32::from(!selected && random.is_multiple_of(2)),
        cid: 10_107,
        normalized: 1,
        src_if_name: "Hu0/1/0/1".to_owned(),
        src_if_desc: if selected {
            "BelWue-DFN-1"
        } else {
            "Uni-Ulm-core"
        }
        .to_owned(),
        src_if_speed: 100_000,
        dst_if_name: "Te0/0/0/7".to_owned(),
        dst_if_desc: "Uni-Ulm-core".to_owned(),
        dst_if_speed: 10_000,
        proto_name: "TCP".to_owned(),
        remote_country: "DE".to_owned(),
        remote_addr: 1,
        src_country: "FR".to_owned(),
        dst_country: "DE".to_owned(),
        ..Flow::default()
    }
}

/// Writes a topic of such flows in as many partitions as always, or a multiple, or one: each partition's in order of time, in
/// batches that are as large, and what closes the last window.
pub(crate) fn write(cluster: &Cluster, topic: &str, shape: Shape) -> Load {
    let Shape {
        flows, partitions, ..
    } = shape;
    Topic::new(topic, partitions).create(cluster);
    let per_window = WINDOW.min(flows / 2);
    let windows = flows.div_ceil(per_window);
    // Brokers delete what is old.
    let now = jiff::Timestamp::now().as_second() as u64;
    let begin = now - now % 60 - 60 * (windows + 1);
    let written = AtomicU64::new(0);
    let threads = partitions.min(PARTITIONS);
    let linger = LINGER * partitions.div_ceil(PARTITIONS) as u32;
    thread::scope(|scope| {
        for thread in 0..threads {
            let written = &written;
            scope.spawn(move || {
                let writer = patient_writer(cluster, topic, linger);
                for n in (thread as u64..flows).step_by(threads) {
                    let received = begin + n * 60 / per_window;
                    let payload = flow(n, shape.host(n), received).encode_to_vec();
                    written.fetch_add(payload.len() as u64, Ordering::Relaxed);
                    let partition = n as usize % partitions;
                    writer.enqueue_all(&outgoing(partition, received, payload));
                }
                let end = begin + windows * 60 + 30;
                for partition in (thread..partitions).step_by(threads) {
                    writer.enqueue_all(&outgoing(partition, end, encode::arp(end as i64)));
                }
                writer.flush();
            });
        }
    });
    let of = |partition: u64| (flows - partition).div_ceil(partitions as u64) as i64 + 1;
    Load {
        topic: topic.to_owned(),
        flows,
        selected: (0..flows).filter(|n| is_selected(*n)).count() as u64,
        last_window: begin + (windows - 1) * 60,
        record: written.into_inner() as f64 / flows as f64,
        ends: (0..partitions as u64).map(of).collect(),
    }
}

/// Writes flows as fast as it may, a few milliseconds after they came.
pub(crate) fn writer(cluster: &Cluster, topic: &str) -> Writer {
    patient_writer(cluster, topic, LINGER)
}

/// The same, which waits so long for a batch to fill.
fn patient_writer(cluster: &Cluster, topic: &str, linger: Duration) -> Writer {
    let linger = linger.as_millis().to_string();
    let settings = [
        ("linger.ms", linger.as_str()),
        ("batch.size", "1000000"),
        ("batch.num.messages", "10000"),
    ];
    Writer::with(cluster, topic, &settings)
}

/// A record of that second.
pub(crate) fn outgoing(partition: usize, second: u64, payload: Vec<u8>) -> [Outgoing; 1] {
    [Outgoing {
        partition: partition as i32,
        timestamp: second as i64 * 1000,
        payload: Some(payload),
    }]
}

/// Numbers that are due at a rate, from its making on.
pub(crate) struct Pace {
    rate: u64,
    begun: Instant,
    next: u64,
}

impl Pace {
    /// So many a second.
    pub(crate) fn new(rate: u64) -> Self {
        Self {
            rate,
            begun: Instant::now(),
            next: 0,
        }
    }

    /// Those that are due since it was asked before.
    pub(crate) fn due(&mut self) -> Range<u64> {
        let due = self.begun.elapsed().as_millis() as u64 * self.rate / 1000;
        std::mem::replace(&mut self.next, due)..due
    }
}
