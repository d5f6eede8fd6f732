//! What `deploy/prometheus` and `deploy/grafana` ask Prometheus for.

use std::fs;
use std::path::PathBuf;

use serde_json::Value;

/// The dashboards by file name.
pub(crate) const DASHBOARDS: [&str; 3] = ["health", "detection", "kafka"];

/// An expression for Prometheus, and where it is.
#[derive(Clone, Debug)]
pub(crate) struct Query {
    /// Such as `kafka.json: Received` or `rules.yaml: HotprefixDown`.
    pub(crate) place: String,
    pub(crate) expr: String,
}

pub(crate) fn deploy(path: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("deploy")
        .join(path)
}

pub(crate) fn dashboard(name: &str) -> Value {
    let path = deploy(&format!("grafana/{name}.json"));
    let text = fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    serde_json::from_slice(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// All panels but rows.
pub(crate) fn panels(dashboard: &Value) -> impl Iterator<Item = &Value> {
    let panels = dashboard["panels"].as_array().into_iter().flatten();
    panels.filter(|panel| panel["type"] != "row")
}

/// The queries of all panels and variables.
pub(crate) fn of_dashboards() -> Vec<Query> {
    let mut queries = Vec::new();
    for name in DASHBOARDS {
        let dashboard = dashboard(name);
        for panel in panels(&dashboard) {
            for target in panel["targets"].as_array().into_iter().flatten() {
                let (title, id) = (text(&panel["title"]), text(&target["refId"]));
                let place = format!("{name}.json: {title} {id}");
                let expr = text(&target["expr"]).to_owned();
                queries.push(Query { place, expr });
            }
        }
        for variable in variables(&dashboard).filter(|v| v["type"] == "query") {
            // label_values(SELECTOR, LABEL)
            let place = format!("{name}.json: ${}", text(&variable["name"]));
            let asked = text(&variable["query"]["query"]);
            let inner = asked.strip_prefix("label_values(");
            let inner = inner.and_then(|rest| rest.strip_suffix(')'));
            let parts = inner.and_then(|inner| inner.rsplit_once(", "));
            let (selector, label) = parts.unwrap_or_else(|| panic!("{place}: {asked}"));
            let expr = format!("count by ({label}) ({selector})");
            queries.push(Query { place, expr });
        }
    }
    queries
}

pub(crate) fn variables(dashboard: &Value) -> impl Iterator<Item = &Value> {
    dashboard["templating"]["list"]
        .as_array()
        .into_iter()
        .flatten()
}

/// The groups of `rules.yaml`.
pub(crate) fn rules() -> Value {
    let path = deploy("prometheus/rules.yaml");
    let text = fs::read_to_string(&path).expect("rules.yaml is there");
    serde_norway::from_str(&text).expect("rules.yaml is YAML")
}

/// Every rule of all groups.
pub(crate) fn each_rule(groups: &Value) -> impl Iterator<Item = &Value> {
    let groups = groups["groups"].as_array().into_iter().flatten();
    groups.flat_map(|group| group["rules"].as_array().into_iter().flatten())
}

/// The expressions of all rules.
pub(crate) fn of_rules() -> Vec<Query> {
    let groups = rules();
    let query = |rule: &Value| {
        let name = rule["alert"].as_str().or_else(|| rule["record"].as_str());
        Query {
            place: format!("rules.yaml: {}", name.expect("a rule has a name")),
            expr: text(&rule["expr"]).to_owned(),
        }
    };
    each_rule(&groups).map(query).collect()
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}
