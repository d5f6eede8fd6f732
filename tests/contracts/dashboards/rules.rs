//! What every alert owes who is woken by it.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use serde_json::Value;

use super::queries::{deploy, each_rule, rules};

const RUNBOOKS: &str = "https://github.com/hotprefix/hotprefix/blob/main/docs/troubleshooting.md#";

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

#[test]
fn every_alert_says_how_bad_it_is_and_what_to_do() {
    let rules = rules();
    let mut names = BTreeSet::new();
    for rule in each_rule(&rules).filter(|rule| !rule["alert"].is_null()) {
        let name = text(&rule["alert"]);
        assert!(name.starts_with("Hotprefix"), "{name}");
        assert!(names.insert(name), "{name} is there twice");
        let severity = text(&rule["labels"]["severity"]);
        assert!(
            ["info", "warning", "critical"].contains(&severity),
            "{name}: {severity}"
        );
        let notes = &rule["annotations"];
        let summary = text(&notes["summary"]);
        assert!(
            summary.starts_with("hotprefix {{ $labels.job }}: "),
            "{name}: {summary}"
        );
        let description = text(&notes["description"]);
        assert!(
            description.len() > 80 && description.ends_with('.'),
            "{name}: {description}"
        );
        assert!(text(&notes["runbook_url"]).starts_with(RUNBOOKS), "{name}");
    }
}

#[test]
fn every_runbook_is_a_heading_of_the_troubleshooting_page() {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/troubleshooting.md");
    let page = fs::read_to_string(page).expect("docs/troubleshooting.md is there");
    let headings: BTreeSet<_> = page
        .lines()
        .filter_map(|line| line.strip_prefix("## "))
        .map(anchor)
        .collect();
    let rules = rules();
    for rule in each_rule(&rules).filter(|rule| !rule["alert"].is_null()) {
        let url = text(&rule["annotations"]["runbook_url"]);
        let anchor = url.strip_prefix(RUNBOOKS).unwrap_or_default();
        assert!(
            headings.contains(anchor),
            "{}: docs/troubleshooting.md has no heading for #{anchor}",
            rule["alert"]
        );
    }
}

/// As GitHub makes it of a heading.
fn anchor(heading: &str) -> String {
    let lower = heading.trim().to_lowercase();
    let kept = lower
        .chars()
        .filter(|c| c.is_alphanumeric() || " -_".contains(*c));
    kept.map(|c| if c == ' ' { '-' } else { c }).collect()
}

#[test]
fn every_alert_fires_in_a_unit_test() {
    let path = deploy("prometheus/rules_test.yaml");
    let tests = fs::read_to_string(path).expect("rules_test.yaml is there");
    let tests: Value = serde_norway::from_str(&tests).expect("rules_test.yaml is YAML");
    let cases = tests["tests"].as_array().into_iter().flatten();
    let asked = cases.flat_map(|case| case["promql_expr_test"].as_array().into_iter().flatten());
    let samples = asked.flat_map(|test| test["exp_samples"].as_array().into_iter().flatten());
    let firing: BTreeSet<_> = samples
        .filter_map(|sample| text(&sample["labels"]).split("alertname=\"").nth(1))
        .filter_map(|rest| rest.split('"').next())
        .collect();
    let rules = rules();
    let alerts: BTreeSet<_> = each_rule(&rules)
        .filter_map(|rule| rule["alert"].as_str())
        .collect();
    assert_eq!(
        firing, alerts,
        "left: fires in rules_test.yaml, right: is in rules.yaml"
    );
}
