use proptest::collection::{btree_map, btree_set, vec};
use proptest::prelude::*;

use super::model::outcome;
use super::*;
use crate::detect::columns::{fitting_length, fold};
use crate::net::{Addr, AddrBits};
use crate::partial::Sampling;
use crate::rule::Metric;

fn limit(metric: Metric, by_length: impl Fn(Family, u8) -> u128) -> Limit {
    let volumes = |family: Family| {
        (0..=family.bits())
            .map(|l| by_length(family, l))
            .collect::<Vec<u128>>()
    };
    let stated = |v: &[u128]| v.iter().map(|v| *v as u64).collect();
    let (volume_v4, volume_v6) = (volumes(Family::V4), volumes(Family::V6));
    Limit {
        metric,
        stated_v4: stated(&volume_v4),
        stated_v6: stated(&volume_v6),
        volume_v4,
        volume_v6,
    }
}

fn bytes_only(rows: &[(&str, u64)]) -> LeavesOf<u32> {
    let mut leaves = LeavesOf::empty();
    for (addr, bytes) in rows {
        let addr: std::net::Ipv4Addr = addr.parse().expect("an address");
        leaves.addr.push(addr.to_bits());
        leaves.bytes.push(*bytes);
        leaves.packets.push(1);
        leaves.flows.push(1);
    }
    leaves
}

fn prefixes(outcome: &Outcome) -> Vec<String> {
    outcome
        .findings
        .iter()
        .map(|f| f.prefix.to_string())
        .collect()
}

/// DESIGN's worked example, in one of the modes.
fn example(mode: Mode) -> Outcome {
    let leaves = bytes_only(&[
        ("10.0.0.1", 60),
        ("10.0.0.2", 60),
        ("10.0.0.3", 10),
        ("10.0.1.9", 150),
    ]);
    let (v4, v6) = (LengthSet::range(0, 32), LengthSet::range(0, 128));
    let question = Question {
        mode,
        lengths_v4: &v4,
        lengths_v6: &v6,
        limits: &[limit(Metric::Bytes, |_, _| 100)],
        scope: None,
        max_alerts: 100,
    };
    let none = LeavesOf::empty();
    let v4 = Input {
        leaves: &leaves,
        resolution: 32,
    };
    let v6 = Input {
        leaves: &none,
        resolution: 128,
    };
    pass(&question, v4, v6)
}

#[test]
fn the_worked_example_comes_out_as_written() {
    for mode in [Mode::MostSpecific, Mode::Discounted] {
        let outcome = example(mode);
        assert_eq!(
            prefixes(&outcome),
            ["10.0.0.0/30", "10.0.1.9/32"],
            "{mode:?}"
        );
        assert_eq!(outcome.findings[0].volume.bytes, 130);
        assert_eq!(outcome.findings[0].hosts, 3);
        assert_eq!(
            outcome.findings[0].largest.prefix.to_string(),
            "10.0.0.1/32"
        );
        assert_eq!(outcome.findings[1].volume.bytes, 150);
        assert_eq!(outcome.total.bytes, 280);
        assert_eq!(outcome.masked, None);
    }
}

#[test]
fn every_equal_volume_chain_is_told_once_in_mode_all() {
    let outcome = example(Mode::All);
    assert_eq!(
        prefixes(&outcome),
        ["10.0.0.0/23", "10.0.0.0/30", "10.0.1.9/32"]
    );
}

/// A limit that changes with the prefix length; lengths before the first step are never over.
fn limits() -> impl Strategy<Value = Limit> {
    let metric = prop::sample::select(Metric::ALL.to_vec());
    let steps = || btree_map(0u8..=128, 0u128..160, 1..4);
    (metric, steps(), steps()).prop_map(|(metric, v4, v6)| {
        limit(metric, |family, length| {
            let steps = if family == Family::V4 { &v4 } else { &v6 };
            let first = *steps.keys().next().expect("a step");
            // Mostly from length 0 on, so that most lengths have a limit.
            let at = if first % 4 == 0 {
                length
            } else {
                length.max(first)
            };
            steps
                .range(..=at)
                .next_back()
                .map_or(u128::MAX, |(_, v)| *v)
        })
    })
}

fn lengths(bits: u8) -> impl Strategy<Value = LengthSet> {
    prop_oneof![
        Just(LengthSet::range(0, bits)),
        (0..=bits, 0..=bits).prop_map(|(a, b)| LengthSet::range(a.min(b), a.max(b))),
        btree_set(0..=bits, 0..6).prop_map(LengthSet::list),
        btree_set(bits - 4..=bits, 0..5).prop_map(LengthSet::list),
    ]
}

/// Addresses that share long and short prefixes.
fn addr(bits: u8) -> impl Strategy<Value = u128> {
    let low = u32::from(bits) - 3;
    (0u128..3, 0u128..3, 0u128..8)
        .prop_map(move |(high, middle, host)| high << low | middle << 9 | host)
}

fn value() -> impl Strategy<Value = u64> {
    prop_oneof![6 => 0u64..60, 1 => Just(0), 1 => 60u64..200, 1 => Just(u64::MAX)]
}

fn leaves<A: AddrBits>() -> impl Strategy<Value = LeavesOf<A>> {
    let row = (value(), value(), 0u64..50, value(), 0u32..4, 0u32..4);
    let uniform = prop::option::of(0u32..4);
    (btree_map(addr(A::BITS), row, 0..14), uniform).prop_map(|(rows, uniform)| {
        let column = |of: fn(&Row) -> u64| rows.values().map(of).collect::<Vec<u64>>();
        LeavesOf {
            addr: rows.keys().map(|a| A::from_u128(*a)).collect(),
            bytes: column(|r| r.0),
            packets: column(|r| r.1),
            flows: column(|r| r.2),
            sampling: uniform.map_or_else(
                || Sampling::ByLeaf {
                    raw_bytes: column(|r| r.3),
                    min_rate: rows.values().map(|r| r.4.min(r.5)).collect(),
                    max_rate: rows.values().map(|r| r.4.max(r.5)).collect(),
                },
                Sampling::Uniform,
            ),
        }
    })
}

fn scope() -> impl Strategy<Value = Option<Vec<ScopeEntry>>> {
    let v4 = (addr(32), 0u8..=32).prop_map(|(a, l)| Prefix::new(Addr::V4(a as u32), l));
    let v6 = (addr(128), 0u8..=128).prop_map(|(a, l)| Prefix::new(Addr::V6(a), l));
    let entries = btree_set(prop_oneof![v4, v6], 0..6).prop_map(|prefixes| {
        let entry = |prefix| ScopeEntry {
            prefix,
            labels: std::collections::BTreeMap::default(),
        };
        prefixes.into_iter().map(entry).collect()
    });
    prop::option::of(entries)
}

/// Bytes, packets, flows, raw bytes, two sampling rates.
type Row = (u64, u64, u64, u64, u32, u32);

/// Folds as a window store does: to the longest length that has at most `max` distinct prefixes.
fn folded<A: AddrBits>(mut leaves: LeavesOf<A>, max: usize) -> (LeavesOf<A>, u8) {
    let length = fitting_length(&leaves.addr, A::BITS, max);
    fold(&mut leaves, length);
    (leaves, length)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1500))]

    #[test]
    fn pass_equals_the_brute_force_model(
        mode in prop::sample::select(vec![Mode::MostSpecific, Mode::Discounted, Mode::All]),
        limits in vec(limits(), 1..4),
        lengths_v4 in lengths(32),
        lengths_v6 in lengths(128),
        scope in scope(),
        max_alerts in prop_oneof![3 => Just(1000usize), 1 => 0usize..6],
        v4 in leaves::<u32>(),
        v6 in leaves::<u128>(),
        max_leaves in prop_oneof![2 => Just(1000usize), 1 => 1usize..12],
    ) {
        let question = Question {
            mode,
            lengths_v4: &lengths_v4,
            lengths_v6: &lengths_v6,
            limits: &limits,
            scope: scope.as_deref(),
            max_alerts,
        };
        let (v4, l4) = folded(v4, max_leaves);
        let (v6, l6) = folded(v6, max_leaves);
        let v4 = Input { leaves: &v4, resolution: l4 };
        let v6 = Input { leaves: &v6, resolution: l6 };
        prop_assert_eq!(pass(&question, v4, v6), outcome(&question, v4, v6));
    }
}
