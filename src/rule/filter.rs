//! The compiled filter: a native predicate over flow fields.

use crate::flow::{FieldSet, Flow};

/// A predicate over [`Flow`], lowered from CEL.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    fields: FieldSet,
}

impl Filter {
    /// Whether the rule wants this flow.
    pub fn matches(&self, _flow: &Flow<'_>) -> bool {
        true
    }

    /// The fields it looks at.
    pub const fn fields(&self) -> FieldSet {
        self.fields
    }
}
