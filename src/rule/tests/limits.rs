use proptest::prelude::*;

use super::{rule, rule_in};
use crate::net::Family;
use crate::rule::{Limit, Metric, NOWHERE, Place, Rule, RuleContext, parse_prefix};

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

/// The threshold in force for a prefix, as configured, and what is said of the longest override.
fn in_force(rule: &Rule, prefix: &str) -> Vec<u64> {
    let prefix = parse_prefix(prefix).expect("it is one");
    let places = rule.overrides.as_ref().expect("there are some").places();
    let covers = |(_, place): &(u32, &Place)| place.prefix.covers(prefix);
    let place = places.of(prefix.family()).filter(covers).last();
    let place = place.map_or(NOWHERE, |(name, _)| name);
    let limits = 0..rule.limits.len();
    limits
        .map(|limit| rule.threshold(limit, prefix, place))
        .collect()
}

#[test]
fn what_an_override_does_not_state_it_inherits() {
    let rule = rule(
        "thresholds: {bytes: {24: 10, 32: 1}}\n\
         overrides:\n\
         - {prefix: 10.0.0.0/8, thresholds: {bytes: 100, packets: {16: 7}}, labels: {customer: a, site: x}}\n\
         - {prefix: 10.1.0.0/16, thresholds: {bytes: {24: 50, 28: 40}}}\n\
         - {prefix: 10.1.1.0/24, never: true}\n\
         - {prefix: 10.1.1.0/26, thresholds: {bytes: 3}, labels: {site: y}}\n\
         - {prefix: 10.2.0.0/16, labels: {site: z}}",
    );
    let metrics: Vec<Metric> = rule.limits.iter().map(|l| l.metric).collect();
    assert_eq!(metrics, [Metric::Bytes, Metric::Packets]);
    let none = Limit::NOT_STATED;
    for (prefix, bytes, packets) in [
        ("11.0.0.0/24", 10, none),
        ("11.0.0.0/23", none, none),
        ("10.0.0.0/8", 100, none),
        ("10.9.0.1/32", 100, 7),
        ("10.1.0.0/16", 100, 7),
        ("10.1.0.0/23", 100, 7),
        ("10.1.0.0/24", 50, 7),
        ("10.1.0.0/29", 40, 7),
        ("10.1.1.0/25", none, none),
        ("10.1.1.0/26", 3, none),
        ("10.2.0.0/16", 100, 7),
    ] {
        assert_eq!(in_force(&rule, prefix), [bytes, packets], "{prefix}");
    }
    let overrides = rule.overrides.as_ref().expect("there are some");
    let around = |prefix: &str| {
        let prefix = parse_prefix(prefix).expect("it is one");
        let around = overrides.around(prefix).map(|o| o.prefix.to_string());
        around.collect::<Vec<_>>()
    };
    assert_eq!(
        around("10.1.1.5/32"),
        ["10.1.1.0/26", "10.1.1.0/24", "10.1.0.0/16", "10.0.0.0/8"]
    );
    assert_eq!(around("10.2.0.0/16"), ["10.2.0.0/16", "10.0.0.0/8"]);
    assert!(around("10.0.0.0/7").is_empty());
}

#[test]
fn a_file_says_the_same_as_a_list() {
    let listed = rule(
        "overrides:\n\
         - {prefix: 203.0.113.0/24, thresholds: {bits_per_second: 20Gbit/s, packets_per_second: {32: 2Mpps}}, labels: {customer: Example GmbH}}\n\
         - {prefix: 198.51.100.80/28, never: true, count_in_parents: true}\n\
         - {prefix: '2001:db8::/32', thresholds: {bytes: {48: 1MB, 64: 2MB}}}",
    );
    let file = "2001:db8::/32 bytes.48=1MB bytes.64=2MB\n\
                203.0.113.0/24 bits_per_second=20Gbit/s packets_per_second.32=2Mpps customer=\"Example GmbH\"\n\
                # load tests\n198.51.100.80/28 count_in_parents never # daily\n";
    let context = RuleContext {
        files: [("o.txt".into(), file.to_owned())].into(),
        ..RuleContext::default()
    };
    let read = rule_in("overrides: {file: o.txt}", &context);
    let entries = |rule: &Rule| {
        let overrides = rule.overrides.as_ref().expect("there are some");
        overrides.entries().to_vec()
    };
    assert_eq!(entries(&read), entries(&listed));
    assert_eq!(read.decision, listed.decision);
}
