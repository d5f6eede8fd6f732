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
    let mut parts = Vec::new();
    let mut prefixes = Vec::new();
    let mut anywhere = Vec::new();
    for (i, text) in section.exporters.iter().enumerate() {
        if let Some(name) = text.strip_prefix("sets.") {
            if !sets.contains_key(name) {
                let origin = tree.origin(&["input", "observe", "exporters"]);
                let names = || sets.keys().map(String::as_str);
                let valid = if sets.is_empty() {
                    "one that `sets` names, and it names none".to_owned()
                } else {
                    format!("one of {}", listed(names()))
                };
                issues.error(
                    origin,
                    format!("input.observe.exporters[{i}]"),
                    format!(
                        "`{text}` is no set{}; valid is {valid}",
                        suggestion(name, names())
                    ),
                );
                continue;
            }
            anywhere.push(format!("exporter in {text}"));
            continue;
        }
        match parse_prefix(text) {
            Ok(p) => prefixes.push(format!("\"{p}\"")),
            Err(problem) => {
                let origin = tree.origin(&["input", "observe", "exporters"]);
                issues.error(
                    origin,
                    format!("input.observe.exporters[{i}]"),
                    format!("{problem}, or a set such as `sets.borders`"),
                );
            }
        }
    }
    if !prefixes.is_empty() {
        anywhere.push(format!("exporter in [{}]", prefixes.join(", ")));
    }
    if !anywhere.is_empty() {
        parts.push(format!("({})", anywhere.join(" || ")));
    }
    let mut named: Vec<(Prefix, &str)> = Vec::new();
    for (key, indexes) in &section.interfaces {
        let origin = tree.origin(&["input", "observe", "interfaces", key]);
        let path = join("input.observe.interfaces", key);
        let p = match parse_prefix(key) {
            Ok(p) => p,
            Err(problem) => {
                issues.error(origin, path, problem);
                continue;
            }
        };
        if indexes.is_empty() {
            issues.error(
                &origin,
                &path,
                "names no interface; valid is a list of interface indexes",
            );
            continue;
        }
        if let Some((_, other)) = named.iter().find(|(o, _)| o.covers(p) || p.covers(*o)) {
            issues.error(
                origin,
                path,
                format!("overlaps with `{other}`; valid is one entry for each exporter"),
            );
            continue;
        }
        named.push((p, key));
        parts.push(interface_condition(p, indexes));
    }
    (!parts.is_empty()).then(|| parts.join(" && "))
}

fn interface_condition(exporter: Prefix, indexes: &[u32]) -> String {
    let list: Vec<String> = indexes.iter().map(u32::to_string).collect();
    let list = list.join(", ");
    format!(
        "(!(exporter in [\"{exporter}\"]) || (direction == \"egress\" && out_if in [{list}]) || (direction != \"egress\" && in_if in [{list}]))"
    )
}
