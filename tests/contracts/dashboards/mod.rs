//! Alert rules and dashboards ask for metrics that the code has, and the dashboards are what their source says.
//!
//! `UPDATE_DASHBOARDS=1 cargo test --test contracts dashboards` writes the dashboards anew.

mod build;
mod lint;
#[path = "../../monitoring/promql.rs"]
mod promql;
#[path = "../../monitoring/queries.rs"]
mod queries;
mod rules;
mod source;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use hotprefix::telemetry::metrics::{self, Metric, Values};

use promql::Selector;
use queries::{DASHBOARDS, Query};

/// Labels that Prometheus adds to what it scrapes.
const OF_TARGETS: [&str; 3] = ["namespace", "job", "instance"];
/// Metrics that Prometheus makes itself.
const OF_PROMETHEUS: [&str; 2] = ["up", "ALERTS"];

#[test]
fn dashboards_are_what_their_sources_say() {
    for name in DASHBOARDS {
        let built = build::build(&source::read(name));
        let built = format!("{built:#}\n");
        let path = queries::deploy(&format!("grafana/{name}.json"));
        if std::env::var_os("UPDATE_DASHBOARDS").is_some() {
            fs::write(&path, &built).expect("the dashboard can be written");
        }
        let committed = fs::read_to_string(&path).unwrap_or_default();
        assert!(
            committed == built,
            "deploy/grafana/{name}.json differs from deploy/grafana/source/{name}.yaml: \
             `UPDATE_DASHBOARDS=1 cargo test --test contracts dashboards` writes it anew"
        );
    }
}

#[test]
fn every_query_names_metrics_labels_and_values_that_the_code_has() {
    let known = Known::new();
    let mut wrong = Vec::new();
    for query in queries::of_rules().iter().chain(&queries::of_dashboards()) {
        wrong.extend(known.complaints(query));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// What a query may name.
struct Known {
    metrics: BTreeMap<&'static str, &'static Metric>,
    /// Results of recording rules.
    recorded: BTreeSet<String>,
    /// The labels of all.
    labels: BTreeSet<String>,
}

impl Known {
    fn new() -> Self {
        let groups = queries::rules();
        let recorded = queries::each_rule(&groups).filter_map(|rule| rule["record"].as_str());
        let metrics: BTreeMap<_, _> = metrics::all().map(|m| (m.name, m)).collect();
        let of_metrics = metrics.values().flat_map(|m| m.labels);
        let added = queries::each_rule(&groups).filter_map(|rule| rule["labels"].as_object());
        let labels = of_metrics
            .map(|label| label.name)
            .chain(OF_TARGETS)
            .chain(["le"])
            .chain(added.flat_map(|labels| labels.keys().map(String::as_str)))
            .map(str::to_owned);
        Self {
            recorded: recorded.map(str::to_owned).collect(),
            labels: labels.collect(),
            metrics,
        }
    }

    fn complaints(&self, query: &Query) -> Vec<String> {
        let (selectors, labels) = promql::parse(&query.expr);
        let mut wrong: Vec<_> = labels.difference(&self.labels).collect();
        wrong.sort();
        let mut wrong: Vec<_> = wrong
            .into_iter()
            .map(|label| format!("no metric has the label `{label}`"))
            .collect();
        if selectors.is_empty() {
            wrong.push("no metric is named".to_owned());
        }
        wrong.extend(selectors.iter().flat_map(|s| self.of_selector(s)));
        wrong
            .into_iter()
            .map(|what| format!("{}: {what}: {}", query.place, query.expr))
            .collect()
    }

    fn of_selector(&self, selector: &Selector) -> Vec<String> {
        let name = selector.metric.as_str();
        if OF_PROMETHEUS.contains(&name) || self.recorded.contains(name) {
            return Vec::new();
        }
        let Some(metric) = self.metric(name) else {
            return vec![format!("`{name}` is no metric of the code")];
        };
        let matchers = selector.matchers.iter();
        matchers
            .filter(|(label, ..)| !OF_TARGETS.contains(&label.as_str()))
            .filter_map(|(label, operator, value)| refused(metric, label, operator, value))
            .collect()
    }

    /// By its name, or a histogram by the name of one of its series.
    fn metric(&self, name: &str) -> Option<&'static Metric> {
        let series = ["_bucket", "_sum", "_count"];
        let histogram = series.iter().find_map(|end| name.strip_suffix(end));
        let histogram = histogram.and_then(|name| self.metrics.get(name));
        let histogram = histogram.filter(|m| m.kind() == "histogram");
        let plain = self.metrics.get(name);
        let plain = plain.filter(|m| m.kind() != "histogram");
        plain.or(histogram).copied()
    }
}

/// Why no series of `metric` has that value of that label.
fn refused(metric: &Metric, label: &str, operator: &str, value: &str) -> Option<String> {
    let name = metric.name;
    let Some(found) = metric.labels.iter().find(|l| l.name == label) else {
        return Some(format!("`{name}` has no label `{label}`"));
    };
    let Values::OneOf(values) = found.values else {
        return None;
    };
    let asked = value.split('|').filter(|_| operator.starts_with('='));
    let unknown: Vec<_> = asked.filter(|v| !values.contains(v)).collect();
    (!unknown.is_empty()).then(|| format!("`{label}` of `{name}` is never {unknown:?}"))
}

#[test]
fn a_query_for_what_the_code_does_not_have_is_told() {
    let known = Known::new();
    let complaints = |expr: &str| {
        let place = "here".to_owned();
        let expr = expr.to_owned();
        known.complaints(&Query { place, expr }).len()
    };
    assert_eq!(complaints("hotprefix_ready == 0"), 0);
    assert_eq!(complaints("hotprefix_flush_duration_seconds_bucket"), 0);
    assert_eq!(complaints("hotprefix_reddy == 0"), 1);
    assert_eq!(complaints("hotprefix_flush_duration_seconds"), 1);
    assert_eq!(complaints("hotprefix_ready_bucket"), 1);
    assert_eq!(complaints("sum by (rool) (hotprefix_ready)"), 1);
    assert_eq!(complaints(r#"hotprefix_records_total{fate="lost"}"#), 1);
    assert_eq!(complaints(r#"hotprefix_ready{fate="late"}"#), 1);
    assert_eq!(complaints("vector(0)"), 1);
}
