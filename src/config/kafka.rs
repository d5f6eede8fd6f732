//! The `kafka:` map: what goes to librdkafka, what the design owns, and what is secret.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::Deref;
use std::path::Path;

use config::{Map, Value, ValueKind};

use super::error::{Issues, listed, suggestion};
use super::file::{FileReference, KafkaValue};
use super::layer::{Tree, read_text, shortened};
use super::owned::{self, Owned};
use super::properties::{self, Accepts};

/// What stands for a secret in everything that is printed.
pub const HIDDEN: &str = "(hidden)";

/// Where brokers are looked for when the configuration does not say.
pub(super) const DEFAULT_BOOTSTRAP: &str = "localhost:9092";

/// librdkafka properties by name, secrets resolved. Its `Debug` form hides them.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct KafkaProperties(BTreeMap<String, String>);

impl Deref for KafkaProperties {
    type Target = BTreeMap<String, String>;

    fn deref(&self) -> &Self::Target {
        &self.0
    }
}

impl From<BTreeMap<String, String>> for KafkaProperties {
    fn from(properties: BTreeMap<String, String>) -> Self {
        Self(properties)
    }
}

impl<'a> IntoIterator for &'a KafkaProperties {
    type Item = (&'a String, &'a String);
    type IntoIter = std::collections::btree_map::Iter<'a, String, String>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.iter()
    }
}

impl fmt::Debug for KafkaProperties {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = self
            .0
            .iter()
            .map(|(name, value)| (name, shown(name, value)));
        f.debug_map().entries(shown).finish()
    }
}

/// Whether the value of the property `name` must never be printed.
pub fn is_secret(name: &str) -> bool {
    let name = name.to_lowercase();
    ["password", "passphrase", "secret", "jaas", "token"]
        .iter()
        .any(|word| name.contains(word) && !name.ends_with(".url"))
        || [
            "key.pem",
            "private.key",
            "sasl.oauthbearer.config",
            "sasl.kerberos.kinit.cmd",
        ]
        .iter()
        .any(|end| name.ends_with(end))
}

/// The value as it may be printed: [`HIDDEN`] for a secret, and without the user in a URL.
pub(super) fn shown(name: &str, value: &str) -> String {
    if is_secret(name) {
        return HIDDEN.to_owned();
    }
    let user = value
        .split_once("://")
        .and_then(|(scheme, rest)| Some((scheme, rest.split_once('@')?.1)));
    match user {
        Some((scheme, host)) => format!("{scheme}://{HIDDEN}@{host}"),
        None => value.to_owned(),
    }
}

/// Turns maps within `kafka:` into dotted names, so that TOML's bare `bootstrap.servers = …` works. A map with
/// the one key `file` is a file reference, unless the dotted name with it is a property.
pub(super) fn flatten(top: &mut Map<String, Value>, issues: &mut Issues) {
    let Some(kafka) = top.get_mut("kafka") else {
        return;
    };
    if let ValueKind::Table(table) = &mut kafka.kind {
        let mut flat = Map::new();
        for (key, value) in std::mem::take(table) {
            flatten_into(&mut flat, key, value, issues);
        }
        *table = flat;
    }
}

fn flatten_into(flat: &mut Map<String, Value>, name: String, value: Value, issues: &mut Issues) {
    let origin = value.origin().unwrap_or_default().to_owned();
    match value.kind {
        ValueKind::Table(table) if !is_reference(&name, &table) => {
            if table.is_empty() {
                issues.error(origin, format!("kafka.{name}"), "is an empty map; valid is text, a number, `true` or `false`, or `{file: PATH}`");
            }
            for (key, inner) in table {
                flatten_into(flat, format!("{name}.{key}"), inner, issues);
            }
        }
        kind => {
            let mut whole = Value::new(Some(&origin), ValueKind::Nil);
            whole.kind = kind;
            if flat.insert(name.clone(), whole).is_some() {
                issues.error(
                    origin,
                    format!("kafka.{name}"),
                    "is given twice, as a dotted name and as maps",
                );
            }
        }
    }
}

fn is_reference(name: &str, table: &Map<String, Value>) -> bool {
    table.contains_key("file")
        && table.len() == 1
        && properties::find(&format!("{name}.file")).is_none()
}

/// Checks every property and reads those that are in files.
pub(super) fn check(
    section: &BTreeMap<String, KafkaValue>,
    tree: &Tree,
    issues: &mut Issues,
) -> KafkaProperties {
    let mut checked: BTreeMap<String, String> = BTreeMap::new();
    for (name, value) in section {
        let origin = tree.origin(&["kafka", name]);
        let path = format!("kafka.{name}");
        if let Some(Owned { reason, .. }) = owned::find(name) {
            issues.error(origin, path, format!("is not yours to set: {reason}"));
            continue;
        }
        let text = match value {
            KafkaValue::Text(text) => Ok(text.clone()),
            KafkaValue::Bool(yes) => Ok(yes.to_string()),
            KafkaValue::Integer(number) => Ok(number.to_string()),
            KafkaValue::Number(number) => Ok(number.to_string()),
            KafkaValue::File(reference) => read_reference(reference, &tree.folder(&origin)),
        };
        let text = match text {
            Ok(text) => text,
            Err(problem) => {
                issues.error(origin, path, problem);
                continue;
            }
        };
        if let Some(problem) = refused(name, &text) {
            issues.error(origin, path, problem);
            continue;
        }
        let canonical = owned::canonical(name);
        if canonical != name && section.contains_key(canonical) {
            issues.error(
                origin,
                path,
                format!(
                    "is another name of `{canonical}`, which is also set; valid is one of the two"
                ),
            );
            continue;
        }
        checked.insert(canonical.to_owned(), text);
    }
    checked
        .entry("bootstrap.servers".to_owned())
        .or_insert_with(|| DEFAULT_BOOTSTRAP.to_owned());
    check_together(&checked, tree, issues);
    KafkaProperties(checked)
}

fn read_reference(reference: &FileReference, folder: &Path) -> Result<String, String> {
    let path = folder.join(&reference.file);
    let text = read_text(&path)?;
    let text = text.strip_suffix('\n').unwrap_or(&text);
    let text = text.strip_suffix('\r').unwrap_or(text);
    if text.is_empty() {
        return Err(format!("file {} is empty", path.display()));
    }
    Ok(text.to_owned())
}

/// Why librdkafka would not take this value, if so.
fn refused(name: &str, text: &str) -> Option<String> {
    let Some(property) = properties::find(name) else {
        if let Some((base, _)) = name.rsplit_once('.')
            && properties::find(base).is_some()
        {
            return Some(format!(
                "is no property of librdkafka; the value of `{base}` is text, a number, `true` or `false`, or `{{file: PATH}}`"
            ));
        }
        let hint = owned::java_hint(name).map_or_else(
            || suggestion(name, properties::names()),
            |hint| format!("; {hint}"),
        );
        return Some(format!(
            "is no property of librdkafka{hint}; valid is any in its CONFIGURATION.md"
        ));
    };
    let value = shortened(&shown(name, text));
    if text.contains('\0') {
        return Some("holds a zero byte, which librdkafka cannot take".to_owned());
    }
    match property.accepts {
        Accepts::Text if text.is_empty() => {
            Some("is empty; valid is text, or leave the key out".to_owned())
        }
        Accepts::Text => None,
        Accepts::Bool if matches!(text, "true" | "false") => None,
        Accepts::Bool => Some(format!("is `{value}`; valid is `true` or `false`")),
        Accepts::Int(low, high) => {
            let fits = text.parse::<i64>().is_ok_and(|n| (low..=high).contains(&n));
            (!fits).then(|| format!("is `{value}`; valid is a whole number from {low} to {high}"))
        }
        Accepts::Float(low, high) => {
            let fits = text
                .parse::<f64>()
                .is_ok_and(|n| n >= low as f64 && n <= high as f64);
            (!fits).then(|| format!("is `{value}`; valid is a number from {low} to {high}"))
        }
        // librdkafka compares without case.
        Accepts::OneOf(words) if words.iter().any(|w| w.eq_ignore_ascii_case(text)) => None,
        Accepts::OneOf(words) => Some(format!(
            "is `{value}`{}; valid is one of {}",
            suggestion(text, words.iter().copied()),
            listed(words.iter().copied())
        )),
        Accepts::Api => Some(
            "cannot be set as text: it is a function or object of librdkafka's own interface"
                .to_owned(),
        ),
    }
}

/// Properties that depend on each other.
fn check_together(all: &BTreeMap<String, String>, tree: &Tree, issues: &mut Issues) {
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
    let above = |name: &str, limit: u64| {
        get(name)
            .and_then(|n| n.parse::<u64>().ok())
            .is_some_and(|n| n > limit)
    };
    if above("fetch.queue.backoff.ms", 100) {
        issues.warn(
            "kafka.fetch.queue.backoff.ms",
            "above 100 a consumer that is slower than its fetcher stalls; 1 is the default here",
        );
    }
    if above("topic.metadata.refresh.interval.ms", 10_000)
        || get("topic.metadata.refresh.interval.ms") == Some("-1")
    {
        issues.warn(
            "kafka.topic.metadata.refresh.interval.ms",
            "new partitions of the input are seen only after this long; 2000 is the default here",
        );
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
