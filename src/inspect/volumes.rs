//! The largest destinations, so that a first threshold is above what is usual.

use std::collections::HashMap;

use crate::flow::{Direction, Flow, Sampler, SamplingConfig, SamplingDefault, SamplingMode};
use crate::net::{Family, Prefix};

/// Prefixes added up by family and length.
const MOST: usize = 500_000;

/// The lengths of the rule's default, longest first.
pub(super) const fn lengths(family: Family) -> [u8; 3] {
    match family {
        Family::V4 => [32, 24, 22],
        Family::V6 => [128, 64, 48],
    }
}

/// Bytes by destination prefix, after sampling, without flows that leave.
#[derive(Debug)]
pub(super) struct Volumes {
    sampler: Sampler,
    bytes: HashMap<(Family, u8), HashMap<Prefix, u64>>,
}

impl Default for Volumes {
    fn default() -> Self {
        Self {
            sampler: Sampler::new(&SamplingConfig {
                mode: SamplingMode::Auto,
                default: SamplingDefault::Unknown,
                exporters: Vec::new(),
            }),
            bytes: HashMap::new(),
        }
    }
}

impl Volumes {
    pub(super) fn flow(&mut self, flow: &Flow<'_>) {
        let Some(addr) = flow
            .dst_addr
            .filter(|_| flow.direction != Direction::Egress)
        else {
            return;
        };
        let Ok(scaled) = self.sampler.scale(flow) else {
            return;
        };
        for length in lengths(addr.family()) {
            let prefixes = self.bytes.entry((addr.family(), length)).or_default();
            let prefix = Prefix::new(addr, length);
            if prefixes.len() < MOST || prefixes.contains_key(&prefix) {
                let bytes = prefixes.entry(prefix).or_default();
                *bytes = bytes.saturating_add(scaled.bytes);
            }
        }
    }

    /// The largest destination prefix of a length, and its bytes.
    pub(super) fn largest(&self, family: Family, length: u8) -> Option<(Prefix, u64)> {
        let prefixes = self.bytes.get(&(family, length))?;
        let largest = prefixes
            .iter()
            .max_by_key(|(prefix, bytes)| (**bytes, std::cmp::Reverse(**prefix)))?;
        Some((*largest.0, *largest.1))
    }
}

/// Bytes in so many milliseconds as bit/s, rounded down.
pub(super) fn bits_per_second(bytes: u64, milliseconds: i64) -> u64 {
    let rate = u128::from(bytes) * 8000 / u128::from(milliseconds.max(1).unsigned_abs());
    u64::try_from(rate).unwrap_or(u64::MAX)
}
