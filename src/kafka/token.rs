//! Tokens for SASL OAUTHBEARER, asked for as `OpenID` Connect has it: client credentials at a token endpoint.
//!
//! librdkafka has this only where it was built with libcurl, which its build does not find where the crate's feature
//! `curl-static` puts it (tested: the property `sasl.oauthbearer.method` was refused). So the operator's properties of the same names are read here,
//! and librdkafka is handed tokens. In: the `kafka:` map. Out: a token that is valid for a while yet, asked for once
//! by all clients of a process. Guarantees: no error holds the secret or a token; a request ends within
//! [`PATIENCE`]. On failure the error says what the endpoint said, and which properties it may be about.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use reqwest::blocking::Client;
use serde_json::Value;

use crate::config::shown;
use crate::telemetry::clock;

/// For one request.
const PATIENCE: Duration = Duration::from_secs(5);
/// Largest answer that is read, in bytes.
const LARGEST: u64 = 64 * 1024;
/// Where tokens come from, which are properties of librdkafka's own implementation.
const ENDPOINT: &str = "sasl.oauthbearer.token.endpoint.url";
const CLIENT_ID: &str = "sasl.oauthbearer.client.id";
const CLIENT_SECRET: &str = "sasl.oauthbearer.client.secret";
const SCOPE: &str = "sasl.oauthbearer.scope";
const METHOD: &str = "sasl.oauthbearer.method";
const AUTHORITY_FILE: &str = "https.ca.location";
const AUTHORITY: &str = "https.ca.pem";

/// A token, and what librdkafka wants to know of it.
#[derive(Clone)]
pub(crate) struct Token {
    pub(crate) text: String,
    pub(crate) principal: String,
    /// Milliseconds since the epoch.
    pub(crate) expires: i64,
    /// From then on a new one is asked for, in milliseconds since the epoch: before librdkafka asks, at four fifths.
    stale: i64,
}

/// Asks for tokens.
pub(crate) struct Tokens {
    endpoint: String,
    client: String,
    secret: String,
    scope: Option<String>,
    authority_file: Option<String>,
    authority: Option<String>,
    last: Mutex<Option<Token>>,
}

impl fmt::Debug for Tokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tokens").finish_non_exhaustive()
    }
}

impl Tokens {
    /// Takes its properties out of `kafka`, if they ask for this.
    pub(super) fn take(kafka: &mut BTreeMap<String, String>) -> Option<Arc<Self>> {
        let is = |name: &str, word: &str| {
            kafka
                .get(name)
                .is_some_and(|value| value.eq_ignore_ascii_case(word))
        };
        if !is("sasl.mechanism", "OAUTHBEARER") || !is(METHOD, "oidc") {
            return None;
        }
        let mut take = |name: &str| kafka.remove(name);
        take(METHOD);
        // Checked to be what we do.
        take("sasl.oauthbearer.grant.type");
        take("sasl.oauthbearer.metadata.authentication.type");
        Some(Arc::new(Self {
            endpoint: take(ENDPOINT).unwrap_or_default(),
            client: take(CLIENT_ID).unwrap_or_default(),
            secret: take(CLIENT_SECRET).unwrap_or_default(),
            scope: take(SCOPE),
            authority_file: take(AUTHORITY_FILE),
            authority: take(AUTHORITY),
            last: Mutex::default(),
        }))
    }

    /// A token that is not about to end.
    pub(crate) fn token(&self) -> Result<Token, String> {
        // Held during the request, so that others wait for its result rather than ask too.
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        let now = now();
        if let Some(token) = last.as_ref().filter(|token| now < token.stale) {
            return Ok(token.clone());
        }
        let token = self.ask(now).map_err(|why| {
            let endpoint = shown(ENDPOINT, &self.endpoint);
            format!("kafka.{ENDPOINT} {endpoint}: {why}")
        })?;
        *last = Some(token.clone());
        Ok(token)
    }

    fn ask(&self, now: i64) -> Result<Token, String> {
        let encoded = |text: &str| utf8_percent_encode(text, NON_ALPHANUMERIC).to_string();
        let grant = "grant_type=client_credentials";
        let body = match &self.scope {
            Some(scope) => format!("{grant}&scope={}", encoded(scope)),
            None => grant.to_owned(),
        };
        let answer = self
            .client()?
            .post(&self.endpoint)
            .basic_auth(&self.client, Some(&self.secret))
            .header("content-type", "application/x-www-form-urlencoded")
            .header("accept", "application/json")
            .body(body)
            .send()
            .map_err(reason)?;
        let status = answer.status();
        let mut text = String::new();
        let limited = std::io::Read::take(answer, LARGEST);
        std::io::Read::read_to_string(&mut { limited }, &mut text).map_err(|e| e.to_string())?;
        let json: Value = serde_json::from_str(&text).unwrap_or_default();
        if !status.is_success() {
            let said: Vec<_> = ["error", "error_description"]
                .iter()
                .filter_map(|key| Some(format!(": {}", json[key].as_str()?)))
                .collect();
            return Err(format!(
                "answers {}{}; kafka.{CLIENT_ID} and kafka.{CLIENT_SECRET} must be as the issuer knows them",
                status.as_u16(),
                said.concat()
            ));
        }
        self.read(&json, now)
    }

    /// The token of an answer, if it is of use.
    fn read(&self, json: &Value, now: i64) -> Result<Token, String> {
        let text = json["access_token"]
            .as_str()
            .ok_or("its answer has no access_token")?;
        let claims = claims(text);
        // A token that is no JWT is between the issuer and the broker; then the answer says how long it is valid.
        let expires = match claims["exp"].as_f64() {
            Some(seconds) => (seconds * 1000.0) as i64,
            None => now + (json["expires_in"].as_f64().unwrap_or_default() * 1000.0) as i64,
        };
        if expires <= now {
            return Err(format!(
                "its token is expired since {}s; see the issuer's clock, this machine's, and how long the issuer lets tokens of kafka.{CLIENT_ID} live",
                (now - expires) / 1000
            ));
        }
        Ok(Token {
            text: text.to_owned(),
            principal: claims["sub"].as_str().unwrap_or(&self.client).to_owned(),
            expires,
            stale: now + (expires - now) * 3 / 4,
        })
    }

    fn client(&self) -> Result<Client, String> {
        // Another part of the process may have chosen already: the same one.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let mut client = Client::builder()
            .timeout(PATIENCE)
            // The secret is for this endpoint.
            .redirect(reqwest::redirect::Policy::none());
        let authority = match (&self.authority_file, &self.authority) {
            (Some(path), _) => {
                let text = std::fs::read(path);
                Some(text.map_err(|e| format!("kafka.{AUTHORITY_FILE} {path}: {e}"))?)
            }
            (None, Some(text)) => Some(text.clone().into_bytes()),
            (None, None) => None,
        };
        if let Some(pem) = authority {
            let certificates = reqwest::Certificate::from_pem_bundle(&pem);
            let certificates =
                certificates.map_err(|_| format!("kafka.{AUTHORITY_FILE} is not in PEM"))?;
            client = client.tls_certs_only(certificates);
        }
        client.build().map_err(reason)
    }
}

/// What a JWT says; its signature is the broker's to check.
fn claims(token: &str) -> Value {
    let body = token.split('.').nth(1).unwrap_or_default();
    let body = URL_SAFE_NO_PAD.decode(body).unwrap_or_default();
    serde_json::from_slice(&body).unwrap_or_default()
}

/// The last cause, without the URL, which may hold a password.
fn reason(error: reqwest::Error) -> String {
    let error = error.without_url();
    let mut cause: &dyn std::error::Error = &error;
    while let Some(deeper) = cause.source() {
        cause = deeper;
    }
    cause.to_string()
}

fn now() -> i64 {
    clock::now().as_millis()
}
