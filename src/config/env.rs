//! `HOTPREFIX__INPUT__TOPICS=a,b` and `--set input.topics=a,b`: single keys on top of the files.
//!
//! A variable's name is the path of the key with `__` between the parts. Below `kafka`, `_` stands for
//! the `.` of librdkafka's names, and `…_FILE` names a file that holds the value. The schema says
//! what the text is read as: a list is separated by commas, or written as YAML, like a map.

use std::collections::BTreeMap;

use config::{Map, Value, ValueKind};
use serde_json::Value as Json;

use super::error::{Issues, closest, listed, suggestion};
use super::kafka::property_names;
use super::layer::{Layer, insert, parse_yaml};
use super::shape::Shape;

/// What the name of every variable that sets a key begins with.
pub const PREFIX: &str = "HOTPREFIX__";

/// Reads the variables that begin with [`PREFIX`]; others are none of ours.
pub(super) fn from_environment(
    vars: impl IntoIterator<Item = (String, String)>,
    shape: &Shape<'_>,
    issues: &mut Issues,
) -> Layer {
    let vars: BTreeMap<String, String> = vars.into_iter().collect();
    let mut layer = Layer::default();
    let mut said_by: BTreeMap<Vec<String>, String> = BTreeMap::new();
    for (name, text) in &vars {
        let Some(rest) = name.strip_prefix(PREFIX) else {
            warn_near_miss(name, shape, issues);
            continue;
        };
        if text.is_empty() {
            issues.warn(name, "is empty, which counts as not set");
            continue;
        }
        let parts: Vec<String> = rest.split("__").map(str::to_lowercase).collect();
        let target = match locate(&parts, shape, true) {
            Ok(target) => target,
            Err(problem) => {
                issues.error(name, "", problem);
                continue;
            }
        };
        if let Some(other) = said_by.insert(target.key().to_vec(), name.clone()) {
            issues.error(
                name,
                target.key().join("."),
                format!("is also set by {other}; valid is one of the two"),
            );
        }
        target.set(&mut layer, text, name, shape, issues);
    }
    layer
}

/// Reads `--set KEY=VALUE` options: `key` is the path with dots.
pub(super) fn from_overrides(
    overrides: impl IntoIterator<Item = (String, String)>,
    shape: &Shape<'_>,
    issues: &mut Issues,
) -> Layer {
    let mut layer = Layer::default();
    for (key, text) in overrides {
        let origin = format!("--set {key}");
        let parts: Vec<String> = match key.strip_prefix("kafka.") {
            Some(name) => vec!["kafka".to_owned(), name.to_owned()],
            None => key.split('.').map(str::to_owned).collect(),
        };
        match locate(&parts, shape, false) {
            Ok(target) => target.set(&mut layer, &text, &origin, shape, issues),
            Err(problem) => issues.error(origin, "", problem),
        }
    }
    layer
}

/// Where a text goes.
enum Target<'a> {
    /// A key of the schema.
    Key(Vec<String>, &'a Json),
    /// A property of librdkafka.
    Kafka(Vec<String>),
    /// The file with the value of one.
    KafkaFile(Vec<String>),
}

impl Target<'_> {
    fn key(&self) -> &[String] {
        match self {
            Self::Key(path, _) | Self::Kafka(path) | Self::KafkaFile(path) => path,
        }
    }

    fn set(
        &self,
        layer: &mut Layer,
        text: &str,
        origin: &str,
        shape: &Shape<'_>,
        issues: &mut Issues,
    ) {
        let origin = origin.to_owned();
        let as_text = || Value::new(Some(&origin), ValueKind::String(text.to_owned()));
        let value = match self {
            Self::Kafka(_) => as_text(),
            Self::KafkaFile(_) => {
                let file = Map::from_iter([("file".to_owned(), as_text())]);
                Value::new(Some(&origin), ValueKind::Table(file))
            }
            Self::Key(path, schema) => match read(text, &shape.types(schema), &origin) {
                Ok(value) => value,
                Err(problem) => return issues.error(&origin, path.join("."), problem),
            },
        };
        insert(&mut layer.0, self.key(), value);
    }
}

fn locate<'a>(parts: &[String], shape: &Shape<'a>, variable: bool) -> Result<Target<'a>, String> {
    if let [first, name] = parts
        && first == "kafka"
    {
        return Ok(locate_property(name, variable));
    }
    let mut schema = shape.root();
    for (depth, part) in parts.iter().enumerate() {
        let valid = shape.keys(schema);
        let Some(inner) = shape.property(schema, part) else {
            let above = parts[..depth].join(".");
            return Err(if valid.is_empty() {
                format!(
                    "names a part of `{above}`, which is set as a whole: give it as YAML, or in a file"
                )
            } else {
                let place = if above.is_empty() {
                    String::new()
                } else {
                    format!(" in `{above}`")
                };
                format!(
                    "unknown key `{part}`{place}{}; valid is {}",
                    suggestion(part, valid.iter().copied()),
                    listed(valid)
                )
            });
        };
        schema = inner;
    }
    if parts.len() == 1 && parts[0] == "kafka" {
        return Err("names no property; valid is such as HOTPREFIX__KAFKA__BOOTSTRAP_SERVERS or kafka.bootstrap.servers".to_owned());
    }
    Ok(Target::Key(parts.to_vec(), schema))
}

/// `sasl_password` → `sasl.password`, `sasl_password_file` → the file for it. A name that is itself a
/// property, such as `sasl.oauthbearer.assertion.private.key.file`, is that property.
fn locate_property<'a>(name: &str, variable: bool) -> Target<'a> {
    let path = |name: String| vec!["kafka".to_owned(), name];
    let dotted = name.replace('_', ".");
    let known = |dotted: &str| property_names().find(|p| p.replace('_', ".") == dotted);
    if let Some(property) = known(&dotted) {
        return Target::Kafka(path(property.to_owned()));
    }
    if let Some(base) = dotted.strip_suffix(".file") {
        let property = known(base).unwrap_or(base).to_owned();
        return Target::KafkaFile(path(property));
    }
    Target::Kafka(path(if variable { dotted } else { name.to_owned() }))
}

/// Reads `text` as one of the JSON types. A text that is none of them stays text: the shape check
/// then says what would be valid.
fn read(text: &str, types: &[&str], origin: &str) -> Result<Value, String> {
    let origin_owned = origin.to_owned();
    let value = |kind: ValueKind| Value::new(Some(&origin_owned), kind);
    let is_yaml = text.trim_start().starts_with(['[', '{']);
    if types.contains(&"string") && !(is_yaml && types.contains(&"object")) {
        return Ok(value(ValueKind::String(text.to_owned())));
    }
    if types.contains(&"integer")
        && let Ok(number) = text.trim().parse::<i64>()
    {
        return Ok(value(ValueKind::I64(number)));
    }
    if types.contains(&"boolean")
        && let Ok(yes) = text.trim().parse::<bool>()
    {
        return Ok(value(ValueKind::Boolean(yes)));
    }
    if types.contains(&"object") || (types.contains(&"array") && is_yaml) {
        return parse_yaml(text, origin);
    }
    if types.contains(&"array") {
        let items = text
            .split(',')
            .map(str::trim)
            .filter(|item| !item.is_empty());
        let items = items.map(|item| value(ValueKind::String(item.to_owned())));
        return Ok(value(ValueKind::Array(items.collect())));
    }
    Ok(value(ValueKind::String(text.to_owned())))
}

/// `HOTPREFIX_HTTP_LISTEN` has no effect; say so when it would be a key with `__`.
fn warn_near_miss(name: &str, shape: &Shape<'_>, issues: &mut Issues) {
    let Some(rest) = name.strip_prefix("HOTPREFIX_") else {
        return;
    };
    let rest = rest.to_lowercase();
    let mut candidates: Vec<String> = Vec::new();
    for section in shape.keys(shape.root()) {
        candidates.push(section.to_owned());
        for key in shape
            .property(shape.root(), section)
            .map(|s| shape.keys(s))
            .into_iter()
            .flatten()
        {
            candidates.push(format!("{section}__{key}"));
        }
    }
    candidates.extend(property_names().map(|p| format!("kafka__{}", p.replace('.', "_"))));
    candidates.retain(|c| c.replace("__", "_") == rest.replace("__", "_"));
    if let Some(meant) = closest(&rest, candidates.iter().map(String::as_str)) {
        issues.warn(
            name,
            format!(
                "has no effect (did you mean `{PREFIX}{}`?)",
                meant.to_uppercase()
            ),
        );
    }
}
