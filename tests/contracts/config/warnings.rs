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

#[test]
fn time_rules_and_sets() {
    let rule = |text: &str| {
        format!("rules: [{{name: a, filter: 'in_if == 1', thresholds: {{bytes: 1MiB}}, {text}}}]")
    };
    let cases = [
        "time: {max_wait: 5s}".to_owned(),
        "time: {event_time: end}".to_owned(),
        "time: {event_time: end, max_behind: 20s}\n".to_owned() + &rule("grace: 20s"),
        "time: {event_time: start}\n".to_owned() + &rule("grace: 30s, attribution: spread"),
        rule("interval: 5s, grace: 30s"),
        "flush_interval: 5s\n".to_owned() + &rule("interval: 2s"),
        rule("prefix_length: {ipv4: 0..32}"),
        "rules: [{name: a, thresholds: {bytes: 1MiB}}]".to_owned(),
        "sets: {unused: [1]}".to_owned(),
        "sets: {unus: [1], unused: [2]}\nrules: [{name: a, filter: 'in_if in sets.unused', thresholds: {bytes: 1MiB}}]".to_owned(),
    ];
    let cases: Vec<&str> = cases.iter().map(String::as_str).collect();
    snapshot!(table(&cases));
}

#[test]
fn observation_is_enough_to_count_a_flow_once() {
    let case = Case::yaml(
        "input: {observe: {exporters: [192.0.2.1]}}\nrules: [{name: a, thresholds: {bytes: 1MiB}}]",
    );
    assert_eq!(warnings(&case), "");
}
