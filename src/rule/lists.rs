//! Lists of prefixes with what is said of them, in place or from files.

use std::collections::BTreeMap;

use super::context::{Problems, RuleContext};
use super::lines::LineError;
use super::override_config::{override_of, parse_override_file};
use super::overrides::Override;
use super::prefixes::parse_prefix;
use super::scope::{Scope, ScopeEntry, parse_scope_file};
use super::settings::{FileRef, ListOrFile, OverrideConfig, ScopeItem};
use super::words::labels;

/// Own prefixes; `None` if there are none, or with the problems noted.
pub(super) fn scope(
    config: Option<&ListOrFile<ScopeItem>>,
    context: &RuleContext,
    problems: &mut Problems,
) -> Option<Scope> {
    let (path, entries) = match config? {
        ListOrFile::List(items) => ("scope", scope_items(items, problems)),
        ListOrFile::File(file) => {
            let entries = from_file("scope.file", file, context, parse_scope_file, problems);
            ("scope.file", entries)
        }
    };
    let entries = entries?;
    if entries.is_empty() {
        problems.add(path, "has no prefix: nothing would be counted");
        return None;
    }
    let repeated = |prefix| format!("{prefix} is given twice");
    problems.take(path, Scope::new(entries).map_err(repeated))
}

/// The lines of a file that a rule names, read by `parse`.
fn from_file<T>(
    path: &'static str,
    file: &FileRef,
    context: &RuleContext,
    parse: impl FnOnce(&str) -> Result<Vec<T>, Vec<LineError>>,
    problems: &mut Problems,
) -> Option<Vec<T>> {
    let name = file.file.display();
    let Some(text) = context.files.get(&file.file) else {
        problems.add(path, format!("{name} was not read"));
        return None;
    };
    let errors = match parse(text) {
        Ok(entries) => return Some(entries),
        Err(errors) => errors,
    };
    for error in errors {
        problems.add(path, format!("{name}, {error}"));
    }
    None
}

/// Overrides as they stand, in the order of the list.
pub(super) fn overrides(
    config: Option<&ListOrFile<OverrideConfig>>,
    context: &RuleContext,
    problems: &mut Problems,
) -> Option<Vec<Override>> {
    match config? {
        ListOrFile::List(items) => {
            let entries: Vec<Option<Override>> = items
                .iter()
                .enumerate()
                .map(|(index, item)| override_of(item, &format!("overrides[{index}]"), problems))
                .collect();
            entries.into_iter().collect()
        }
        ListOrFile::File(file) => from_file(
            "overrides.file",
            file,
            context,
            parse_override_file,
            problems,
        ),
    }
}

fn scope_items(items: &[ScopeItem], problems: &mut Problems) -> Option<Vec<ScopeEntry>> {
    let entries: Vec<Option<ScopeEntry>> = items
        .iter()
        .enumerate()
        .map(|(index, item)| {
            let path = format!("scope[{index}]");
            let (text, labels) = match item {
                ScopeItem::Prefix(prefix) => (prefix, Some(BTreeMap::new())),
                ScopeItem::Labelled(item) => {
                    let path = format!("{path}.labels");
                    (&item.prefix, labels(&path, &item.labels, problems))
                }
            };
            let prefix = problems.take(path, parse_prefix(text));
            Some(ScopeEntry {
                prefix: prefix?,
                labels: labels?,
            })
        })
        .collect();
    entries.into_iter().collect()
}
