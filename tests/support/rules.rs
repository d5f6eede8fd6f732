//! The rules that the broker tests run: every mode, both keys, ranges and lists, volumes and rates.

use serde_json::{Map, Value, json};

use super::model::{
    BITS_PER_SECOND, BYTES, FLOWS, Key, Late, Lengths, Mode, PACKETS_PER_SECOND, Rule,
};

/// Four rules over 10 s windows with 5 s of grace.
pub(crate) fn rules() -> Vec<Rule> {
    vec![like_the_ancestor(), carpet(), sources(), every_prefix()]
}

/// The ancestor's selection: its direction, its interface, all lengths.
fn like_the_ancestor() -> Rule {
    Rule {
        name: "volume-from-peer",
        filter: r#"direction == "ingress" && src_if_desc.contains("DFN")"#,
        selects: |flow| flow.format.is_enriched() && flow.ingress && flow.if_desc.contains("DFN"),
        key: Key::Dst,
        interval_ms: 10_000,
        grace_ms: 5_000,
        late: Late::OldestOpen,
        mode: Mode::MostSpecific,
        ipv4: Lengths::Range(0, 32),
        ipv6: Lengths::Range(0, 128),
        thresholds: vec![(BYTES, vec![(0, 20 << 20)])],
        max_alerts: 10_000,
    }
}

fn carpet() -> Rule {
    Rule {
        name: "carpet",
        filter: "proto == 17 && dst_port <= 50000",
        selects: |flow| flow.dst_port <= 50_000,
        mode: Mode::Discounted,
        ipv4: Lengths::List(vec![32, 24, 22]),
        ipv6: Lengths::List(vec![128, 64, 48]),
        thresholds: vec![
            (
                BITS_PER_SECOND,
                vec![(0, 400_000_000), (24, 100_000_000), (32, 20_000_000)],
            ),
            (PACKETS_PER_SECOND, vec![(0, 10_000)]),
        ],
        ..like_the_ancestor()
    }
}

fn sources() -> Rule {
    Rule {
        name: "sources",
        filter: "dst_port > 30000 && packets > 2",
        selects: |flow| flow.dst_port > 30_000 && flow.packets > 2,
        key: Key::Src,
        late: Late::Drop,
        mode: Mode::MostSpecific,
        ipv4: Lengths::Range(20, 32),
        ipv6: Lengths::List(vec![48]),
        thresholds: vec![(FLOWS, vec![(20, 200), (28, 130)])],
        ..like_the_ancestor()
    }
}

fn every_prefix() -> Rule {
    Rule {
        name: "every-prefix",
        filter: "bytes > 10000",
        selects: |flow| flow.bytes > 10_000,
        mode: Mode::All,
        ipv4: Lengths::Range(8, 32),
        ipv6: Lengths::List(vec![128, 64, 32]),
        thresholds: vec![(BYTES, vec![(0, 200 << 20), (24, 100 << 20)])],
        ..like_the_ancestor()
    }
}

/// What [`with_everything`] selects the flows of.
pub(crate) const EVERYTHING_LIKE: &str = "carpet";

/// A rule with everything that the model does not know: overrides, one of which takes a customer out of what is around him and
/// one that is never reported, a gate, severities, and alerts that take a while to start, to be told and to end.
pub(crate) fn with_everything() -> Value {
    let mut rule = as_config(&carpet());
    let more = json!({
        "name": "everything",
        "incident_group": "vectors",
        "overrides": [
            {
                "prefix": "198.51.100.0/23", "labels": {"customer": "a"},
                "thresholds": {"bits_per_second": {"24": 50_000_000, "32": 10_000_000}},
            },
            {"prefix": "198.51.102.0/24", "labels": {"customer": "b"}, "count_in_parents": true,
             "thresholds": {"packets_per_second": 500}},
            {"prefix": "192.0.2.1/32", "never": true},
            {"prefix": "2001:db8::/36", "labels": {"customer": "b"}},
        ],
        "gate": {
            "label": "customer",
            "thresholds": {"bits_per_second": 100_000_000},
            "groups": {"b": {"packets_per_second": 600}},
        },
        "escalation": [{"severity": "major", "times": 2}, {"severity": "critical", "times": 4}],
        "lifecycle": {"for": 2, "hold": 1, "repeat": 2, "rearm": 1},
    });
    let (Some(rule_keys), Value::Object(more)) = (rule.as_object_mut(), more) else {
        unreachable!("both are tables");
    };
    rule_keys.extend(more);
    rule
}

/// A rule that shares incidents with it.
pub(crate) fn with_shared_incidents() -> Value {
    let mut rule = as_config(&carpet());
    rule["name"] = "vector".into();
    rule["incident_group"] = "vectors".into();
    rule["mode"] = "most_specific".into();
    rule["thresholds"] = json!({"packets_per_second": {"0": 20_000, "24": 2_000, "32": 400}});
    rule["lifecycle"] = json!({"hold": 1, "rearm": 2});
    rule
}

/// A rule as an operator writes it.
pub(crate) fn as_config(rule: &Rule) -> Value {
    let lengths = |lengths: &Lengths| match lengths {
        Lengths::Range(from, to) => json!(format!("{from}..{to}")),
        Lengths::List(list) => json!(list),
    };
    let mut thresholds = Map::new();
    for (metric, table) in &rule.thresholds {
        let value = match table.as_slice() {
            [(0, everywhere)] => json!(everywhere),
            by_length => by_length
                .iter()
                .map(|(l, v)| (l.to_string(), json!(v)))
                .collect(),
        };
        thresholds.insert(metric.name.to_owned(), value);
    }
    json!({
        "name": rule.name,
        "filter": rule.filter,
        "key": match rule.key { Key::Dst => "dst", Key::Src => "src" },
        "interval": format!("{}ms", rule.interval_ms),
        "grace": format!("{}ms", rule.grace_ms),
        "late": match rule.late { Late::OldestOpen => "oldest_open", Late::Drop => "drop" },
        "mode": match rule.mode {
            Mode::MostSpecific => "most_specific",
            Mode::Discounted => "discounted",
            Mode::All => "all",
        },
        "prefix_length": {"ipv4": lengths(&rule.ipv4), "ipv6": lengths(&rule.ipv6)},
        "thresholds": thresholds,
        "max_alerts_per_window": rule.max_alerts,
    })
}
