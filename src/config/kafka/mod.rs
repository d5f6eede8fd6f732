//! The `kafka:` map: what goes to librdkafka, what the design owns, and what is secret.

mod owned;
mod properties;
mod together;

use std::collections::BTreeMap;
use std::fmt;
use std::ops::Deref;
use std::path::Path;

use config::{Map, Value, ValueKind};

use self::owned::Owned;
use self::properties::Accepts;
use super::error::{Issues, listed, suggestion};
use super::file::{FileReference, KafkaValue};
use super::layer::{Tree, read_text, shortened};

pub use properties::{AppliesTo, applies_to, names as property_names};

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
    let words = ["password", "passphrase", "secret", "jaas"];
    let ends = [
        "key.pem",
        "private.key",
        ".token",
        "sasl.oauthbearer.config",
        "sasl.kerberos.kinit.cmd",
    ];
    words.iter().any(|word| name.contains(word)) || ends.iter().any(|end| name.ends_with(end))
}

/// The value as it may be printed: [`HIDDEN`] for a secret, and without the user in a URL.
pub fn shown(name: &str, value: &str) -> String {
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
            flatten_into(&mut flat, &key, value, issues);
        }
        *table = flat;
    }
}

fn flatten_into(flat: &mut Map<String, Value>, name: &str, value: Value, issues: &mut Issues) {
    let origin = value.origin().unwrap_or_default().to_owned();
    match value.kind {
        ValueKind::Table(table) if !is_reference(name, &table) => {
            if table.is_empty() {
                issues.error(origin, format!("kafka.{name}"), "is an empty map; valid is text, a number, `true` or `false`, or `{file: PATH}`");
            }
            for (key, inner) in table {
                flatten_into(flat, &format!("{name}.{key}"), inner, issues);
            }
        }
        kind => {
            let mut whole = Value::new(Some(&origin), ValueKind::Nil);
            whole.kind = kind;
            if flat.insert(name.to_owned(), whole).is_some() {
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
            // `0x1F` and `1.50` would arrive as 31 and 1.5.
            KafkaValue::Bool(_) | KafkaValue::Integer(_) | KafkaValue::Number(_)
                if is_secret(name) =>
            {
                Err("is a number, `true` or `false`; valid is text in quotes, which is taken as it is".to_owned())
            }
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
    together::check(&checked, tree, issues);
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
