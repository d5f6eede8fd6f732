//! The scenario has exactly the attacks that it says, at any rate.

use std::collections::BTreeMap;

use super::*;

const LENGTHS_V4: [u8; 3] = [32, 24, 22];
const LENGTHS_V6: [u8; 3] = [128, 64, 48];

fn scenario(seed: u64, rate: u32) -> Scenario {
    Scenario::new(seed, rate, Timestamp::from_millis(1_700_000_003_500))
}

fn prefixes(flow: &Flow) -> impl Iterator<Item = Prefix> {
    let addr = Addr::from_bytes(&flow.dst_addr).unwrap();
    let lengths = match addr {
        Addr::V4(_) => LENGTHS_V4,
        Addr::V6(_) => LENGTHS_V6,
    };
    lengths.into_iter().map(move |l| Prefix::new(addr, l))
}

/// Discounted reporting by definition: longest first, each minus what is reported inside.
fn reported(flows: &[Flow]) -> Vec<Prefix> {
    let mut bytes: BTreeMap<Prefix, u64> = BTreeMap::new();
    for flow in flows {
        for prefix in prefixes(flow) {
            *bytes.entry(prefix).or_default() += flow.bytes;
        }
    }
    let mut by_length: Vec<_> = bytes.iter().map(|(p, b)| (*p, *b)).collect();
    by_length.sort_by_key(|(p, _)| std::cmp::Reverse(p.length()));
    let limit = THRESHOLD_BITS_PER_SECOND / 8 * WINDOW_SECONDS;
    let mut found: Vec<(Prefix, u64)> = Vec::new();
    for (prefix, volume) in by_length {
        let inside: u64 = found
            .iter()
            .filter(|(p, _)| prefix.covers(*p))
            .map(|(_, own)| own)
            .sum();
        let own = volume - inside;
        if own > limit {
            found.push((prefix, own));
        }
    }
    found.into_iter().map(|(p, _)| p).collect()
}

#[test]
fn every_window_has_exactly_its_attacks() {
    for (seed, rate) in [(1, MIN_RATE), (2, 997), (3, 5_000)] {
        let scenario = scenario(seed, rate);
        for window in 0..CYCLE / WINDOW_SECONDS + 3 {
            let seconds = window * WINDOW_SECONDS..(window + 1) * WINDOW_SECONDS;
            let start = seconds.start % CYCLE;
            let flows: Vec<_> = seconds.flat_map(|s| scenario.flows(s)).collect();
            let mut found = reported(&flows);
            found.sort();
            let mut expected: Vec<_> = Scenario::attacks()
                .into_iter()
                .filter(|a| a.seconds.contains(&start))
                .map(|a| a.prefix)
                .collect();
            expected.sort();
            assert_eq!(found, expected, "window {window} at {rate} flows/s");
        }
    }
}

#[test]
fn attacks_fill_whole_windows_and_leave_quiet_ones() {
    for attack in Scenario::attacks() {
        assert_eq!(attack.seconds.start % WINDOW_SECONDS, 0);
        assert_eq!(attack.seconds.end % WINDOW_SECONDS, 0);
        assert!(attack.seconds.end < CYCLE);
    }
    assert_eq!(CYCLE % WINDOW_SECONDS, 0);
}

#[test]
fn first_attack_can_be_reported_within_15_seconds() {
    // Begun in the last moment of a window, the next is the first with an attack: one second, one
    // window, and what is left is for grace, flush and commit. Begun in its first moment, the wait for
    // the next window comes on top.
    let first = Scenario::attacks()
        .iter()
        .map(|a| a.seconds.start)
        .min()
        .unwrap();
    assert!(first + WINDOW_SECONDS <= 10);
}

#[test]
fn a_second_is_a_function_of_seed_rate_and_time() {
    let flows = |seed, second| scenario(seed, 500).flows(second).collect::<Vec<_>>();
    assert_eq!(flows(1, 7), flows(1, 7));
    assert_ne!(flows(1, 7), flows(2, 7));
    assert_ne!(flows(1, 0), flows(1, 1));
    assert_eq!(flows(1, 7).len(), 500);
}

#[test]
fn both_families_are_played() {
    let v6 = scenario(1, 1_000)
        .flows(0)
        .filter(|f| f.etype == ETYPE_V6)
        .count();
    assert!((200..300).contains(&v6), "{v6} of 1000");
}

#[test]
fn time_starts_with_a_window() {
    let scenario = scenario(1, 100);
    assert_eq!(scenario.time(0).as_millis(), 1_700_000_000_000);
    assert_eq!(scenario.second_at(scenario.time(9)), 9);
    assert_eq!(scenario.second_at(Timestamp::MIN), 0);
    assert!(scenario.flows(2).all(|f| f.time_received == 1_700_000_002));
}

#[test]
fn flows_of_a_second_become_due_evenly() {
    let scenario = scenario(1, 1_000);
    let due = |ms: i64| {
        let at = Timestamp::from_millis(scenario.time(3).as_millis() + ms);
        scenario.due(3, at)
    };
    assert_eq!([due(-1), due(0), due(1), due(500)], [0, 0, 1, 500]);
    assert_eq!([due(1_000), due(9_000)], [1_000, 1_000]);
}
