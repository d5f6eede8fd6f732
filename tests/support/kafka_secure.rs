//! One broker that offers every way to prove who one is, each on a listener of its own, and checks rights.
//!
//! Tests themselves use the plain listener, whose user is a super user.

use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use rdkafka::ClientConfig;

use super::app::App;
use super::authority::{Authority, Issued};
use super::issuer::{self, Issuer};
use super::kafka_node::{Cluster, More, PATIENT, free_port, kept};
use super::tools;

/// Unmistakable, so that a search for them finds nothing else.
pub(crate) const PASSWORD: &str = "hunter2-SASL-PASSWORD-must-not-show";
pub(crate) const CLIENT_SECRET: &str = "hunter2-OAUTH-SECRET-must-not-show";
/// Who may do everything, under each mechanism.
pub(crate) const USER: &str = "operator";
/// How many users there are who may do nothing, `user-0` and on, with passwords for PLAIN.
pub(crate) const POWERLESS: usize = 100;

/// The broker and what its clients need.
pub(crate) struct Secure {
    pub(crate) cluster: Cluster,
    pub(crate) authority: Authority,
    pub(crate) issuer: Issuer,
    /// The certificate of [`USER`].
    pub(crate) client: Issued,
    ports: Vec<(&'static str, u16)>,
    pub(crate) dir: PathBuf,
}

const LISTENERS: [(&str, &str); 5] = [
    ("TLS", "SSL"),
    ("MTLS", "SSL"),
    ("PLAIN", "SASL_SSL"),
    ("SCRAM", "SASL_SSL"),
    ("OAUTH", "SASL_SSL"),
];

impl Secure {
    /// The one that all tests of this process share.
    pub(crate) fn shared() -> &'static Self {
        static SHARED: OnceLock<Secure> = OnceLock::new();
        SHARED.get_or_init(|| kept(Secure::start))
    }

    fn start() -> Self {
        let dir = tools::scratch("secure");
        let authority = Authority::new(&dir, "authority");
        // Not for 127.0.0.1, so that a client who uses the address is at the wrong name.
        let server = authority.issue("broker", &["localhost"]);
        let client = authority.issue(USER, &[]);
        let issuer = Issuer::start(&dir, CLIENT_SECRET);
        let more = || More {
            listeners: LISTENERS
                .iter()
                .map(|(name, protocol)| (*name, free_port(), *protocol))
                .collect(),
            settings: settings(&authority, &server, &issuer) + PATIENT,
            java: vec![format!(
                "-Dorg.apache.kafka.sasl.oauthbearer.allowed.urls={}",
                key_set(&issuer)
            )],
            format: vec![
                "--add-scram".to_owned(),
                format!("SCRAM-SHA-512=[name={USER},password={PASSWORD}]"),
            ],
        };
        let cluster = Cluster::start_with(more);
        let ports = cluster.further_ports();
        Self {
            cluster,
            authority,
            issuer,
            client,
            ports,
            dir,
        }
    }

    /// For `bootstrap.servers`, by the name in the certificate.
    pub(crate) fn bootstrap(&self, listener: &str) -> String {
        format!("localhost:{}", self.port(listener))
    }

    /// The configuration of a client of the tests' own, by PLAIN.
    pub(crate) fn client(&self, user: &str) -> ClientConfig {
        let mut config = ClientConfig::new();
        config
            .set("bootstrap.servers", self.bootstrap("PLAIN"))
            .set("security.protocol", "sasl_ssl")
            .set(
                "ssl.ca.location",
                self.authority.certificate().display().to_string(),
            )
            .set("sasl.mechanism", "PLAIN")
            .set("sasl.username", user)
            .set("sasl.password", PASSWORD);
        config
    }

    /// The configuration of an application that may connect through `listener` as [`USER`].
    pub(crate) fn through<'c>(&self, app: App<'c>, listener: &str) -> App<'c> {
        let protocol = if listener.ends_with("TLS") {
            "ssl"
        } else {
            "sasl_ssl"
        };
        let path = |path: &Path| path.display().to_string();
        let app = app
            .set("kafka.bootstrap.servers", self.bootstrap(listener))
            .set("kafka.security.protocol", protocol)
            .set("kafka.ssl.ca.location", path(&self.authority.certificate()));
        let user = |app: App<'c>, mechanism: &str| {
            app.set("kafka.sasl.mechanism", mechanism)
                .set("kafka.sasl.username", USER)
                .set("kafka.sasl.password", PASSWORD)
        };
        match listener {
            "TLS" => app,
            "MTLS" => app
                .set(
                    "kafka.ssl.certificate.location",
                    path(&self.client.certificate),
                )
                .set("kafka.ssl.key.location", path(&self.client.key)),
            "PLAIN" => user(app, "PLAIN"),
            "SCRAM" => user(app, "SCRAM-SHA-512"),
            "OAUTH" => app
                .set("kafka.sasl.mechanism", "OAUTHBEARER")
                .set("kafka.sasl.oauthbearer.method", "oidc")
                .set(
                    "kafka.sasl.oauthbearer.token.endpoint.url",
                    self.issuer.endpoint(),
                )
                .set("kafka.sasl.oauthbearer.client.id", USER)
                .set("kafka.sasl.oauthbearer.client.secret", CLIENT_SECRET),
            other => panic!("no listener {other}"),
        }
    }

    pub(crate) fn port(&self, listener: &str) -> u16 {
        let found = self.ports.iter().find(|(name, _)| *name == listener);
        found.expect("the listener exists").1
    }
}

fn key_set(issuer: &Issuer) -> String {
    format!("file://{}", issuer.keys.display())
}

/// Of all listeners. Kafka 4.1.0 checks no signature unless its validator is named. The certificate's name, and the token's subject, are the user.
fn settings(authority: &Authority, server: &Issued, issuer: &Issuer) -> String {
    let plain: Vec<_> = (0..POWERLESS)
        .map(|n| format!(" user_user-{n}=\"{PASSWORD}\""))
        .collect();
    let plain = plain.concat();
    let module = "org.apache.kafka.common.security";
    format!(
        "ssl.keystore.type=PEM
ssl.keystore.location={key_store}
ssl.truststore.type=PEM
ssl.truststore.location={trust_store}
ssl.principal.mapping.rules=RULE:^CN=([^,]+)$/$1/,DEFAULT
listener.name.mtls.ssl.client.auth=required
listener.name.plain.sasl.enabled.mechanisms=PLAIN
listener.name.plain.plain.sasl.jaas.config={module}.plain.PlainLoginModule required user_{USER}=\"{PASSWORD}\"{plain};
listener.name.scram.sasl.enabled.mechanisms=SCRAM-SHA-512
listener.name.scram.scram-sha-512.sasl.jaas.config={module}.scram.ScramLoginModule required;
listener.name.oauth.sasl.enabled.mechanisms=OAUTHBEARER
listener.name.oauth.oauthbearer.sasl.jaas.config={module}.oauthbearer.OAuthBearerLoginModule required;
listener.name.oauth.oauthbearer.sasl.server.callback.handler.class={module}.oauthbearer.OAuthBearerValidatorCallbackHandler
sasl.oauthbearer.jwks.endpoint.url={keys}
sasl.oauthbearer.jwt.validator.class={module}.oauthbearer.BrokerJwtValidator
sasl.oauthbearer.expected.audience={audience}
sasl.oauthbearer.expected.issuer={issuer}
authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer
super.users=User:ANONYMOUS;User:{USER}
",
        key_store = server.both.display(),
        trust_store = authority.certificate().display(),
        keys = key_set(issuer),
        audience = issuer::AUDIENCE,
        issuer = issuer::NAME,
    )
}
