//! Where one signal goes, and how.

use std::path::PathBuf;
use std::time::Duration;

use axum::http::{HeaderName, HeaderValue, Uri};
use percent_encoding::percent_decode_str;

use super::variables::{BadVariable, Set, Signal, Variables, own_name};

/// The longest time that an export may take.
const MAX_TIMEOUT: u64 = 10 * 60 * 1000;

/// Where one signal goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Target {
    pub(super) signal: Signal,
    pub(super) protocol: Protocol,
    /// The whole URL; of gRPC without a path. Not to be told: its query may hold a key.
    pub(super) endpoint: String,
    /// The URL for messages, without its query.
    pub(super) shown: String,
    /// The variable that named it, for messages.
    pub(super) named_by: String,
    /// For one export with all its tries.
    pub(super) timeout: Duration,
    pub(super) gzip: bool,
    pub(super) tls: Tls,
}

/// How a request is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Protocol {
    Grpc,
    Http,
}

/// Files in PEM, each with the variable that named it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Tls {
    /// Whose signature the server's certificate must have; without it the system's.
    pub(super) authority: Option<(String, PathBuf)>,
    /// What we show the server.
    pub(super) identity: Option<Identity>,
}

/// A certificate and its key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Identity {
    pub(super) certificate: (String, PathBuf),
    pub(super) key: (String, PathBuf),
}

/// Reads what is said of a signal that is on. `limit` is one more bound on the time of an export.
pub(super) fn read(vars: &mut Variables, signal: Signal, limit: Option<Set>) -> Target {
    let protocol = vars.of(signal, "PROTOCOL");
    let protocol = vars.word(
        protocol,
        &[("http/protobuf", Protocol::Http), ("grpc", Protocol::Grpc)],
    );
    let protocol = protocol.unwrap_or(Protocol::Http);
    let (named_by, endpoint) = endpoint(vars, signal, protocol);
    let timeout = vars.of(signal, "TIMEOUT");
    let timeout = vars.time(timeout, 1..=MAX_TIMEOUT);
    let limit = vars.time(limit, 1..=MAX_TIMEOUT);
    let timeout = timeout.unwrap_or(Duration::from_secs(10));
    let compression = vars.of(signal, "COMPRESSION");
    let gzip = vars.word(compression, &[("gzip", true), ("none", false)]);
    headers(vars, signal);
    Target {
        signal,
        protocol,
        shown: without_query(&endpoint),
        endpoint,
        named_by,
        timeout: limit.map_or(timeout, |limit| timeout.min(limit)),
        gzip: gzip.unwrap_or(false),
        tls: tls(vars, signal),
    }
}

/// The variable and the URL.
fn endpoint(vars: &mut Variables, signal: Signal, protocol: Protocol) -> (String, String) {
    let path = format!("/v1/{}", signal.lower());
    let Some(set) = vars.of(signal, "ENDPOINT") else {
        let default = match protocol {
            Protocol::Grpc => "http://localhost:4317".to_owned(),
            Protocol::Http => format!("http://localhost:4318{path}"),
        };
        return ("OTEL_EXPORTER_OTLP_ENDPOINT".to_owned(), default);
    };
    let is_own = set.name == own_name(signal, "ENDPOINT");
    let mut url = set.value.clone();
    if protocol == Protocol::Grpc && !url.contains("://") {
        let insecure = vars.of(signal, "INSECURE");
        let scheme = if vars.flag(insecure) { "http" } else { "https" };
        url = format!("{scheme}://{url}");
    }
    if protocol == Protocol::Http && !is_own {
        url = format!("{}{path}", url.trim_end_matches('/'));
    }
    if let Err(error) = check(&set, &url, protocol) {
        vars.reject(error);
    }
    (set.name, url)
}

fn check(set: &Set, url: &str, protocol: Protocol) -> Result<(), BadVariable> {
    let example = match protocol {
        Protocol::Grpc => "http://localhost:4317",
        Protocol::Http => "http://localhost:4318",
    };
    let valid = format!("valid is a URL such as {example} or https://…");
    // Before anything is parsed: of a URL that is none, or has a `#` in the password, nobody knows the user.
    if set.value.contains('@') {
        return Err(BadVariable {
            name: set.name.clone(),
            // There is a password in it.
            value: String::new(),
            valid: format!(
                "{valid} without a user; credentials go into OTEL_EXPORTER_OTLP_HEADERS, and an `@` elsewhere is `%40`"
            ),
        });
    }
    let set = Set {
        name: set.name.clone(),
        value: without_query(&set.value),
    };
    let uri: Uri = url.parse().map_err(|_| set.bad(&*valid))?;
    let has_host = uri.host().is_some_and(|host| !host.is_empty());
    if !has_host || !matches!(uri.scheme_str(), Some("http" | "https")) {
        return Err(set.bad(valid));
    }
    if protocol == Protocol::Grpc && !matches!(uri.path(), "" | "/") {
        return Err(set.bad(format!(
            "gRPC takes no path; {valid}, or the protocol `http/protobuf`"
        )));
    }
    Ok(())
}

/// A URL as far as messages may show it: some collectors take their keys in the query.
fn without_query(url: &str) -> String {
    match url.split_once(['?', '#']) {
        Some((shown, _)) => format!("{shown}?…"),
        None => url.to_owned(),
    }
}

/// The exporter reads headers by itself and passes over those that are none.
fn headers(vars: &mut Variables, signal: Signal) {
    let Some(set) = vars.of(signal, "HEADERS") else {
        return;
    };
    let entries = set.value.split(',').map(str::trim).enumerate();
    for (at, entry) in entries.filter(|(_, entry)| !entry.is_empty()) {
        let is_valid = pair(entry).is_some_and(|(name, value)| {
            name.parse::<HeaderName>().is_ok() && HeaderValue::from_str(&value).is_ok()
        });
        if !is_valid {
            vars.reject(BadVariable {
                name: set.name.clone(),
                // Headers are where passwords are.
                value: String::new(),
                valid: format!(
                    "entry {} is no header; valid is `name=value`, separated by commas and percent-encoded",
                    at + 1
                ),
            });
        }
    }
}

fn tls(vars: &mut Variables, signal: Signal) -> Tls {
    let file = |set: Set| (set.name, PathBuf::from(set.value));
    let certificate = vars.of(signal, "CLIENT_CERTIFICATE");
    let key = vars.of(signal, "CLIENT_KEY");
    let identity = match (certificate, key) {
        (Some(certificate), Some(key)) => Some(Identity {
            certificate: file(certificate),
            key: file(key),
        }),
        (None, None) => None,
        (Some(set), None) | (None, Some(set)) => {
            vars.reject(set.bad(
                "valid is OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE and OTEL_EXPORTER_OTLP_CLIENT_KEY together",
            ));
            None
        }
    };
    Tls {
        authority: vars.of(signal, "CERTIFICATE").map(file),
        identity,
    }
}

/// `name=value`, with a name, percent-decoded.
pub(super) fn pair(text: &str) -> Option<(String, String)> {
    let (name, value) = text.split_once('=')?;
    let decode = |text: &str| {
        let text = percent_decode_str(text.trim()).decode_utf8().ok()?;
        Some(text.into_owned())
    };
    let (name, value) = (decode(name)?, decode(value)?);
    (!name.is_empty()).then_some((name, value))
}
