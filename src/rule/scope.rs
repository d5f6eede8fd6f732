//! Own prefixes with labels: longest match decides which entry an address belongs to.

use std::collections::BTreeMap;

use super::lines::{LineError, split_words, uncommented_lines};
use super::prefixes::{PrefixTable, parse_prefix};
use super::words::check_label;
use crate::net::{Addr, Prefix};

/// One own prefix.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScopeEntry {
    /// The prefix: aggregation stops here.
    pub prefix: Prefix,
    /// Copied into the alert's target.
    pub labels: BTreeMap<String, String>,
}

/// A rule's own prefixes, without repeats, sorted by prefix. Entries may lie inside each other: an
/// address belongs to the longest that holds it, and to that alone.
#[derive(Clone, Debug, Default)]
pub struct Scope {
    entries: Vec<ScopeEntry>,
    table: PrefixTable<u32>,
}

impl Scope {
    /// Sorts the entries. A prefix given twice is the error.
    pub fn new(mut entries: Vec<ScopeEntry>) -> Result<Self, Prefix> {
        entries.sort_by_key(|e| e.prefix);
        let mut table = PrefixTable::default();
        for (index, entry) in entries.iter().enumerate() {
            if table.insert(entry.prefix, index as u32).is_some() {
                return Err(entry.prefix);
            }
        }
        Ok(Self { entries, table })
    }

    /// The entry with the longest prefix that holds `addr`.
    pub fn entry(&self, addr: Addr) -> Option<&ScopeEntry> {
        self.entry_index(addr).map(|index| &self.entries[index])
    }

    /// Where that entry stands in [`Self::entries`].
    #[inline]
    pub fn entry_index(&self, addr: Addr) -> Option<usize> {
        self.table.get(addr).map(|index| *index as usize)
    }

    /// All entries, sorted by prefix.
    pub fn entries(&self) -> &[ScopeEntry] {
        &self.entries
    }
}

/// Reads a scope file: one prefix per line, then labels `key=value` or `key="with space"`, and
/// comments from `#` on. An address is a prefix of full length.
pub fn parse_scope_file(text: &str) -> Result<Vec<ScopeEntry>, Vec<LineError>> {
    let mut entries = Vec::new();
    let mut errors = Vec::new();
    for (line, content) in uncommented_lines(text) {
        match parse_scope_line(content) {
            Ok(entry) => entries.push(entry),
            Err(message) => errors.push(LineError { line, message }),
        }
    }
    if errors.is_empty() {
        Ok(entries)
    } else {
        Err(errors)
    }
}

fn parse_scope_line(content: &str) -> Result<ScopeEntry, String> {
    let mut words = split_words(content)?.into_iter();
    let prefix = parse_prefix(&words.next().unwrap_or_default())?;
    let mut labels = BTreeMap::new();
    for word in words {
        let (key, value) = word
            .split_once('=')
            .ok_or_else(|| format!("`{word}` is not a label, such as customer=example"))?;
        check_label(key, value)?;
        if labels.insert(key.to_owned(), value.to_owned()).is_some() {
            return Err(format!("label `{key}` is given twice"));
        }
    }
    Ok(ScopeEntry { prefix, labels })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_belongs_to_the_innermost_entry() {
        let entries = parse_scope_file(
            "198.51.100.0/22 customer=outer # the whole site\n\
             \n\
             # its web farm\n\
             198.51.100.64/26 customer=inner note=\"web farm # 2\"\n\
             2001:db8::/32\n\
             203.0.113.9\n",
        )
        .expect("the file is valid");
        let scope = Scope::new(entries).expect("no prefix repeats");
        let at = |text: &str| {
            scope
                .entry(Addr::from_ip(text.parse().expect("an address")))
                .map(|e| e.prefix.to_string())
        };
        assert_eq!(at("198.51.100.1").as_deref(), Some("198.51.100.0/22"));
        assert_eq!(at("198.51.100.65").as_deref(), Some("198.51.100.64/26"));
        assert_eq!(at("198.51.104.1"), None);
        assert_eq!(at("203.0.113.9").as_deref(), Some("203.0.113.9/32"));
        assert_eq!(at("2001:db8::1").as_deref(), Some("2001:db8::/32"));
        assert_eq!(at("::1"), None);
        let inner = scope.entry(Addr::V4(0xc633_6441)).expect("it is inside");
        assert_eq!(inner.labels["note"], "web farm # 2");
    }

    #[test]
    fn a_repeated_prefix_is_refused() {
        let entries = parse_scope_file("10.0.0.0/8\n10.0.0.0/8 a=b\n").expect("lines are valid");
        assert_eq!(
            Scope::new(entries).map(|_| ()).map_err(|p| p.to_string()),
            Err("10.0.0.0/8".to_owned())
        );
    }

    #[test]
    fn every_bad_line_is_named() {
        let errors = parse_scope_file(
            "10.0.0.0/8\n10.0.0.1/8\nfoo\n10.1.0.0/16 label\n10.2.0.0/16 1=2\n10.3.0.0/16 a=1 a=2\n10.4.0.0/16 a=\"open\n",
        )
        .expect_err("six lines are wrong");
        let text: Vec<String> = errors.iter().map(ToString::to_string).collect();
        insta::with_settings!({omit_expression => true}, {
            insta::assert_snapshot!(text.join("\n"));
        });
    }
}
