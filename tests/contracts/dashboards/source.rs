//! What a dashboard shows: the YAML in `deploy/grafana/source`.

use std::collections::BTreeMap;
use std::fs;

use serde::Deserialize;

use super::queries::deploy;

/// A dashboard.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Dashboard {
    pub(super) title: String,
    pub(super) uid: String,
    pub(super) description: String,
    pub(super) variables: Vec<Variable>,
    pub(super) rows: Vec<Row>,
}

/// What a reader can choose, besides the data source.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Variable {
    Application,
    Instance,
    Rule,
}

/// Panels under a heading.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Row {
    pub(super) title: String,
    pub(super) panels: Vec<Panel>,
}

/// A panel.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Panel {
    pub(super) title: String,
    pub(super) description: String,
    #[serde(default, rename = "type")]
    pub(super) kind: Kind,
    /// As Grafana names units.
    pub(super) unit: String,
    /// Of 24 columns; by default as the type has it.
    pub(super) width: Option<u64>,
    /// Colour by lowest value; `~` is below all.
    #[serde(default)]
    pub(super) steps: BTreeMap<String, Option<f64>>,
    /// Whether series are parts of one whole.
    #[serde(default)]
    pub(super) stack: bool,
    pub(super) queries: Vec<Query>,
}

/// How values are shown.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub(super) enum Kind {
    #[default]
    TimeSeries,
    Stat,
    Table,
}

/// A query of a panel.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Query {
    #[serde(default)]
    pub(super) legend: String,
    pub(super) expr: String,
}

/// The source of `deploy/grafana/<name>.json`.
pub(super) fn read(name: &str) -> Dashboard {
    let path = deploy(&format!("grafana/source/{name}.yaml"));
    let text = fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    serde_norway::from_str(&text).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}
