//! What is valid but probably not meant.

use super::Case;

fn warnings(case: &Case<'_>) -> String {
    let loaded = case.loaded();
    let lines = loaded.warnings.iter().map(|w| format!("  -> {w}\n"));
    lines.collect()
}

fn table(cases: &[&str]) -> String {
    let shown = cases.iter().map(|text| {
        let found = warnings(&Case::yaml(text));
        assert!(!found.is_empty(), "no warning: {text}");
        format!("{text}\n{found}")
    });
    shown.collect::<Vec<_>>().join("\n")
}

macro_rules! snapshot {
    ($value:expr) => {
        insta::with_settings!({omit_expression => true}, { insta::assert_snapshot!($value) })
    };
}

#[test]
fn kafka_settings() {
    snapshot!(table(&[
        "kafka: {session.timeout.ms: 45000}",
        "kafka: {session.timeout.ms: 6000, heartbeat.interval.ms: 3000}",
        "kafka: {sasl.username: me}",
        "kafka: {ssl.ca.location: /ca.pem}",
        "kafka: {security.protocol: sasl_plaintext, sasl.mechanism: PLAIN}",
        "kafka: {security.protocol: SASL_SSL}",
        "kafka: {security.protocol: ssl, enable.ssl.certificate.verification: false}",
        "kafka: {security.protocol: ssl, ssl.endpoint.identification.algorithm: none}",
        "kafka: {fetch.queue.backoff.ms: 1000}",
        "kafka: {topic.metadata.refresh.interval.ms: 300000}",
        "kafka: {topic.metadata.refresh.interval.ms: -1}",
    ]));
}

#[test]
fn variables_without_effect() {
    let shown = [
        Case::yaml("").env("HOTPREFIX_HTTP_LISTEN", "off"),
        Case::yaml("").env("HOTPREFIX_KAFKA__BOOTSTRAP_SERVERS", "k:9092"),
        Case::yaml("").env("HOTPREFIX_FLUSH_INTERVAL", "2s"),
        Case::yaml("").env("HOTPREFIX__KAFKA__SASL_PASSWORD", ""),
    ]
    .map(|case| warnings(&case));
    assert!(shown.iter().all(|s| !s.is_empty()));
    snapshot!(shown.concat());
    // What Kubernetes sets for a service with our name is not meant for us.
    let kubernetes = Case::yaml("")
        .env("HOTPREFIX_SERVICE_HOST", "10.0.0.1")
        .env("HOTPREFIX_PORT", "tcp://10.0.0.1:9464");
    assert_eq!(warnings(&kubernetes), "");
}
