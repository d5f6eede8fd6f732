//! `sets`: lists that filters refer to by name.

use std::collections::BTreeMap;
use std::path::PathBuf;

use super::error::Issues;
use super::file::{ObserveSection, SetSection};
use super::layer::{Tree, read_text};
use super::rules::Located;
use super::shape::join;
use crate::rule::{NamedSet, Sets, check_set_name};

/// Checks the names, and reads the sets that are in files. What the items mean is up to the field that
/// a filter compares them with.
pub(super) fn read(
    sections: &BTreeMap<String, SetSection>,
    tree: &Tree,
    issues: &mut Issues,
) -> Sets {
    let mut sets = Sets::new();
    for (name, section) in sections {
        let origin = tree.origin(&["sets", name]);
        let path = join("sets", name);
        if let Err(problem) = check_set_name(name) {
            issues.error(&origin, &path, problem);
        }
        let set = match section {
            SetSection::List(items) => Ok(NamedSet::from_list(items)),
            SetSection::File(reference) => {
                read_text(&path_of(name, &reference.file, tree)).map(|t| NamedSet::from_file(&t))
            }
        };
        let set = match set {
            Ok(set) if set.items().is_empty() => {
                Err("has no item; valid is at least one".to_owned())
            }
            other => other,
        };
        // A set that is wrong is still known, so that no filter is blamed for it.
        let set = set.unwrap_or_else(|problem| {
            issues.error(origin, path, problem);
            NamedSet::default()
        });
        sets.insert(name.clone(), set);
    }
    sets
}

/// The files of sets that are in one.
pub(super) fn files(sections: &BTreeMap<String, SetSection>, tree: &Tree) -> Vec<PathBuf> {
    let files = sections.iter().filter_map(|(name, set)| match set {
        SetSection::List(_) => None,
        SetSection::File(reference) => Some(path_of(name, &reference.file, tree)),
    });
    files.collect()
}

fn path_of(name: &str, file: &str, tree: &Tree) -> PathBuf {
    tree.folder(&tree.origin(&["sets", name])).join(file)
}

/// Warns about sets that nothing refers to.
pub(super) fn warn_unused(
    sections: &BTreeMap<String, SetSection>,
    rules: &[Located],
    observe: &ObserveSection,
    issues: &mut Issues,
) {
    for name in sections.keys() {
        let reference = format!("sets.{name}");
        let filters = rules.iter().map(|r| r.rule.filter.as_str());
        let mut texts = filters.chain(observe.exporters.iter().map(String::as_str));
        if !texts.any(|text| mentions(text, &reference)) {
            issues.warn(reference, "no filter refers to this set");
        }
    }
}

/// Whether `text` holds `word`, not as the beginning of a longer name.
fn mentions(text: &str, word: &str) -> bool {
    text.match_indices(word).any(|(at, _)| {
        !text[at + word.len()..].starts_with(|c: char| c.is_ascii_alphanumeric() || c == '_')
    })
}
