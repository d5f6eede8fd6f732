//! No secret is shown, whatever the log level, the command and the way in which the secret was given.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::connecting::prepared;
use crate::support::app::App;
use crate::support::kafka_secure::{CLIENT_SECRET, PASSWORD, Secure, USER};
use crate::support::rules::rules;

const BINARY: &str = env!("CARGO_BIN_EXE_hotprefix");
const PATIENCE: Duration = Duration::from_mins(1);
const HEADER: &str = "hunter2-OTEL-HEADER-must-not-show";
const USERINFO: &str = "hunter2-OTEL-USER-must-not-show";
const KEY_PASSWORD: &str = "hunter2-KEY-PASSWORD-must-not-show";

/// What must be nowhere: as it is, as SASL and HTTP send it, the key's lines, and tokens.
fn needles(secure: &Secure) -> Vec<String> {
    let mut needles: Vec<_> = [PASSWORD, CLIENT_SECRET, HEADER, USERINFO, KEY_PASSWORD]
        .map(str::to_owned)
        .to_vec();
    needles.push(STANDARD.encode(format!("{USER}:{CLIENT_SECRET}")));
    needles.push(STANDARD.encode(format!("\0{USER}\0{PASSWORD}")));
    let key = fs::read_to_string(&secure.client.key).expect("the key was written");
    let lines = key.lines().filter(|line| !line.starts_with("-----"));
    needles.extend(lines.map(str::to_owned));
    // How each JWT begins: `{"alg"` or `{"typ"`.
    needles.extend(["eyJhbGci", "eyJ0eXAi"].map(str::to_owned));
    needles
}

fn assert_shows_none(secure: &Secure, what: &str, text: &str) {
    for needle in needles(secure) {
        if let Some(at) = text.find(&needle) {
            let line = text[..at].rsplit('\n').next().unwrap_or_default();
            panic!("{what} shows {needle} after: {line}");
        }
    }
}

/// The most that it can be made to tell.
fn talkative(app: App<'_>) -> App<'_> {
    app.set("telemetry", serde_json::json!({"log": {"filter": "trace"}}))
        .set("kafka.debug", "all")
        .env("RUST_BACKTRACE", "full")
        .env(
            "OTEL_EXPORTER_OTLP_HEADERS",
            format!("authorization=Bearer%20{HEADER}"),
        )
        .env("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:9")
}

/// Everything that an instance and the commands show with this configuration.
fn check_shown(app: App<'_>) {
    let secure = Secure::shared();
    let app = talkative(app);
    let id = app.id.clone();
    let mut instance = app.start(0);
    instance.ready();
    let mut shown = String::new();
    for path in ["/metrics", "/readyz", "/livez"] {
        shown += &instance.get(path).expect("it answers").1;
    }
    let log = instance.process.log().to_owned();
    instance.end();
    shown += &fs::read_to_string(&log).expect("the log was written");
    assert!(
        shown.contains("librdkafka: ") && shown.contains("DEBUG"),
        "{id} tells what librdkafka does"
    );
    assert_shows_none(secure, &format!("{id}: run"), &shown);
    let commands: [&[&str]; 6] = [
        &["check"],
        &["check", "--connect"],
        &["tail", "--from-beginning", "--count", "0"],
        &["inspect", "--from-beginning"],
        &["reset"],
        &["health"],
    ];
    for command in commands {
        let (code, output) = app.command(command, PATIENCE);
        if command[0] == "check" {
            assert_eq!(code, Some(0), "{output}");
        }
        assert_shows_none(secure, &format!("{id}: {command:?}"), &output);
    }
    let (_, output) = app.command(&["run", "--help"], PATIENCE);
    assert_shows_none(secure, &format!("{id}: help"), &output);
}

fn application(listener: &str, name: &str) -> App<'static> {
    let secure = Secure::shared();
    let topic = &prepared(secure).topic;
    let app = App::new(&secure.cluster, name, topic, &rules());
    secure.through(app, listener)
}

#[test]
fn a_password_in_the_file_is_not_shown() {
    check_shown(application("PLAIN", "secret-plain"));
}

#[test]
fn a_password_in_a_variable_is_not_shown() {
    let app = application("SCRAM", "secret-variable")
        .set("kafka.sasl.password", "is overridden")
        .env("HOTPREFIX__KAFKA__SASL_PASSWORD", PASSWORD);
    check_shown(app);
}

#[test]
fn a_password_in_a_file_of_its_own_is_not_shown() {
    let file = Secure::shared().dir.join("password");
    fs::write(&file, PASSWORD).expect("a file can be written");
    let reference = serde_json::json!({"file": file.display().to_string()});
    let app = application("PLAIN", "secret-file").set("kafka.sasl.password", reference);
    check_shown(app);
}

#[test]
fn a_client_secret_and_its_tokens_are_not_shown() {
    check_shown(application("OAUTH", "secret-token"));
}

#[test]
fn a_key_and_its_password_are_not_shown() {
    let secure = Secure::shared();
    let pem = |path: &Path| fs::read_to_string(path).expect("it was written");
    let topic = &prepared(secure).topic;
    let app = App::new(&secure.cluster, "secret-key", topic, &rules());
    let app = secure
        .through(app, "TLS")
        .set("kafka.bootstrap.servers", secure.bootstrap("MTLS"))
        .set("kafka.ssl.certificate.pem", pem(&secure.client.certificate))
        .set("kafka.ssl.key.pem", pem(&secure.client.key))
        .set("kafka.ssl.key.password", KEY_PASSWORD);
    check_shown(app);
}

#[test]
fn configurations_that_are_not_valid_do_not_show_their_secrets() {
    let secure = Secure::shared();
    let run = |args: &[&str], env: &[(&str, &str)]| {
        let output = Command::new(BINARY)
            .args(args)
            .envs(env.iter().copied())
            .output()
            .expect("the binary starts");
        assert_eq!(output.status.code(), Some(2), "{args:?} {env:?}");
        let text = [output.stdout, output.stderr].concat();
        let text = String::from_utf8_lossy(&text).into_owned();
        assert_shows_none(secure, &format!("{args:?}"), &text);
    };
    let set = |rest: &str| format!("kafka.{rest}{PASSWORD}");
    for wrong in [
        "sasl.password:",
        "sasl.passwort=",
        "sasl.password.x=",
        "sasl.jaas.config=",
        "ssl.truststore.password=",
    ] {
        run(&["check", "--set", &set(wrong)], &[]);
    }
    for wrong in [
        "SASL_PASSWORT",
        "SASL_PASSWORD__X",
        "SSL_TRUSTSTORE_PASSWORD",
        "SASL_JAAS_CONFIG",
    ] {
        run(
            &["check"],
            &[(&format!("HOTPREFIX__KAFKA__{wrong}"), PASSWORD)],
        );
    }
    let nowhere = format!("/nowhere/{USER}");
    run(
        &["check"],
        &[("HOTPREFIX__KAFKA__SASL_PASSWORD_FILE", &nowhere)],
    );
    let file = secure.dir.join("broken.yaml");
    let path = file.display().to_string();
    for text in [
        format!("kafka: {{sasl.password: [{PASSWORD}]}}"),
        format!("kafka: {{sasl.password: {{a: {PASSWORD}}}}}"),
        format!("kafka: {{sasl.password: {PASSWORD}, sasl.password: {PASSWORD}}}"),
        format!("kafka: {PASSWORD}"),
        format!("kafka: {{sasl.password: '{PASSWORD}}}"),
        format!("sasl.password: {PASSWORD}"),
    ] {
        fs::write(&file, text).expect("a file can be written");
        run(&["check", "--config", &path], &[]);
    }
    for (name, value) in [
        ("OTEL_EXPORTER_OTLP_HEADERS", HEADER.to_owned()),
        (
            "OTEL_EXPORTER_OTLP_ENDPOINT",
            format!("http://user:{USERINFO}@127.0.0.1:9"),
        ),
    ] {
        let yaml = secure.dir.join("valid.yaml");
        let valid =
            "input: {topics: [a]}\nrules: [{name: a, thresholds: {bytes: 1}, interval: 10s}]\n";
        fs::write(&yaml, valid).expect("a file can be written");
        let yaml = yaml.display().to_string();
        // Headers are looked at where there is somebody to send them to.
        let endpoint = ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:9");
        run(&["check", "--config", &yaml], &[endpoint, (name, &value)]);
    }
}
