//! What is said of variables that cannot be obeyed.

use super::super::Otel;
use super::{env, errors};

/// Variable, value, and what is said after the name.
const BAD: &[(&str, &str, &str)] = &[
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

#[test]
fn bad_values_are_told_with_variable_value_and_what_is_valid() {
    for (name, value, said) in BAD {
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
fn passwords_of_endpoints_are_not_told_whatever_the_url_looks_like() {
    for (url, secret) in [
        ("http://me:secret@c:4318/v1/logs", "secret"),
        ("me:secret@collector:4318", "secret"),
        ("https://me:s^cret@c", "s^cret"),
        ("http://me:pa#ss@c", "pa#ss"),
        ("http://me:pa/ss@c", "pa/ss"),
        ("ftp://me:secret@c", "secret"),
    ] {
        for protocol in ["grpc", "http/protobuf"] {
            let found = errors(&[
                ("OTEL_EXPORTER_OTLP_LOGS_PROTOCOL", protocol),
                ("OTEL_EXPORTER_OTLP_LOGS_ENDPOINT", url),
            ])
            .concat();
            assert!(
                found.starts_with("OTEL_EXPORTER_OTLP_LOGS_ENDPOINT: ")
                    && found.contains("without a user")
                    && !found.contains(secret),
                "{protocol}: {found}"
            );
        }
    }
}

#[test]
fn keys_in_the_query_of_an_endpoint_are_not_told() {
    for url in [
        "collector:4318/v1/logs?api-key=secret",
        "https://c^d?api-key=secret",
        "c?api-key=secret",
    ] {
        let name = "OTEL_EXPORTER_OTLP_LOGS_ENDPOINT";
        let found = errors(&[(name, url)]).concat();
        let shown = url.split_once('?').expect("it has a query").0;
        let start = format!("{name} `{shown}?…`: valid is ");
        assert!(found.starts_with(&start), "{found}");
        assert!(!found.contains("secret"), "{found}");
    }
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
