use proptest::prelude::*;

use super::rule;
use crate::net::Family;
use crate::rule::{Limit, Metric};

#[test]
fn an_entry_holds_for_its_length_and_longer_ones_up_to_the_next() {
    let rule = rule("thresholds: {bits_per_second: {ipv4: {24: 1Gbps, 32: 100Mbps}, ipv6: 5Gbps}}");
    let limit = &rule.limits[0];
    let stated = |length| limit.stated(Family::V4, length);
    assert_eq!(
        (stated(24), stated(31), stated(32)),
        (1_000_000_000, 1_000_000_000, 100_000_000)
    );
    assert!(!limit.is_set(Family::V4, 23));
    assert_eq!(limit.volume(Family::V4)[23], Limit::NO_LIMIT);
    // 1 Gbit/s over 60 s.
    assert_eq!(limit.volume(Family::V4)[24], 7_500_000_000);
    assert_eq!(limit.stated(Family::V6, 0), 5_000_000_000);
    assert_eq!((limit.volume_v4.len(), limit.volume_v6.len()), (33, 129));
}

#[test]
fn a_table_without_families_holds_for_both() {
    let rule = rule("thresholds: {bytes: {0: 10GB, 48: 1GB}}");
    let limit = &rule.limits[0];
    assert_eq!(limit.stated(Family::V4, 32), 10_000_000_000);
    assert_eq!(limit.stated(Family::V6, 47), 10_000_000_000);
    assert_eq!(limit.stated(Family::V6, 64), 1_000_000_000);
}

#[test]
fn metrics_stand_in_one_order_whatever_the_file_says() {
    let rule = rule(
        "thresholds: {flows_per_second: 5k, packets: 1M, bytes: 100MiB, packets_per_second: 200kpps, flows: 7, bits_per_second: 1.5Gbps}",
    );
    let stated: Vec<(Metric, u64, u128)> = rule
        .limits
        .iter()
        .map(|l| (l.metric, l.stated(Family::V4, 32), l.volume(Family::V4)[32]))
        .collect();
    assert_eq!(
        stated,
        [
            (Metric::Bytes, 104_857_600, 104_857_600),
            (Metric::Packets, 1_000_000, 1_000_000),
            (Metric::Flows, 7, 7),
            (Metric::BitsPerSecond, 1_500_000_000, 11_250_000_000),
            (Metric::PacketsPerSecond, 200_000, 12_000_000),
            (Metric::FlowsPerSecond, 5000, 300_000),
        ]
    );
}

#[test]
fn lengths_are_ranges_lists_or_one() {
    let lengths = |yaml: &str| {
        let rule = rule(yaml);
        let list = |family| rule.lengths(family).longest_first().collect::<Vec<u8>>();
        (
            list(Family::V4),
            list(Family::V6),
            rule.lengths_v4.is_range(),
        )
    };
    assert_eq!(lengths(""), (vec![32, 24, 22], vec![128, 64, 48], false));
    assert_eq!(
        lengths("prefix_length: {ipv4: 30..32, ipv6: []}"),
        (vec![32, 31, 30], vec![], true)
    );
    assert_eq!(
        lengths("prefix_length: {ipv4: 24, ipv6: [\"48\", 64, 48]}"),
        (vec![24], vec![64, 48], false)
    );
}

proptest! {
    #[test]
    fn over_the_volume_limit_says_exactly_over_the_rate(
        stated: u64,
        interval_ms in 1000u64..=86_400_000,
        offset in -3i64..=3,
    ) {
        for metric in Metric::ALL {
            let limit = metric.volume_limit(stated, interval_ms);
            let Some(volume) = limit.checked_add_signed(offset.into()) else { continue };
            // volume / interval > stated, in whole numbers: bytes × 8000 / ms, counts × 1000 / ms.
            let (scale, interval) = match metric {
                Metric::Bytes | Metric::Packets | Metric::Flows => (1, 1),
                Metric::BitsPerSecond => (8000, u128::from(interval_ms)),
                Metric::PacketsPerSecond | Metric::FlowsPerSecond => (1000, u128::from(interval_ms)),
            };
            prop_assert_eq!(volume > limit, volume * scale > u128::from(stated) * interval);
        }
    }
}
