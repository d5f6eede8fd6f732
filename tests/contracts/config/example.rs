//! `deploy/config.yaml`: the commented example.

use std::collections::BTreeSet;
use std::path::Path;

use hotprefix::config::{load, schema};
use serde_json::Value;

use super::Case;

const EXAMPLE: &str = "deploy/config.yaml";

fn text() -> String {
    std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(EXAMPLE))
        .expect("the example is there")
}

#[test]
fn the_example_is_valid_without_warnings() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(EXAMPLE);
    let loaded = load(&[path], [], []).expect("the example is valid");
    assert_eq!(loaded.warnings, []);
}

/// Without its rule, the example says what an empty configuration means.
#[test]
fn the_example_holds_the_defaults() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(EXAMPLE);
    let loaded = load(&[path], [], []).expect("the example is valid");
    let plain = Case::yaml("").loaded();
    let without_rules = |yaml: String| {
        yaml.split("\nrules:")
            .next()
            .map(str::to_owned)
            .expect("a split has a first part")
    };
    assert_eq!(
        without_rules(loaded.effective_yaml()),
        without_rules(plain.effective_yaml())
    );
    let rule = |of: &hotprefix::config::FileConfig| {
        let mut rule = serde_json::to_value(&of.rules[0]).expect("a rule is JSON");
        for key in ["name", "filter", "thresholds"] {
            rule.as_object_mut().expect("it is a map").remove(key);
        }
        rule
    };
    assert_eq!(rule(&loaded.file), rule(&plain.file));
}

/// With every commented-out key switched on, too.
#[test]
fn the_example_is_valid_with_every_optional_key() {
    let on: String = text()
        .lines()
        .map(|line| switched_on(line) + "\n")
        .collect();
    let dir = tempfile::tempdir().expect("a temporary folder can be made");
    let path = dir.path().join("config.yaml");
    for (name, content) in [
        ("secrets/kafka-password", "x"),
        ("sets/borders.txt", "192.0.2.1\n"),
        ("scope.txt", "198.51.100.0/22 customer=example\n"),
        (
            "rules/more.yaml",
            "name: more\nfilter: 'exporter in sets.borders'\nthresholds: {bytes: 1MiB}\n",
        ),
    ] {
        let file = dir.path().join(name);
        std::fs::create_dir_all(file.parent().expect("it has one"))
            .expect("a folder can be made there");
        std::fs::write(file, content).expect("a file can be written there");
    }
    std::fs::write(&path, &on).expect("a file can be written there");
    if let Err(errors) = load(&[path], [], []) {
        panic!("{errors}\n{on}");
    }
}

/// `  #key: value` is a key that is off; a comment has a space after its `#`.
fn switched_on(line: &str) -> String {
    let trimmed = line.trim_start();
    match trimmed.strip_prefix('#') {
        Some(key) if !key.is_empty() && !key.starts_with(' ') => {
            format!("{}{key}", &line[..line.len() - trimmed.len()])
        }
        _ => line.to_owned(),
    }
}

#[test]
fn the_example_names_every_key_of_the_schema() {
    let on: String = text()
        .lines()
        .map(|line| switched_on(line) + "\n")
        .collect();
    let example: Value = serde_norway::from_str(&on).expect("the example is YAML");
    let schema = schema().to_value();
    let mut missing = Missing::default();
    compare(&schema, &schema, Some(&example), "", &mut missing);
    let missing = missing.keys;
    assert!(missing.is_empty(), "not in {EXAMPLE}: {missing:?}");
}

#[derive(Default)]
struct Missing {
    keys: Vec<String>,
    /// Definitions with an example: a section that is in several places is written out in one.
    seen: BTreeSet<String>,
}

/// Lists the keys of `schema` that `example` has not.
fn compare(
    root: &Value,
    schema: &Value,
    example: Option<&Value>,
    path: &str,
    missing: &mut Missing,
) {
    if let Some(pointer) = schema.get("$ref").and_then(Value::as_str) {
        let target = root
            .pointer(pointer.trim_start_matches('#'))
            .expect("references resolve");
        if example.is_some_and(Value::is_object) && !missing.seen.insert(pointer.to_owned()) {
            return;
        }
        return compare(root, target, example, path, missing);
    }
    for branch in ["anyOf", "oneOf"]
        .iter()
        .filter_map(|b| schema.get(b)?.as_array())
        .flatten()
    {
        // One example is of one form; only maps and lists have keys to name.
        let is_ref = branch.get("$ref").is_some();
        if is_ref && example.is_some_and(Value::is_object) {
            compare(root, branch, example, path, missing);
        }
    }
    let items = example.and_then(Value::as_array).into_iter().flatten();
    if let Some(each) = schema.get("items") {
        compare_all(root, each, items, path, missing);
    }
    for (key, inner) in schema
        .get("properties")
        .and_then(Value::as_object)
        .into_iter()
        .flatten()
    {
        let below = format!("{path}.{key}");
        match example.and_then(|e| e.get(key)) {
            Some(value) => compare(root, inner, Some(value), &below, missing),
            None => missing.keys.push(below),
        }
    }
    if let Some(each) = schema.get("additionalProperties").filter(|s| s.is_object()) {
        let values = example.and_then(Value::as_object).into_iter();
        compare_all(root, each, values.flat_map(|o| o.values()), path, missing);
    }
}

/// The same for many examples of one kind: together they name the keys.
fn compare_all<'a>(
    root: &Value,
    schema: &Value,
    examples: impl Iterator<Item = &'a Value>,
    path: &str,
    missing: &mut Missing,
) {
    let mut merged = serde_json::Map::new();
    for object in examples.filter_map(Value::as_object) {
        merged.extend(object.clone());
    }
    if !merged.is_empty() {
        compare(root, schema, Some(&Value::Object(merged)), path, missing);
    }
}

#[test]
fn the_schema_takes_the_example_and_nothing_else() {
    let on: String = text()
        .lines()
        .map(|line| switched_on(line) + "\n")
        .collect();
    let validator = jsonschema::validator_for(&schema().to_value()).expect("the schema is one");
    for yaml in [text(), on] {
        let example: Value = serde_norway::from_str(&yaml).expect("the example is YAML");
        let problems: Vec<String> = validator
            .iter_errors(&example)
            .map(|e| format!("{} {e}", e.instance_path()))
            .collect();
        assert!(problems.is_empty(), "{problems:?}");
    }
    for bad in [
        "inptu: {}",
        "input: {topic: [a]}",
        "output: {format: jsn}",
        "internal: {partitions: 0}",
        "rules: [{name: a}]",
    ] {
        let value: Value = serde_norway::from_str(bad).expect("it is YAML");
        assert!(!validator.is_valid(&value), "{bad}");
    }
}

#[test]
fn the_shipped_rules_are_valid_together() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"));
    let pattern = folder.join("deploy/rules/*.yaml").display().to_string();
    let files = [("rule_files".to_owned(), pattern)];
    let loaded = load(&[folder.join(EXAMPLE)], [], files).expect("the shipped rules are valid");
    assert!(
        loaded
            .config
            .rules
            .iter()
            .any(|r| &*r.name == "volume-from-peer")
    );
}

#[test]
fn every_key_of_the_schema_is_documented() {
    let schema = schema().to_value();
    let defs = schema
        .get("$defs")
        .and_then(Value::as_object)
        .into_iter()
        .flatten()
        .map(|(_, def)| def);
    for object in std::iter::once(&schema).chain(defs) {
        for (key, inner) in object
            .get("properties")
            .and_then(Value::as_object)
            .into_iter()
            .flatten()
        {
            assert!(
                inner.get("description").is_some(),
                "{key} has no description"
            );
        }
    }
}
