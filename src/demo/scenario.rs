//! The demo's traffic: which flows each second has, and which prefixes are attacked when.
//!
//! A pure function of seed, rate and start: the same second always has the same flows. Volumes are set
//! per second, not per flow, so that any rate gives the same alerts: a quiet background far below
//! [`THRESHOLD_BITS_PER_SECOND`], a carpet bombing that stays below it in each host and /24 but not in
//! its /22, and an attack on one host.

use std::net::{Ipv4Addr, Ipv6Addr};
use std::ops::Range;

use crate::net::{Addr, Prefix};
use crate::proto::flow::Flow;
use crate::time::Timestamp;

/// Above the whole background, and above what the carpet bombing puts into a /24.
pub const THRESHOLD_BITS_PER_SECOND: u64 = 400_000_000;
/// Seconds in one window of the demo's rule.
pub const WINDOW_SECONDS: u64 = 5;
/// The fewest flows per second for which the attacks keep their shape.
pub const MIN_RATE: u32 = 100;

/// Seconds after which the attacks come again.
const CYCLE: u64 = 45;
/// Seconds of a cycle with carpet bombing. Whole windows, as the others are.
const CARPET: Range<u64> = 5..25;
/// Seconds of a cycle with the attack on one host.
const HOST: Range<u64> = 10..30;

const BACKGROUND_BITS: u64 = 200_000_000;
const CARPET_BITS: u64 = 1_000_000_000;
const HOST_BITS: u64 = 800_000_000;

/// `198.18.0.0/16`, set aside for benchmarks.
const NETWORK: Ipv4Addr = Ipv4Addr::new(198, 18, 0, 0);
const CARPET_TARGET: Ipv4Addr = Ipv4Addr::new(198, 18, 64, 0);
const CARPET_LENGTH: u8 = 22;
const HOST_TARGET: Ipv4Addr = Ipv4Addr::new(198, 18, 200, 7);
/// `2001:db8::/32`, set aside for documentation.
const NETWORK_V6: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 0);
const EXPORTER: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 1);

const ETYPE_V4: u32 = 0x0800;
const ETYPE_V6: u32 = 0x86dd;
const TCP: u32 = 6;
const UDP: u32 = 17;

/// What is played.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Scenario {
    seed: u64,
    rate: u32,
    /// Seconds since the epoch; a multiple of [`WINDOW_SECONDS`].
    start: u64,
}

/// An attack within one cycle.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attack {
    /// Exactly what must be reported, in each window of the attack.
    pub prefix: Prefix,
    /// Seconds after the start of a cycle.
    pub seconds: Range<u64>,
    /// For people.
    pub name: &'static str,
}

impl Scenario {
    /// `rate` flows per second, at least [`MIN_RATE`]. Second 0 is the start of the window that holds
    /// `now`, so that the first attack begins with a whole window less than [`WINDOW_SECONDS`] later.
    pub fn new(seed: u64, rate: u32, now: Timestamp) -> Self {
        let now = u64::try_from(now.as_millis() / 1000).unwrap_or(0);
        Self {
            seed,
            rate: rate.max(MIN_RATE),
            start: now - now % WINDOW_SECONDS,
        }
    }

    /// When second `second` begins.
    pub fn time(&self, second: u64) -> Timestamp {
        let seconds = self.start.saturating_add(second);
        Timestamp::from_millis(i64::try_from(seconds.saturating_mul(1000)).unwrap_or(i64::MAX))
    }

    /// The second that `at` is in; 0 before the start.
    pub fn second_at(&self, at: Timestamp) -> u64 {
        u64::try_from(at.as_millis() / 1000)
            .unwrap_or(0)
            .saturating_sub(self.start)
    }

    /// How many of a second's flows have been received by `now`, evenly spread over the second.
    pub fn due(&self, second: u64, now: Timestamp) -> usize {
        let elapsed = now.since(self.time(second)).as_millis().min(1000);
        (u128::from(self.rate) * elapsed / 1000) as usize
    }

    /// Flows per second.
    pub const fn rate(&self) -> u32 {
        self.rate
    }

    /// The attacks of each cycle.
    pub fn attacks() -> [Attack; 2] {
        [
            Attack {
                prefix: Prefix::new(Addr::V4(CARPET_TARGET.to_bits()), CARPET_LENGTH),
                seconds: CARPET,
                name: "carpet bombing",
            },
            Attack {
                prefix: Prefix::new(Addr::V4(HOST_TARGET.to_bits()), 32),
                seconds: HOST,
                name: "one host",
            },
        ]
    }

    /// The flows received in one second, [`Self::rate`] of them, ordinary ones and attacks mixed.
    pub fn flows(&self, second: u64) -> impl Iterator<Item = Flow> + use<> {
        let in_cycle = second % CYCLE;
        let carpet = self.share(CARPET.contains(&in_cycle));
        let host = self.share(HOST.contains(&in_cycle));
        self.mixed(second, carpet, host)
    }

    /// The ordinary flows of one second, as they are while no attack lasts.
    pub fn background(&self, second: u64) -> impl Iterator<Item = Flow> + use<> {
        self.mixed(second, 0, 0)
    }

    fn mixed(&self, second: u64, carpet: u32, host: u32) -> impl Iterator<Item = Flow> + use<> {
        let quiet = self.rate - carpet - host;
        // Multiplied by an odd constant so that neighbouring seconds have unrelated numbers.
        let mut random = Random(self.seed ^ second.wrapping_mul(0xd6e8_feb8_6659_fd93));
        let received = self.start + second;
        let first_in_carpet = second * u64::from(carpet);
        (0..self.rate).map(move |i| {
            let flow = if i < carpet {
                carpet_flow(
                    first_in_carpet + u64::from(i),
                    per_flow(CARPET_BITS, carpet),
                )
            } else if i < carpet + host {
                host_flow(&mut random, per_flow(HOST_BITS, host))
            } else {
                quiet_flow(&mut random, per_flow(BACKGROUND_BITS, quiet))
            };
            seen(flow, received, &mut random)
        })
    }

    /// A tenth of the flows while an attack lasts.
    const fn share(&self, active: bool) -> u32 {
        if active { self.rate / 10 } else { 0 }
    }
}

/// Bytes of each of `flows` flows that together carry `bits` in a second.
fn per_flow(bits: u64, flows: u32) -> u64 {
    bits / 8 / u64::from(flows.max(1))
}

/// Every host of the /22 in turn, and the /24s in turn, so that few flows are spread evenly too.
fn carpet_flow(index: u64, bytes: u64) -> Flow {
    let (slash_24, host) = (index % 4, index / 4 % 256);
    let target = CARPET_TARGET.to_bits() | (slash_24 as u32) << 8 | host as u32;
    Flow {
        dst_addr: target.to_be_bytes().into(),
        bytes,
        packets: bytes / 512 + 1,
        etype: ETYPE_V4,
        proto: UDP,
        src_port: 123,
        ..Flow::default()
    }
}

fn host_flow(random: &mut Random, bytes: u64) -> Flow {
    Flow {
        dst_addr: HOST_TARGET.octets().into(),
        bytes,
        packets: bytes / 64 + 1,
        etype: ETYPE_V4,
        proto: TCP,
        src_port: random.below(64_000) + 1024,
        dst_port: 443,
        tcp_flags: 2,
        ..Flow::default()
    }
}

/// `bytes`, up to a quarter more or less, to anyone; every fourth in IPv6.
fn quiet_flow(random: &mut Random, bytes: u64) -> Flow {
    let bytes = bytes * u64::from(3 + random.below(3)) / 4 + 64;
    let flow = Flow {
        bytes,
        packets: bytes / 900 + 1,
        proto: TCP,
        src_port: 443,
        dst_port: random.below(64_000) + 1024,
        tcp_flags: 24,
        ..Flow::default()
    };
    if random.below(4) == 0 {
        let target = NETWORK_V6.to_bits() | u128::from(random.next()) << 16 | 1;
        Flow {
            dst_addr: target.to_be_bytes().into(),
            etype: ETYPE_V6,
            ..flow
        }
    } else {
        let target = NETWORK.to_bits() | random.below(1 << 16);
        Flow {
            dst_addr: target.to_be_bytes().into(),
            etype: ETYPE_V4,
            ..flow
        }
    }
}

/// What exporter and enricher add.
fn seen(flow: Flow, received: u64, random: &mut Random) -> Flow {
    let src_addr = if flow.etype == ETYPE_V6 {
        let prefix = Ipv6Addr::new(0x2001, 0xdb8, 0xffff, 0, 0, 0, 0, 0).to_bits();
        (prefix | u128::from(random.next())).to_be_bytes().into()
    } else {
        let prefix = Ipv4Addr::new(198, 19, 0, 0).to_bits();
        (prefix | random.below(1 << 16)).to_be_bytes().into()
    };
    Flow {
        flow_type: 4,
        time_received: received,
        time_flow_start: received,
        time_flow_end: received,
        sampling_rate: 1,
        normalized: 1,
        src_addr,
        sampler_address: EXPORTER.octets().into(),
        in_if: 7,
        src_if_name: "et-0/0/1".to_owned(),
        src_if_desc: "demo peer".to_owned(),
        ..flow
    }
}

/// `SplitMix64`: a sequence that is the same everywhere, for traffic that looks ordinary. Steele, Lea and
/// Flood, "Fast splittable pseudorandom number generators", OOPSLA 2014.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below `end`, which is at least 1.
    fn below(&mut self, end: u32) -> u32 {
        (((self.next() >> 32) * u64::from(end)) >> 32) as u32
    }
}

#[cfg(test)]
mod tests;
