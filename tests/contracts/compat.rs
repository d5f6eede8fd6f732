//! What breaks a reader of JSON between two schemas of one message.

use serde_json::Value;

/// Constraints whose change a reader may notice.
const CONSTRAINTS: [&str; 5] = ["type", "format", "pattern", "minimum", "maximum"];

/// Every way in which what `new` describes can surprise a reader who was promised `old`, as
/// `path: what`. Empty when the message's own `schema` names another major version.
pub(crate) fn breaking(old: &Value, new: &Value) -> Vec<String> {
    let name = |schema: &Value| schema["properties"]["schema"]["const"].clone();
    let mut found = Vec::new();
    if name(old) == name(new) {
        compare(&mut found, "", (old, old), (new, new));
    }
    found
}

/// A schema and the document that its references point into.
type In<'a> = (&'a Value, &'a Value);

fn resolve((schema, root): In<'_>) -> Value {
    match schema.get("$ref").and_then(Value::as_str) {
        Some(pointer) => root
            .pointer(pointer.trim_start_matches('#'))
            .unwrap_or_else(|| panic!("{pointer} leads nowhere"))
            .clone(),
        None => schema.clone(),
    }
}

fn compare(found: &mut Vec<String>, path: &str, old: In<'_>, new: In<'_>) {
    let (old_root, new_root) = (old.1, new.1);
    let (old, new) = (resolve(old), resolve(new));
    for key in CONSTRAINTS {
        if old.get(key) != new.get(key) {
            found.push(format!("{path}: {key} {} became {}", old[key], new[key]));
        }
    }
    let known = values(&old);
    for value in values(&new).iter().filter(|v| !known.contains(v)) {
        found.push(format!("{path}: new value {value}"));
    }
    if let (Some(old), Some(new)) = (old.get("items"), new.get("items")) {
        compare(
            found,
            &format!("{path}[]"),
            (old, old_root),
            (new, new_root),
        );
    }
    let required = |schema: &Value, key: &str| {
        schema["required"]
            .as_array()
            .is_some_and(|keys| keys.iter().any(|k| k == key))
    };
    for (key, was) in old["properties"].as_object().into_iter().flatten() {
        let path = format!("{path}.{key}").trim_start_matches('.').to_owned();
        match new["properties"].get(key) {
            None => found.push(format!("{path}: removed")),
            Some(_) if required(&old, key) && !required(&new, key) => {
                found.push(format!("{path}: no longer always there"));
            }
            Some(is) => compare(found, &path, (was, old_root), (is, new_root)),
        }
    }
}

/// The closed set of values of an enumeration; nothing for an open type.
fn values(schema: &Value) -> Vec<Value> {
    let list = |key: &str| schema[key].as_array().cloned().unwrap_or_default();
    let mut values = list("enum");
    values.extend(list("oneOf").iter().filter_map(|v| v.get("const")).cloned());
    values.extend(schema.get("const").cloned());
    values
}
