//! Whether brokers let us in: what a client says when they do not, in the words of the configuration.
//!
//! In: a client's errors, as librdkafka tells them. Out: which of the operator's settings the last refusal is about,
//! and tokens where those are ours to fetch. Guarantees: no text holds a secret.

use std::collections::BTreeMap;
use std::error::Error;
use std::sync::{Arc, Mutex, PoisonError};

use rdkafka::ClientContext;
use rdkafka::client::OAuthToken;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::error::{KafkaError, RDKafkaErrorCode as Code};

use super::errors;
use super::token::Tokens;

/// One client's way in.
#[derive(Debug, Default)]
pub(crate) struct Access {
    mechanism: String,
    tokens: Option<Arc<Tokens>>,
    last: Mutex<Option<Complaint>>,
}

/// What a client complained about last.
#[derive(Clone, Debug)]
struct Complaint {
    refused: bool,
    text: String,
}

/// Where the answer to an error is.
struct Found {
    settings: String,
    /// Whether waiting cannot mend it.
    sure: bool,
}

impl Access {
    pub(super) fn new(kafka: &BTreeMap<String, String>, tokens: Option<Arc<Tokens>>) -> Self {
        Self {
            mechanism: kafka.get("sasl.mechanism").cloned().unwrap_or_default(),
            tokens,
            last: Mutex::default(),
        }
    }

    fn last(&self) -> std::sync::MutexGuard<'_, Option<Complaint>> {
        self.last.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Remembers an error event, and gives it in the configuration's words.
    pub(crate) fn heard(&self, error: &KafkaError, reason: &str) -> String {
        let code = error.rdkafka_error_code();
        let found = self.settings(code, reason);
        let refused = found.as_ref().is_some_and(|found| found.sure);
        let text = match found {
            Some(Found { settings, .. }) => format!("{settings}: {reason}"),
            None => format!("{error}: {reason}"),
        };
        // It follows from the errors before it, and says less.
        if code != Some(Code::AllBrokersDown) {
            let text = text.clone();
            *self.last() = Some(Complaint { refused, text });
        }
        text
    }

    /// A connection that ends before its first answer is no error to librdkafka, only a line in its log.
    fn logged(&self, line: &str) {
        if line.contains("in state APIVERSION_QUERY") && line.contains("Disconnected") {
            let text = format!("kafka.security.protocol may not fit the broker's listener: {line}");
            let refused = false;
            *self.last() = Some(Complaint { refused, text });
        }
    }

    /// What the client said last, if anything.
    pub(crate) fn complaint(&self) -> Option<String> {
        self.last().as_ref().map(|last| last.text.clone())
    }

    /// The same if it was that a broker, or we, did not accept the other.
    pub(crate) fn refusal(&self) -> Option<String> {
        let last = self.last();
        let refused = last.as_ref().filter(|last| last.refused);
        refused.map(|last| last.text.clone())
    }

    /// Where the answer to an error is.
    fn settings(&self, code: Option<Code>, reason: &str) -> Option<Found> {
        let has = |part: &str| reason.contains(part);
        let sure = |settings: &str| {
            Some(Found {
                settings: settings.to_owned(),
                sure: true,
            })
        };
        if has("certificate verify failed") {
            return sure(
                "kafka.ssl.ca.location must hold the authority of the brokers' certificate, and kafka.bootstrap.servers and the brokers' advertised.listeners a name that is in it",
            );
        }
        if has("SSL alert") && (has("certificate") || has("unknown ca")) {
            return sure(
                "the broker wants another client certificate than that of kafka.ssl.certificate.location and kafka.ssl.key.location, if any",
            );
        }
        if has("PLAINTEXT broker listener") {
            return sure("kafka.security.protocol does not fit the broker's listener");
        }
        if has("mechanism handshake failed") {
            return sure(&format!(
                "kafka.sasl.mechanism {} is not offered by the broker's listener",
                self.mechanism
            ));
        }
        match code {
            Some(Code::SSL) => Some(Found {
                settings: "TLS, of which kafka.security.protocol and kafka.ssl.* decide".to_owned(),
                sure: false,
            }),
            Some(Code::Authentication | Code::SaslAuthenticationFailed) => match &self.tokens {
                // A token that could not be had names its settings itself.
                Some(_) if has("kafka.sasl.oauthbearer.") => sure("no token"),
                Some(_) => sure(
                    "the broker does not accept the token for kafka.sasl.oauthbearer.client.id: its issuer, signature, audience and scope must be what sasl.oauthbearer.* of the broker asks for",
                ),
                None => sure(&format!(
                    "the broker does not accept kafka.sasl.username and kafka.sasl.password by {}",
                    self.mechanism
                )),
            },
            _ => None,
        }
    }

    /// For the callback of that name.
    pub(crate) fn generate_oauth_token(&self) -> Result<OAuthToken, Box<dyn Error>> {
        let Some(tokens) = &self.tokens else {
            return Err("kafka.sasl.oauthbearer.method is not oidc".into());
        };
        let token = tokens.token()?;
        Ok(OAuthToken {
            token: token.text,
            principal_name: token.principal,
            lifetime_ms: token.expires,
        })
    }

    /// Where tokens come from, if they are ours to fetch.
    pub(crate) const fn tokens(&self) -> Option<&Arc<Tokens>> {
        self.tokens.as_ref()
    }
}

/// The context of clients without callbacks of their own.
#[derive(Default)]
pub(crate) struct PlainContext {
    pub(crate) access: Access,
}

impl ClientContext for PlainContext {
    const ENABLE_REFRESH_OAUTH_TOKEN: bool = true;

    fn log(&self, level: RDKafkaLogLevel, facility: &str, line: &str) {
        self.access.logged(line);
        errors::log(level, facility, line);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        tracing::debug!(target: "librdkafka", %error, reason, "client error");
        self.access.heard(&error, reason);
    }

    fn generate_oauth_token(&self, _: Option<&str>) -> Result<OAuthToken, Box<dyn Error>> {
        self.access.generate_oauth_token()
    }
}

impl rdkafka::consumer::ConsumerContext for PlainContext {}
