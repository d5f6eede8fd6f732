//! Which prefixes a metric reports: every prefix of every length, longest first.

use std::collections::BTreeSet;
use std::net::{Ipv4Addr, Ipv6Addr};

use super::model::{Lengths, Metric, Mode, Rule, Volume};

/// A reported prefix: its length, its leaves as a range of indices, what was over the threshold.
pub(crate) struct Hit {
    pub(crate) length: u8,
    pub(crate) leaves: (usize, usize),
    pub(crate) conditioned: Volume,
}

/// The prefixes that `metric` reports; `leaves` are sorted addresses of `bits` bits.
pub(crate) fn pass(
    rule: &Rule,
    metric: Metric,
    table: &[(u8, u64)],
    leaves: &[(u128, Volume)],
    bits: u8,
    lengths: &Lengths,
) -> Vec<Hit> {
    let mut hits = Vec::new();
    // Leaves inside some reported prefix.
    let mut reported = vec![false; leaves.len()];
    // With a range of lengths, prefixes that hold the same leaves are one, in its longest form.
    let mut forms: BTreeSet<(usize, usize)> = BTreeSet::new();
    for length in lengths.longest_first() {
        let Some(threshold) = Rule::threshold(table, length) else {
            continue;
        };
        for (from, to) in groups(leaves, bits, length) {
            let own = &leaves[from..to];
            let conditioned = match rule.mode {
                Mode::MostSpecific if reported[from..to].contains(&true) => continue,
                Mode::MostSpecific | Mode::All => sum(own),
                Mode::Discounted => {
                    let rest = (from..to).filter(|i| !reported[*i]).map(|i| leaves[i]);
                    sum(&rest.collect::<Vec<_>>())
                }
            };
            if !metric.is_over(conditioned, threshold, rule.interval_ms) {
                continue;
            }
            if matches!(lengths, Lengths::Range(..)) && !forms.insert((from, to)) {
                continue;
            }
            reported[from..to].fill(true);
            hits.push(Hit {
                length,
                leaves: (from, to),
                conditioned,
            });
        }
    }
    hits
}

/// The leaves that share their first `length` bits, as ranges of indices.
fn groups(leaves: &[(u128, Volume)], bits: u8, length: u8) -> Vec<(usize, usize)> {
    let network = |i: usize| {
        leaves[i]
            .0
            .checked_shr(u32::from(bits - length))
            .unwrap_or(0)
    };
    let mut groups = Vec::new();
    let mut from = 0;
    for i in 1..=leaves.len() {
        if i == leaves.len() || network(i) != network(from) {
            groups.push((from, i));
            from = i;
        }
    }
    groups
}

pub(crate) fn sum(leaves: &[(u128, Volume)]) -> Volume {
    let mut sum = Volume::default();
    for (_, volume) in leaves {
        sum.add(*volume);
    }
    sum
}

pub(crate) fn prefix_text(bits: u8, addr: u128, length: u8) -> String {
    let host_bits = u32::from(bits - length);
    let network = addr
        .checked_shr(host_bits)
        .unwrap_or(0)
        .checked_shl(host_bits)
        .unwrap_or(0);
    if bits == 32 {
        format!("{}/{length}", Ipv4Addr::from_bits(network as u32))
    } else {
        format!("{}/{length}", Ipv6Addr::from_bits(network))
    }
}
