//! What the variables mean, one by one.

mod alone;
mod bad;
mod running;

use std::time::Duration;

use opentelemetry_sdk::metrics::Temporality;

use super::settings::{Batch, Settings};
use super::target::{Protocol, Tls};

const ENDPOINT: (&str, &str) = ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://collector:4318");

fn env(vars: &[(&str, &str)]) -> Vec<(String, String)> {
    let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
    vars.iter().map(owned).collect()
}

fn read(vars: &[(&str, &str)]) -> Settings {
    Settings::read(env(vars)).expect("these variables are valid")
}

/// With an endpoint besides, so that everything is on.
fn read_on(vars: &[(&str, &str)]) -> Settings {
    read(&[&[ENDPOINT], vars].concat())
}

fn errors(vars: &[(&str, &str)]) -> Vec<String> {
    let vars = [&[ENDPOINT], vars].concat();
    let errors = Settings::read(env(&vars)).expect_err("a variable is bad");
    errors.0.iter().map(ToString::to_string).collect()
}

/// Traces, metrics, logs.
fn on(settings: &Settings) -> [bool; 3] {
    [
        settings.traces.is_some(),
        settings.metrics.is_some(),
        settings.logs.is_some(),
    ]
}

#[test]
fn nothing_is_exported_unless_a_variable_asks_for_it() {
    assert_eq!(on(&read(&[])), [false; 3]);
    assert_eq!(
        on(&read(&[("OTEL_EXPORTER_OTLP_ENDPOINT", "")])),
        [false; 3]
    );
    assert_eq!(on(&read(&[("OTEL_SERVICE_NAME", "edge")])), [false; 3]);
    assert_eq!(on(&read_on(&[])), [true; 3]);
    let own = (
        "OTEL_EXPORTER_OTLP_METRICS_ENDPOINT",
        "http://m:1/v1/metrics",
    );
    assert_eq!(on(&read(&[own])), [false, true, false]);
    assert_eq!(
        on(&read(&[("OTEL_LOGS_EXPORTER", "otlp")])),
        [false, false, true]
    );
}

#[test]
fn none_and_disabled_turn_off_what_an_endpoint_turned_on() {
    let settings = read_on(&[
        ("OTEL_TRACES_EXPORTER", "none"),
        ("OTEL_LOGS_EXPORTER", "NONE"),
    ]);
    assert_eq!(on(&settings), [false, true, false]);
    assert_eq!(
        on(&read_on(&[("OTEL_METRICS_EXPORTER", "prometheus")])),
        [true, false, true]
    );
    let both = read_on(&[("OTEL_METRICS_EXPORTER", "prometheus,otlp")]);
    assert_eq!(on(&both), [true; 3]);
    // What is off is not looked at.
    let off = [
        ("OTEL_SDK_DISABLED", "True"),
        ("OTEL_TRACES_SAMPLER", "never"),
    ];
    assert_eq!(on(&read_on(&off)), [false; 3]);
}

#[test]
fn endpoint_of_all_signals_is_a_base_and_one_signals_is_the_whole_url() {
    let settings = read_on(&[("OTEL_EXPORTER_OTLP_LOGS_ENDPOINT", "https://logs/in")]);
    let traces = settings.traces.expect("on").target;
    assert_eq!(traces.endpoint, "http://collector:4318/v1/traces");
    assert_eq!(traces.protocol, Protocol::Http);
    assert_eq!(traces.timeout, Duration::from_secs(10));
    assert!(!traces.gzip);
    assert_eq!(traces.tls, Tls::default());
    assert_eq!(
        settings.logs.expect("on").target.endpoint,
        "https://logs/in"
    );
    let slash = read(&[("OTEL_EXPORTER_OTLP_ENDPOINT", "http://collector:4318/otlp/")]);
    let metrics = slash.metrics.expect("on").target;
    assert_eq!(metrics.endpoint, "http://collector:4318/otlp/v1/metrics");
    let default = read(&[("OTEL_TRACES_EXPORTER", "otlp")])
        .traces
        .expect("on");
    assert_eq!(default.target.endpoint, "http://localhost:4318/v1/traces");
}

#[test]
fn grpc_takes_an_endpoint_as_it_is_and_adds_a_scheme_where_there_is_none() {
    let grpc = |vars: &[(&str, &str)]| {
        let protocol = [("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc")];
        let settings = read(&[&protocol, vars].concat());
        settings.traces.expect("on").target.endpoint
    };
    let bare = ("OTEL_EXPORTER_OTLP_ENDPOINT", "collector:4317");
    assert_eq!(grpc(&[ENDPOINT]), ENDPOINT.1);
    assert_eq!(grpc(&[bare]), "https://collector:4317");
    let insecure = ("OTEL_EXPORTER_OTLP_INSECURE", "true");
    assert_eq!(grpc(&[bare, insecure]), "http://collector:4317");
    assert_eq!(
        grpc(&[("OTEL_TRACES_EXPORTER", "otlp")]),
        "http://localhost:4317"
    );
}

#[test]
fn one_signals_variable_goes_before_that_of_all() {
    let settings = read_on(&[
        ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc"),
        ("OTEL_EXPORTER_OTLP_METRICS_PROTOCOL", "http/protobuf"),
        ("OTEL_EXPORTER_OTLP_TIMEOUT", "2000"),
        ("OTEL_EXPORTER_OTLP_LOGS_TIMEOUT", "3000"),
        ("OTEL_EXPORTER_OTLP_COMPRESSION", "gzip"),
        ("OTEL_EXPORTER_OTLP_TRACES_COMPRESSION", "none"),
        ("OTEL_EXPORTER_OTLP_CERTIFICATE", "/ca.pem"),
        ("OTEL_EXPORTER_OTLP_LOGS_CERTIFICATE", "/logs.pem"),
        ("OTEL_METRIC_EXPORT_TIMEOUT", "500"),
    ]);
    let traces = settings.traces.expect("on").target;
    let metrics = settings.metrics.expect("on").target;
    let logs = settings.logs.expect("on").target;
    assert_eq!(traces.protocol, Protocol::Grpc);
    assert_eq!(metrics.protocol, Protocol::Http);
    let timeouts = [&traces, &metrics, &logs].map(|t| t.timeout.as_millis());
    assert_eq!(timeouts, [2000, 500, 3000]);
    assert_eq!(
        [&traces, &metrics, &logs].map(|t| t.gzip),
        [false, true, true]
    );
    let authorities = [&traces, &logs].map(|t| t.tls.authority.clone().expect("set").0);
    assert_eq!(
        authorities,
        [
            "OTEL_EXPORTER_OTLP_CERTIFICATE",
            "OTEL_EXPORTER_OTLP_LOGS_CERTIFICATE"
        ]
    );
}

#[test]
fn one_in_a_hundred_is_sampled_unless_a_sampler_is_named() {
    let sampler = |vars: &[(&str, &str)]| {
        let sampler = read_on(vars).traces.expect("on").sampler;
        format!("{sampler:?}")
    };
    assert_eq!(sampler(&[]), "ParentBased(TraceIdRatioBased(0.01))");
    let ratio = ("OTEL_TRACES_SAMPLER_ARG", "0.5");
    assert_eq!(sampler(&[ratio]), "ParentBased(TraceIdRatioBased(0.5))");
    let named = |name| ("OTEL_TRACES_SAMPLER", name);
    assert_eq!(sampler(&[named("always_on")]), "AlwaysOn");
    assert_eq!(sampler(&[named("always_off")]), "AlwaysOff");
    assert_eq!(
        sampler(&[named("traceidratio"), ratio]),
        "TraceIdRatioBased(0.5)"
    );
    assert_eq!(sampler(&[named("traceidratio")]), "TraceIdRatioBased(1.0)");
    assert_eq!(
        sampler(&[named("parentbased_always_on")]),
        "ParentBased(AlwaysOn)"
    );
    assert_eq!(
        sampler(&[named("parentbased_always_off")]),
        "ParentBased(AlwaysOff)"
    );
}

#[test]
fn traceparent_is_written_unless_another_propagator_is_named() {
    let propagate = |value| {
        let settings = read_on(&[("OTEL_PROPAGATORS", value)]);
        settings.traces.expect("on").propagate
    };
    assert!(read_on(&[]).traces.expect("on").propagate);
    assert!(propagate("tracecontext,baggage"));
    assert!(!propagate("none"));
    assert!(!propagate("baggage"));
    let found = errors(&[("OTEL_PROPAGATORS", "tracecontext,b3")]);
    assert_eq!(
        found,
        ["OTEL_PROPAGATORS `b3`: valid is `tracecontext`, `baggage` or `none`"]
    );
}

#[test]
fn intervals_and_queues_are_what_the_specification_has() {
    let settings = read_on(&[]);
    let batch = |queue, size, delay| Batch {
        queue,
        size,
        delay: Duration::from_millis(delay),
    };
    assert_eq!(settings.traces.expect("on").batch, batch(2048, 512, 5000));
    assert_eq!(settings.logs.expect("on").batch, batch(2048, 512, 1000));
    let metrics = settings.metrics.expect("on");
    assert_eq!(metrics.interval, Duration::from_mins(1));
    assert_eq!(metrics.temporality, Temporality::Cumulative);
    let settings = read_on(&[
        ("OTEL_BSP_MAX_QUEUE_SIZE", "100"),
        ("OTEL_BLRP_MAX_EXPORT_BATCH_SIZE", "7"),
        ("OTEL_BLRP_SCHEDULE_DELAY", "20"),
        ("OTEL_METRIC_EXPORT_INTERVAL", "1500"),
        ("OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE", "Delta"),
    ]);
    assert_eq!(settings.traces.expect("on").batch, batch(100, 100, 5000));
    assert_eq!(settings.logs.expect("on").batch, batch(2048, 7, 20));
    let metrics = settings.metrics.expect("on");
    assert_eq!(metrics.interval, Duration::from_millis(1500));
    assert_eq!(metrics.temporality, Temporality::Delta);
}
