//! From what a dashboard shows to the JSON that Grafana imports: places, numbers, and what all panels share.

use serde_json::{Value, json};

use super::source::{Dashboard, Kind, Panel, Query, Variable};

/// Of Grafana 12.0; older ones back to 10 read it too, and later ones migrate it.
const SCHEMA_VERSION: u64 = 41;
const COLUMNS: u64 = 24;
const DATA_SOURCE: &str = "${datasource}";

/// The dashboard as it is committed.
pub(super) fn build(dashboard: &Dashboard) -> Value {
    let variables = dashboard.variables.iter();
    let variables: Vec<_> = std::iter::once(data_source_variable())
        .chain(variables.map(|v| variable(*v)))
        .collect();
    json!({
        "title": dashboard.title,
        "uid": dashboard.uid,
        "description": dashboard.description,
        "tags": ["hotprefix"],
        "schemaVersion": SCHEMA_VERSION,
        "editable": true,
        "graphTooltip": 1,
        "refresh": "30s",
        "time": {"from": "now-3h", "to": "now"},
        "timezone": "",
        "annotations": {"list": []},
        "links": [{
            "title": "hotprefix",
            "type": "dashboards",
            "tags": ["hotprefix"],
            "asDropdown": false,
            "includeVars": true,
            "keepTime": true,
        }],
        "templating": {"list": variables},
        "panels": place(dashboard),
    })
}

/// Rows from top to bottom, a row's panels from left to right.
fn place(dashboard: &Dashboard) -> Vec<Value> {
    let mut panels = Vec::new();
    let mut top = 0;
    for row in &dashboard.rows {
        panels.push(json!({
            "id": panels.len() + 1,
            "type": "row",
            "title": row.title,
            "collapsed": false,
            "gridPos": {"x": 0, "y": top, "w": COLUMNS, "h": 1},
            "panels": [],
        }));
        top += 1;
        let (mut left, mut height) = (0, 0);
        for panel in &row.panels {
            let (width, h) = size(panel);
            if left + width > COLUMNS {
                (left, top) = (0, top + height);
            }
            height = h;
            let mut shown = self::panel(panel);
            shown["id"] = json!(panels.len() + 1);
            shown["gridPos"] = json!({"x": left, "y": top, "w": width, "h": h});
            panels.push(shown);
            left += width;
        }
        top += height;
    }
    panels
}

fn size(panel: &Panel) -> (u64, u64) {
    let (width, height) = match panel.kind {
        Kind::TimeSeries => (8, 8),
        Kind::Stat => (4, 4),
        Kind::Table => (12, 6),
    };
    (panel.width.unwrap_or(width), height)
}

fn panel(panel: &Panel) -> Value {
    let (kind, options) = match panel.kind {
        Kind::TimeSeries => ("timeseries", lines()),
        Kind::Stat => ("stat", figure()),
        Kind::Table => (
            "table",
            json!({"showHeader": true, "cellHeight": "sm", "footer": {"show": false}}),
        ),
    };
    let mut defaults = json!({"unit": panel.unit, "thresholds": thresholds(panel), "mappings": []});
    if panel.kind == Kind::TimeSeries {
        defaults["min"] = json!(0);
        defaults["color"] = json!({"mode": "palette-classic"});
        defaults["custom"] = line_style(panel);
    }
    let targets = panel.queries.iter().enumerate();
    let mut shown = json!({
        "id": null,
        "type": kind,
        "title": panel.title,
        "description": panel.description,
        "gridPos": null,
        "datasource": data_source(),
        "fieldConfig": {"defaults": defaults, "overrides": []},
        "options": options,
        "targets": targets.map(|(at, query)| target(panel.kind, at, query)).collect::<Vec<_>>(),
    });
    if panel.kind == Kind::Table {
        // The value only says that the row is there.
        let exclude = json!({"excludeByName": {"Time": true, "Value": true}});
        shown["transformations"] = json!([{"id": "organize", "options": exclude}]);
    }
    shown
}

fn target(kind: Kind, at: usize, query: &Query) -> Value {
    let mut target = json!({
        "refId": char::from(b'A' + at as u8).to_string(),
        "datasource": data_source(),
        "editorMode": "code",
        "expr": query.expr,
        "legendFormat": query.legend,
        "range": kind != Kind::Table,
        "instant": kind == Kind::Table,
    });
    if kind == Kind::Table {
        target["format"] = json!("table");
    }
    target
}

fn thresholds(panel: &Panel) -> Value {
    let mut steps: Vec<_> = panel
        .steps
        .iter()
        .map(|(c, at)| (*at, c.as_str()))
        .collect();
    if steps.is_empty() {
        steps.push((None, "text"));
    }
    // None is below all numbers, as Grafana wants the base first.
    steps.sort_by(|a, b| a.0.partial_cmp(&b.0).expect("a step is a number"));
    let steps = steps.into_iter();
    let steps = steps.map(|(value, color)| json!({"color": color, "value": value.map(number)}));
    json!({"mode": "absolute", "steps": steps.collect::<Vec<_>>()})
}

/// 4 and not 4.0, as Grafana writes it.
fn number(value: f64) -> Value {
    if value.fract() == 0.0 {
        json!(value as i64)
    } else {
        json!(value)
    }
}

fn line_style(panel: &Panel) -> Value {
    let line = if panel.steps.is_empty() {
        "off"
    } else {
        "line"
    };
    let (stacking, fill) = if panel.stack {
        ("normal", 40)
    } else {
        ("none", 8)
    };
    json!({
        "drawStyle": "line",
        "lineInterpolation": "linear",
        "lineWidth": 1,
        "fillOpacity": fill,
        "showPoints": "auto",
        "spanNulls": false,
        "stacking": {"mode": stacking, "group": "A"},
        "thresholdsStyle": {"mode": line},
    })
}

fn lines() -> Value {
    json!({
        "legend": {"displayMode": "table", "placement": "bottom", "showLegend": true, "calcs": ["lastNotNull", "max"]},
        "tooltip": {"mode": "multi", "sort": "desc"},
    })
}

fn figure() -> Value {
    json!({
        "colorMode": "value",
        "graphMode": "area",
        "justifyMode": "auto",
        "orientation": "auto",
        "textMode": "auto",
        "reduceOptions": {"calcs": ["lastNotNull"], "fields": "", "values": false},
    })
}

fn data_source() -> Value {
    json!({"type": "prometheus", "uid": DATA_SOURCE})
}

fn data_source_variable() -> Value {
    json!({
        "name": "datasource",
        "label": "Data source",
        "type": "datasource",
        "query": "prometheus",
        "hide": 0,
        "refresh": 1,
        "multi": false,
        "includeAll": false,
    })
}

fn variable(which: Variable) -> Value {
    let (name, label, selector, of, several) = match which {
        Variable::Application => (
            "application",
            "Application",
            "hotprefix_build_info",
            "job",
            false,
        ),
        Variable::Instance => (
            "instance",
            "Instance",
            r#"hotprefix_build_info{job="$application"}"#,
            "instance",
            true,
        ),
        Variable::Rule => (
            "rule",
            "Rule",
            r#"hotprefix_active_alerts{job="$application"}"#,
            "rule",
            true,
        ),
    };
    let query = format!("label_values({selector}, {of})");
    let mut variable = json!({
        "name": name,
        "label": label,
        "type": "query",
        "datasource": data_source(),
        "definition": query,
        "query": {"query": query, "refId": name},
        "hide": 0,
        // On each load, and when the time range changes.
        "refresh": 2,
        "sort": 1,
        "multi": several,
        "includeAll": several,
    });
    if several {
        // Shorter than a list of all, which may not fit into a request.
        variable["allValue"] = json!(".*");
        variable["current"] = json!({"text": ["All"], "value": ["$__all"]});
    }
    variable
}
