//! Compares what was written with the schema: every unknown key, wrong type and unknown word at once,
//! where serde would stop at the first.

use config::{Map, Value, ValueKind};
use serde_json::Value as Json;

use super::error::{Issues, listed, suggestion};
use super::layer::{describe, shortened};

/// A JSON Schema that was made from our serde structs.
pub(super) struct Shape<'a> {
    root: &'a Json,
}

/// What is found at one place; a message without origin and path yet.
type Found = Vec<(String, String, String)>;

impl<'a> Shape<'a> {
    /// The whole schema, with its `$defs`.
    pub(super) const fn new(root: &'a Json) -> Self {
        Self { root }
    }

    /// The schema itself, for [`Self::property`].
    pub(super) const fn root(&self) -> &'a Json {
        self.root
    }

    /// Reports everything in `value` that `schema` has no place for. `path` is where `value` is, and
    /// `origin` who is to blame when the value itself does not say.
    pub(super) fn check(
        &self,
        value: &Value,
        schema: &'a Json,
        path: &str,
        origin: &str,
        issues: &mut Issues,
    ) {
        let mut found = Found::new();
        self.walk(value, schema, path, origin, &mut found);
        for (origin, path, problem) in found {
            issues.error(origin, path, problem);
        }
    }

    /// Follows references.
    pub(super) fn resolve(&self, mut schema: &'a Json) -> &'a Json {
        // Our schemas have no chain of references longer than this.
        for _ in 0..8 {
            let Some(pointer) = schema.get("$ref").and_then(Json::as_str) else {
                break;
            };
            let Some(target) = self.root.pointer(pointer.trim_start_matches('#')) else {
                break;
            };
            schema = target;
        }
        // `Option<T>` is either T or null; what is set is T.
        let options = branches(schema);
        let mut set = options.iter().filter(|s| !is_null(s));
        match (set.next(), set.next()) {
            (Some(only), None) if options.len() > 1 => self.resolve(only),
            _ => schema,
        }
    }

    /// The schema of the key `name` in the object `schema`.
    pub(super) fn property(&self, schema: &'a Json, name: &str) -> Option<&'a Json> {
        self.resolve(schema).get("properties")?.get(name)
    }

    /// The named keys of the object `schema`.
    pub(super) fn keys(&self, schema: &'a Json) -> Vec<&'a str> {
        self.resolve(schema)
            .get("properties")
            .and_then(Json::as_object)
            .map(|p| p.keys().map(String::as_str).collect())
            .unwrap_or_default()
    }

    /// The JSON types that `schema` admits.
    pub(super) fn types(&self, schema: &'a Json) -> Vec<&'a str> {
        let schema = self.resolve(schema);
        let mut types: Vec<&str> = match schema.get("type") {
            Some(Json::String(one)) => vec![one],
            Some(Json::Array(many)) => many.iter().filter_map(Json::as_str).collect(),
            _ if schema.get("const").is_some_and(Json::is_string) => vec!["string"],
            _ => Vec::new(),
        };
        for branch in branches(schema) {
            types.extend(self.types(branch));
        }
        types
    }

    fn walk(&self, value: &Value, schema: &'a Json, path: &str, origin: &str, found: &mut Found) {
        let schema = self.resolve(schema);
        let origin = value.origin().unwrap_or(origin);
        if matches!(value.kind, ValueKind::Nil) {
            if path.ends_with(']') {
                self.mismatch(value, schema, path, origin, found);
            }
            return;
        }
        let words = words(schema);
        if !words.is_empty() && self.types(schema).iter().all(|t| *t == "string") {
            return unknown_word(value, &words, path, origin, found);
        }
        let options = branches(schema);
        if !options.is_empty() {
            return self.walk_options(value, schema, options, path, origin, found);
        }
        if !self.types(schema).iter().any(|t| admits(t, &value.kind)) {
            return self.mismatch(value, schema, path, origin, found);
        }
        match &value.kind {
            ValueKind::Table(table) => self.walk_table(table, schema, path, origin, found),
            ValueKind::Array(items) => {
                for (i, item) in items.iter().enumerate() {
                    if let Some(each) = schema.get("items") {
                        self.walk(item, each, &format!("{path}[{i}]"), origin, found);
                    }
                }
            }
            ValueKind::I64(_) | ValueKind::U64(_) => {
                check_bounds(value, schema, path, origin, found);
            }
            _ => {}
        }
    }

    /// The first branch that fits; else the complaints of the one whose type fits; else the types.
    fn walk_options(
        &self,
        value: &Value,
        schema: &'a Json,
        options: &'a [Json],
        path: &str,
        origin: &str,
        found: &mut Found,
    ) {
        let mut best: Option<Found> = None;
        for option in options {
            let mut here = Found::new();
            self.walk(value, option, path, origin, &mut here);
            if here.is_empty() {
                return;
            }
            let fits = self.types(option).iter().any(|t| admits(t, &value.kind));
            if fits && best.as_ref().is_none_or(|b| here.len() < b.len()) {
                best = Some(here);
            }
        }
        match best {
            Some(complaints) => found.extend(complaints),
            None => self.mismatch(value, schema, path, origin, found),
        }
    }

    fn walk_table(
        &self,
        table: &Map<String, Value>,
        schema: &'a Json,
        path: &str,
        origin: &str,
        found: &mut Found,
    ) {
        let rest = schema
            .get("additionalProperties")
            .filter(|s| s.is_object() || s.as_bool() == Some(true));
        for (key, value) in table {
            let below = join(path, key);
            match (self.property(schema, key), rest) {
                (Some(inner), _) | (None, Some(inner)) => {
                    self.walk(value, inner, &below, origin, found);
                }
                (None, None) => {
                    let valid = self.keys(schema);
                    found.push((
                        value.origin().unwrap_or(origin).to_owned(),
                        below,
                        format!(
                            "unknown key{}; valid is {}",
                            suggestion(key, valid.iter().copied()),
                            listed(valid)
                        ),
                    ));
                }
            }
        }
        let required = schema.get("required").and_then(Json::as_array);
        for key in required.into_iter().flatten().filter_map(Json::as_str) {
            if table
                .get(key)
                .is_none_or(|v| matches!(v.kind, ValueKind::Nil))
            {
                let wanted = self
                    .property(schema, key)
                    .map_or_else(String::new, |s| self.wanted(s));
                found.push((
                    origin.to_owned(),
                    join(path, key),
                    format!("is missing; valid is {wanted}"),
                ));
            }
        }
    }

    fn mismatch(
        &self,
        value: &Value,
        schema: &'a Json,
        path: &str,
        origin: &str,
        found: &mut Found,
    ) {
        found.push((
            origin.to_owned(),
            path.to_owned(),
            format!("is {}; valid is {}", said(value, path), self.wanted(schema)),
        ));
    }

    /// What `schema` admits, in words.
    fn wanted(&self, schema: &'a Json) -> String {
        let schema = self.resolve(schema);
        if let Some(title) = schema.get("title").and_then(Json::as_str) {
            return title.to_owned();
        }
        let words = words(schema);
        if !words.is_empty() {
            return format!("one of {}", listed(words));
        }
        let mut wanted: Vec<String> = branches(schema)
            .iter()
            .filter(|s| !is_null(s))
            .map(|s| self.wanted(s))
            .collect();
        let own = schema.get("type");
        let own = match own {
            Some(Json::Array(many)) => many.iter().filter_map(Json::as_str).collect(),
            Some(Json::String(one)) => vec![one.as_str()],
            _ => Vec::new(),
        };
        wanted.extend(own.iter().filter(|t| **t != "null").map(|t| match *t {
            "string" => "text".to_owned(),
            "integer" => "a whole number".to_owned(),
            "number" => "a number".to_owned(),
            "boolean" => "`true` or `false`".to_owned(),
            "array" => {
                let items = schema
                    .get("items")
                    .map_or_else(String::new, |s| self.wanted(s));
                format!("a list, each item {items}")
            }
            _ => {
                let keys = self.keys(schema);
                if keys.is_empty() {
                    "a map".to_owned()
                } else {
                    format!("a map with the keys {}", listed(keys))
                }
            }
        }));
        wanted.dedup();
        wanted.join(", or ")
    }
}

fn branches(schema: &Json) -> &[Json] {
    schema
        .get("oneOf")
        .or_else(|| schema.get("anyOf"))
        .and_then(Json::as_array)
        .map_or(&[], Vec::as_slice)
}

fn is_null(schema: &Json) -> bool {
    schema.get("type").and_then(Json::as_str) == Some("null")
}

/// The words of an enumeration; empty if `schema` is none.
fn words(schema: &Json) -> Vec<&str> {
    let one = schema.get("const").and_then(Json::as_str);
    let listed = schema
        .get("enum")
        .and_then(Json::as_array)
        .map_or(&[] as &[Json], Vec::as_slice);
    let mut words: Vec<&str> = one
        .into_iter()
        .chain(listed.iter().filter_map(Json::as_str))
        .collect();
    for branch in branches(schema) {
        words.extend(self::words(branch));
    }
    words
}

/// The value in words. What stands where the properties of librdkafka belong may be a password.
fn said(value: &Value, path: &str) -> String {
    match &value.kind {
        ValueKind::String(_) if path == "kafka" => "text".to_owned(),
        _ => describe(value),
    }
}

fn unknown_word(value: &Value, words: &[&str], path: &str, origin: &str, found: &mut Found) {
    let (said, hint) = match &value.kind {
        ValueKind::String(text) if words.contains(&text.as_str()) => return,
        ValueKind::String(text) => (
            format!("`{}`", shortened(text)),
            suggestion(text, words.iter().copied()),
        ),
        _ => (describe(value), String::new()),
    };
    found.push((
        origin.to_owned(),
        path.to_owned(),
        format!(
            "is {said}{hint}; valid is one of {}",
            listed(words.iter().copied())
        ),
    ));
}

fn admits(name: &str, kind: &ValueKind) -> bool {
    match kind {
        ValueKind::Nil => name == "null",
        ValueKind::Boolean(_) => name == "boolean",
        ValueKind::I64(_) | ValueKind::U64(_) | ValueKind::I128(_) | ValueKind::U128(_) => {
            name == "integer" || name == "number"
        }
        ValueKind::Float(_) => name == "number",
        ValueKind::String(_) => name == "string",
        ValueKind::Table(_) => name == "object",
        ValueKind::Array(_) => name == "array",
    }
}

fn check_bounds(value: &Value, schema: &Json, path: &str, origin: &str, found: &mut Found) {
    let number = match value.kind {
        ValueKind::I64(i) => i128::from(i),
        ValueKind::U64(u) => i128::from(u),
        _ => return,
    };
    let bound = |name| schema.get(name).and_then(Json::as_f64).map(|f| f as i128);
    let low = bound("minimum");
    let high = bound("maximum").or(match schema.get("format").and_then(Json::as_str) {
        Some("uint8") => Some(i128::from(u8::MAX)),
        Some("uint16") => Some(i128::from(u16::MAX)),
        Some("uint32") => Some(i128::from(u32::MAX)),
        _ => None,
    });
    if low.is_none_or(|l| number >= l) && high.is_none_or(|h| number <= h) {
        return;
    }
    let valid = match (low, high) {
        (Some(l), Some(h)) => format!("{l} to {h}"),
        (Some(l), None) => format!("{l} or more"),
        (None, Some(h)) => format!("{h} or less"),
        (None, None) => return,
    };
    found.push((
        origin.to_owned(),
        path.to_owned(),
        format!("is {number}; valid is {valid}"),
    ));
}

/// The path of `key` in the map at `path`. A key with unusual characters is put into brackets.
pub(super) fn join(path: &str, key: &str) -> String {
    let plain = !key.is_empty()
        && key
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.'));
    match (
        path.is_empty(),
        plain && !key.starts_with(|c: char| c.is_ascii_digit()),
    ) {
        (true, true) => key.to_owned(),
        (false, true) => format!("{path}.{key}"),
        (_, false) => format!("{path}[\"{}\"]", shortened(key)),
    }
}
