//! Own prefixes with labels: longest match decides which entry an address belongs to.

use std::collections::BTreeMap;

use crate::net::{Addr, Prefix};

/// One own prefix.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScopeEntry {
    /// The prefix: aggregation stops here.
    pub prefix: Prefix,
    /// Copied into the alert's target.
    pub labels: BTreeMap<String, String>,
}

/// A rule's own prefixes, without repeats, sorted by prefix.
#[derive(Clone, Debug, Default)]
pub struct Scope {
    entries: Vec<ScopeEntry>,
}

impl Scope {
    /// The entry with the longest prefix that holds `addr`.
    pub fn entry(&self, addr: Addr) -> Option<&ScopeEntry> {
        self.entries
            .iter()
            .filter(|e| e.prefix.contains(addr))
            .max_by_key(|e| e.prefix.length())
    }

    /// All entries, sorted by prefix.
    pub fn entries(&self) -> &[ScopeEntry] {
        &self.entries
    }
}
