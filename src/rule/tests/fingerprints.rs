use std::time::Duration;

use jiff::civil::{Time, Weekday};
use jiff::tz::TimeZone;

use super::{rule, rule_in};
use crate::flow::{ExporterSampling, SamplingMode};
use crate::net::{Addr, Prefix};
use crate::rule::silence::{Times, Weekly};
use crate::rule::{Filter, NamedSet, PrefixSet, Rule, RuleContext, Sets, Silence};
use crate::time::Timestamp;
use crate::units::Scalar;
use crate::window::EventTime;

const BASE: &str =
    "filter: 'direction == \"ingress\" && proto in [\"tcp\", \"udp\"]'\nscope: [10.0.0.0/8]\n";

fn base() -> Rule {
    rule(BASE)
}

#[test]
fn what_selects_changes_the_selection_alone() {
    let base = base();
    for edit in [
        "key: src",
        "interval: 30s",
        "grace: 6s",
        "late: drop",
        "attribution: spread",
        "incident_group: ddos",
        "prefix_length: {ipv6: []}",
    ] {
        let edited = rule(&format!("{BASE}{edit}"));
        assert_ne!(edited.selection, base.selection, "{edit}");
        let counted = edit.starts_with("prefix_length");
        assert_eq!(edited.decision == base.decision, !counted, "{edit}");
        let same_flows = edit.starts_with("incident_group");
        assert_eq!(edited.counts_like(&base), same_flows, "{edit}");
    }
    let filter = rule("filter: 'direction == \"ingress\"'\nscope: [10.0.0.0/8]");
    assert_ne!(filter.selection, base.selection);
    assert!(!filter.counts_like(&base));
    let scope = rule(&BASE.replace("10.0.0.0/8", "10.0.0.0/9"));
    assert_ne!(scope.selection, base.selection);
    assert!(!scope.counts_like(&base));
    let name = rule(&format!("{BASE}name: other"));
    assert_ne!(name.selection, base.selection);
    assert!(name.counts_like(&base));
}

#[test]
fn what_decides_leaves_the_selection() {
    let base = base();
    for edit in [
        "mode: all",
        "thresholds: {bytes: 101MiB}",
        "thresholds: {packets: 100MiB}",
        "thresholds: {bytes: {0: 100MiB, 24: 1MiB}}",
        "prefix_length: {ipv4: [32, 24]}",
        "labels: {team: noc}",
        "severity: info",
        "max_prefixes: 1M",
        "max_alerts_per_window: 5",
        "overrides: [{prefix: 10.1.0.0/16, never: true}]",
        "overrides: [{prefix: 10.1.0.0/16, labels: {a: b}}]",
        "escalation: [{severity: major, times: 2}]",
        "escalation: [{severity: major, thresholds: {bytes: 1GB}}]",
    ] {
        // Packets have no MiB; the threshold is spelled out.
        let edited = rule(&format!(
            "{BASE}{}",
            edit.replace("packets: 100MiB", "packets: 104857600")
        ));
        assert_eq!(edited.selection, base.selection, "{edit}");
        assert!(edited.counts_like(&base), "{edit}");
        assert_ne!(edited.decision, base.decision, "{edit}");
        assert_ne!(edited.fingerprint(), base.fingerprint(), "{edit}");
    }
    let decided = |more: &str| {
        let override_ = "overrides: [{prefix: 10.1.0.0/16, labels: {c: x}, thresholds: {bytes: 5}";
        rule(&format!("{BASE}{override_}{more}")).decision
    };
    let edits = [
        "}]",
        ", count_in_parents: true}]",
        "}]\ngate: {label: c, thresholds: {bytes: 7}}",
        "}]\ngate: {label: c, thresholds: {bytes: 8}}",
        "}]\ngate: {label: c, groups: {x: {flows: 8}}}",
    ];
    let decisions: std::collections::BTreeSet<_> = edits.into_iter().map(decided).collect();
    assert_eq!(decisions.len(), edits.len());
    let labelled = rule(&BASE.replace("[10.0.0.0/8]", "[{prefix: 10.0.0.0/8, labels: {a: b}}]"));
    assert_eq!(labelled.selection, base.selection);
    assert_ne!(labelled.decision, base.decision);
}

#[test]
fn a_range_and_a_list_of_the_same_lengths_decide_differently() {
    let range = rule("prefix_length: {ipv4: 31..32}");
    let list = rule("prefix_length: {ipv4: [31, 32]}");
    assert_eq!(range.selection, list.selection);
    assert_ne!(range.decision, list.decision);
}

#[test]
fn another_way_to_write_the_same_changes_nothing() {
    let base = base();
    let same = rule(
        "scope: [{prefix: 10.0.0.0/8}]\n\
         filter: \"proto in [17, 6]   &&  'ingress' == direction // same\"\n\
         interval: 1m\n\
         grace: 5000ms\n\
         key: dst\n\
         mode: most_specific\n\
         thresholds: {bytes: {ipv4: 104857600, ipv6: {0: 102400KiB}}}\n\
         max_prefixes: 4000000\n\
         late: oldest_open\n",
    );
    assert_eq!(
        (same.selection, same.decision),
        (base.selection, base.decision)
    );
}

#[test]
fn global_settings_that_change_the_sums_change_the_selection() {
    let filter = "filter: 'exporter in sets.borders'";
    let set = |items: &[&str]| {
        let items: Vec<Scalar> = items.iter().map(|i| Scalar::from(*i)).collect();
        Sets::from([("borders".to_owned(), NamedSet::from_list(&items))])
    };
    let context = |edit: &dyn Fn(&mut RuleContext)| {
        let mut context = RuleContext {
            sets: set(&["192.0.2.1"]),
            ..RuleContext::default()
        };
        edit(&mut context);
        rule_in(filter, &context)
    };
    let unchanged = context(&|_| {});
    let edits: [&dyn Fn(&mut RuleContext); 5] = [
        &|c| c.sets = set(&["192.0.2.1", "192.0.2.2"]),
        &|c| c.event_time = EventTime::End,
        &|c| c.sampling.mode = SamplingMode::Never,
        &|c| {
            c.sampling.exporters.push((
                Prefix::new(Addr::V4(0), 0),
                ExporterSampling {
                    default: None,
                    r#override: Some(5),
                },
            ));
        },
        &|c| c.observe = Filter::compile("in_if == 3", &Sets::new()).expect("it is valid"),
    ];
    for (index, edit) in edits.iter().enumerate() {
        let edited = context(edit);
        assert_ne!(edited.selection, unchanged.selection, "edit {index}");
        let is_same = edited.identity == unchanged.identity;
        assert_eq!(is_same, index == 0, "edit {index}");
    }
    let same = context(&|c| c.sets = set(&["192.0.2.1", "192.0.2.1/32"]));
    assert_eq!(same.selection, unchanged.selection);
}

#[test]
fn what_names_no_set_is_identified_by_its_selection() {
    let base = base();
    assert_eq!(base.identity, base.selection);
    let sets = Sets::from([("a".to_owned(), NamedSet::from_list(&["7".into()]))]);
    let context = RuleContext {
        sets,
        ..RuleContext::default()
    };
    let by_name = |filter: &str| {
        let filter = Filter::compile(filter, &context.sets).expect("it is valid");
        filter.canonical_by_name().to_owned()
    };
    assert_eq!(
        by_name("src_as in sets.a || in_if in [7]"),
        "(in_if in 7..=7 || src_as in sets.a)"
    );
    assert_ne!(by_name("src_as in sets.a"), by_name("src_as == 7"));
}

#[test]
fn a_silence_is_written_out_for_the_decision() {
    let silence = Silence {
        name: "move".into(),
        ends: true,
        rules: Vec::new(),
        prefixes: Some(PrefixSet::new(vec![Prefix::new(Addr::V4(0x0a00_0000), 8)])),
        labels: [("customer".to_owned(), "a=b".to_owned())].into(),
        times: Times {
            from: Timestamp::from_millis(1_000),
            until: Timestamp::from_millis(2_000),
            weekly: vec![Weekly {
                days: vec![Weekday::Friday, Weekday::Monday],
                at: Time::constant(22, 30, 0, 0),
                length: Duration::from_hours(2),
            }],
            zone: TimeZone::get("Europe/Berlin").expect("zones come with the program"),
        },
    };
    assert_eq!(
        silence.canonical(),
        "move true 10.0.0.0/8 [customer=a=b] 1000 2000 [1+5 22:30:0 7200000] Europe/Berlin"
    );
    let always = Silence {
        prefixes: None,
        labels: std::collections::BTreeMap::new(),
        times: Times {
            weekly: Vec::new(),
            zone: TimeZone::UTC,
            ..silence.times.clone()
        },
        ..silence.clone()
    };
    assert_eq!(always.canonical(), "move true all [] 1000 2000 [] UTC");
    let decision = |silences| {
        let context = RuleContext {
            silences,
            ..RuleContext::default()
        };
        rule_in("", &context).decision
    };
    let none = decision(vec![]);
    let [one, other] = [silence, always].map(|silence| decision(vec![silence]));
    assert!(none != one && none != other && one != other);
}
