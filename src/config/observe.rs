//! `input.observe` as a condition that every rule's filter gets.

use super::check::prefix;
use super::error::Issues;
use super::file::ObserveSection;
use super::layer::Tree;
use super::shape::join;

/// The filter text for where flows are counted; `None` if it is everywhere. Checks the addresses; that
/// a set exists is checked with the filter.
pub(super) fn condition(
    section: &ObserveSection,
    tree: &Tree,
    issues: &mut Issues,
) -> Option<String> {
    let mut parts = Vec::new();
    let mut prefixes = Vec::new();
    let mut anywhere = Vec::new();
    for (i, text) in section.exporters.iter().enumerate() {
        if text.starts_with("sets.") {
            anywhere.push(format!("exporter in {text}"));
            continue;
        }
        match prefix(text) {
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
    let mut named: Vec<(crate::net::Prefix, &str)> = Vec::new();
    for (key, indexes) in &section.interfaces {
        let origin = tree.origin(&["input", "observe", "interfaces", key]);
        let path = join("input.observe.interfaces", key);
        let p = match prefix(key) {
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

fn interface_condition(exporter: crate::net::Prefix, indexes: &[u32]) -> String {
    let list: Vec<String> = indexes.iter().map(u32::to_string).collect();
    let list = list.join(", ");
    format!(
        "(!(exporter in [\"{exporter}\"]) || (direction == \"egress\" && out_if in [{list}]) || (direction != \"egress\" && in_if in [{list}]))"
    )
}
