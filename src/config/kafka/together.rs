//! Properties that depend on each other: groups, producers, security.

use std::collections::BTreeMap;

use crate::config::error::{Issues, listed, suggestion};
use crate::config::layer::{Tree, shortened};

/// Properties that depend on each other.
pub(super) fn check(all: &BTreeMap<String, String>, tree: &Tree, issues: &mut Issues) {
    let get = |name: &str| all.get(name).map(String::as_str);
    let error = |issues: &mut Issues, name: &str, problem: String| {
        issues.error(
            tree.origin(&["kafka", name]),
            format!("kafka.{name}"),
            problem,
        );
    };
    for address in get("bootstrap.servers").unwrap_or_default().split(',') {
        if let Some(problem) = bad_broker(address.trim()) {
            error(issues, "bootstrap.servers", problem);
        }
    }
    if let Some(mechanism) = get("sasl.mechanism") {
        let valid = ["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512", "OAUTHBEARER"];
        if !valid.contains(&mechanism) {
            error(
                issues,
                "sasl.mechanism",
                format!(
                    "is `{}`{}; valid in this build is one of {}",
                    shortened(mechanism),
                    suggestion(mechanism, valid),
                    listed(valid)
                ),
            );
        }
    }
    check_group(all, issues, error);
    check_tokens(all, issues, error);
    let in_flight = get("max.in.flight").and_then(|n| n.parse::<u32>().ok());
    if in_flight.is_some_and(|n| n > 5) {
        error(issues, "max.in.flight", "is above 5, the most that keeps a transactional producer's records in order; valid is 1 to 5".to_owned());
    }
    if get("retries") == Some("0") {
        error(
            issues,
            "retries",
            "is 0, but a transactional producer must retry; valid is 1 or more".to_owned(),
        );
    }
    warn_security(all, issues);
}

/// Tokens are ours to fetch: by client credentials, and nothing else that librdkafka has for it.
fn check_tokens(
    all: &BTreeMap<String, String>,
    issues: &mut Issues,
    error: impl Fn(&mut Issues, &str, String),
) {
    let get = |name: &str| all.get(name).map(String::as_str);
    if get("sasl.mechanism") != Some("OAUTHBEARER") {
        return;
    }
    let method = "sasl.oauthbearer.method";
    if !get(method).is_some_and(|m| m.eq_ignore_ascii_case("oidc")) {
        if get("enable.sasl.oauthbearer.unsecure.jwt") != Some("true") {
            let problem = "is not `oidc`, and OAUTHBEARER needs tokens; valid is `oidc`, or `enable.sasl.oauthbearer.unsecure.jwt: true` for a test";
            error(issues, method, problem.to_owned());
        }
        return;
    }
    for name in ["token.endpoint.url", "client.id", "client.secret"] {
        let name = format!("sasl.oauthbearer.{name}");
        if get(&name).is_none() {
            let problem = format!("is not set, but `{method}: oidc` asks there for tokens");
            error(issues, &name, problem);
        }
    }
    let endpoint = get("sasl.oauthbearer.token.endpoint.url").unwrap_or("https://");
    if !endpoint.starts_with("https://") && !endpoint.starts_with("http://") {
        let problem = "is no URL; valid is one such as `https://issuer.example/token`";
        error(
            issues,
            "sasl.oauthbearer.token.endpoint.url",
            problem.to_owned(),
        );
    }
    if endpoint.starts_with("http://") {
        issues.warn(
            "kafka.sasl.oauthbearer.token.endpoint.url",
            "sends the client's secret in the clear; https does not",
        );
    }
    let other_ways = |name: &&String| {
        let name = name.strip_prefix("sasl.oauthbearer.").unwrap_or_default();
        name.starts_with("assertion.") || matches!(name, "extensions" | "config")
    };
    for name in all.keys().filter(other_ways) {
        let problem = "is not in this build; valid is to leave it out: tokens are fetched by client id and secret";
        error(issues, name, problem.to_owned());
    }
    for (name, only) in [
        ("sasl.oauthbearer.grant.type", "client_credentials"),
        ("sasl.oauthbearer.metadata.authentication.type", "none"),
    ] {
        if let Some(value) = get(name).filter(|value| *value != only) {
            let problem = format!("is `{value}`; valid in this build is `{only}`");
            error(issues, name, problem);
        }
    }
}

/// The group protocol decides which timeouts are the client's.
fn check_group(
    all: &BTreeMap<String, String>,
    issues: &mut Issues,
    error: impl Fn(&mut Issues, &str, String),
) {
    let get = |name: &str| all.get(name).map(String::as_str);
    let consumer = get("group.protocol").is_some_and(|p| p.eq_ignore_ascii_case("consumer"));
    let number =
        |name: &str, default: u64| get(name).and_then(|n| n.parse().ok()).unwrap_or(default);
    if consumer {
        for name in ["session.timeout.ms", "heartbeat.interval.ms"] {
            if get(name).is_some() {
                error(
                    issues,
                    name,
                    format!(
                        "is the broker's to decide under `group.protocol: consumer` (KIP-848): set `group.consumer.{name}` there, or use `group.protocol: classic`"
                    ),
                );
            }
        }
        return;
    }
    if get("group.remote.assignor").is_some() {
        error(
            issues,
            "group.remote.assignor",
            "has a meaning only under `group.protocol: consumer` (KIP-848)".to_owned(),
        );
    }
    let session = number("session.timeout.ms", 10_000);
    let heartbeat = number("heartbeat.interval.ms", 2_000);
    if heartbeat >= session {
        error(
            issues,
            "heartbeat.interval.ms",
            format!(
                "is {heartbeat}, not below `session.timeout.ms` ({session}); valid is a third of that or less"
            ),
        );
    } else if heartbeat.saturating_mul(3) > session {
        issues.warn("kafka.heartbeat.interval.ms", format!("is above a third of session.timeout.ms ({session}): one lost heartbeat can cost the assignment"));
    }
    if session > 15_000 {
        issues.warn(
            "kafka.session.timeout.ms",
            format!(
                "a killed instance is replaced only after {session} ms; 10000 is the default here"
            ),
        );
    }
}

fn bad_broker(address: &str) -> Option<String> {
    let example = "valid is a list such as `kafka-1:9092,kafka-2:9092`";
    let rest = address.rsplit_once("://").map_or(address, |(_, rest)| rest);
    let (host, port) = match rest.rsplit_once(':') {
        // An IPv6 address without a port, `[::1]`, ends in its bracket.
        Some((host, port)) if !port.ends_with(']') => (host, Some(port)),
        _ => (rest, None),
    };
    if host.is_empty() {
        return Some(format!("has an empty broker address; {example}"));
    }
    if rest.contains(char::is_whitespace)
        || port.is_some_and(|p| p.parse::<u16>().map_or(true, |p| p == 0))
    {
        return Some(format!(
            "has the broker address `{}`; {example}",
            shortened(address)
        ));
    }
    None
}

fn warn_security(all: &BTreeMap<String, String>, issues: &mut Issues) {
    let get = |name: &str| all.get(name).map(String::as_str);
    let protocol = get("security.protocol")
        .unwrap_or("plaintext")
        .to_lowercase();
    let first = |prefix: &str| all.keys().find(|k| k.starts_with(prefix));
    if !protocol.starts_with("sasl")
        && let Some(name) = first("sasl.")
    {
        issues.warn(
            format!("kafka.{name}"),
            format!("has no effect with security.protocol {protocol}; sasl_ssl uses it"),
        );
    }
    if !protocol.ends_with("ssl")
        && let Some(name) = first("ssl.")
    {
        issues.warn(
            format!("kafka.{name}"),
            format!("has no effect with security.protocol {protocol}; ssl and sasl_ssl use it"),
        );
    }
    if protocol == "sasl_plaintext" && get("sasl.mechanism").is_some_and(|m| m == "PLAIN") {
        issues.warn(
            "kafka.security.protocol",
            "sends the password in the clear; sasl_ssl does not",
        );
    }
    if protocol.starts_with("sasl") && get("sasl.mechanism").is_none() {
        issues.warn(
            "kafka.sasl.mechanism",
            "is not set, and librdkafka's default, GSSAPI, is not in this build",
        );
    }
    for (name, off) in [
        ("enable.ssl.certificate.verification", "false"),
        ("ssl.endpoint.identification.algorithm", "none"),
    ] {
        if get(name).is_some_and(|v| v.eq_ignore_ascii_case(off)) {
            issues.warn(
                format!("kafka.{name}"),
                format!("{off} accepts any server that claims to be the broker"),
            );
        }
    }
}
