use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use crate::flow::{Direction, Flow};
use crate::net::{Addr, Family};
use crate::rule::{
    KeySide, LatePolicy, Metric, Mode, Rule, RuleConfig, RuleContext, compile, warnings,
};
use crate::window::EventTime;

fn shipped() -> BTreeMap<String, Rule> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy/rules");
    let mut rules = BTreeMap::new();
    for entry in fs::read_dir(folder).expect("the folder is in the repository") {
        let path = entry.expect("its entries can be read").path();
        if path.extension().is_none_or(|e| e != "yaml") {
            continue;
        }
        let text = fs::read_to_string(&path).expect("rule files are text");
        let config: RuleConfig =
            serde_norway::from_str(&text).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
        let rule = compile(&config, &RuleContext::default())
            .unwrap_or_else(|errors| panic!("{}: {}", path.display(), errors[0]));
        assert_eq!(
            path.file_stem().and_then(|s| s.to_str()),
            Some(&*rule.name),
            "a rule's file has its name"
        );
        rules.insert(rule.name.to_string(), rule);
    }
    rules
}

#[test]
fn all_shipped_rules_compile_and_keep_their_fingerprints() {
    // Fingerprints are stored in topics: a change here makes every user's rule look edited.
    let rules: Vec<String> = shipped()
        .values()
        .map(|r| {
            format!(
                "{} selection {} decision {}",
                r.name, r.selection, r.decision
            )
        })
        .collect();
    insta::with_settings!({omit_expression => true}, {
        insta::assert_snapshot!(rules.join("\n"));
    });
}

#[test]
fn only_the_ancestors_rule_is_warned_about() {
    for (name, rule) in shipped() {
        let found: Vec<String> = warnings(&rule, EventTime::Received)
            .iter()
            .map(ToString::to_string)
            .collect();
        if name == "volume-from-peer" {
            assert_eq!(found.len(), 1, "{name}: {found:?}");
            assert!(found[0].starts_with("thresholds: one threshold holds for more than 8"));
        } else {
            assert!(found.is_empty(), "{name}: {found:?}");
        }
    }
}

#[test]
fn the_ancestors_rule_selects_and_limits_as_it_did() {
    let rules = shipped();
    let rule = &rules["volume-from-peer"];
    assert_eq!(rule.interval.as_secs(), 60);
    assert_eq!((rule.key, rule.mode), (KeySide::Dst, Mode::MostSpecific));
    assert_eq!(rule.late, LatePolicy::OldestOpen);
    assert_eq!(
        (rule.lengths_v4.count(), rule.lengths_v6.count()),
        (33, 129)
    );
    assert_eq!(rule.limits.len(), 1);
    assert_eq!(rule.limits[0].metric, Metric::Bytes);
    for family in Family::ALL {
        assert!(
            rule.limits[0]
                .volume(family)
                .iter()
                .all(|v| *v == 100 * 1024 * 1024)
        );
    }
    let peer = Flow {
        dst_addr: Some(Addr::V4(0x0a00_0001)),
        direction: Direction::Ingress,
        src_if_desc: b"Uplink DFN 100G",
        ..Flow::default()
    };
    assert_eq!(rule.select(&peer), Some(Addr::V4(0x0a00_0001)));
    for other in [
        Flow {
            direction: Direction::Egress,
            ..peer.clone()
        },
        Flow {
            direction: Direction::Unknown,
            ..peer.clone()
        },
        Flow {
            src_if_desc: b"Uplink other",
            ..peer.clone()
        },
        Flow {
            dst_addr: None,
            ..peer.clone()
        },
    ] {
        assert_eq!(rule.select(&other), None);
    }
}

#[test]
fn the_amplification_rule_takes_answers_not_requests() {
    let rules = shipped();
    let rule = &rules["udp-amplification"];
    let answer = Flow {
        dst_addr: Some(Addr::V4(1)),
        proto: 17,
        src_port: 11211,
        dst_port: 40000,
        ..Flow::default()
    };
    assert!(rule.select(&answer).is_some());
    let request = Flow {
        src_port: 40000,
        dst_port: 11211,
        ..answer.clone()
    };
    assert!(rule.select(&request).is_none());
    let tcp = Flow { proto: 6, ..answer };
    assert!(rule.select(&tcp).is_none());
}
