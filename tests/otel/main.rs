//! Real runs against real Kafka whose telemetry goes through a real OpenTelemetry Collector, and runs
//! whose Collector is not there. Started by `tests/otel/run.sh`, which builds the Collector.

mod absent;
mod arrival;
mod collector;
mod otlp;
// The broker tests' own, of which this target uses a part.
#[allow(dead_code)]
#[path = "../broker/run.rs"]
mod run;
mod sink;
#[path = "../support/mod.rs"]
mod support;

use arrival::Way;

#[test]
fn a_run_arrives_over_http_with_its_links_and_numbers() {
    arrival::check(&Way {
        name: "otel-http",
        tls: false,
        // Logs by gRPC: each signal may go its own way.
        env: |c| {
            vec![
                (
                    "OTEL_EXPORTER_OTLP_ENDPOINT",
                    format!("http://127.0.0.1:{}", c.http),
                ),
                ("OTEL_EXPORTER_OTLP_COMPRESSION", "gzip".to_owned()),
                ("OTEL_EXPORTER_OTLP_LOGS_PROTOCOL", "grpc".to_owned()),
                (
                    "OTEL_EXPORTER_OTLP_LOGS_ENDPOINT",
                    format!("http://127.0.0.1:{}", c.grpc),
                ),
            ]
        },
    });
}

#[test]
fn a_run_arrives_over_grpc_and_tls_with_its_links_and_numbers() {
    arrival::check(&Way {
        name: "otel-grpc",
        tls: true,
        // Metrics by HTTP, so that both have TLS.
        env: |c| {
            let metrics = format!("https://127.0.0.1:{}/v1/metrics", c.http);
            let authority = c.authority.as_ref().expect("it has TLS");
            let authority = authority
                .to_str()
                .expect("the target folder's path is UTF-8");
            vec![
                ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc".to_owned()),
                (
                    "OTEL_EXPORTER_OTLP_ENDPOINT",
                    format!("https://127.0.0.1:{}", c.grpc),
                ),
                ("OTEL_EXPORTER_OTLP_CERTIFICATE", authority.to_owned()),
                (
                    "OTEL_EXPORTER_OTLP_METRICS_PROTOCOL",
                    "http/protobuf".to_owned(),
                ),
                ("OTEL_EXPORTER_OTLP_METRICS_ENDPOINT", metrics),
            ]
        },
    });
}

#[test]
fn without_a_collector_alerts_come_and_nothing_grows() {
    absent::check();
}

#[test]
fn a_bad_variable_ends_the_start_with_what_is_valid() {
    absent::check_bad_variable();
}
