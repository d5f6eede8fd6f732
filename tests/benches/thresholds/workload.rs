//! Flows to 270,000 hosts, and a million prefixes with thresholds of their own, of which some are exceeded.

use std::fmt::Write as _;
use std::net::Ipv4Addr;

use hotprefix::proto::flow::Flow;
use prost::Message as _;

/// Distinct destinations of a window, about.
const ADDRESSES: u32 = 270_000;
pub(crate) const OVERRIDES: u32 = 1_000_000;
/// The promise.
pub(crate) const MOST: f64 = 1.10;

/// The median of `ratios`, and whether the promise is kept.
pub(crate) fn judge(mut ratios: Vec<f64>) -> String {
    ratios.sort_by(f64::total_cmp);
    let median = ratios[ratios.len() / 2];
    let kept = if median <= MOST { "kept" } else { "missed" };
    format!("{OVERRIDES} thresholds: median {median:.3}, at most {MOST} is promised: {kept}")
}

/// A cheap sequence that looks random.
fn scattered(n: u32) -> u32 {
    let mut x = n.wrapping_mul(0x9e37_79b9) ^ 0x85eb_ca6b;
    x ^= x >> 15;
    x = x.wrapping_mul(0x2c1b_3c6d);
    x ^ (x >> 12)
}

/// Where destinations and overrides are: 10.0.0.0/8.
fn address(n: u32) -> u32 {
    0x0a00_0000 | scattered(n) >> 8
}

/// Flows of `windows` minutes from second `begin` of the epoch on, `each` in each of them, in order of time.
pub(crate) fn flows(begin: u64, windows: u32, each: u32) -> impl Iterator<Item = Vec<u8>> {
    let flow = move |n: u32| {
        let second = u64::from(n / (each / 60));
        // Some have ten times as much as the others.
        let host = if n.is_multiple_of(500) {
            n / 500 % 50
        } else {
            scattered(n) % ADDRESSES
        };
        Flow {
            flow_type: 4,
            time_received: begin + second,
            sampling_rate: 1,
            src_addr: vec![192, 0, 2, 1],
            dst_addr: address(host).to_be_bytes().to_vec(),
            bytes: 1_000 + u64::from(n % 400),
            packets: 2,
            etype: 0x0800,
            proto: 17,
            ..Flow::default()
        }
    };
    (0..windows * each).map(move |n| flow(n).encode_to_vec())
}

/// One line for each override: hosts, and networks around some of them.
pub(crate) fn prefixes() -> String {
    let mut lines = std::collections::BTreeSet::new();
    let mut n = 0;
    while lines.len() < OVERRIDES as usize {
        let length = 32 - [0, 0, 0, 4, 8][n as usize % 5];
        lines.insert((address(n) >> (32 - length) << (32 - length), length));
        n += 1;
    }
    let mut text = String::new();
    for (i, (addr, length)) in lines.into_iter().enumerate() {
        let hosts = 2_000 + i % 900;
        let thresholds = match length {
            32 => format!("bits_per_second={hosts}bps"),
            _ => format!("bits_per_second.{length}=20kbps bits_per_second.32={hosts}bps"),
        };
        // Writing to a `String` cannot fail.
        let _ = writeln!(
            text,
            "{}/{length} {thresholds} customer=c{}",
            Ipv4Addr::from(addr),
            i % 5_000
        );
    }
    text
}
