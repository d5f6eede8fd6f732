use std::fmt::Write as _;
use std::path::PathBuf;

use super::config;
use crate::rule::{LatePolicy, RuleConfig, RuleContext, compile};
use crate::window::EventTime;

fn problems(yaml: &str, context: &RuleContext) -> String {
    let errors = compile(&config(yaml), context)
        .map(|rule| rule.name)
        .expect_err(yaml);
    errors.iter().fold(String::new(), |mut out, error| {
        let _ = writeln!(out, "{error}");
        out
    })
}

#[test]
fn every_wrong_value_is_named_by_its_path() {
    let cases = [
        "name: 'has space'",
        "name: ''",
        "severity: ''",
        "incident_group: 'a b'",
        "filter: 'src_prot == 5 && proto == \"tpc\"'",
        "interval: 60",
        "interval: 500ms",
        "interval: 25h",
        "grace: 5 minutes",
        "prefix_length: {ipv4: 32..0}",
        "prefix_length: {ipv4: 0..33, ipv6: x}",
        "prefix_length: {ipv4: [32, 240, y]}",
        "prefix_length: {ipv4: [], ipv6: []}",
        "thresholds: {}",
        "thresholds: {bytes: 100Mb}",
        "thresholds: {bytes: 19000000TB}",
        "thresholds: {bits_per_second: {32: 100mbps, 33: 1Gbps, x: 1Gbps, 129: 1Gbps}}",
        "thresholds: {bits_per_second: {ipv4: {33: 1Gbps}, ipv6: {128: fast}}}",
        "thresholds: {bits_per_second: {ipv4: 1Gbps, 24: 1Gbps}}",
        "thresholds: {bits_per_second: {ipv4: {ipv6: 1Gbps}}}",
        "thresholds: {bits_per_second: {24: {32: 1Gbps}}}",
        "thresholds: {packets: {}}",
        "thresholds: {packets: {30: 5}}\nprefix_length: {ipv4: [24], ipv6: []}",
        "scope: []",
        "scope: [10.0.0.0/8, 10.0.0.0/8]",
        "scope: [10.0.0.1/8, {prefix: x, labels: {'a b': c}}]",
        "scope: {file: missing.txt}",
        "scope: {file: bad.txt}",
        "scope: {file: empty.txt}",
        "overrides: [{prefix: 10.0.0.0/8, labels: {a: b}}, {prefix: 10.0.0.0/8, never: true}]",
        "overrides: [{prefix: 10.0.0.1/8}, {prefix: 10.0.0.0/8}, {prefix: 10.1.0.0/16, count_in_parents: true}]",
        "overrides: [{prefix: 10.0.0.0/8, never: true, thresholds: {bytes: 1, packets: {x: 1}}, labels: {'a b': c}}]",
        "overrides: {file: missing.txt}",
        "overrides: {file: overrides.txt}",
        "escalation: [{severity: warning, times: 2}, {severity: 'a b', times: 1}, {severity: major}]",
        "escalation: [{severity: major, times: 2, thresholds: {bytes: 1}}, {severity: critical, thresholds: {packets: 5}}]",
        "gate: {label: customer, thresholds: {bytes: 1}}",
        "scope: [{prefix: 10.0.0.0/8, labels: {c: x}}]\ngate: {label: c}",
        "scope: [{prefix: 10.0.0.0/8, labels: {c: x}}]\ngate: {label: c, groups: {y: {bytes: 5}, x: {flows: y}}}",
        "labels: {'1': x}",
        "max_prefixes: 0",
        "max_prefixes: many",
        "max_alerts_per_window: 2M",
        "name: '#'\ninterval: 1\ngrace: 2\nthresholds: {bytes: x}\nmax_prefixes: 0",
    ];
    let context = RuleContext {
        files: [
            (
                PathBuf::from("overrides.txt"),
                "10.0.0.0/8 bytes\n10.0.0.1/8 never\n10.0.0.0/9 bytes=x flows.33=1\n10.0.0.0/8 bytes=1 bytes.32=2\n\
                 10.0.0.0/8 a=b a=c\n10.0.0.0/8 never count_in_parents=1 1=2\n10.0.0.0/8 packets.24=1 packets.24=2\n"
                    .to_owned(),
            ),
            (
                PathBuf::from("bad.txt"),
                "10.0.0.0/8 x\n10.0.0.1/8\n".to_owned(),
            ),
            (PathBuf::from("empty.txt"), "# nothing\n".to_owned()),
        ]
        .into(),
        ..RuleContext::default()
    };
    let mut out = String::new();
    for case in cases {
        let _ = writeln!(out, "==== {case}\n{}", problems(case, &context).trim_end());
    }
    insta::with_settings!({omit_expression => true}, {
        insta::assert_snapshot!(out);
    });
}

#[test]
fn a_wrong_shape_says_what_is_expected() {
    let cases = [
        "thresholds: {bytes: 1}",
        "{name: a, thresholds: {bytes: 1}, fitler: x}",
        "{name: a, thresholds: {byte: 1}}",
        "{name: a, thresholds: {bytes: 1.5}}",
        "{name: a, thresholds: {bytes: [1]}}",
        "{name: a, thresholds: {bytes: true}}",
        "{name: a, thresholds: {bytes: {24: 1, '24': 2}}}",
        "{name: a, thresholds: {bytes: 1}, key: dest}",
        "{name: a, thresholds: {bytes: 1}, mode: most-specific}",
        "{name: a, thresholds: {bytes: 1}, prefix_length: 32}",
        "{name: a, thresholds: {bytes: 1}, prefix_length: {ipv4: {a: 1}}}",
        "{name: a, thresholds: {bytes: 1}, scope: 10.0.0.0/8}",
        "{name: a, thresholds: {bytes: 1}, scope: {path: x}}",
        "{name: a, thresholds: {bytes: 1}, scope: [{prefix: 10.0.0.0/8, label: x}]}",
        "{name: a, thresholds: {bytes: 1}, interval: 1.5}",
        "{name: a, thresholds: {bytes: 1}, labels: {a: [1]}}",
    ];
    let mut out = String::new();
    for case in cases {
        let error = serde_norway::from_str::<RuleConfig>(case).expect_err(case);
        let _ = writeln!(out, "==== {case}\n{error}");
    }
    insta::with_settings!({omit_expression => true}, {
        insta::assert_snapshot!(out);
    });
}

#[test]
fn late_follows_event_time_unless_it_is_set() {
    for (event_time, written, expected) in [
        (EventTime::Received, "", LatePolicy::OldestOpen),
        (EventTime::End, "", LatePolicy::Drop),
        (EventTime::Start, "", LatePolicy::Drop),
        (EventTime::Received, "late: drop", LatePolicy::Drop),
        (EventTime::End, "late: oldest_open", LatePolicy::OldestOpen),
    ] {
        let context = RuleContext {
            event_time,
            ..RuleContext::default()
        };
        let config = config(written);
        let rule = compile(&config, &context).expect("it is valid");
        assert_eq!(rule.late, expected);
        assert_eq!(config.effective(&context).late, Some(expected));
    }
}

#[test]
fn a_written_out_rule_reads_back_as_the_same_rule() {
    let context = RuleContext::default();
    let config = config(
        "filter: 'proto == 17'\nscope: [10.0.0.0/8, {prefix: 10.1.0.0/16, labels: {a: 1}}]\n\
         thresholds: {bits_per_second: {ipv4: {32: 100Mbps}, ipv6: 1Gbps}, flows: 7}\n\
         prefix_length: {ipv4: 8..32}\nlabels: {n: 42}",
    );
    let effective = config.effective(&context);
    let yaml = serde_norway::to_string(&effective).expect("it can be written");
    let yaml: RuleConfig = serde_norway::from_str(&yaml).expect("it can be read");
    let json = serde_json::to_value(&effective).expect("it can be written");
    let json: RuleConfig = serde_json::from_value(json).expect("it can be read");
    assert_eq!(yaml, effective);
    assert_eq!(json, effective);
    let before = compile(&config, &context).expect("it is valid");
    let after = compile(&json, &context).expect("it is valid");
    assert_eq!(before.fingerprint(), after.fingerprint());
}

#[test]
fn the_schema_admits_what_is_read() {
    let schema = schemars::schema_for!(RuleConfig).to_value();
    let validator = jsonschema::validator_for(&schema).expect("the schema is valid");
    let config = config(
        "scope: [10.0.0.0/8, {prefix: 10.1.0.0/16, labels: {a: 1}}]\n\
         thresholds: {bits_per_second: {ipv4: {32: 100Mbps}, ipv6: 1Gbps}, flows: 7}\n\
         prefix_length: {ipv4: 8..32, ipv6: [48]}",
    );
    let mut value = serde_json::to_value(&config).expect("it can be written");
    assert!(
        validator.is_valid(&value),
        "{:?}",
        validator.iter_errors(&value).next()
    );
    value["scope"] = serde_json::json!({"file": "own.txt"});
    assert!(validator.is_valid(&value));
    value["fitler"] = serde_json::json!("x");
    assert!(!validator.is_valid(&value));
}
