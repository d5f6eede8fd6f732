//! `input.observe` as a filter that every rule's filter has to hold together with.

use super::error::{Issues, listed, suggestion};
use super::file::ObserveSection;
use super::layer::Tree;
use super::shape::join;
use crate::net::Prefix;
use crate::rule::{Filter, Sets, parse_prefix};

/// The filter for where flows are counted; `None` if that is everywhere.
pub(super) fn filter(
    section: &ObserveSection,
    sets: &Sets,
    tree: &Tree,
    issues: &mut Issues,
) -> Option<Filter> {
    let condition = condition(section, sets, tree, issues)?;
    // What is left to be wrong is the items of a set.
    Filter::compile(&condition, sets)
        .map_err(|errors| {
            let origin = tree.origin(&["input", "observe", "exporters"]);
            for error in errors {
                issues.error(&origin, "input.observe.exporters", error.to_string());
            }
        })
        .ok()
}

/// The same as CEL text.
fn condition(
    section: &ObserveSection,
    sets: &Sets,
    tree: &Tree,
    issues: &mut Issues,
) -> Option<String> {
    let exporters = exporter_condition(&section.exporters, sets, tree, issues);
    let mut parts: Vec<String> = exporters.into_iter().collect();
    let mut named: Vec<(Prefix, &str)> = Vec::new();
    for (key, indexes) in &section.interfaces {
        let checked = match parse_prefix(key) {
            Ok(_) if indexes.is_empty() => {
                Err("names no interface; valid is a list of interface indexes".to_owned())
            }
            Ok(p) => match named.iter().find(|(o, _)| o.covers(p) || p.covers(*o)) {
                Some((_, other)) => Err(format!(
                    "overlaps with `{other}`; valid is one entry for each exporter"
                )),
                None => Ok(p),
            },
            Err(problem) => Err(problem),
        };
        match checked {
            Ok(p) => {
                named.push((p, key));
                parts.push(interface_condition(p, indexes));
            }
            Err(problem) => {
                let origin = tree.origin(&["input", "observe", "interfaces", key]);
                issues.error(origin, join("input.observe.interfaces", key), problem);
            }
        }
    }
    (!parts.is_empty()).then(|| parts.join(" && "))
}

/// One of the listed exporters; `None` if none is listed.
fn exporter_condition(
    exporters: &[String],
    sets: &Sets,
    tree: &Tree,
    issues: &mut Issues,
) -> Option<String> {
    let mut anywhere = Vec::new();
    let mut prefixes = Vec::new();
    for (i, text) in exporters.iter().enumerate() {
        let problem = match text.strip_prefix("sets.") {
            Some(name) if sets.contains_key(name) => {
                anywhere.push(format!("exporter in {text}"));
                continue;
            }
            Some(name) => unknown_set(name, sets),
            None => match parse_prefix(text) {
                Ok(p) => {
                    prefixes.push(format!("\"{p}\""));
                    continue;
                }
                Err(problem) => format!("{problem}, or a set such as `sets.borders`"),
            },
        };
        let origin = tree.origin(&["input", "observe", "exporters"]);
        issues.error(origin, format!("input.observe.exporters[{i}]"), problem);
    }
    if !prefixes.is_empty() {
        anywhere.push(format!("exporter in [{}]", prefixes.join(", ")));
    }
    (!anywhere.is_empty()).then(|| format!("({})", anywhere.join(" || ")))
}

fn unknown_set(name: &str, sets: &Sets) -> String {
    let names = || sets.keys().map(String::as_str);
    let valid = if sets.is_empty() {
        "one that `sets` names, and it names none".to_owned()
    } else {
        format!("one of {}", listed(names()))
    };
    format!(
        "`sets.{name}` is no set{}; valid is {valid}",
        suggestion(name, names())
    )
}

fn interface_condition(exporter: Prefix, indexes: &[u32]) -> String {
    let list: Vec<String> = indexes.iter().map(u32::to_string).collect();
    let list = list.join(", ");
    format!(
        "(!(exporter in [\"{exporter}\"]) || (direction == \"egress\" && out_if in [{list}]) || (direction != \"egress\" && in_if in [{list}]))"
    )
}
