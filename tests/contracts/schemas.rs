//! The committed JSON Schemas are what the types say, the examples are what the schemas say, and no
//! change within a version breaks a reader.

use std::fs;
use std::path::{Path, PathBuf};

use hotprefix::alert::{Alert, WindowRecord};
use hotprefix::schema;
use serde_json::{Value, json};

use crate::compat::breaking;

fn dir(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("schemas")
        .join(name)
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

/// Files of a folder whose name starts with `prefix`, by name.
fn examples(folder: &str, prefix: &str) -> Vec<(String, Value)> {
    let mut found: Vec<_> = fs::read_dir(dir(folder))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|p| p.extension().is_some_and(|e| e == "json"))
        .map(|p| (p.file_name().unwrap().to_str().unwrap().to_owned(), p))
        .filter(|(name, _)| name.starts_with(prefix))
        .map(|(name, p)| (name, serde_json::from_str(&read(&p)).unwrap()))
        .collect();
    found.sort_by(|a, b| a.0.cmp(&b.0));
    assert!(found.len() >= 2, "{folder} has no examples of {prefix}");
    found
}

fn validator(schema: &Value) -> jsonschema::Validator {
    jsonschema::options()
        .should_validate_formats(true)
        .build(schema)
        .unwrap()
}

#[test]
fn committed_schema_is_generated_schema() {
    for (file, command, generated) in [
        ("alert.v1.schema.json", "alert", schema::alert()),
        ("window.v1.schema.json", "window", schema::window()),
        ("config.v1.schema.json", "config", schema::config()),
    ] {
        assert!(
            read(&dir(file)) == schema::text(&generated),
            "schemas/{file} differs from the types: `cargo run -- schema {command} > schemas/{file}`, \
             and review the difference as a reader of the topic would"
        );
    }
}

#[test]
fn schemas_are_draft_2020_12() {
    for schema in [schema::alert(), schema::window(), schema::config()] {
        jsonschema::draft202012::meta::validate(&schema).unwrap();
        assert_eq!(
            schema["$schema"],
            "https://json-schema.org/draft/2020-12/schema"
        );
    }
}

#[test]
fn every_example_is_valid_and_is_what_we_would_write() {
    let alerts = validator(&schema::alert());
    for (name, example) in examples("examples", "alert.") {
        alerts
            .validate(&example)
            .unwrap_or_else(|e| panic!("{name}: {e}"));
        let read: Alert = serde_json::from_value(example.clone()).unwrap();
        assert_eq!(serde_json::to_value(&read).unwrap(), example, "{name}");
        let protobuf = read.to_protobuf().unwrap();
        assert_eq!(Alert::from_protobuf(&protobuf).unwrap(), read, "{name}");
    }
    let windows = validator(&schema::window());
    for (name, example) in examples("examples", "window.") {
        windows
            .validate(&example)
            .unwrap_or_else(|e| panic!("{name}: {e}"));
        let read: WindowRecord = serde_json::from_value(example.clone()).unwrap();
        assert_eq!(serde_json::to_value(&read).unwrap(), example, "{name}");
    }
}

#[test]
fn every_invalid_example_is_refused() {
    for (schema, prefix) in [(schema::alert(), "alert."), (schema::window(), "window.")] {
        let validator = validator(&schema);
        for (name, example) in examples("examples/invalid", prefix) {
            assert!(!validator.is_valid(&example), "{name} is accepted");
        }
    }
}

#[test]
fn nothing_breaks_readers_of_the_released_schema() {
    for (file, generated) in [
        ("alert.v1.schema.json", schema::alert()),
        ("window.v1.schema.json", schema::window()),
    ] {
        let released: Value = serde_json::from_str(&read(&dir("baseline").join(file))).unwrap();
        let broken = breaking(&released, &generated);
        assert!(
            broken.is_empty(),
            "readers of {file} break, so this needs a new major version: {broken:#?}"
        );
    }
}

/// The alert schema after an edit, compared with itself before.
fn broken_by(edit: impl FnOnce(&mut Value)) -> Vec<String> {
    let released = schema::alert();
    let mut edited = released.clone();
    edit(&mut edited);
    breaking(&released, &edited)
}

#[test]
fn removed_key_breaks_readers() {
    let broken = broken_by(|s| {
        s["properties"].as_object_mut().unwrap().remove("hosts");
    });
    assert_eq!(broken, ["hosts: removed"]);
}

#[test]
fn key_removed_from_a_shared_type_breaks_readers_at_each_use() {
    let broken = broken_by(|s| {
        let volume = &mut s["$defs"]["Volume"]["properties"];
        volume.as_object_mut().unwrap().remove("flows");
    });
    assert_eq!(
        broken,
        [
            "volume.flows: removed",
            "conditioned_volume.flows: removed",
            "rule_total.flows: removed",
            "group.volume.flows: removed"
        ]
    );
}

#[test]
fn retyped_key_breaks_readers() {
    let broken = broken_by(|s| {
        s["$defs"]["Trigger"]["properties"]["value"] = json!({"type": "string"});
    });
    assert!(
        broken.contains(&"triggers[].value: type \"integer\" became \"string\"".to_owned()),
        "{broken:?}"
    );
}

#[test]
fn key_that_becomes_optional_breaks_readers() {
    let broken = broken_by(|s| {
        s["required"]
            .as_array_mut()
            .unwrap()
            .retain(|k| k != "volume");
    });
    assert_eq!(broken, ["volume: no longer always there"]);
}

#[test]
fn new_enum_value_breaks_readers() {
    let broken = broken_by(|s| {
        let modes = s["$defs"]["ModeName"]["oneOf"].as_array_mut().unwrap();
        modes.push(json!({"type": "string", "const": "newest"}));
    });
    assert_eq!(broken, ["mode: new value \"newest\""]);
}

#[test]
fn new_key_and_new_words_break_nobody() {
    let broken = broken_by(|s| {
        s["properties"]["later"] = json!({"type": "string"});
        s["required"].as_array_mut().unwrap().push("later".into());
        s["properties"]["hosts"]["description"] = "Other words.".into();
    });
    assert!(broken.is_empty(), "{broken:?}");
}

#[test]
fn new_major_version_is_not_compared() {
    let broken = broken_by(|s| {
        s["properties"]["schema"]["const"] = "hotprefix.alert.v2".into();
        s["properties"].as_object_mut().unwrap().remove("hosts");
    });
    assert!(broken.is_empty(), "{broken:?}");
}
