//! Every configuration error, with its message.

use super::{Case, RULE};

/// One line per case: what was written, then the message.
fn table(cases: &[&str]) -> String {
    let shown = cases.iter().map(|text| {
        let errors = Case::yaml(text).errors();
        format!(
            "{}\n  -> {}\n",
            text.trim_end(),
            errors.replace('\n', "\n  -> ")
        )
    });
    shown.collect::<Vec<_>>().join("\n")
}

macro_rules! snapshot {
    ($value:expr) => {
        insta::with_settings!({omit_expression => true}, { insta::assert_snapshot!($value) })
    };
}

#[test]
fn keys_and_types() {
    snapshot!(table(&[
        "inptu: {topics: [a]}",
        "bogus: 1",
        "input: {topic: [a]}",
        "input: [a]",
        "input: {topics: a}",
        "input: {topics: [1]}",
        "input: {topics: [~]}",
        "application_id: 7",
        "application_id: [a, b]",
        "flush_interval: 1",
        "flush_interval: 1.5",
        "flush_interval: true",
        "flush_interval: {s: 1}",
        "internal: {partitions: four}",
        "internal: {partitions: '4'}",
        "internal: {partitions: 4.5}",
        "sampling: {exporters: [a]}",
        "sampling: {exporters: {192.0.2.1: 5}}",
        "sampling: {exporters: {192.0.2.1: {overide: 5}}}",
        "telemetry: {log: {level: info}}",
        "telemetry: json",
        "http: 9464",
        "kafka: broker:9092",
        "rule_files: rules/*.yaml",
        "sets: [a]",
        "sets: {a: b}\nrules: [{name: a, thresholds: {bytes: 1}}]",
        "sets: {a: {path: b}}\nrules: [{name: a, thresholds: {bytes: 1}}]",
    ]));
}

#[test]
fn words() {
    snapshot!(table(&[
        "input: {format: jsn}",
        "input: {format: avro}",
        "input: {format: 1}",
        "input: {on_gap: go}",
        "input: {direction_default: in}",
        "time: {event_time: recieved}",
        "sampling: {mode: off}",
        "output: {format: jason}",
        "telemetry: {log: {format: logfmt}}",
    ]));
}

#[test]
fn names_and_topics() {
    let long = "a".repeat(101);
    let longer = "a".repeat(250);
    snapshot!(table(&[
        "application_id: ''",
        "application_id: 'net flow'",
        &format!("application_id: {long}"),
        "instance_id: a/b",
        "input: {topics: []}",
        "input: {topics: ['^flows-.*']}",
        "input: {topics: ['']}",
        "input: {topics: ['flows*']}",
        "input: {topics: [..]}",
        "input: {topics: [flows, flows]}",
        &format!("input: {{topics: [{longer}]}}"),
        "input: {topics: [hotprefix-partials]}",
        "input: {topics: [hotprefix-alerts]}",
        "application_id: x\ninput: {topics: [flows, x-dead-letters]}",
        "input: {topics: [flows]}\noutput: {topic: flows}",
        "output: {topic: hotprefix-windows}",
        "output: {topic: 'alerts!'}",
    ]));
}

#[test]
fn times_and_bounds() {
    snapshot!(table(&[
        "flush_interval: 9ms",
        "flush_interval: 11s",
        "flush_interval: 1 second",
        "flush_interval: ''",
        "flush_interval: soon",
        "flush_interval: -1s",
        "time: {max_ahead: 0s}",
        "time: {max_ahead: 2d}",
        "time: {max_behind: nevr}",
        "time: {max_behind: 31d}",
        "time: {max_behind: 10}",
        "time: {idle_timeout: 999ms}",
        "time: {idle_timeout: 2h}",
        "time: {max_wait: 0s}",
        "time: {max_flow_duration: 25h}",
        "input: {start: latests}",
        "input: {start: 2h}",
        "input: {start: -2}",
        "input: {start: '-2 hours'}",
        "input: {start: '2026-11-23'}",
        "input: {start: '2026-11-23T05:14:00'}",
        "input: {start: yesterday}",
        "internal: {partitions: 0}",
        "internal: {partitions: 1001}",
        "internal: {partitions: -1}",
        "internal: {replication_factor: 0}",
        "dead_letters: {per_block: 10001}",
        "dead_letters: {per_block: -1}",
        "dead_letters: {per_block: 99999999999999999999}",
        "http: {listen: localhost:9464}",
        "http: {listen: '9464'}",
        "http: {listen: 127.0.0.1:99999}",
        "telemetry: {log: {filter: 'hotprefix=loud'}}",
    ]));
}

#[test]
fn sampling_and_observation() {
    snapshot!(table(&[
        "sampling: {default: unknwon}",
        "sampling: {default: 0}",
        "sampling: {default: -5}",
        "sampling: {default: 4294967296}",
        "sampling: {default: 1.5}",
        "sampling: {exporters: {router-1: {default: 100}}}",
        "sampling: {exporters: {192.0.2.1/24: {default: 100}}}",
        "sampling: {exporters: {192.0.2.1: {default: many}}}",
        "sampling: {exporters: {192.0.2.1: {override: 0}}}",
        "sampling: {exporters: {192.0.2.1: {}}}",
        "sampling: {exporters: {192.0.2.1: {default: 1}, 192.0.2.1/32: {default: 2}}}",
        "input: {observe: {exporters: 192.0.2.1}}",
        "input: {observe: {exporters: [router]}}",
        "input: {observe: {interfaces: [1]}}",
        "input: {observe: {interfaces: {192.0.2.1: 5}}}",
        "input: {observe: {interfaces: {192.0.2.1: [eth0]}}}",
        "input: {observe: {interfaces: {192.0.2.1: []}}}",
        "input: {observe: {interfaces: {router: [1]}}}",
        "input: {observe: {interfaces: {192.0.2.0/24: [1], 192.0.2.1: [2]}}}",
        "input: {observe: {exporters: [sets.bordrs]}}",
        "sets: {borders: [192.0.2.1]}\ninput: {observe: {exporters: [sets.bordrs]}}",
        "sets: {borders: [router]}\ninput: {observe: {exporters: [sets.borders]}}",
    ]));
}

#[test]
fn tokens() {
    let oidc = "sasl.mechanism: OAUTHBEARER, sasl.oauthbearer.method: oidc";
    let known = "sasl.oauthbearer.client.id: a, sasl.oauthbearer.client.secret: b";
    let case = |rest: &str| format!("kafka: {{{rest}}}");
    let cases = [
        case("sasl.mechanism: OAUTHBEARER"),
        case(oidc),
        case(&format!(
            "{oidc}, {known}, sasl.oauthbearer.token.endpoint.url: issuer"
        )),
        case(&format!(
            "{oidc}, {known}, sasl.oauthbearer.token.endpoint.url: 'https://i', sasl.oauthbearer.extensions: a=b, sasl.oauthbearer.assertion.file: x"
        )),
        case(&format!(
            "{oidc}, {known}, sasl.oauthbearer.token.endpoint.url: 'https://i', sasl.oauthbearer.grant.type: 'urn:ietf:params:oauth:grant-type:jwt-bearer', sasl.oauthbearer.metadata.authentication.type: azure_imds"
        )),
    ];
    snapshot!(table(&cases.each_ref().map(String::as_str)));
}

#[test]
fn kafka_properties() {
    snapshot!(table(&[
        "kafka: {boostrap.servers: 'k:9092'}",
        "kafka: {bootstrap.servers: ''}",
        "kafka: {bootstrap.servers: 'k:9092,'}",
        "kafka: {bootstrap.servers: 'k:http'}",
        "kafka: {bootstrap.servers: 'k:0'}",
        "kafka: {bootstrap.servers: 'k1:9092 k2:9092'}",
        "kafka: {bootstrap.servers: [k1, k2]}",
        "kafka: {bootstrap.servers: 'k:9092', metadata.broker.list: 'j:9092'}",
        "kafka: {security.protocol: tls}",
        "kafka: {sasl.mechanism: SCRAM-SHA256}",
        "kafka: {sasl.mechanism: GSSAPI}",
        "kafka: {socket.keepalive.enable: yes-please}",
        "kafka: {socket.timeout.ms: 5}",
        "kafka: {socket.timeout.ms: 10s}",
        "kafka: {linger.ms: -1}",
        "kafka: {compression.type: brotli}",
        "kafka: {compression.type: {}}",
        "kafka: {debug: ''}",
        "kafka: {client.id: \"a\\0b\"}",
        "kafka: {rebalance_cb: f}",
        "kafka: {sasl.jaas.config: 'com.example.PlainLoginModule required password=hunter2;'}",
        "kafka: {ssl.truststore.location: /etc/kafka/trust.jks}",
        "kafka: {max.poll.records: 500}",
        "kafka: {group.protocol: consumer, session.timeout.ms: 10000, heartbeat.interval.ms: 2000}",
        "kafka: {group.remote.assignor: uniform}",
        "membership: static\nkafka: {group.protocol: consumer}",
        "membership: sticky",
        "kafka: {session.timeout.ms: 2000, heartbeat.interval.ms: 2000}",
        "kafka: {max.in.flight: 6}",
        "kafka: {retries: 0}",
        "kafka: {sasl.password: {file: missing.txt}}",
        "kafka: {sasl.password: {file: [a]}}",
        "kafka: {sasl.password: {file: a, path: b}}",
        "kafka: {sasl: {password: {path: a}}}",
        "kafka: {sasl.password: 0x1F}",
        "kafka: {sasl.password: 99999999999999999999}",
        "kafka: {sasl.password: [hunter2]}",
        "kafka: {sasl: {password: hunter2}, sasl.password: hunter3}",
    ]));
}

#[test]
fn kafka_properties_that_the_design_owns() {
    let cases: Vec<String> = [
        "group.id",
        "group.instance.id",
        "group.protocol.type",
        "partition.assignment.strategy",
        "max.poll.interval.ms",
        "enable.auto.commit",
        "auto.commit.enable",
        "auto.commit.interval.ms",
        "enable.auto.offset.store",
        "offset.store.method",
        "offset.store.path",
        "offset.store.sync.interval.ms",
        "auto.offset.reset",
        "isolation.level",
        "enable.partition.eof",
        "allow.auto.create.topics",
        "topic.metadata.refresh.interval.ms",
        "fetch.queue.backoff.ms",
        "message.max.bytes",
        "partitioner",
        "transactional.id",
        "transaction.timeout.ms",
        "message.timeout.ms",
        "delivery.timeout.ms",
        "enable.idempotence",
        "enable.gapless.guarantee",
        "acks",
        "request.required.acks",
        "queuing.strategy",
        "enabled_events",
        "log.queue",
        "delivery.report.only.error",
    ]
    .iter()
    .map(|name| format!("kafka: {{{name}: x}}"))
    .collect();
    let cases: Vec<&str> = cases.iter().map(String::as_str).collect();
    snapshot!(table(&cases));
}

#[test]
fn files() {
    let show = |name: &str, case: Case<'_>| {
        format!("{name}\n  -> {}\n", case.errors().replace('\n', "\n  -> "))
    };
    let named = |name| Case::default().file(name, RULE);
    let mut missing = Case::yaml("kafka: {sasl.password: {file: empty.txt}}");
    missing.files.push(("empty.txt", "\n".to_owned()));
    snapshot!(
        [
            show("other ending", named("config.json")),
            show("no ending", named("config")),
            show("YAML that is none", Case::yaml("input: [")),
            show("YAML with a tab", Case::yaml("input:\n\ttopics: [a]")),
            show(
                "key twice",
                Case::yaml("flush_interval: 1s\nflush_interval: 2s")
            ),
            show(
                "two documents",
                Case::yaml("---\nflush_interval: 1s\n---\nflush_interval: 2s")
            ),
            show("tag", Case::yaml("flush_interval: !seconds 5")),
            show("key that is a list", Case::yaml("? [a]\n: b")),
            show("unknown anchor", Case::yaml("input: *a")),
            show("a list", Case::default().file("config.yaml", "- a\n- b\n")),
            show("a text", Case::default().file("config.yaml", "hello")),
            show(
                "TOML that is none",
                Case::default().file("config.toml", "input = [")
            ),
            show(
                "number beyond TOML's",
                Case::default().file("config.toml", "x = 99999999999999999999")
            ),
            show("empty file", Case::default().file("config.yaml", "")),
            show("empty secret", missing),
            show(
                "several errors in two files",
                Case::yaml("flush_interval: 1ms\ninput: {topics: []}")
                    .file("config-2.yaml", "http: {listen: here}\nkafka: {acks: 1}\n")
            ),
            show(
                "unknown keys in two files",
                Case::yaml("a: 1\ninput: {b: 2}").file("config-2.toml", "[http]\nc = 1\n")
            ),
        ]
        .join("\n")
    );
}

#[test]
fn a_missing_file_is_named() {
    let errors = hotprefix::config::load(&["no/such/config.yaml".into()], [], [])
        .expect_err("there is none");
    assert_eq!(
        errors.to_string(),
        "no/such/config.yaml: cannot be read: no such file or directory"
    );
}

#[test]
fn rules_and_their_files() {
    let show = |name: &str, case: Case<'_>| {
        format!("{name}\n  -> {}\n", case.errors().replace('\n', "\n  -> "))
    };
    let many: Vec<String> = (0..257)
        .map(|i| format!("- {{name: r{i}, thresholds: {{bytes: 1}}}}"))
        .collect();
    snapshot!(
        [
            show(
                "none",
                Case::default().file("config.yaml", "flush_interval: 1s\n")
            ),
            show("empty", Case::yaml("rules: []")),
            show("nothing", Case::yaml("rules:")),
            show("a map", Case::yaml("rules: {name: a}")),
            show("texts", Case::yaml("rules: [a, b]")),
            show(
                "a name twice",
                Case::yaml(
                    "rules: [{name: a, thresholds: {bytes: 1}}, {name: a, thresholds: {bytes: 1}}]"
                )
            ),
            show(
                "a name twice, in two files",
                Case::yaml("rules: [{name: a, thresholds: {bytes: 1}}]\nrule_files: [r/*.yaml]")
                    .file(
                        "r/x.yaml",
                        "- {name: b, thresholds: {bytes: 1}}\n- {name: a, thresholds: {bytes: 1}}"
                    ),
            ),
            show(
                "too many",
                Case::yaml("rule_files: [r.yaml]").file("r.yaml", &many.join("\n"))
            ),
            show("no match", Case::yaml("rule_files: [r/*.yaml]")),
            show("no file", Case::yaml("rule_files: [r.yaml]")),
            show("two stars", Case::yaml("rule_files: ['**/*.yaml']")),
            show(
                "a file with a text",
                Case::yaml("rule_files: [r.yaml]").file("r.yaml", "hello")
            ),
            show(
                "an empty file",
                Case::yaml("rule_files: [r.yaml]").file("r.yaml", "")
            ),
            show(
                "a file with another ending",
                Case::yaml("rule_files: [r.txt]").file("r.txt", "name: a")
            ),
            show(
                "unknown keys in a rule of a file",
                Case::yaml("rule_files: [r.yaml]").file(
                    "r.yaml",
                    "name: a\nthreshold: {bytes: 1}\nthresholds: {bytes: 1}"
                )
            ),
        ]
        .join("\n")
    );
}

#[test]
fn environment_and_options() {
    let show = |case: Case<'_>| {
        let said = format!("{:?} {:?}", case.env, case.overrides);
        format!("{said}\n  -> {}\n", case.errors().replace('\n', "\n  -> "))
    };
    let base = || Case::yaml("");
    snapshot!(
        [
            show(base().env("HOTPREFIX__INPT__TOPICS", "a")),
            show(base().env("HOTPREFIX__INPUT__TOPIC", "a")),
            show(base().env("HOTPREFIX__", "a")),
            show(base().env("HOTPREFIX__KAFKA", "a")),
            show(base().env("HOTPREFIX__INPUT__TOPICS__0", "a")),
            show(base().env("HOTPREFIX__SAMPLING__EXPORTERS__A", "a")),
            show(base().env("HOTPREFIX__SAMPLING__EXPORTERS", "{a")),
            show(base().env("HOTPREFIX__INPUT", "a")),
            show(base().env("HOTPREFIX__INTERNAL__PARTITIONS", "four")),
            show(base().env("HOTPREFIX__FLUSH_INTERVAL", "1")),
            show(base().env("HOTPREFIX__KAFKA__BOOSTRAP_SERVERS", "k:9092")),
            show(base().env("HOTPREFIX__KAFKA__GROUP_ID", "mine")),
            show(
                base()
                    .env("HOTPREFIX__KAFKA__SASL_PASSWORD", "hunter2")
                    .env("HOTPREFIX__KAFKA__SASL_PASSWORD_FILE", "f")
            ),
            show(base().env("HOTPREFIX__KAFKA__SASL_PASSWORD_FILE", "/no/such/file")),
            show(base().set("input.topic", "a")),
            show(base().set("kafka.group.id", "a")),
            show(base().set("http.listen", "x")),
            show(base().set("", "x")),
        ]
        .join("\n")
    );
}

#[test]
fn what_is_in_a_rule() {
    let rule = |text: &str| format!("rules: [{{name: a, filter: 'in_if == 1', {text}}}]");
    let bytes = |text: &str| rule(&format!("thresholds: {{bytes: 1MiB}}, {text}"));
    let cases = [
        "rules: [{thresholds: {bytes: 1}}]".to_owned(),
        "rules: [{name: a}]".to_owned(),
        "rules: [{name: 1, thresholds: {bytes: 1}}]".to_owned(),
        "rules: [{name: 'a b', thresholds: {bytes: 1}}]".to_owned(),
        "rules: [{name: a, filter: [x], thresholds: {bytes: 1}}]".to_owned(),
        "rules: [{name: a, filter: 'in_iff == 1', thresholds: {bytes: 1}}]".to_owned(),
        "rules: [{name: a, filter: 'in_if == ', thresholds: {bytes: 1}}]".to_owned(),
        "rules: [{name: a, filter: 'exporter in sets.nowhere', thresholds: {bytes: 1}}]".to_owned(),
        rule("thresholds: {}"),
        rule("thresholds: 5Gbps"),
        rule("thresholds: {byte: 1}"),
        rule("thresholds: {bytes: 1.5}"),
        rule("thresholds: {bytes: [1]}"),
        rule("thresholds: {bytes: 1Gbps}"),
        rule("thresholds: {bits_per_second: {129: 1Gbps}}"),
        rule("thresholds: {bits_per_second: {ipv5: 1Gbps}}"),
        rule("thresholds: {bits_per_second: {}}"),
        rule("thresholds: {bits_per_second: {24: [1]}}"),
        bytes("key: dest"),
        bytes("mode: most-specific"),
        bytes("late: never"),
        bytes("attribution: spreaded"),
        bytes("interval: 60"),
        bytes("interval: 10ms"),
        bytes("interval: 25h"),
        bytes("grace: -1s"),
        bytes("grace: 1.5"),
        bytes("prefix_length: [32]"),
        bytes("prefix_length: {ipv4: 0..33}"),
        bytes("prefix_length: {ipv4: {a: b}}"),
        bytes("prefix_length: {ipv4: 1.5}"),
        bytes("prefix_length: {ipv4: [], ipv6: []}"),
        bytes("prefix_length: {ipv7: 3}"),
        bytes("scope: 192.0.2.0/24"),
        bytes("scope: [192.0.2.1/24]"),
        bytes("scope: [{prefx: 192.0.2.0/24}]"),
        bytes("scope: {file: missing.txt}"),
        bytes("overrides: 192.0.2.0/24"),
        bytes("overrides: [192.0.2.0/24]"),
        bytes("overrides: [{prefix: 192.0.2.0/24, nevr: true}]"),
        bytes("overrides: [{prefix: 192.0.2.0/24, never: maybe}]"),
        bytes("overrides: {file: missing.txt}"),
        bytes("gate: {label: customer, thresholds: {bytes: 1MB}}"),
        bytes("gate: {label: customer, thresholds: {bytes: {24: 1MB}}}"),
        bytes("gate: {thresholds: {bytes: 1MB}}"),
        bytes("escalation: {severity: major, times: 2}"),
        bytes("escalation: [{times: 2}]"),
        bytes("escalation: [{severity: major, times: 1.5}]"),
        bytes("labels: {a: [b]}"),
        bytes("labels: [a]"),
        bytes("severity: 'very bad'"),
        bytes("max_prefixes: 0"),
        bytes("max_alerts_per_window: lots"),
    ];
    let cases: Vec<&str> = cases.iter().map(String::as_str).collect();
    snapshot!(table(&cases));
}

#[test]
fn silences() {
    let rules = "rules: [{name: inbound, filter: 'in_if == 1', thresholds: {bytes: 1MiB}}]";
    let cases = [
        "[{name: a, until: 2026-12-05T22:00Z, rules: [inbuond]}]",
        "[{name: a, until: 2026-12-05T22:00:00Z}, {name: a, weekly: [{at: '1:00', for: 1h}]}]",
        "[{name: a, weekly: [{at: '01:00', for: 30s}]}]",
        "[{name: a, weekly: [{days: [saturday], at: '01:00', for: 1h}]}]",
        "[{name: a, weekly: {at: '01:00', for: 1h}}]",
        "[{name: a, zone: CEST, until: 2026-12-05T22:00}]",
        "[{name: a, to: 2026-12-05T22:00}]",
        "[{until: 2026-12-05T22:00}]",
        "[{name: a}]",
    ];
    let cases = cases.map(|silences| format!("silences: {silences}\n{rules}"));
    let cases: Vec<&str> = cases.iter().map(String::as_str).collect();
    snapshot!(table(&cases));
}

#[test]
fn sets_and_scopes_in_files() {
    let show = |name: &str, case: Case<'_>| {
        format!("{name}\n  -> {}\n", case.errors().replace('\n', "\n  -> "))
    };
    let uses = "rules: [{name: a, filter: 'exporter in sets.s', thresholds: {bytes: 1MiB}}]";
    let scoped = "rules: [{name: a, filter: 'in_if == 1', thresholds: {bytes: 1MiB}, scope: {file: scope.txt}}]";
    let mut bad_scope = Case::yaml(scoped);
    bad_scope.files.push((
        "scope.txt",
        "198.51.100.0/22 a=b\n198.51.100.1/22\n".to_owned(),
    ));
    let mut bad_overrides = Case::yaml(&scoped.replace("scope", "overrides"));
    bad_overrides.files.push((
        "overrides.txt",
        "198.51.100.0/22 never\n203.0.113.0/24 bytes=1MB packets=2Mpps\n".to_owned(),
    ));
    snapshot!(
        [
            show(
                "no such file",
                Case::yaml(&format!("sets: {{s: {{file: s.txt}}}}\n{uses}"))
            ),
            show(
                "an empty set",
                Case::yaml(&format!("sets: {{s: []}}\n{uses}"))
            ),
            show(
                "only comments",
                Case::yaml(&format!("sets: {{s: {{file: s.txt}}}}\n{uses}"))
                    .file("s.txt", "# nothing\n")
            ),
            show(
                "an item of another kind",
                Case::yaml(&format!("sets: {{s: {{file: s.txt}}}}\n{uses}"))
                    .file("s.txt", "192.0.2.1\nrouter\n")
            ),
            show(
                "a name that filters cannot write",
                Case::yaml(&format!("sets: {{s: [192.0.2.1], a-b: [1]}}\n{uses}"))
            ),
            show("a scope file with a slip", bad_scope),
            show("a file of overrides with a slip", bad_overrides),
        ]
        .join("\n")
    );
}
