//! The vocabulary of a rule.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::net::Family;

/// Which address of a flow is counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum KeySide {
    /// The destination: who is hit.
    #[default]
    Dst,
    /// The source: who sends.
    Src,
}

/// Which prefixes over the threshold are reported.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// Those with no reported prefix inside.
    #[default]
    MostSpecific,
    /// Those whose volume minus that of reported prefixes inside is over the threshold.
    Discounted,
    /// Every one.
    All,
}

/// What happens to a flow whose window is closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum LatePolicy {
    /// It counts in the oldest window still open.
    OldestOpen,
    /// It does not count.
    Drop,
}

/// Which windows a flow's bytes and packets count in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Attribution {
    /// The window of its event time.
    #[default]
    Arrival,
    /// The windows that `[event time − duration, event time]` overlaps, in proportion.
    Spread,
}

/// What a volume is measured in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Dimension {
    /// Bytes, after sampling.
    Bytes,
    /// Packets, after sampling.
    Packets,
    /// Flow records.
    Flows,
}

/// What a threshold is stated in. Each metric is evaluated by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Metric {
    /// Bytes per interval.
    Bytes,
    /// Packets per interval.
    Packets,
    /// Flows per interval.
    Flows,
    /// Bits per second over the interval.
    BitsPerSecond,
    /// Packets per second over the interval.
    PacketsPerSecond,
    /// Flows per second over the interval.
    FlowsPerSecond,
}

impl Metric {
    /// All metrics, in the order of `triggers`.
    pub const ALL: [Self; 6] = [
        Self::Bytes,
        Self::Packets,
        Self::Flows,
        Self::BitsPerSecond,
        Self::PacketsPerSecond,
        Self::FlowsPerSecond,
    ];

    /// Snake-case name, as in `thresholds` and `triggers`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Bytes => "bytes",
            Self::Packets => "packets",
            Self::Flows => "flows",
            Self::BitsPerSecond => "bits_per_second",
            Self::PacketsPerSecond => "packets_per_second",
            Self::FlowsPerSecond => "flows_per_second",
        }
    }

    /// The volume that decides it.
    pub const fn dimension(self) -> Dimension {
        match self {
            Self::Bytes | Self::BitsPerSecond => Dimension::Bytes,
            Self::Packets | Self::PacketsPerSecond => Dimension::Packets,
            Self::Flows | Self::FlowsPerSecond => Dimension::Flows,
        }
    }

    /// Whether it is a rate.
    pub const fn is_rate(self) -> bool {
        matches!(
            self,
            Self::BitsPerSecond | Self::PacketsPerSecond | Self::FlowsPerSecond
        )
    }

    /// The volume per interval over which a threshold of `stated` is exceeded, see [`Limit`].
    pub const fn volume_limit(self, stated: u64, interval_ms: u64) -> u128 {
        let over_interval = stated as u128 * interval_ms as u128;
        match self {
            Self::Bytes | Self::Packets | Self::Flows => stated as u128,
            Self::BitsPerSecond => over_interval / 8000,
            Self::PacketsPerSecond | Self::FlowsPerSecond => over_interval / 1000,
        }
    }

    /// The volume per interval over which a threshold of `stated`, so many thousandths of it, is exceeded.
    pub const fn volume_limit_times(self, stated: u64, per_mille: u32, interval_ms: u64) -> u128 {
        let times = stated as u128 * per_mille as u128;
        let over_interval = times * interval_ms as u128;
        match self {
            Self::Bytes | Self::Packets | Self::Flows => times / 1000,
            Self::BitsPerSecond => over_interval / 8_000_000,
            Self::PacketsPerSecond | Self::FlowsPerSecond => over_interval / 1_000_000,
        }
    }

    /// The value of this metric for a volume in [`Self::dimension`] over `interval_ms`, rounded down.
    pub const fn value(self, volume: u128, interval_ms: u64) -> u128 {
        match self {
            Self::Bytes | Self::Packets | Self::Flows => volume,
            Self::BitsPerSecond => volume.saturating_mul(8000) / interval_ms as u128,
            Self::PacketsPerSecond | Self::FlowsPerSecond => {
                volume.saturating_mul(1000) / interval_ms as u128
            }
        }
    }
}

/// One metric's thresholds, for both families and every prefix length.
///
/// `limit[length]` is in the metric's dimension, per interval: a volume is over the threshold when
/// it is strictly greater. A rate threshold `r` becomes `floor(r × interval / unit)`, for which
/// `volume > limit` says exactly `volume / interval > r`. A length without a threshold has
/// [`Limit::NO_LIMIT`].
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Limit {
    /// What the threshold was stated in.
    pub metric: Metric,
    /// As configured, by IPv4 prefix length, in the metric's unit. 33 entries.
    pub stated_v4: Vec<u64>,
    /// As configured, by IPv6 prefix length, in the metric's unit. 129 entries.
    pub stated_v6: Vec<u64>,
    /// In volume per interval, by IPv4 prefix length. 33 entries.
    pub volume_v4: Vec<u128>,
    /// In volume per interval, by IPv6 prefix length. 129 entries.
    pub volume_v6: Vec<u128>,
}

impl Limit {
    /// The volume at a length without a threshold: nothing is strictly greater.
    pub const NO_LIMIT: u128 = u128::MAX;
    /// What [`Self::stated`] gives at a length without a threshold.
    pub const NOT_STATED: u64 = u64::MAX;

    /// The limits in volume per interval, by prefix length.
    pub fn volume(&self, family: Family) -> &[u128] {
        match family {
            Family::V4 => &self.volume_v4,
            Family::V6 => &self.volume_v6,
        }
    }

    /// Whether there is a threshold at this length.
    pub fn is_set(&self, family: Family, length: u8) -> bool {
        self.volume(family)[usize::from(length)] != Self::NO_LIMIT
    }

    /// The threshold as configured, in the metric's unit.
    pub fn stated(&self, family: Family, length: u8) -> u64 {
        match family {
            Family::V4 => self.stated_v4[usize::from(length)],
            Family::V6 => self.stated_v6[usize::from(length)],
        }
    }
}

/// The prefix lengths that a rule looks at, in one family.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct LengthSet {
    /// Bit `l` is set when length `l` is looked at; lengths 0 to 128.
    bits: [u64; 3],
    /// Whether they were given as a range: then a chain of prefixes with one volume is reported
    /// once, in its longest form that is over the threshold.
    range: bool,
}

impl LengthSet {
    /// Every length from `low` to `high`, both included.
    pub fn range(low: u8, high: u8) -> Self {
        let mut set = Self {
            bits: [0; 3],
            range: true,
        };
        (low..=high).for_each(|l| set.insert(l));
        set
    }

    /// Exactly the given lengths.
    pub fn list(lengths: impl IntoIterator<Item = u8>) -> Self {
        let mut set = Self {
            bits: [0; 3],
            range: false,
        };
        lengths.into_iter().for_each(|l| set.insert(l));
        set
    }

    fn insert(&mut self, length: u8) {
        self.bits[usize::from(length / 64)] |= 1 << (length % 64);
    }

    /// Whether `length` is looked at.
    pub const fn contains(&self, length: u8) -> bool {
        self.bits[(length / 64) as usize] & (1 << (length % 64)) != 0
    }

    /// Whether the lengths were given as a range.
    pub const fn is_range(&self) -> bool {
        self.range
    }

    /// The lengths, longest first.
    pub fn longest_first(&self) -> impl Iterator<Item = u8> + '_ {
        (0..=128u8).rev().filter(|l| self.contains(*l))
    }

    /// How many lengths are looked at.
    pub fn count(&self) -> u32 {
        self.bits.iter().map(|b| b.count_ones()).sum()
    }
}

/// The first 8 bytes of a SHA-256 over a canonical text of what it names. Prints as 16 hex digits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Fingerprint(pub u64);

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}
