//! JSON Schemas (draft 2020-12) of what hotprefix reads and writes, from the Rust types themselves.
//!
//! The files in `schemas/` are the output of these functions: `hotprefix schema NAME` prints them, and
//! a test fails when a file differs. Objects stay open: a later version of the same number only adds.

use schemars::generate::SchemaSettings;
use schemars::{JsonSchema, Schema};
use serde_json::{Map, Value};

use crate::alert::{ALERT_SCHEMA, Alert, WINDOW_SCHEMA, WindowRecord};

/// The schema of the JSON form of an alert.
pub fn alert() -> Value {
    of::<Alert>(urn(ALERT_SCHEMA))
}

/// The schema of the JSON form of a window record.
pub fn window() -> Value {
    of::<WindowRecord>(urn(WINDOW_SCHEMA))
}

/// The schema of the configuration file.
pub fn config() -> Value {
    named(
        crate::config::schema(),
        "urn:hotprefix:config:v1".to_owned(),
    )
}

/// A schema as it stands in its file: indented, with a line break at the end.
pub fn text(schema: &Value) -> String {
    format!("{schema:#}\n")
}

fn of<T: JsonSchema>(urn: String) -> Value {
    // What is written is described, not what would be accepted: `skip_serializing_if` makes a key
    // optional, and nothing else does.
    let generator = SchemaSettings::draft2020_12()
        .for_serialize()
        .into_generator();
    named(generator.into_root_schema_for::<T>(), urn)
}

/// The schema under a name, with what a reader looks for first on top.
fn named(mut root: Schema, urn: String) -> Value {
    let rest = root.ensure_object();
    let mut schema = Map::new();
    for key in ["$schema", "title", "description", "type"] {
        if let Some(value) = rest.shift_remove(key) {
            schema.insert(key.to_owned(), value);
        }
    }
    schema.insert("$id".to_owned(), urn.into());
    schema.append(rest);
    Value::Object(schema)
}

/// `hotprefix.alert.v1` as `urn:hotprefix:alert:v1`: a name that does not promise a web page.
fn urn(name: &str) -> String {
    format!("urn:{}", name.replace('.', ":"))
}
