//! Named sets: lists that filters refer to as `sets.NAME`.
//!
//! A set has no type of its own. Its items are text until a filter compares a field with it; then they
//! are read as that field's values, so one set serves `exporter in sets.borders` as prefixes and
//! another `src_as in sets.peers` as numbers.

use std::collections::BTreeMap;

use super::lines::uncommented_lines;
use crate::units::Scalar;

/// All named sets of a configuration.
pub type Sets = BTreeMap<String, NamedSet>;

/// The items of one set, with where each was found, for messages.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NamedSet {
    items: Vec<SetItem>,
}

/// One item of a set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SetItem {
    /// As written.
    pub text: String,
    /// `line 3` or `item 3`, from 1.
    pub place: String,
}

impl NamedSet {
    /// A set that was listed in the configuration.
    pub fn from_list<'a>(items: impl IntoIterator<Item = &'a Scalar>) -> Self {
        let items = items.into_iter().enumerate().map(|(index, text)| SetItem {
            text: text.as_str().to_owned(),
            place: format!("item {}", index + 1),
        });
        Self {
            items: items.collect(),
        }
    }

    /// A set from a file's text: one item per line, comments from `#` on.
    pub fn from_file(text: &str) -> Self {
        let items = uncommented_lines(text).map(|(line, text)| SetItem {
            text: text.to_owned(),
            place: format!("line {line}"),
        });
        Self {
            items: items.collect(),
        }
    }

    /// The items in their order.
    pub fn items(&self) -> &[SetItem] {
        &self.items
    }
}

/// Names that a filter can write: a letter or `_`, then letters, digits, `_`.
pub fn check_set_name(name: &str) -> Result<(), String> {
    let first = name
        .chars()
        .next()
        .is_some_and(|c| c.is_ascii_alphabetic() || c == '_');
    if first && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_') {
        Ok(())
    } else {
        Err(format!(
            "`{name}` is not a set name: a letter or _, then letters, digits and _"
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn items_know_where_they_stand() {
        let set =
            NamedSet::from_file("# borders\n\n  192.0.2.1  # first\nge-0/0/0 # not#this\na#b\n");
        let items: Vec<(&str, &str)> = set
            .items()
            .iter()
            .map(|i| (i.text.as_str(), i.place.as_str()))
            .collect();
        assert_eq!(
            items,
            [
                ("192.0.2.1", "line 3"),
                ("ge-0/0/0", "line 4"),
                ("a#b", "line 5")
            ]
        );
        let listed = NamedSet::from_list(&["x".into(), Scalar::from("7")]);
        assert_eq!(listed.items()[1].place, "item 2");
    }

    #[test]
    fn set_names_are_what_a_filter_can_write() {
        for name in ["borders", "_a1", "B"] {
            assert_eq!(check_set_name(name), Ok(()));
        }
        for name in ["", "1a", "my-borders", "a.b", "ü"] {
            assert!(check_set_name(name).is_err(), "{name}");
        }
    }
}
