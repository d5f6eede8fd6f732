//! What arrives at a Collector is what the run did.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use hotprefix::partial::{Partial, decode};

use crate::collector::Collector;
use crate::otlp::{self, Attributes, Log, Span};
use crate::run::{Prepared, base};
use crate::support::app::{App, Instance};
use crate::support::flows::Load;
use crate::support::kafka_client::{Incoming, read_all};
use crate::support::kafka_node::Cluster;
use crate::support::rules::rules;
use crate::support::scrape::Scrape;
use crate::support::wait;

const PATIENCE: Duration = Duration::from_mins(1);
const EVERY: Duration = Duration::from_millis(100);
const PRODUCER: u64 = 4;
const CONSUMER: u64 = 5;
const CLIENT: u64 = 3;

/// How a run's telemetry goes to the Collector.
pub(crate) struct Way {
    pub(crate) name: &'static str,
    pub(crate) tls: bool,
    pub(crate) env: fn(&Collector) -> Vec<(&'static str, String)>,
}

/// One run, everything traced.
pub(crate) fn check(way: &Way) {
    let collector = Collector::start(way.name, way.tls);
    let cluster = Cluster::shared();
    let load = Load::new(11, 20_000, 4, base());
    let prepared = Prepared::written(cluster, way.name, rules(), &load);
    let mut app = prepared
        .app(cluster, way.name)
        .set("telemetry.log", serde_json::json!({"filter": "debug"}))
        .env("OTEL_TRACES_SAMPLER", "always_on")
        .env("OTEL_BSP_SCHEDULE_DELAY", "200")
        .env("OTEL_BLRP_SCHEDULE_DELAY", "200")
        .env("OTEL_METRIC_EXPORT_INTERVAL", "500")
        .env(
            "OTEL_RESOURCE_ATTRIBUTES",
            "deployment.environment.name=test%20rig",
        );
    for (name, value) in (way.env)(&collector) {
        app = app.env(name, value);
    }
    let mut instances = app.start_all(1);
    prepared.until_final(&app);
    let name = format!("{}-0", app.id);
    numbers_are_those_of_metrics(&collector, &instances[0], &name);
    let stderr = instances[0].process.output();
    let output = prepared.finish(&app, std::mem::take(&mut instances));

    let partials = read_all(cluster, &app.topic("partials"));
    let spans = spans(&collector, &partials);
    flushes_are_whole(&app, &spans, prepared.records.len());
    let outputs = output.alerts.iter().chain(&output.windows);
    alerts_lead_to_flushes(&app, &spans, outputs, &partials);
    assert!(!output.alerts.is_empty(), "the load has alerts");
    commits_are_parts(&app, &spans);
    let logs = logs_are_ours(&collector, &stderr);
    lines_lead_to_flushes(&app, &collector, &logs);
}

/// Who sent it.
fn is_from_the_run(resource: &Attributes, instance: &str) {
    let expected = [
        ("service.name", "hotprefix"),
        ("service.version", env!("CARGO_PKG_VERSION")),
        ("service.instance.id", instance),
        ("deployment.environment.name", "test rig"),
        ("telemetry.sdk.language", "rust"),
    ];
    for (name, value) in expected {
        let found = resource.get(name).map(String::as_str);
        assert_eq!(found, Some(value), "{name} of {resource:?}");
    }
    assert!(resource.contains_key("host.name"), "{resource:?}");
}

/// Waits until each counter of `/metrics` has arrived with the value that it has.
fn numbers_are_those_of_metrics(collector: &Collector, instance: &Instance, name: &str) {
    let is_ours = |name: &str| name.starts_with("hotprefix_") && name.ends_with("_total");
    // Clients go on talking to brokers between one look and the next.
    let is_steady = |name: &str| is_ours(name) && !name.starts_with("hotprefix_kafka_");
    let mut wrong = Vec::new();
    let compared = wait::until("the counters arrive", PATIENCE, EVERY, || {
        let scrape = Scrape::of(instance)?;
        let (arrived, resources) = otlp::metrics(&collector.sink.all("metrics"));
        let shown: BTreeMap<(String, Attributes), f64> = scrape
            .series()
            .iter()
            .filter(|s| is_steady(&s.name))
            .map(|s| ((s.name.clone(), s.labels.clone()), s.value))
            .collect();
        wrong = shown
            .iter()
            .filter(|(key, value)| arrived.get(*key) != Some(*value))
            .map(|(key, value)| format!("{key:?} is {value}, arrived {:?}", arrived.get(key)))
            .collect();
        println!("{} of {} series differ", wrong.len(), shown.len());
        for resource in &resources {
            is_from_the_run(resource, name);
        }
        (wrong.is_empty() && shown.len() > 20).then_some(shown)
    });
    let sum = |name: &str| -> f64 {
        let of_name = compared.iter().filter(|((n, _), _)| n == name);
        of_name.map(|(_, value)| value).sum()
    };
    for name in [
        "hotprefix_records_total",
        "hotprefix_rule_flows_total",
        "hotprefix_alerts_total",
    ] {
        assert!(sum(name) > 0.0, "{name} is compared, and is not 0");
    }
}

/// All spans, when those of every partial's flush are there.
fn spans(collector: &Collector, partials: &[Incoming]) -> Vec<Span> {
    let flushes: BTreeSet<_> = partials.iter().map(traceparent).collect();
    wait::until("the span of each flush arrives", PATIENCE, EVERY, || {
        let spans = otlp::spans(&collector.sink.all("traces"));
        let there: BTreeSet<_> = spans.iter().map(id).collect();
        flushes.is_subset(&there).then_some(spans)
    })
}

fn id(span: &Span) -> (String, String) {
    (span.trace.clone(), span.id.clone())
}

/// Trace and span of the header; panics where there is none, or it is not sampled.
fn traceparent(record: &Incoming) -> (String, String) {
    let found = record
        .headers
        .iter()
        .find(|(name, _)| name == "traceparent");
    let (_, value) = found.unwrap_or_else(|| panic!("no traceparent at {record:?}"));
    let text = std::str::from_utf8(value).expect("a traceparent is ASCII");
    match text.split('-').collect::<Vec<_>>().as_slice() {
        ["00", trace, span, "01"] => ((*trace).to_owned(), (*span).to_owned()),
        _ => panic!("{text} is no sampled traceparent"),
    }
}

fn flushes<'s>(app: &App<'_>, spans: &'s [Span]) -> impl Iterator<Item = &'s Span> + Clone {
    let name = format!("flush {}", app.topic("partials"));
    spans.iter().filter(move |span| span.name == name)
}

fn flushes_are_whole(app: &App<'_>, spans: &[Span], records: usize) {
    // One that was aborted, or whose partitions were all revoked, has counted nothing.
    let done = flushes(app, spans).filter(|s| s.status != 2);
    let sum: u64 = done.clone().map(|s| s.number("hotprefix.records")).sum();
    assert_eq!(sum, records as u64, "each record is in one flush");
    for flush in done {
        assert_eq!(flush.kind, PRODUCER);
        assert_eq!(flush.parent, "", "a flush is a trace of its own");
        assert!(flush.start < flush.end);
        assert!(flush.number("messaging.batch.message_count") > 0);
        assert_eq!(flush.attributes["messaging.system"], "kafka");
        assert_eq!(flush.attributes["messaging.operation.type"], "send");
        assert_eq!(
            flush.attributes["messaging.destination.name"],
            app.topic("partials")
        );
        is_from_the_run(&flush.resource, &format!("{}-0", app.id));
    }
}

/// From each alert and window record to its emission, and from there to exactly the flushes that wrote
/// deltas of its windows.
fn alerts_lead_to_flushes<'r>(
    app: &App<'_>,
    spans: &[Span],
    outputs: impl Iterator<Item = &'r Incoming>,
    partials: &[Incoming],
) {
    let by_id: BTreeMap<_, _> = spans.iter().map(|span| (id(span), span)).collect();
    let behind = flushes_by_window(partials);
    let mut windows: BTreeMap<(String, String), BTreeSet<(String, i64)>> = BTreeMap::new();
    for record in outputs {
        let message = record.message();
        let window = (message.rule().to_owned(), message.window_start());
        windows
            .entry(traceparent(record))
            .or_default()
            .insert(window);
    }
    for (emission, windows) in windows {
        let span = by_id.get(&emission);
        let span = span.unwrap_or_else(|| panic!("the span of {emission:?} has not arrived"));
        assert_eq!(span.name, format!("finalise {}", app.topic("partials")));
        assert_eq!(span.kind, CONSUMER);
        assert_eq!(span.number("hotprefix.links_left_out"), 0);
        let linked: BTreeSet<_> = span.links.iter().cloned().collect();
        assert_eq!(linked.len(), span.links.len(), "each flush is linked once");
        let nothing = BTreeSet::new();
        let expected = windows
            .iter()
            .map(|window| behind.get(window).unwrap_or(&nothing));
        let expected: BTreeSet<_> = expected.flatten().cloned().collect();
        assert_eq!(linked, expected, "links of the emission of {windows:?}");
        for flush in linked {
            assert_eq!(
                by_id[&flush].name,
                format!("flush {}", app.topic("partials"))
            );
            assert!(by_id[&flush].start < span.end);
        }
    }
}

/// The flushes that wrote deltas of a window, by rule and the window's start.
fn flushes_by_window(partials: &[Incoming]) -> BTreeMap<(String, i64), BTreeSet<(String, String)>> {
    let mut flushes = BTreeMap::<_, BTreeSet<_>>::new();
    for record in partials {
        let payload = record
            .payload
            .as_deref()
            .expect("partials have no tombstones");
        if let Partial::Delta(delta) = decode(payload).expect("partials are not corrupt") {
            let window = (delta.rule.to_string(), delta.window.start.as_millis());
            flushes
                .entry(window)
                .or_default()
                .insert(traceparent(record));
        }
    }
    flushes
}

/// A transaction's commit is a child of its flush or emission; a prefix pass is one of its emission.
fn commits_are_parts(app: &App<'_>, spans: &[Span]) {
    let by_id: BTreeMap<_, _> = spans.iter().map(|span| (id(span), span)).collect();
    let mut seen = BTreeSet::new();
    for span in spans.iter().filter(|s| !s.parent.is_empty()) {
        let parent = by_id[&(span.trace.clone(), span.parent.clone())];
        let (kind, _) = parent.name.split_once(' ').expect("a name and a topic");
        assert!(
            parent.start <= span.start && span.end <= parent.end,
            "{span:?} in {parent:?}"
        );
        if span.name == "commit" {
            assert_eq!(span.kind, CLIENT);
            assert_eq!(span.attributes["messaging.operation.type"], "settle");
            let stage = if kind == "flush" { "count" } else { "detect" };
            let group = format!("{}-{stage}", app.id);
            assert_eq!(span.attributes["messaging.consumer.group.name"], group);
        }
        seen.insert((kind.to_owned(), span.name.clone()));
    }
    let expected = [
        ("finalise", "commit"),
        ("finalise", "pass"),
        ("flush", "commit"),
    ];
    let expected = expected.map(|(kind, name)| (kind.to_owned(), name.to_owned()));
    assert_eq!(seen, BTreeSet::from(expected));
}

/// Log lines arrive to the last one, with none of those that sending makes.
fn logs_are_ours(collector: &Collector, stderr: &str) -> Vec<Log> {
    let last = "stopped, everything committed";
    let logs: Vec<Log> = wait::until("the last log line arrives", PATIENCE, EVERY, || {
        let logs = otlp::logs(&collector.sink.all("logs"));
        logs.iter().any(|log| log.body == last).then_some(logs)
    });
    assert!(
        logs.iter()
            .any(|log| log.body == "starting" && log.severity == "INFO")
    );
    let stack = [
        "hyper",
        "h2",
        "tonic",
        "tower",
        "reqwest",
        "rustls",
        "opentelemetry",
    ];
    let is_of_the_way = |target: &str| stack.iter().any(|name| target.starts_with(name));
    assert!(
        stack
            .iter()
            .any(|name| stderr.contains(&format!(" {name}"))),
        "at debug, the way to the Collector is told on stderr:\n{stderr}"
    );
    for log in &logs {
        assert!(!is_of_the_way(&log.scope), "{log:?}");
        assert!(log.resource.contains_key("service.instance.id"), "{log:?}");
    }
    logs
}

/// What is logged inside a flush has its trace and span.
fn lines_lead_to_flushes(app: &App<'_>, collector: &Collector, logs: &[Log]) {
    let lines = logs.iter().filter(|log| log.body == "flush committed");
    let lines: BTreeSet<_> = lines.map(|l| (l.trace.clone(), l.span.clone())).collect();
    println!("{} log records, {} of flushes", logs.len(), lines.len());
    assert!(!lines.is_empty(), "each flush writes a line at debug");
    wait::until("the flush of each line arrives", PATIENCE, EVERY, || {
        let spans = otlp::spans(&collector.sink.all("traces"));
        let flushes: BTreeSet<_> = flushes(app, &spans).map(id).collect();
        lines.is_subset(&flushes).then_some(())
    });
}
