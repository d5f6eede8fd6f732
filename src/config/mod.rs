//! The configuration file: one struct per component, each field with unit, default and bound.
//!
//! In: YAML or TOML, then `HOTPREFIX__…` variables on top. Out: [`Config`], checked, or errors that
//! name the file, the path of the key, the value and what would be valid. Unknown keys are errors.

mod model;

pub use model::{
    Config, DeadLetterConfig, HttpConfig, InputConfig, InputStart, InternalConfig, OnGap,
    OutputConfig, OutputFormat, TelemetryConfig,
};
