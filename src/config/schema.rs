//! The JSON Schema of the configuration file.

use std::sync::LazyLock;

use schemars::Schema;
use schemars::generate::SchemaSettings;
use serde_json::Value;

use super::file::FileConfig;

/// The schema of the configuration file, JSON Schema 2020-12, from the serde form of every key.
pub fn schema() -> Schema {
    SchemaSettings::draft2020_12()
        .into_generator()
        .into_root_schema_for::<FileConfig>()
}

/// The same as a value, made once.
pub(super) fn value() -> &'static Value {
    static SCHEMA: LazyLock<Value> = LazyLock::new(|| schema().to_value());
    &SCHEMA
}
