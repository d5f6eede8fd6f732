use std::collections::{BTreeMap, BTreeSet};

use proptest::collection::{btree_map, btree_set, vec};
use proptest::prelude::*;

use super::model::{Gated, outcome};
use super::*;
use crate::detect::columns::{fitting_length, fold};
use crate::net::{Addr, AddrBits};
use crate::partial::Sampling;
use crate::rule::{Clear, GateLimit, Metric, Override};

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
        overrides: None,
        gate: None,
        open: None,
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

/// One of two groups, or none.
fn label(group: usize) -> BTreeMap<String, String> {
    let names = ["a", "b"];
    let label = names
        .get(group)
        .map(|name| ("group".to_owned(), (*name).to_owned()));
    label.into_iter().collect()
}

fn gate() -> impl Strategy<Value = Option<Gated>> {
    let metric = prop::sample::select(Metric::ALL.to_vec());
    let limits = || vec((metric.clone(), 0u128..400), 1..3);
    let groups = (limits(), limits());
    prop::option::of(groups.prop_map(|(a, b)| {
        let groups = BTreeMap::from([("a".to_owned(), a), ("b".to_owned(), b)]);
        ("group".to_owned(), groups)
    }))
}

fn scope() -> impl Strategy<Value = Option<Vec<ScopeEntry>>> {
    let v4 = (addr(32), 0u8..=32).prop_map(|(a, l)| Prefix::new(Addr::V4(a as u32), l));
    let v6 = (addr(128), 0u8..=128).prop_map(|(a, l)| Prefix::new(Addr::V6(a), l));
    let entries = btree_set(prop_oneof![v4, v6], 0..6).prop_map(|prefixes| {
        let entry = |(i, prefix)| ScopeEntry {
            prefix,
            labels: label(i % 4),
        };
        prefixes.into_iter().enumerate().map(entry).collect()
    });
    prop::option::of(entries)
}

/// One that states something in some of its metrics, never reports, or only has labels.
fn overriding() -> impl Strategy<Value = Override> {
    let v4 = (addr(32), 0u8..=32).prop_map(|(a, l)| Prefix::new(Addr::V4(a as u32), l));
    let v6 = (addr(128), 0u8..=128).prop_map(|(a, l)| Prefix::new(Addr::V6(a), l));
    let metrics = prop::sample::subsequence(Metric::ALL.to_vec(), 0..=Metric::ALL.len());
    // Mostly from the prefix's own length on.
    let from = prop_oneof![2 => Just(0u8), 1 => 0u8..40];
    let steps = vec((from, 0u64..120), 1..3);
    let stated = (metrics, vec(steps, Metric::ALL.len()));
    (
        prop_oneof![v4, v6],
        stated,
        0u8..6,
        any::<bool>(),
        0usize..4,
    )
        .prop_map(
            |(prefix, (metrics, steps), never, count_in_parents, group)| {
                let steps = metrics.into_iter().zip(steps).map(|(metric, steps)| {
                    let longest = prefix.family().bits();
                    let from = |after: u8| prefix.length().saturating_add(after).min(longest);
                    let by_length = steps.into_iter().map(|(after, value)| (from(after), value));
                    let by_length: BTreeMap<u8, u64> = by_length.collect();
                    (metric, by_length.into_iter().collect())
                });
                Override {
                    prefix,
                    steps: if never == 0 {
                        Vec::new()
                    } else {
                        steps.collect()
                    },
                    never: never == 0,
                    count_in_parents,
                    labels: label(group),
                }
            },
        )
}

fn overrides() -> impl Strategy<Value = Vec<Override>> {
    vec(overriding(), 0..6).prop_map(|mut overrides| {
        overrides.sort_by_key(|o| o.prefix);
        overrides.dedup_by_key(|o| o.prefix);
        overrides
    })
}

/// Prefixes with an open alert, and what clears them.
fn opened() -> impl Strategy<Value = (BTreeSet<Prefix>, Clear)> {
    let v4 = (addr(32), 20u8..=32).prop_map(|(a, l)| Prefix::new(Addr::V4(a as u32), l));
    let v6 = (addr(128), 60u8..=128).prop_map(|(a, l)| Prefix::new(Addr::V6(a), l));
    let share = prop_oneof![Just(1000u32), 1u32..1000].prop_map(Clear::PerMille);
    let own = vec(limits(), 1..3).prop_map(Clear::Limits);
    (
        btree_set(prop_oneof![v4, v6], 0..8),
        prop_oneof![share, own],
    )
}

/// At this interval a bit rate is a volume; other rates are eight times theirs.
const INTERVAL_MS: u64 = 8000;

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
        overrides in overrides(),
        gated in gate(),
        (open, clear) in opened(),
        also in opened(),
        max_alerts in prop_oneof![3 => Just(1000usize), 1 => 0usize..6],
        v4 in leaves::<u32>(),
        v6 in leaves::<u128>(),
        max_leaves in prop_oneof![2 => Just(1000usize), 1 => 1usize..12],
    ) {
        let metrics: Vec<Metric> = limits.iter().map(|l| l.metric).collect();
        let label = gated.as_ref().map(|(label, _)| label.as_str());
        let sorted = Overrides::new(overrides.clone(), &metrics, INTERVAL_MS, label);
        let sorted = Some(sorted.expect("none is there twice"));
        let sorted = sorted.as_ref().filter(|_| !overrides.is_empty());
        let gate = gated.as_ref().map(|(label, limits)| {
            let limits = |name: &str| {
                let limit = |(metric, volume): &(Metric, u128)| GateLimit {
                    metric: *metric,
                    stated: 0,
                    volume: *volume,
                };
                limits[name].iter().map(limit).collect()
            };
            Gate::new(label, scope.as_deref().unwrap_or(&[]), sorted, limits)
        });
        let question = Question {
            mode,
            lengths_v4: &lengths_v4,
            lengths_v6: &lengths_v6,
            limits: &limits,
            scope: scope.as_deref(),
            overrides: sorted,
            gate: gate.as_ref(),
            open: Some(Open { prefixes: &open, also: &also.0, clear: &clear, interval_ms: INTERVAL_MS }),
            max_alerts,
        };
        let (v4, l4) = folded(v4, max_leaves);
        let (v6, l6) = folded(v6, max_leaves);
        let v4 = Input { leaves: &v4, resolution: l4 };
        let v6 = Input { leaves: &v6, resolution: l6 };
        let expected = outcome(&question, (&overrides, INTERVAL_MS, gated.as_ref()), v4, v6);
        let counted = Outcome {
            total: expected.total,
            leaves: expected.leaves,
            ..Outcome::default()
        };
        prop_assert_eq!(count(v4, v6), counted);
        prop_assert_eq!(pass(&question, v4, v6), expected);
    }
}
