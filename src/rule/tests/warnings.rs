use super::{rule, rule_in};
use crate::rule::{Filter, RuleContext, Sets, warnings};
use crate::window::EventTime;

const PLACED: &str = "filter: 'direction == \"ingress\"'\n";

fn found(yaml: &str, event_time: EventTime) -> Vec<String> {
    let context = RuleContext {
        event_time,
        ..RuleContext::default()
    };
    warnings(&rule_in(yaml, &context), event_time)
        .iter()
        .map(ToString::to_string)
        .collect()
}

#[test]
fn each_warning_is_given_where_it_applies() {
    let cases = [
        "prefix_length: {ipv4: 0..32}",
        "grace: 14s",
        "thresholds: {bytes: {24: 1GB}}",
        "thresholds: {bytes: {32: 1GB, 24: 2GB, 22: 4GB}}",
        "thresholds: {packets: 0}",
        "scope: [10.0.0.0/26, 10.1.0.0/16]\nprefix_length: {ipv4: [24]}",
        "prefix_length: {ipv4: [24], ipv6: []}\nscope: [10.1.0.0/16]\noverrides: [{prefix: 10.0.0.0/8, never: true}, \
         {prefix: 10.1.2.0/24, never: true}, {prefix: 10.2.0.0/16, labels: {a: b}}, {prefix: '2001:db8::/32', never: true}, \
         {prefix: 10.1.0.0/17, thresholds: {bytes: {30: 5}}}, {prefix: 10.1.0.0/26, thresholds: {bytes: 5}}]",
        "thresholds: {}\noverrides: [{prefix: 10.1.0.0/16, thresholds: {bytes: 5}}]",
    ];
    let mut out = Vec::new();
    for case in cases {
        out.push(format!("==== {case}"));
        out.extend(found(&format!("{PLACED}{case}"), EventTime::End));
    }
    out.push("==== no filter".to_owned());
    out.extend(found("", EventTime::Received));
    insta::with_settings!({omit_expression => true}, {
        insta::assert_snapshot!(out.join("\n"));
    });
}

#[test]
fn a_sound_rule_has_no_warning() {
    assert_eq!(found(PLACED, EventTime::Received), Vec::<String>::new());
    assert_eq!(
        found(&format!("{PLACED}grace: 15s"), EventTime::End),
        Vec::<String>::new()
    );
    let scoped =
        format!("{PLACED}prefix_length: {{ipv4: 0..32}}\nscope: [10.0.0.0/8, \"2001:db8::/32\"]");
    assert_eq!(found(&scoped, EventTime::Received), Vec::<String>::new());
}

#[test]
fn observing_counts_as_looking_at_the_exporter() {
    let observe = Filter::compile("exporter == \"192.0.2.1\"", &Sets::new()).expect("it is valid");
    let context = RuleContext {
        observe,
        ..RuleContext::default()
    };
    assert!(warnings(&rule_in("", &context), EventTime::Received).is_empty());
    assert_eq!(warnings(&rule(""), EventTime::Received).len(), 1);
}
