//! Each mechanism: the service does through it what it does without; and who is not let in is told which setting
//! that is about, soon, and without the secret.

use std::path::Path;
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use crate::run::{Prepared, base};
use crate::support::app::App;
use crate::support::authority::{Authority, Issued};
use crate::support::flows::Load;
use crate::support::issuer;
use crate::support::kafka_secure::{CLIENT_SECRET, PASSWORD, Secure};
use crate::support::rules::rules;

const FLOWS: usize = 10_000;
/// For a refusal to be told: a few seconds, and the machine's slowness.
const TOLD: Duration = Duration::from_secs(20);
/// What a test gives where the broker knows [`PASSWORD`] and [`CLIENT_SECRET`].
const WRONG: &str = "hunter3-WRONG-SECRET-must-not-show";

/// The load that each mechanism counts.
pub(crate) fn prepared(secure: &'static Secure) -> &'static Prepared {
    static PREPARED: OnceLock<Prepared> = OnceLock::new();
    PREPARED.get_or_init(|| {
        let load = Load::new(11, FLOWS, 2, base());
        Prepared::written(&secure.cluster, "secure", rules(), &load)
    })
}

/// Both stages, each in a process of its own, through one listener.
fn counts_through(listener: &str) {
    let secure = Secure::shared();
    let prepared = prepared(secure);
    let app = prepared.app(&secure.cluster, &format!("secure-{listener}"));
    let app = secure.through(app, listener);
    let instances = vec![app.start_stage(0, "count"), app.start_stage(1, "detect")];
    prepared.finish(&app, instances);
}

#[test]
fn tls_with_a_private_authority_gives_what_the_model_says() {
    counts_through("TLS");
}

#[test]
fn client_certificates_give_what_the_model_says() {
    counts_through("MTLS");
}

#[test]
fn sasl_plain_gives_what_the_model_says() {
    counts_through("PLAIN");
}

#[test]
fn scram_sha_512_gives_what_the_model_says() {
    counts_through("SCRAM");
}

#[test]
fn oauthbearer_with_oidc_gives_what_the_model_says() {
    counts_through("OAUTH");
}

/// What `run` and `check --connect` say to a configuration that is wrong in one place.
fn refused<'c>(name: &str, listener: &str, change: impl Fn(App<'c>) -> App<'c>, says: &[&str]) {
    let secure = Secure::shared();
    prepared(secure);
    let commands: [&[&str]; 2] = [&["run"], &["check", "--connect"]];
    for command in commands {
        let id = format!("refused-{name}-{}", command[0]);
        let app = App::new(&secure.cluster, &id, "secure", &rules());
        let app = change(secure.through(app, listener));
        let begun = Instant::now();
        let (code, output) = app.command(command, TOLD);
        println!("{id}: {:?}", begun.elapsed());
        assert_eq!(code, Some(1), "{output}");
        let last = output.lines().last().unwrap_or_default();
        println!("{last}");
        assert!(last.starts_with("hotprefix: "), "{output}");
        for said in says {
            assert!(last.contains(said), "{id}: `{said}` is not in: {last}");
        }
        for secret in [WRONG, PASSWORD, CLIENT_SECRET] {
            assert!(!output.contains(secret), "{id} shows {secret}");
        }
    }
}

fn set<'c>(key: &str, value: &str) -> impl Fn(App<'c>) -> App<'c> {
    move |app| app.set(key, value)
}

fn path(path: &Path) -> String {
    path.display().to_string()
}

#[test]
fn an_unknown_authority_is_told_as_such() {
    let secure = Secure::shared();
    let other = Authority::new(&secure.dir, "other");
    let other = path(&other.certificate());
    let change = set("kafka.ssl.ca.location", &other);
    refused("authority", "TLS", change, &["kafka.ssl.ca.location"]);
}

#[test]
fn a_broker_under_another_name_is_told_as_such() {
    let secure = Secure::shared();
    let address = format!("127.0.0.1:{}", secure.port("TLS"));
    let change = set("kafka.bootstrap.servers", &address);
    refused("name", "TLS", change, &["kafka.bootstrap.servers"]);
}

#[test]
fn a_missing_client_certificate_is_told_as_such() {
    let listener = Secure::shared().bootstrap("MTLS");
    let change = set("kafka.bootstrap.servers", &listener);
    refused(
        "missing",
        "TLS",
        change,
        &["kafka.ssl.certificate.location"],
    );
}

#[test]
fn a_client_certificate_of_another_authority_is_told_as_such() {
    let secure = Secure::shared();
    let stranger = Authority::new(&secure.dir, "strangers");
    let Issued {
        certificate, key, ..
    } = stranger.issue("stranger", &[]);
    let change = |app: App<'static>| {
        app.set("kafka.ssl.certificate.location", path(&certificate))
            .set("kafka.ssl.key.location", path(&key))
    };
    refused(
        "stranger",
        "MTLS",
        change,
        &["kafka.ssl.certificate.location"],
    );
}

#[test]
fn plain_text_where_tls_is_spoken_is_told_as_such() {
    let change = set("kafka.security.protocol", "plaintext");
    refused("plaintext", "TLS", change, &["kafka.security.protocol"]);
    let address = Secure::shared().cluster.bootstrap();
    let change = set("kafka.bootstrap.servers", &address);
    refused("tls", "TLS", change, &["kafka.security.protocol"]);
}

#[test]
fn a_wrong_password_is_told_as_such() {
    let names = ["kafka.sasl.username", "kafka.sasl.password"];
    refused("plain", "PLAIN", set("kafka.sasl.password", WRONG), &names);
    refused("scram", "SCRAM", set("kafka.sasl.password", WRONG), &names);
}

#[test]
fn a_mechanism_that_is_not_offered_is_told_as_such() {
    let change = set("kafka.sasl.mechanism", "SCRAM-SHA-512");
    refused(
        "mechanism",
        "PLAIN",
        change,
        &["kafka.sasl.mechanism SCRAM-SHA-512"],
    );
}

#[test]
fn a_wrong_client_secret_is_told_as_such() {
    let change = set("kafka.sasl.oauthbearer.client.secret", WRONG);
    let says = [
        "kafka.sasl.oauthbearer.client.secret",
        "401: invalid_client: unknown client",
    ];
    refused("secret", "OAUTH", change, &says);
}

#[test]
fn a_token_endpoint_that_is_not_there_is_told_as_such() {
    let nobody = "http://user:hunter3-WRONG-SECRET-must-not-show@127.0.0.1:9/token";
    let change = set("kafka.sasl.oauthbearer.token.endpoint.url", nobody);
    let says = ["kafka.sasl.oauthbearer.token.endpoint.url http://(hidden)@127.0.0.1:9/token"];
    refused("endpoint", "OAUTH", change, &says);
}

#[test]
fn an_expired_token_is_told_as_such() {
    let change = set("kafka.sasl.oauthbearer.client.id", issuer::EXPIRED);
    refused("expired", "OAUTH", change, &["its token is expired since"]);
}

#[test]
fn a_token_that_the_broker_does_not_believe_is_told_as_such() {
    let change = set("kafka.sasl.oauthbearer.client.id", issuer::FORGED);
    let says = ["kafka.sasl.oauthbearer.client.id"];
    refused("forged", "OAUTH", change, &says);
}
