//! What wins over what, and how each source writes a value.

use std::time::Duration;

use hotprefix::config::{InputStart, OutputFormat, load};
use hotprefix::flow::{Direction, Flow};
use hotprefix::net::Addr;
use hotprefix::time::Timestamp;

use super::{Case, RULE};

#[test]
fn a_rule_is_all_that_a_configuration_needs() {
    let loaded = Case::yaml("").loaded();
    let config = &loaded.config;
    assert_eq!(config.application_id, "hotprefix");
    assert_eq!(config.input.topics, ["flow-messages-enriched"]);
    assert_eq!(config.output.topic, "hotprefix-alerts");
    assert_eq!(config.flush_interval, Duration::from_secs(1));
    assert_eq!(config.time.max_behind, Some(Duration::from_mins(10)));
    assert_eq!(config.kafka["bootstrap.servers"], "localhost:9092");
    assert_eq!(config.http.listen, "127.0.0.1:9464".parse().ok());
    assert_eq!(loaded.warnings, []);
}

#[test]
fn options_win_over_variables_and_those_over_later_and_earlier_files() {
    let case = Case::yaml("application_id: one\ninput: {topics: [one], on_gap: stop}\nflush_interval: 2s\nhttp: {listen: 'off'}")
        .file("config-2.toml", "application_id = \"two\"\nflush_interval = \"3s\"\n[input]\ntopics = [\"two\"]\n")
        .env("HOTPREFIX__FLUSH_INTERVAL", "4s")
        .env("HOTPREFIX__INPUT__TOPICS", "three, four")
        .set("flush_interval", "5s")
        .set("output.format", "protobuf");
    let config = case.loaded().config;
    assert_eq!(config.application_id, "two");
    assert_eq!(config.input.topics, ["three", "four"]);
    assert_eq!(config.input.on_gap, hotprefix::config::OnGap::Stop);
    assert_eq!(config.flush_interval, Duration::from_secs(5));
    assert_eq!(config.output.format, OutputFormat::Protobuf);
    assert_eq!(config.http.listen, None);
}

#[test]
fn a_key_set_to_nothing_has_its_default() {
    let config = Case::yaml("application_id:\ninput: {topics: ~}\nkafka:\n")
        .loaded()
        .config;
    assert_eq!(config.application_id, "hotprefix");
    assert_eq!(config.input.topics, ["flow-messages-enriched"]);
}

#[test]
fn variables_reach_every_kind_of_value() {
    let config = Case::yaml("")
        .env("HOTPREFIX__INTERNAL__PARTITIONS", "8")
        .env("HOTPREFIX__SAMPLING__DEFAULT", "1000")
        .env(
            "HOTPREFIX__SAMPLING__EXPORTERS",
            "{192.0.2.1: {override: 7}}",
        )
        .env("HOTPREFIX__INPUT__TOPICS", "[a, b]")
        .env("HOTPREFIX__KAFKA__BOOTSTRAP_SERVERS", "k:9092")
        .env("HOTPREFIX__KAFKA__LOG_LEVEL", "3")
        .env("HOTPREFIX__KAFKA__SSL_KEY_LOCATION", "/k")
        .env("OTHER__FLUSH_INTERVAL", "nonsense")
        .loaded()
        .config;
    assert_eq!(config.internal.partitions, 8);
    assert_eq!(
        config.sampling.default,
        hotprefix::flow::SamplingDefault::Rate(1000)
    );
    assert_eq!(config.sampling.exporters[0].1.r#override, Some(7));
    assert_eq!(config.input.topics, ["a", "b"]);
    assert_eq!(config.kafka["bootstrap.servers"], "k:9092");
    assert_eq!(config.kafka["log_level"], "3");
    assert_eq!(config.kafka["ssl.key.location"], "/k");
}

#[test]
fn kafka_values_keep_their_text_and_get_one_name() {
    let yaml = Case::yaml(
        "kafka: {socket.keepalive.enable: true, linger.ms: 2.5, sasl.mechanisms: PLAIN, metadata.broker.list: 'k:1'}",
    );
    let config = yaml.loaded().config;
    assert_eq!(config.kafka["socket.keepalive.enable"], "true");
    assert_eq!(config.kafka["linger.ms"], "2.5");
    assert_eq!(config.kafka["sasl.mechanism"], "PLAIN");
    assert_eq!(config.kafka["bootstrap.servers"], "k:1");
    assert!(!config.kafka.contains_key("metadata.broker.list"));
}

#[test]
fn toml_needs_no_quotes_around_dotted_names() {
    let text = "[kafka]\nbootstrap.servers = \"k:9092\"\nsasl.oauthbearer.assertion.file = \"/a\"\nsasl.password.file = \"pw\"\n\
                [[rules]]\nname = \"a\"\nfilter = 'direction == \"ingress\"'\nthresholds = {bytes = \"1MiB\"}\n";
    let config = Case::default()
        .file("config.toml", text)
        .file("pw", "hunter2\r\n")
        .loaded()
        .config;
    assert_eq!(config.kafka["bootstrap.servers"], "k:9092");
    assert_eq!(config.kafka["sasl.oauthbearer.assertion.file"], "/a");
    assert_eq!(config.kafka["sasl.password"], "hunter2");
    assert_eq!(config.rules.len(), 1);
}

#[test]
fn secrets_come_from_files_beside_the_configuration_or_named_by_a_variable() {
    let case =
        Case::yaml("kafka: {sasl.password: {file: secrets/pw}, ssl.key.pem: {file: key.pem}}")
            .file("secrets/pw", "hunter2\n")
            .file("key.pem", "-----BEGIN\nabc\n-----END\n");
    let config = case.loaded().config;
    assert_eq!(config.kafka["sasl.password"], "hunter2");
    assert_eq!(config.kafka["ssl.key.pem"], "-----BEGIN\nabc\n-----END");

    let dir = tempfile::tempdir().expect("a temporary folder can be made");
    let secret = dir.path().join("pw");
    std::fs::write(&secret, "other").expect("a file can be written there");
    let secret = secret.display().to_string();
    let by_variable = case.env("HOTPREFIX__KAFKA__SASL_PASSWORD_FILE", &secret);
    assert_eq!(by_variable.loaded().config.kafka["sasl.password"], "other");
}

#[test]
fn no_secret_is_ever_printed() {
    let secret = "hunter2";
    let names = [
        "sasl.password",
        "ssl.key.password",
        "ssl.key.pem",
        "ssl.keystore.password",
        "sasl.oauthbearer.client.secret",
        "sasl.oauthbearer.client.credentials.client.secret",
        "sasl.oauthbearer.assertion.private.key.passphrase",
        "sasl.oauthbearer.assertion.private.key.pem",
        "sasl.oauthbearer.config",
    ];
    for name in names {
        let loaded = Case::yaml(&format!("kafka: {{{name}: {secret}}}")).loaded();
        let printed = format!("{} {loaded:?} {:?}", loaded.effective_yaml(), loaded.config);
        assert!(!printed.contains(secret), "{name}: {printed}");
        assert!(
            printed.contains(&format!("{name}: (hidden)")),
            "{name}: {printed}"
        );
        assert!(loaded.config.kafka.values().any(|v| v == secret), "{name}");
    }
    let toml = Case::default().file("config.toml", "[kafka]\nsasl.password = \"hunter2\n");
    assert!(!toml.errors().contains(secret));
    let url =
        Case::yaml("kafka: {sasl.oauthbearer.token.endpoint.url: 'https://me:hunter2@idp/token'}")
            .loaded();
    assert!(!url.effective_yaml().contains(secret));
    for bad in [
        "kafka: {sasl.password: [hunter2]}",
        "kafka: {sasl.pasword: hunter2}",
        "kafka: {sasl.jaas.config: hunter2}",
        "kafka: {sasl: {password: hunter2}, sasl.password: hunter2}",
        "kafka: {sasl.password: {file: a, secret: hunter2}}",
        "kafka: {sasl.password: !hunter2 }",
        "kafka: {sasl.password: hunter2}: hunter2",
        "kafka: {sasl.password: *hunter2 }",
    ] {
        let errors = Case::yaml(bad).errors();
        assert!(!errors.contains(secret), "{bad}: {errors}");
    }
}

#[test]
fn start_has_four_forms() {
    let start = |text: &str| {
        Case::yaml(&format!("input: {{start: '{text}'}}"))
            .loaded()
            .config
            .input
            .start
    };
    assert_eq!(start("latest"), InputStart::Latest);
    assert_eq!(start("earliest"), InputStart::Earliest);
    assert_eq!(start("-1h30m"), InputStart::Ago(Duration::from_mins(90)));
    assert_eq!(
        start("2019-09-10T15:04:07Z"),
        InputStart::At(Timestamp::from_millis(1_568_127_847_000))
    );
    assert_eq!(
        start("2019-09-10T17:04:07+02:00"),
        InputStart::At(Timestamp::from_millis(1_568_127_847_000))
    );
}

#[test]
fn rule_files_hold_one_rule_or_a_list_and_are_read_in_order() {
    let one = |name: &str| {
        format!("name: {name}\nfilter: 'direction == \"ingress\"'\nthresholds: {{bytes: 1MiB}}\n")
    };
    let toml = "[[rules]]\nname = \"d\"\nfilter = 'in_if == 1'\nthresholds = {bytes = \"1MiB\"}\n";
    let case = Case::yaml(&format!(
        "rule_files: [rules/*.yaml, rules/x.toml, rules/b.yaml]\n{RULE}"
    ))
    .file("rules/c.yaml", &one("c"))
    .file(
        "rules/b.yaml",
        "- {name: b, filter: 'in_if == 1', thresholds: {bytes: 1MiB}}\n",
    )
    .file("rules/x.toml", toml);
    let loaded = case.loaded();
    let names: Vec<&str> = loaded.config.rules.iter().map(|r| &*r.name).collect();
    assert_eq!(names, ["a", "b", "c", "d"]);
}

#[test]
fn the_effective_configuration_reads_back_as_itself() {
    let case = Case::yaml(
        "application_id: net\nkafka: {session.timeout.ms: 9000, sasl.password: {file: pw}}\n\
         sampling: {default: 100, exporters: {192.0.2.0/24: {override: 5}}}\ninput: {observe: {interfaces: {192.0.2.1: [1, 2]}}}\n\
         rule_files: [r.yaml]\n",
    )
    .file("r.yaml", "name: r\nthresholds: {bytes: 1MiB}\n")
    .file("pw", "x");
    let first = case.loaded();
    let dir = tempfile::tempdir().expect("a temporary folder can be made");
    let path = dir.path().join("again.yaml");
    std::fs::write(&path, first.effective_yaml()).expect("a file can be written there");
    std::fs::write(dir.path().join("pw"), "x").expect("a file can be written there");
    let second = load(&[path], [], []).expect("the effective configuration is valid");
    assert_eq!(first.effective_yaml(), second.effective_yaml());
    assert_eq!(first.config.kafka, second.config.kafka);
}

#[test]
fn the_effective_configuration_shows_every_key() {
    let loaded = Case::yaml(
        "kafka: {sasl.password: hunter2, sasl.mechanism: PLAIN, security.protocol: sasl_ssl}",
    )
    .loaded();
    insta::with_settings!({omit_expression => true}, { insta::assert_snapshot!(loaded.effective_yaml()) });
}

/// An exporter's address, an interface, and whether the flow is counted.
fn observed(yaml: &str, exporter: &str, direction: Direction, in_if: u32, out_if: u32) -> bool {
    let config = Case::yaml(&format!(
        "{yaml}\nrules: [{{name: a, thresholds: {{bytes: 1MiB}}}}]"
    ))
    .loaded()
    .config;
    let address = exporter.parse().expect("an address");
    let flow = Flow {
        exporter: Some(Addr::from_ip(address)),
        direction,
        in_if,
        out_if,
        ..Flow::default()
    };
    config.rules[0].filter.matches(&flow)
}

#[test]
fn flows_are_counted_where_they_are_observed() {
    use Direction::{Egress, Ingress, Unknown};
    let exporters = "sets: {borders: [192.0.2.9]}\ninput: {observe: {exporters: [sets.borders, 192.0.2.0/29, '2001:db8::1']}}";
    assert!(observed(exporters, "192.0.2.1", Ingress, 1, 2));
    assert!(observed(exporters, "192.0.2.9", Ingress, 1, 2));
    assert!(observed(exporters, "2001:db8::1", Ingress, 1, 2));
    assert!(!observed(exporters, "192.0.2.8", Ingress, 1, 2));
    let interfaces = "input: {observe: {interfaces: {192.0.2.1: [5, 7]}}}";
    assert!(observed(interfaces, "192.0.2.1", Ingress, 5, 1));
    assert!(observed(interfaces, "192.0.2.1", Unknown, 7, 1));
    assert!(observed(interfaces, "192.0.2.1", Egress, 1, 5));
    assert!(!observed(interfaces, "192.0.2.1", Ingress, 1, 5));
    assert!(!observed(interfaces, "192.0.2.1", Egress, 5, 1));
    assert!(observed(interfaces, "192.0.2.2", Ingress, 1, 1));
}

#[test]
fn what_is_observed_is_part_of_what_is_selected() {
    let plain = Case::yaml("").loaded().config.rules[0].selection;
    let observed = Case::yaml("input: {observe: {exporters: [192.0.2.1]}}")
        .loaded()
        .config
        .rules[0]
        .selection;
    assert_ne!(plain, observed);
}

#[test]
fn scope_files_are_found_beside_the_rule_that_names_them() {
    let rule = |name: &str| {
        format!(
            "name: {name}\nfilter: 'in_if == 1'\nthresholds: {{bytes: 1MiB}}\nscope: {{file: scope.txt}}\n"
        )
    };
    let config = Case::yaml(&format!(
        "rule_files: [a/r.yaml, b/r.yaml]\nrules: [{{{}}}]",
        rule("c").trim_end().replace('\n', ", ")
    ))
    .file("scope.txt", "203.0.113.0/24\n")
    .file("a/r.yaml", &rule("a"))
    .file("a/scope.txt", "192.0.2.0/24\n")
    .file("b/r.yaml", &rule("b"))
    .file("b/scope.txt", "198.51.100.0/24 customer=example\n")
    .loaded()
    .config;
    let scopes = config
        .rules
        .iter()
        .filter_map(|r| Some(r.scope.as_ref()?.entries()[0].prefix.to_string()));
    assert_eq!(
        scopes.collect::<Vec<_>>(),
        ["203.0.113.0/24", "192.0.2.0/24", "198.51.100.0/24"]
    );
}
