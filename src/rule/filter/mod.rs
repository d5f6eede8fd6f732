//! The filter: CEL text, checked against the field table, lowered to a native predicate.
//!
//! In: text such as `direction == "ingress" && src_if_desc.contains("DFN")`, and the named sets it may
//! refer to. Out: a [`Filter`] that evaluates without allocation and cannot fail, or every
//! [`FilterError`] in the text, with line, column and what is possible instead.
//!
//! A number or text that a flow does not carry is 0 or empty, as in the record. An address that it
//! does not carry equals nothing and lies in no prefix.

mod compare;
mod error;
mod fields;
mod lower;
mod member;
mod names;
mod predicate;
mod shared;
mod span;
mod syntax;
#[cfg(test)]
mod tests;
mod values;

use super::sets::Sets;
use crate::flow::{FieldSet, Flow};

pub use error::FilterError;
use predicate::{Predicate, SetsAs};
pub use shared::SharedFilters;

/// A predicate over [`Flow`], lowered from CEL. The default takes every flow.
#[derive(Clone, Debug)]
pub struct Filter {
    root: Predicate,
    fields: FieldSet,
    canonical: String,
    by_name: String,
}

impl Default for Filter {
    fn default() -> Self {
        Self::of(Predicate::Const(true), FieldSet::EMPTY)
    }
}

impl Filter {
    /// Parses, checks and lowers `source`; all white space takes every flow.
    pub fn compile(source: &str, sets: &Sets) -> Result<Self, Vec<FilterError>> {
        if source.trim().is_empty() {
            return Ok(Self::default());
        }
        let (root, fields) = lower::lower(source, sets)?;
        Ok(Self::of(root, fields))
    }

    fn of(root: Predicate, fields: FieldSet) -> Self {
        Self {
            canonical: root.canonical(SetsAs::Items),
            by_name: root.canonical(SetsAs::Names),
            root: root.ordered_by_cost(),
            fields,
        }
    }

    /// Whether the rule wants this flow.
    #[inline]
    pub fn matches(&self, flow: &Flow<'_>) -> bool {
        self.root.matches(flow)
    }

    /// Takes the flows that both take.
    #[must_use]
    pub fn and(&self, other: &Self) -> Self {
        let root = Predicate::all([self.root.clone(), other.root.clone()]);
        Self::of(root, self.fields.union(other.fields))
    }

    /// The fields it looks at.
    pub const fn fields(&self) -> FieldSet {
        self.fields
    }

    /// A text that is the same for filters that differ in layout, order of operands, or the way a
    /// value is written only. Named sets are spelled out.
    pub fn canonical(&self) -> &str {
        &self.canonical
    }

    /// The same with the names of sets in place of their items: it stays when the items change.
    pub fn canonical_by_name(&self) -> &str {
        &self.by_name
    }
}
