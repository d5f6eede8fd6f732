//! What every dashboard owes its reader, asked of the JSON that Grafana gets.

use std::collections::BTreeSet;

use serde_json::Value;

use super::queries::{DASHBOARDS, dashboard, panels, variables};

/// The units that panels use; Grafana shows an unknown one as a suffix without a word.
const UNITS: [&str; 9] = [
    "none",
    "short",
    "s",
    "bytes",
    "Bps",
    "bps",
    "pps",
    "cps",
    "percentunit",
];

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

#[test]
fn dashboards_can_be_told_apart_and_linked_to() {
    let all: Vec<_> = DASHBOARDS.iter().map(|name| dashboard(name)).collect();
    let uids: Vec<_> = all.iter().map(|d| text(&d["uid"])).collect();
    assert_eq!(
        uids,
        ["hotprefix-health", "hotprefix-detection", "hotprefix-kafka"],
        "links and bookmarks hold these"
    );
    let titles: BTreeSet<_> = all.iter().map(|d| text(&d["title"])).collect();
    assert_eq!(titles.len(), all.len());
    for dashboard in &all {
        assert!(!text(&dashboard["description"]).is_empty());
        assert!(dashboard["id"].is_null(), "an id is one Grafana's own");
    }
}

#[test]
fn every_panel_says_what_it_shows_in_which_unit_and_from_the_chosen_source() {
    for name in DASHBOARDS {
        for panel in panels(&dashboard(name)) {
            let place = format!("{name}.json: {}", text(&panel["title"]));
            assert!(text(&panel["description"]).len() > 20, "{place}");
            assert!(text(&panel["description"]).ends_with('.'), "{place}");
            let defaults = &panel["fieldConfig"]["defaults"];
            assert!(UNITS.contains(&text(&defaults["unit"])), "{place}");
            let steps = defaults["thresholds"]["steps"].as_array().unwrap();
            assert!(steps[0]["value"].is_null(), "{place}: no base colour");
            assert_eq!(panel["datasource"]["uid"], "${datasource}", "{place}");
            let targets = panel["targets"].as_array().unwrap();
            assert!(!targets.is_empty(), "{place}: no query");
            let ids: BTreeSet<_> = targets.iter().map(|t| text(&t["refId"])).collect();
            assert_eq!(ids.len(), targets.len(), "{place}: ids of queries");
            for target in targets {
                assert_eq!(target["datasource"]["uid"], "${datasource}", "{place}");
                let expr = text(&target["expr"]);
                assert!(expr.contains(r#"job="$application""#), "{place}: {expr}");
                let named = !text(&target["legendFormat"]).is_empty();
                assert!(named || panel["type"] != "timeseries", "{place}: {expr}");
            }
        }
    }
}

#[test]
fn ids_are_unique_and_no_panel_lies_on_another() {
    for name in DASHBOARDS {
        let dashboard = dashboard(name);
        let (mut ids, mut taken) = (BTreeSet::new(), BTreeSet::new());
        for panel in dashboard["panels"].as_array().unwrap() {
            let place = format!("{name}.json: {}", text(&panel["title"]));
            let id = panel["id"].as_u64().expect("an id is a number");
            assert!(ids.insert(id), "{place}: id {id} is used twice");
            let [x, y, w, h] = ["x", "y", "w", "h"].map(|side| {
                let side = panel["gridPos"][side].as_u64();
                side.unwrap_or_else(|| panic!("{place}: no place"))
            });
            assert!(w > 0 && h > 0 && x + w <= 24, "{place}: beyond 24 columns");
            for cell in (x..x + w).flat_map(|x| (y..y + h).map(move |y| (x, y))) {
                assert!(taken.insert(cell), "{place}: lies on another at {cell:?}");
            }
        }
    }
}

#[test]
fn variables_that_are_used_are_defined_and_those_defined_are_used() {
    // Grafana's own.
    let built_in = "__rate_interval";
    for name in DASHBOARDS {
        let dashboard = dashboard(name);
        let defined: BTreeSet<_> = variables(&dashboard).map(|v| text(&v["name"])).collect();
        let written = dashboard.to_string();
        let used: BTreeSet<_> = written
            .split('$')
            .skip(1)
            .map(|rest| {
                let rest = rest.trim_start_matches('{');
                let end = rest.find(|c: char| !(c.is_ascii_alphanumeric() || c == '_'));
                &rest[..end.unwrap_or(rest.len())]
            })
            .filter(|name| *name != built_in && *name != "__all")
            .collect();
        assert_eq!(used, defined, "{name}.json");
    }
}
