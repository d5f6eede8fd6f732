//! OTLP's JSON, as far as these tests look at it.

use std::collections::BTreeMap;

use serde_json::Value;

/// Attributes as text, whatever their type.
pub(crate) type Attributes = BTreeMap<String, String>;

/// One span.
#[derive(Clone, Debug)]
pub(crate) struct Span {
    pub(crate) name: String,
    pub(crate) trace: String,
    pub(crate) id: String,
    pub(crate) parent: String,
    pub(crate) kind: u64,
    pub(crate) start: u64,
    pub(crate) end: u64,
    pub(crate) links: Vec<(String, String)>,
    pub(crate) attributes: Attributes,
    pub(crate) resource: Attributes,
    /// Of its status: 2 is an error.
    pub(crate) status: u64,
}

impl Span {
    pub(crate) fn number(&self, name: &str) -> u64 {
        let value = self.attributes.get(name);
        let value = value.unwrap_or_else(|| panic!("{} has no {name}", self.name));
        value.parse().expect("it is a whole number")
    }
}

/// One log record.
#[derive(Clone, Debug)]
pub(crate) struct Log {
    pub(crate) body: String,
    pub(crate) scope: String,
    pub(crate) severity: String,
    pub(crate) trace: String,
    pub(crate) span: String,
    pub(crate) resource: Attributes,
}

pub(crate) fn spans(bodies: &[Value]) -> Vec<Span> {
    let mut spans = Vec::new();
    for (resource, scope) in scopes(bodies, "resourceSpans", "scopeSpans") {
        spans.extend(list(&scope["spans"]).map(|span| {
            Span {
                name: text(&span["name"]),
                trace: text(&span["traceId"]),
                id: text(&span["spanId"]),
                parent: text(&span["parentSpanId"]),
                kind: number(&span["kind"]),
                start: number(&span["startTimeUnixNano"]),
                end: number(&span["endTimeUnixNano"]),
                links: list(&span["links"])
                    .map(|link| (text(&link["traceId"]), text(&link["spanId"])))
                    .collect(),
                attributes: attributes(&span["attributes"]),
                resource: resource.clone(),
                status: number(&span["status"]["code"]),
            }
        }));
    }
    spans
}

pub(crate) fn logs(bodies: &[Value]) -> Vec<Log> {
    let mut logs = Vec::new();
    for (resource, scope) in scopes(bodies, "resourceLogs", "scopeLogs") {
        logs.extend(list(&scope["logRecords"]).map(|log| Log {
            body: text(&log["body"]["stringValue"]),
            scope: text(&scope["scope"]["name"]),
            severity: text(&log["severityText"]),
            trace: text(&log["traceId"]),
            span: text(&log["spanId"]),
            resource: resource.clone(),
        }));
    }
    logs
}

/// The last value of each series, by name and attributes, and the resource of all. Of a histogram the count.
pub(crate) fn metrics(bodies: &[Value]) -> (BTreeMap<(String, Attributes), f64>, Vec<Attributes>) {
    let mut last = BTreeMap::new();
    let mut resources = Vec::new();
    for (resource, scope) in scopes(bodies, "resourceMetrics", "scopeMetrics") {
        for metric in list(&scope["metrics"]) {
            let points = ["sum", "gauge", "histogram"].map(|kind| &metric[kind]["dataPoints"]);
            for point in points.into_iter().flat_map(list) {
                let value = [&point["asDouble"], &point["asInt"], &point["count"]];
                let value = value.into_iter().find_map(float).unwrap_or_default();
                let key = (text(&metric["name"]), attributes(&point["attributes"]));
                last.insert(key, value);
            }
        }
        resources.push(resource);
    }
    (last, resources)
}

fn scopes<'b>(bodies: &'b [Value], resources: &str, scopes: &str) -> Vec<(Attributes, &'b Value)> {
    let mut all = Vec::new();
    for resource in bodies.iter().flat_map(|body| list(&body[resources])) {
        let of = attributes(&resource["resource"]["attributes"]);
        all.extend(list(&resource[scopes]).map(|scope| (of.clone(), scope)));
    }
    all
}

fn list(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

/// JSON of protobuf has 64-bit integers in quotes.
fn float(value: &Value) -> Option<f64> {
    value.as_f64().or_else(|| value.as_str()?.parse().ok())
}

fn number(value: &Value) -> u64 {
    value
        .as_u64()
        .or_else(|| value.as_str()?.parse().ok())
        .unwrap_or_default()
}

fn attributes(value: &Value) -> Attributes {
    let plain = |value: &Value| {
        let found = value.as_object().and_then(|o| o.values().next());
        match found {
            Some(Value::String(text)) => text.clone(),
            Some(other) => other.to_string(),
            None => String::new(),
        }
    };
    list(value)
        .map(|a| (text(&a["key"]), plain(&a["value"])))
        .collect()
}
