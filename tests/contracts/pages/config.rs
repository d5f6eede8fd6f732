//! `docs/configuration.md`: every key of the schema, and the properties that librdkafka is not given.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use hotprefix::config::{self, property_names};
use hotprefix::schema;
use serde_json::Value;

use super::compare_part;

// One test for both parts of the page: two would write it at once.
#[test]
fn configuration_page_has_every_key_and_every_property_that_is_refused() {
    let root = schema::config();
    let mut keys = String::new();
    table(&mut keys, &mut Vec::new(), &root, "Top level", "", &root);
    compare_part("configuration.md", "keys", &keys);
    compare_part("configuration.md", "refused", &refused());
}

fn refused() -> String {
    let mut by_reason: BTreeMap<String, Vec<&str>> = BTreeMap::new();
    for name in property_names() {
        let setting = (format!("kafka.{name}"), "1".to_owned());
        let rule = (
            "rules".to_owned(),
            "[{name: a, thresholds: {bytes: 1}}]".to_owned(),
        );
        let Err(errors) = config::load(&[], [], [rule, setting]) else {
            continue;
        };
        let said = errors.to_string();
        if let Some((_, reason)) = said.split_once(" is not yours to set: ") {
            let names = by_reason.entry(reason.trim_end().to_owned()).or_default();
            names.push(name);
        }
    }
    let mut rows: Vec<_> = by_reason.iter().collect();
    rows.sort_by_key(|(_, names)| names[0]);
    let mut text = "| properties | why |\n| --- | --- |\n".to_owned();
    for (reason, names) in rows {
        let names: Vec<_> = names.iter().map(|n| format!("`{n}`")).collect();
        line(&mut text, &[&names.join(", "), reason]);
    }
    text
}

/// The keys of one section, and below it the sections inside. Those that are `shown` are referred to.
fn table<'v>(
    text: &mut String,
    shown: &mut Vec<(&'v Value, String)>,
    root: &'v Value,
    title: &str,
    path: &str,
    section: &'v Value,
) {
    let properties = section["properties"]
        .as_object()
        .expect("a section has keys");
    let mut sections = Vec::new();
    writeln!(
        text,
        "### {title}\n\n| key | type | default | meaning |\n| --- | --- | --- | --- |"
    )
    .expect(ANY);
    for (key, of) in properties {
        let inner = resolve(root, of);
        let full = join(path, key);
        let required = section["required"]
            .as_array()
            .is_some_and(|r| r.iter().any(|k| k == key));
        let kind = kind(root, of);
        line(
            text,
            &[
                &format!("`{full}`"),
                &kind,
                &default(of, &kind, required),
                &meaning(of, inner),
            ],
        );
        if let Some((below, entry)) = section_below(root, inner, &full) {
            sections.push((below, entry));
        }
    }
    text.push('\n');
    for (below, entry) in sections {
        let before = shown.iter().find(|(s, _)| std::ptr::eq(*s, entry));
        if let Some((_, first)) = before {
            writeln!(text, "### `{below}`\n\nThe keys of `{first}`.\n").expect(ANY);
        } else {
            shown.push((entry, below.clone()));
            table(text, shown, root, &format!("`{below}`"), &below, entry);
        }
    }
}

const ANY: &str = "a String takes everything";

fn join(path: &str, key: &str) -> String {
    if path.is_empty() {
        key.to_owned()
    } else {
        format!("{path}.{key}")
    }
}

/// A table row; a bar in a cell would end it.
fn line(text: &mut String, cells: &[&str]) {
    let cells: Vec<_> = cells.iter().map(|c| c.replace('|', "\\|")).collect();
    writeln!(text, "| {} |", cells.join(" | ")).expect(ANY);
}

fn resolve<'v>(root: &'v Value, schema: &'v Value) -> &'v Value {
    match schema["$ref"].as_str() {
        Some(pointer) => root
            .pointer(pointer.trim_start_matches('#'))
            .expect("references resolve"),
        None => without_null(schema).map_or(schema, |inner| resolve(root, inner)),
    }
}

/// An optional reference is `anyOf` it and null.
fn without_null(schema: &Value) -> Option<&Value> {
    let options = schema["anyOf"].as_array()?;
    let mut options = options.iter().filter(|o| o["type"] != "null");
    let only = options.next()?;
    options.next().is_none().then_some(only)
}

/// The section that a key opens: itself, or each entry of its list or map.
fn section_below<'v>(
    root: &'v Value,
    schema: &'v Value,
    path: &str,
) -> Option<(String, &'v Value)> {
    let has_keys = |s: &Value| s["properties"].is_object();
    if has_keys(schema) {
        return Some((path.to_owned(), schema));
    }
    // A list in place, or a file.
    let lists = schema["anyOf"].as_array().into_iter().flatten();
    let items = lists
        .chain([schema])
        .map(|list| resolve(root, &list["items"]));
    if let Some(each) = items.into_iter().find(|each| has_keys(each)) {
        return Some((format!("{path}[]"), each));
    }
    let value = resolve(root, &schema["additionalProperties"]);
    has_keys(value).then(|| (format!("{path}.<name>"), value))
}

fn kind(root: &Value, schema: &Value) -> String {
    // What an error message says is valid is the best there is.
    for place in [schema, resolve(root, schema)] {
        if let Some(title) = place["title"].as_str() {
            let title = title.strip_prefix("a ").unwrap_or(title);
            let duration = title.starts_with("duration with a unit");
            return if duration { "duration" } else { title }.to_owned();
        }
    }
    let schema = resolve(root, schema);
    if let Some(words) = words(schema) {
        let words: Vec<_> = words.iter().map(|(word, _)| format!("`{word}`")).collect();
        return words.join(", ");
    }
    if let Some(options) = schema["anyOf"].as_array() {
        let mut kinds: Vec<_> = options.iter().map(|o| kind(root, o)).collect();
        kinds.dedup();
        return kinds.join(" or ");
    }
    if schema["items"].is_object() {
        return format!("list of {}", kind(root, &schema["items"]));
    }
    if schema["additionalProperties"].is_object() {
        return format!("map to {}", kind(root, &schema["additionalProperties"]));
    }
    if schema["properties"]["file"].is_object() {
        return "`{file: PATH}`".to_owned();
    }
    let types = &schema["type"];
    let types: Vec<_> = match types.as_array() {
        Some(many) => many.iter().filter_map(Value::as_str).collect(),
        None => types.as_str().into_iter().collect(),
    };
    let name = |t: &&str| match *t {
        "string" => Some("text".to_owned()),
        "integer" => Some(whole_number(schema)),
        "object" => Some("section".to_owned()),
        "boolean" => Some("`true` or `false`".to_owned()),
        "null" => None,
        other => Some(other.to_owned()),
    };
    types
        .iter()
        .filter_map(name)
        .collect::<Vec<_>>()
        .join(" or ")
}

fn whole_number(schema: &Value) -> String {
    let least = schema["minimum"].as_u64();
    match (least, schema["maximum"].as_u64()) {
        (Some(least), Some(most)) => format!("whole number, {least} to {most}"),
        (Some(least), None) => format!("whole number from {least}"),
        _ => "whole number".to_owned(),
    }
}

fn words(schema: &Value) -> Option<Vec<(&str, &str)>> {
    let options = schema["oneOf"].as_array()?.iter();
    options
        .map(|o| Some((o["const"].as_str()?, o["description"].as_str()?)))
        .collect()
}

/// A section's default is that of its keys.
fn default(schema: &Value, kind: &str, required: bool) -> String {
    match &schema["default"] {
        Value::Null if required => "required".to_owned(),
        _ if kind == "section" => String::new(),
        Value::Null => "unset".to_owned(),
        Value::String(text) if text.is_empty() => "empty".to_owned(),
        Value::String(text) => format!("`{text}`"),
        Value::Object(map) => {
            let entries: Vec<_> = map
                .iter()
                .map(|(key, value)| format!("{key}: {}", value.as_str().unwrap_or_default()))
                .collect();
            format!("`{{{}}}`", entries.join(", "))
        }
        other => format!(
            "`{}`",
            other.to_string().replace('"', "").replace(',', ", ")
        ),
    }
}

/// The description, and what each word means.
fn meaning(schema: &Value, resolved: &Value) -> String {
    let text = schema["description"]
        .as_str()
        .or(resolved["description"].as_str());
    let text = text.unwrap_or_default().replace('\n', " ");
    let Some(words) = words(resolved) else {
        return text;
    };
    let words: Vec<_> = words
        .iter()
        .map(|(word, means)| format!("`{word}`: {}", means.trim_end_matches('.')))
        .collect();
    format!("{text} {}.", words.join("; "))
}
