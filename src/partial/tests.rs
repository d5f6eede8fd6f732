use std::sync::Arc;
use std::time::Duration;

use proptest::prelude::*;
use prost::Message;

use super::*;
use crate::net::AddrBits;
use crate::proto::v1;
use crate::rule::Fingerprint;
use crate::time::Timestamp;
use crate::window::Window;

fn window(index: i64) -> Window {
    Window::containing(
        Timestamp::from_millis(index * 60_000),
        Duration::from_mins(1),
    )
}

fn delta(leaves: Leaves, late_flows: u64) -> Delta {
    Delta {
        rule: Arc::from("volume-from-peer"),
        selection: Fingerprint(0xfeed_0000_0000_0001),
        window: window(28_000_000),
        late_flows,
        leaves,
    }
}

/// Counts near both ends, so that sums saturate now and then.
fn count() -> impl Strategy<Value = u64> {
    prop_oneof![4 => 0..100_000_u64, 1 => any::<u64>(), 1 => Just(u64::MAX)]
}

/// Addresses close together, so that sets overlap, and at both ends.
fn address<A: AddrBits>() -> impl Strategy<Value = A> {
    prop_oneof![
        8 => (0..40_u128).prop_map(|low| A::from_u128(0x0a00_0000 + low)),
        1 => any::<u128>().prop_map(A::from_u128),
        1 => Just(A::from_u128(0)),
        1 => Just(A::from_u128(u128::MAX)),
    ]
}

/// Any set of leaves, in its one form.
fn leaves<A: AddrBits>() -> impl Strategy<Value = LeavesOf<A>> {
    let rate = prop_oneof![Just(0_u32), Just(1), Just(32), any::<u32>()];
    let leaf = (count(), count(), count(), rate.clone(), rate.clone());
    let rows = prop::collection::btree_map(address::<A>(), leaf, 0..24);
    (rows, prop::option::of(rate), any::<bool>()).prop_map(|(rows, one_rate, normalized)| {
        let mut out = LeavesOf::empty();
        let (mut raw_bytes, mut min_rate, mut max_rate) = (vec![], vec![], vec![]);
        for (addr, (raw, packets, flows, rate, other)) in rows {
            let rate = one_rate.unwrap_or(rate);
            out.addr.push(addr);
            let factor = if normalized { 1 } else { rate.max(1) };
            out.bytes.push(raw.saturating_mul(u64::from(factor)));
            out.packets.push(packets);
            out.flows.push(flows);
            raw_bytes.push(raw);
            min_rate.push(rate.min(one_rate.unwrap_or(other)));
            max_rate.push(rate.max(one_rate.unwrap_or(other)));
        }
        out.sampling = Sampling::ByLeaf {
            raw_bytes,
            min_rate,
            max_rate,
        };
        out.normalise();
        out
    })
}

fn any_delta() -> impl Strategy<Value = Delta> {
    let some = prop_oneof![
        leaves::<u32>().prop_map(Leaves::V4),
        leaves::<u128>().prop_map(Leaves::V6),
    ];
    (some, count()).prop_map(|(leaves, late)| delta(leaves, late))
}

fn any_marker() -> impl Strategy<Value = Marker> {
    let time = || {
        prop_oneof![
            Just(Timestamp::MIN),
            any::<i64>().prop_map(Timestamp::from_millis)
        ]
    };
    let rules = prop::collection::btree_map(any::<u64>(), (time(), time()), 0..5);
    let source = (
        "[a-z]{1,9}",
        0..MAX_PARTITIONS as i32,
        0..i64::MAX,
        prop::option::of(any::<i64>()),
    );
    let rest = (any::<bool>(), 0..=MAX_PARTITIONS, any::<[u64; 12]>());
    (source, rest, time(), rules).prop_map(
        |((topic, partition, next_offset, stream), (idle, parts, f), complete_from, rules)| {
            Marker {
                source: SourceId {
                    topic: Arc::from(topic),
                    partition,
                },
                next_offset,
                stream_time: stream.map(Timestamp::from_millis),
                idle,
                topic_partitions: parts,
                complete_from,
                rules: rules
                    .into_iter()
                    .map(|(selection, (counted_from, closed_through))| RuleProgress {
                        selection: Fingerprint(selection),
                        counted_from,
                        closed_through,
                    })
                    .collect(),
                fates: Fates {
                    selected: f[0],
                    not_selected: f[1],
                    late: f[2],
                    not_ip: f[3],
                    implausible: f[4],
                    undecodable: f[5],
                    late_counted: f[6],
                    clamped: f[7],
                    clock_ahead: f[8],
                    dead_letters: f[9],
                    unknown_sampling: f[10],
                    lost: f[11],
                },
            }
        },
    )
}

/// The sum of `parts` by a plain map: the model that merging is held against.
fn brute_sum(parts: &[LeavesOf<u32>]) -> LeavesOf<u32> {
    let mut rows = std::collections::BTreeMap::new();
    for part in parts {
        for (i, &addr) in part.addr.iter().enumerate() {
            let (raw, min, max) = match &part.sampling {
                Sampling::Uniform(rate) => {
                    (part.bytes[i] / u64::from((*rate).max(1)), *rate, *rate)
                }
                Sampling::Normalized(rate) => (part.bytes[i], *rate, *rate),
                Sampling::ByLeaf {
                    raw_bytes,
                    min_rate,
                    max_rate,
                } => (raw_bytes[i], min_rate[i], max_rate[i]),
            };
            let row = rows
                .entry(addr)
                .or_insert((0_u64, 0_u64, 0_u64, 0_u64, u32::MAX, 0_u32));
            row.0 = row.0.saturating_add(part.bytes[i]);
            row.1 = row.1.saturating_add(part.packets[i]);
            row.2 = row.2.saturating_add(part.flows[i]);
            row.3 = row.3.saturating_add(raw);
            row.4 = row.4.min(min);
            row.5 = row.5.max(max);
        }
    }
    let mut sum = LeavesOf {
        addr: rows.keys().copied().collect(),
        bytes: rows.values().map(|r| r.0).collect(),
        packets: rows.values().map(|r| r.1).collect(),
        flows: rows.values().map(|r| r.2).collect(),
        sampling: Sampling::ByLeaf {
            raw_bytes: rows.values().map(|r| r.3).collect(),
            min_rate: rows.values().map(|r| r.4).collect(),
            max_rate: rows.values().map(|r| r.5).collect(),
        },
    };
    sum.normalise();
    sum
}

proptest! {
    #[test]
    fn a_delta_reads_back(delta in any_delta()) {
        let chunks = encode_delta(&delta);
        prop_assert_eq!(chunks.len(), 1);
        prop_assert_eq!(decode(&chunks[0]).unwrap(), Partial::Delta(delta));
    }

    #[test]
    fn a_marker_reads_back(marker in any_marker()) {
        let bytes = encode_marker(&marker);
        prop_assert_eq!(decode(&bytes).unwrap(), Partial::Marker(marker));
    }

    #[test]
    fn merging_equals_the_model_in_any_order_and_grouping(
        parts in prop::collection::vec(leaves::<u32>(), 0..6),
        order in prop::collection::vec(any::<prop::sample::Index>(), 5),
    ) {
        let expected = brute_sum(&parts);
        prop_assert_eq!(&merge_all(parts.clone()), &expected);
        // Merges any two of the rest, until one is left.
        let mut rest = parts;
        for pick in order {
            if rest.len() > 1 {
                let left = rest.swap_remove(pick.index(rest.len()));
                let right = rest.swap_remove(pick.index(rest.len()));
                rest.push(merge(left, right));
            }
        }
        let sum = rest.pop().unwrap_or_else(LeavesOf::empty);
        let bytes = |l: &LeavesOf<u32>| encode_delta(&delta(Leaves::V4(l.clone()), 0));
        prop_assert_eq!(bytes(&sum), bytes(&expected));
        prop_assert_eq!(sum, expected);
    }

    #[test]
    fn a_running_sum_equals_the_sum_of_all(
        parts in prop::collection::vec(leaves::<u32>(), 0..8), peek in 0..8_usize,
    ) {
        let mut runs = Runs::default();
        for (i, part) in parts.iter().enumerate() {
            runs.push(part.clone());
            if i == peek {
                prop_assert_eq!(runs.sum(), &brute_sum(&parts[..=i]));
            }
        }
        prop_assert_eq!(runs.into_sum(), brute_sum(&parts));
    }

    #[test]
    fn a_changed_byte_is_refused_or_read_as_something_valid(
        delta in any_delta(), at: prop::sample::Index, to: u8,
    ) {
        let mut bytes = encode_delta(&delta).remove(0);
        let at = at.index(bytes.len());
        bytes[at] = to;
        if let Ok(Partial::Delta(read)) = decode(&bytes) {
            let again = encode_delta(&read);
            prop_assert_eq!(decode(&again[0]).unwrap(), Partial::Delta(read));
        }
    }

    #[test]
    fn a_cut_record_is_refused(delta in any_delta(), at: prop::sample::Index) {
        let bytes = encode_delta(&delta).remove(0);
        prop_assert!(decode(&bytes[..at.index(bytes.len())]).is_err());
    }

    #[test]
    fn junk_never_panics(junk in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = decode(&junk);
    }
}

/// `n` addresses spread evenly over IPv4 by a multiplicative hash, with counts of sampled traffic.
fn spread(n: u32, rate: u32) -> LeavesOf<u32> {
    let mut addr: Vec<u32> = (0..n).map(|i| i.wrapping_mul(2_654_435_761)).collect();
    addr.sort_unstable();
    let noise = |a: &u32| u64::from(a.wrapping_mul(0x9e37_79b9) >> 8);
    LeavesOf {
        bytes: addr
            .iter()
            .map(|a| (noise(a) % 9000 + 64) * u64::from(rate))
            .collect(),
        packets: addr.iter().map(|a| noise(a) % 7 + 1).collect(),
        flows: addr.iter().map(|a| noise(a) % 3 + 1).collect(),
        sampling: Sampling::Uniform(rate),
        addr,
    }
}

#[test]
fn chunks_stay_below_the_limit_and_add_up() {
    let whole = spread(580_000, 1000);
    let chunks = encode_delta(&delta(Leaves::V4(whole.clone()), 7));
    assert!(chunks.len() > 1);
    let (mut late, mut parts) = (0, vec![]);
    for chunk in &chunks {
        assert!(chunk.len() <= MAX_CHUNK_BYTES, "{}", chunk.len());
        let Partial::Delta(part) = decode(chunk).unwrap() else {
            panic!("a delta was written")
        };
        late += part.late_flows;
        let Leaves::V4(leaves) = part.leaves else {
            panic!("IPv4 was written")
        };
        parts.push(leaves);
    }
    assert_eq!(late, 7);
    assert_eq!(merge_all(parts), whole);
}

#[test]
fn the_widest_leaves_stay_below_the_limit() {
    let n = 20_000_u128;
    let wide = LeavesOf {
        addr: (0..n).map(|i| (u128::MAX / n) * i).collect(),
        bytes: vec![u64::MAX; n as usize],
        packets: vec![u64::MAX; n as usize],
        flows: vec![u64::MAX; n as usize],
        sampling: Sampling::ByLeaf {
            raw_bytes: vec![u64::MAX; n as usize],
            min_rate: vec![u32::MAX; n as usize],
            max_rate: vec![u32::MAX; n as usize],
        },
    };
    let chunks = encode_delta(&delta(Leaves::V6(wide), 0));
    assert!(chunks.len() > 1);
    assert!(chunks.iter().all(|c| c.len() <= MAX_CHUNK_BYTES));
    assert!(
        chunks[0].len() > MAX_CHUNK_BYTES - 1024,
        "chunks are filled"
    );
}

#[test]
fn an_ipv4_leaf_takes_about_seven_bytes() {
    for rate in [0, 1, 1000] {
        let n = 583_000;
        let size: usize = encode_delta(&delta(Leaves::V4(spread(n, rate)), 0))
            .iter()
            .map(Vec::len)
            .sum();
        let per_leaf = size as f64 / f64::from(n);
        assert!(per_leaf < 7.0, "{per_leaf} at rate {rate}");
    }
}

#[test]
fn flows_that_came_multiplied_cost_no_more() {
    let mut leaves = spread(1000, 1);
    leaves.sampling = Sampling::Normalized(32);
    let size = |leaves: &LeavesOf<u32>| {
        let chunks = encode_delta(&delta(Leaves::V4(leaves.clone()), 0));
        let Partial::Delta(read) = decode(&chunks[0]).unwrap() else {
            panic!("a delta was written")
        };
        assert_eq!(read.leaves, Leaves::V4(leaves.clone()));
        chunks[0].len()
    };
    assert_eq!(size(&leaves), size(&spread(1000, 1)));
}

#[test]
fn sampling_takes_columns_only_where_nothing_shorter_says_the_raw_bytes() {
    let said = |bytes, sampling| LeavesOf {
        addr: vec![1_u32],
        bytes: vec![bytes],
        packets: vec![1],
        flows: vec![1],
        sampling,
    };
    let one = |bytes, rate| said(bytes, Sampling::Uniform(rate));
    assert_eq!(
        merge(one(64, 32), one(32, 32)).sampling,
        Sampling::Uniform(32)
    );
    let by_leaf = |raw, min, max| Sampling::ByLeaf {
        raw_bytes: vec![raw],
        min_rate: vec![min],
        max_rate: vec![max],
    };
    assert_eq!(merge(one(64, 32), one(64, 0)).sampling, by_leaf(66, 0, 32));
    let full = u64::MAX - 15;
    assert_eq!(
        merge(one(full, 16), one(full, 16)).sampling,
        by_leaf(full / 8, 16, 16)
    );
    assert_eq!(LeavesOf::<u32>::empty().sampling, Sampling::Uniform(0));

    let came = |bytes, rate| said(bytes, Sampling::Normalized(rate));
    let twice = |a, b| merge(a, b).sampling;
    assert_eq!(twice(came(50, 32), came(51, 32)), Sampling::Normalized(32));
    let most = || came(u64::MAX, 32);
    assert_eq!(twice(most(), most()), Sampling::Normalized(32));
    assert_eq!(twice(came(50, 32), came(50, 16)), by_leaf(100, 16, 32));
    assert_eq!(twice(came(64, 32), one(64, 32)), by_leaf(66, 32, 32));
    // What both forms say is said by the first.
    assert_eq!(twice(came(5, 1), came(6, 1)), Sampling::Uniform(1));
    assert_eq!(twice(came(0, 32), one(32, 32)), Sampling::Uniform(32));
    let mut columns = said(100, by_leaf(100, 32, 32));
    columns.normalise();
    assert_eq!(columns.sampling, Sampling::Normalized(32));
}

fn refused(change: impl FnOnce(&mut v1::Partial)) -> String {
    let whole = delta(Leaves::V4(spread(3, 1)), 0);
    let mut sealed = v1::Partial::decode(&*encode_delta(&whole)[0]).unwrap();
    change(&mut sealed);
    decode(&sealed.encode_to_vec()).unwrap_err().to_string()
}

fn with_delta(change: impl FnOnce(&mut v1::Delta)) -> String {
    refused(|sealed| match &mut sealed.body {
        Some(v1::partial::Body::Delta(delta)) => change(delta),
        _ => panic!("a delta was written"),
    })
}

#[test]
fn what_is_wrong_is_named() {
    assert_eq!(
        refused(|p| p.version = 2),
        "partial has version 2, this program reads version 1"
    );
    assert_eq!(
        refused(|p| p.body = None),
        "partial has body \"none\", valid is delta or marker"
    );
    assert_eq!(
        with_delta(|d| d.bytes.push(1)),
        "partial's column bytes has 1 bytes left over"
    );
    assert_eq!(
        with_delta(|d| d.leaves += 1),
        "partial's column addresses ends after 3 values"
    );
    assert_eq!(
        with_delta(|d| d.family = 3),
        "partial has family 3, valid is 1 (IPv4) or 2 (IPv6)"
    );
    assert_eq!(
        with_delta(|d| d.window_start_ms += 1),
        "partial has window_start_ms 1680000000001, valid is a multiple of the window's length"
    );
    assert_eq!(
        with_delta(|d| d.window_length_ms = 0),
        "partial has window_length_ms 0, valid is 1 to 2^63 − 1"
    );
    assert_eq!(
        with_delta(|d| d.sampling = None),
        "partial has sampling \"none\", valid is uniform_rate, by_leaf or normalized_rate"
    );
}

/// A marker with more than there can be made detect set memory aside for four billion partitions, and the process
/// was killed for it.
#[test]
fn partitions_that_no_topic_has_are_refused() {
    let with = |change: fn(&mut v1::Marker)| {
        let mut marker = v1::Marker {
            topic: "flows".to_owned(),
            fates: Some(v1::Fates::default()),
            ..v1::Marker::default()
        };
        change(&mut marker);
        let sealed = v1::Partial {
            version: 1,
            body: Some(v1::partial::Body::Marker(marker)),
        };
        decode(&sealed.encode_to_vec()).map_err(|error| error.to_string())
    };
    assert_eq!(
        with(|m| m.topic_partitions = u32::MAX),
        Err("partial has topic_partitions 4294967295, valid is at most 65536".to_owned())
    );
    assert_eq!(
        with(|m| m.partition = 65_536),
        Err("partial has partition 65536, valid is 0 to 65535".to_owned())
    );
    assert_eq!(
        with(|m| m.partition = -1),
        Err("partial has partition -1, valid is 0 to 65535".to_owned())
    );
    assert!(with(|m| (m.partition, m.topic_partitions) = (65_535, 65_536)).is_ok());
}

/// Found by the fuzzer `partials`: numbers as large as that in two fates of one marker.
#[test]
fn the_sum_of_fates_saturates() {
    let fates = Fates {
        selected: u64::MAX,
        late: 1,
        ..Fates::default()
    };
    assert_eq!(fates.records(), u64::MAX);
}

#[test]
fn an_unknown_field_is_refused() {
    let mut bytes = encode_delta(&delta(Leaves::V4(spread(3, 1)), 0)).remove(0);
    let known = bytes.len();
    // Field 100, varint 1.
    bytes.extend([0xa0, 0x06, 0x01]);
    assert_eq!(
        decode(&bytes).unwrap_err().to_string(),
        format!(
            "partial has {} bytes, its known fields make {known}",
            known + 3
        )
    );
}

#[test]
fn a_rule_stays_in_its_partition() {
    // FNV-1a 64 of "a" is 0xaf63dc4c8601ec8c; changing the hash would move rules between partitions.
    assert_eq!(
        partition_of("a", u32::MAX),
        (0xaf63_dc4c_8601_ec8c_u64 % 0xffff_ffff) as i32
    );
    assert_eq!(partition_of("volume-from-peer", 1), 0);
    assert!((0..4).contains(&partition_of("volume-from-peer", 4)));
}
