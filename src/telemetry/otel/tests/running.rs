//! Exporters that run, without anybody who answers.

use std::time::{Duration, Instant, SystemTime};

use opentelemetry_sdk::metrics::SdkMeterProvider;

use super::super::{COLLECTOR_ONLY, Finalised, Otel, Tracing, context_of, is_ours};
use super::env;

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
        let provider = otel.attach(SdkMeterProvider::builder());
        otel.keep(provider.expect("metrics are wanted").build());
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
fn what_describes_an_emission_is_asked_for_only_when_it_is_sampled() {
    let asked = |sampler| {
        let otel = Otel::start(
            env(&[
                ("OTEL_TRACES_EXPORTER", "otlp"),
                ("OTEL_TRACES_SAMPLER", sampler),
            ]),
            "one",
        )
        .expect("valid variables");
        let mut asked = false;
        let what = || {
            asked = true;
            Finalised::default()
        };
        let now = SystemTime::UNIX_EPOCH;
        drop(otel.tracing().finalise(what, now, now));
        asked
    };
    assert!(asked("always_on"));
    assert!(!asked("always_off"));
}

#[test]
fn headers_that_are_no_sampled_traceparent_lead_nowhere() {
    let unsampled = b"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00";
    for header in [
        unsampled.as_slice(),
        b"",
        b"\xff\xfe",
        b"00-zz",
        &vec![b'0'; 100_000],
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
