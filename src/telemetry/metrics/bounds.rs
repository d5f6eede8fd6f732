//! Which values of a label have series of their own.
//!
//! In: values as they come, from collections and stages. Out: whether a value is shown or is one of
//! [`OTHER`](super::table::OTHER). Guarantee: the first that come are shown for as long as the process
//! runs. By any order of values, a new one could displace one that is shown, which would take all of its
//! past to `other`.

use std::borrow::Borrow;
use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};

use super::{MAX_PARTITIONS, MAX_RULES};
use crate::partial::SourceId;

/// What has series of its own, with every reader.
#[derive(Debug)]
pub(super) struct Bounds {
    pub(super) sources: FirstCome<SourceId>,
    /// Instances may be configured anew, and others wrote before: so there can be more than [`MAX_RULES`].
    pub(super) rules: FirstCome<String>,
}

impl Default for Bounds {
    fn default() -> Self {
        Self {
            sources: FirstCome::new(MAX_PARTITIONS),
            rules: FirstCome::new(MAX_RULES),
        }
    }
}

/// The first values that came, up to a bound.
#[derive(Debug)]
pub(super) struct FirstCome<K> {
    bound: usize,
    values: Mutex<BTreeSet<K>>,
}

impl<K: Ord> FirstCome<K> {
    const fn new(bound: usize) -> Self {
        Self {
            bound,
            values: Mutex::new(BTreeSet::new()),
        }
    }

    /// Whether `value` is one of them, which it becomes if there is room.
    pub(super) fn takes<Q>(&self, value: &Q) -> bool
    where
        K: Borrow<Q>,
        Q: Ord + ToOwned<Owned = K> + ?Sized,
    {
        // Whole after every statement.
        let mut values = self.values.lock().unwrap_or_else(PoisonError::into_inner);
        values.contains(value) || values.len() < self.bound && values.insert(value.to_owned())
    }
}
