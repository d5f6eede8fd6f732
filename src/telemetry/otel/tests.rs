//! What the variables mean, one by one, and what is said when they mean nothing.

use std::time::Duration;

use opentelemetry_sdk::metrics::Temporality;

use super::settings::{Batch, Settings};
use super::target::{Protocol, Tls};
use super::*;

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

#[test]
fn bad_values_are_told_with_variable_value_and_what_is_valid() {
    let cases: &[(&str, &str, &str)] = &[
        (
            "OTEL_SDK_DISABLED",
            "yes",
            "`yes`: valid is `true` or `false`",
        ),
        (
            "OTEL_TRACES_EXPORTER",
            "zipkin",
            "`zipkin`: valid is `otlp` or `none`",
        ),
        (
            "OTEL_METRICS_EXPORTER",
            "statsd",
            "`statsd`: valid is `otlp`, `none` or `prometheus`",
        ),
        (
            "OTEL_EXPORTER_OTLP_PROTOCOL",
            "http/json",
            "`http/json`: valid is `http/protobuf` or `grpc`",
        ),
        (
            "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT",
            "collector:4318",
            "`collector:4318`: valid is a URL such as http://localhost:4318 or https://…",
        ),
        (
            "OTEL_EXPORTER_OTLP_TIMEOUT",
            "10s",
            "`10s`: valid is milliseconds, a whole number from 1 to 600000",
        ),
        (
            "OTEL_EXPORTER_OTLP_COMPRESSION",
            "zstd",
            "`zstd`: valid is `gzip` or `none`",
        ),
        (
            "OTEL_EXPORTER_OTLP_HEADERS",
            "a=b,secret token",
            ": entry 2 is no header; valid is `name=value`, separated by commas and percent-encoded",
        ),
        (
            "OTEL_EXPORTER_OTLP_CLIENT_KEY",
            "/key.pem",
            "`/key.pem`: valid is OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE and OTEL_EXPORTER_OTLP_CLIENT_KEY together",
        ),
        (
            "OTEL_TRACES_SAMPLER_ARG",
            "1%",
            "`1%`: valid is a ratio from 0 to 1, such as 0.01",
        ),
        (
            "OTEL_BSP_MAX_QUEUE_SIZE",
            "0",
            "`0`: valid is a whole number from 1 to 65536",
        ),
        (
            "OTEL_METRIC_EXPORT_INTERVAL",
            "0",
            "`0`: valid is milliseconds, a whole number from 1 to 86400000",
        ),
        (
            "OTEL_RESOURCE_ATTRIBUTES",
            "a=b,c",
            "`a=b,c`: `c` is no attribute; valid is `name=value`, separated by commas and percent-encoded",
        ),
    ];
    for (name, value, said) in cases {
        let space = if said.starts_with(':') { "" } else { " " };
        assert_eq!(errors(&[(name, value)]), [format!("{name}{space}{said}")]);
    }
    let sampler = errors(&[("OTEL_TRACES_SAMPLER", "jaeger_remote")]).concat();
    assert!(sampler.starts_with("OTEL_TRACES_SAMPLER `jaeger_remote`: valid is `always_on`, "));
    let grpc = errors(&[
        ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "grpc"),
        (
            "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT",
            "http://c:4317/v1/traces",
        ),
    ]);
    assert!(grpc.concat().contains("gRPC takes no path"), "{grpc:?}");
}

#[test]
fn every_bad_variable_is_told_once() {
    let found = errors(&[
        ("OTEL_EXPORTER_OTLP_PROTOCOL", "carrier-pigeon"),
        ("OTEL_TRACES_SAMPLER", "sometimes"),
    ]);
    assert_eq!(found.len(), 2, "{found:?}");
}

#[test]
fn files_that_cannot_be_read_are_told_with_their_variable() {
    let https = ("OTEL_EXPORTER_OTLP_ENDPOINT", "https://localhost:1");
    for protocol in ["grpc", "http/protobuf"] {
        let vars = env(&[
            https,
            ("OTEL_EXPORTER_OTLP_PROTOCOL", protocol),
            ("OTEL_EXPORTER_OTLP_CERTIFICATE", "/nowhere/ca.pem"),
        ]);
        let error = Otel::start(vars, "one").expect_err("there is no such file");
        let error = error.to_string();
        let start = "OTEL_EXPORTER_OTLP_CERTIFICATE `/nowhere/ca.pem`: ";
        assert!(error.starts_with(start), "{error}");
    }
}

#[test]
fn resource_says_who_we_are_and_variables_go_over_it() {
    let get = |vars: &[(&str, &str)], name: &'static str| {
        let otel = Otel::start(env(vars), "pod-3").expect("valid variables");
        let value = otel.resource().get(&opentelemetry::Key::new(name));
        value.map(|v| v.to_string())
    };
    assert_eq!(get(&[], "service.name").as_deref(), Some("hotprefix"));
    assert_eq!(get(&[], "service.instance.id").as_deref(), Some("pod-3"));
    let version = env!("CARGO_PKG_VERSION");
    assert_eq!(get(&[], "service.version").as_deref(), Some(version));
    assert_eq!(get(&[], "telemetry.sdk.language").as_deref(), Some("rust"));
    assert_eq!(get(&[], "k8s.pod.name"), None);
    let pod = [("POD_NAME", "edge-0"), ("POD_NAMESPACE", "net")];
    assert_eq!(get(&pod, "k8s.pod.name").as_deref(), Some("edge-0"));
    assert_eq!(get(&pod, "k8s.namespace.name").as_deref(), Some("net"));
    let vars = [
        (
            "OTEL_RESOURCE_ATTRIBUTES",
            "service.name=a, site=K%C3%B6ln%2C 2,service.instance.id=x",
        ),
        ("OTEL_SERVICE_NAME", "b"),
    ];
    assert_eq!(get(&vars, "service.name").as_deref(), Some("b"));
    assert_eq!(get(&vars, "site").as_deref(), Some("Köln, 2"));
    assert_eq!(get(&vars, "service.instance.id").as_deref(), Some("x"));
}

#[test]
fn nobody_waits_for_a_collector_that_takes_connections_and_never_answers() {
    // Never accepted: connections end in the backlog.
    let silent = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    let url = format!("http://{}", silent.local_addr().expect("bound"));
    for protocol in ["grpc", "http/protobuf"] {
        let vars = env(&[
            ("OTEL_EXPORTER_OTLP_ENDPOINT", &url),
            ("OTEL_EXPORTER_OTLP_PROTOCOL", protocol),
            ("OTEL_TRACES_SAMPLER", "always_on"),
        ]);
        let mut otel = Otel::start(vars, "one").expect("valid variables");
        let provider = otel.attach(SdkMeterProvider::builder()).build();
        otel.keep(provider);
        drop(otel.tracing().flush("partials", Duration::ZERO));
        let begun = Instant::now();
        otel.shutdown(Duration::from_millis(300));
        drop(otel);
        let took = begun.elapsed();
        assert!(
            took >= Duration::from_millis(300),
            "{protocol}: there was something to send"
        );
        assert!(took < Duration::from_secs(2), "{protocol}: {took:?}");
    }
}

#[test]
fn traceparent_leads_back_to_the_span_and_only_where_it_is_wanted() {
    let tracing = |vars: &[(&str, &str)]| {
        let all = [&[("OTEL_TRACES_EXPORTER", "otlp")], vars].concat();
        Otel::start(env(&all), "one").expect("valid variables")
    };
    let always = ("OTEL_TRACES_SAMPLER", "always_on");
    let otel = tracing(&[always]);
    let span = otel.tracing().flush("partials", Duration::ZERO);
    let header = span.traceparent().expect("a sampled span");
    let text = String::from_utf8(header.clone()).expect("ASCII");
    assert!(
        text.starts_with("00-") && text.ends_with("-01") && text.len() == 55,
        "{text}"
    );
    let context = context_of(&header).expect("a sampled context");
    assert!(text.contains(&context.span_id().to_string()));

    let silent = tracing(&[always, ("OTEL_PROPAGATORS", "none")]);
    assert!(!silent.tracing().propagates());
    assert_eq!(
        silent
            .tracing()
            .flush("partials", Duration::ZERO)
            .traceparent(),
        None
    );
    let never = tracing(&[("OTEL_TRACES_SAMPLER", "always_off")]);
    assert_eq!(
        never
            .tracing()
            .flush("partials", Duration::ZERO)
            .traceparent(),
        None
    );
    assert_eq!(
        Tracing::default()
            .flush("partials", Duration::ZERO)
            .traceparent(),
        None
    );
}

#[test]
fn headers_that_are_no_sampled_traceparent_lead_nowhere() {
    let unsampled = b"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00";
    for header in [
        unsampled.as_slice(),
        b"",
        b"\xff\xfe",
        b"00-zz",
        &[b'0'; 100_000],
    ] {
        assert!(context_of(header).is_none());
    }
}

#[test]
fn events_of_the_way_to_the_collector_are_known() {
    for target in [
        "h2::client",
        "hyper_util::client",
        "hotprefix::telemetry::otel::complaints",
    ] {
        assert!(is_ours(target), "{target}");
    }
    for target in ["hotprefix::stage::count", "librdkafka", COLLECTOR_ONLY] {
        assert!(!is_ours(target), "{target}");
    }
}
