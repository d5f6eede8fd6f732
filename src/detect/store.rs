//! One window's leaves of one family: sorted runs, merged lazily.
//!
//! Invariant: runs shrink from first to last, and all but the first together hold less than a
//! quarter of its rows; so at most 1.25 rows are kept per distinct address (28 bytes each for IPv4
//! where all flows have one sampling rate, 44 otherwise), and a row is copied a few times only.
//! Merging the first run needs its memory a second time while it lasts.
//!
//! Above `max` distinct addresses the leaves are folded to the longest length L at which they fit.
//! The number of distinct prefixes of a length only grows as deltas come, so L never passes below
//! what the whole set needs: at the end it depends on the set alone, not on its order.

use super::columns::{empty, fitting_length, fold, merge};
use crate::net::AddrBits;
use crate::partial::LeavesOf;

/// The leaves of one window and family.
#[derive(Debug)]
pub(super) struct Store<A> {
    runs: Vec<LeavesOf<A>>,
    length: u8,
    max: usize,
}

impl<A: AddrBits> Store<A> {
    /// An empty store that keeps at most `max` leaves apart, and at least one.
    pub(super) fn new(max: usize) -> Self {
        Self {
            runs: Vec::new(),
            length: A::BITS,
            max: max.max(1),
        }
    }

    /// Adds a delta's leaves.
    pub(super) fn add(&mut self, mut leaves: LeavesOf<A>) {
        if leaves.addr.is_empty() {
            return;
        }
        if self.length < A::BITS {
            fold(&mut leaves, self.length);
        }
        self.runs.push(leaves);
        loop {
            let n = self.runs.len();
            let rows = |i: usize| self.runs[i].addr.len();
            let tail: usize = (1..n).map(rows).sum();
            let uneven = n >= 2 && rows(n - 1) * 2 >= rows(n - 2);
            if !uneven && tail * 4 < rows(0) || n == 1 {
                break;
            }
            self.merge_last();
        }
        if self.runs[0].addr.len() > self.max {
            self.fold();
        }
    }

    /// Merges everything into one run and folds it if it has to be.
    pub(super) fn settle(&mut self) {
        while self.runs.len() > 1 {
            self.merge_last();
        }
        if self.runs.first().is_some_and(|r| r.addr.len() > self.max) {
            self.fold();
        }
        if self.runs.is_empty() {
            self.runs.push(empty());
        }
    }

    /// The leaves and the length they are kept at. Call [`Self::settle`] first: what is not settled
    /// is not in it.
    pub(super) fn leaves(&self) -> Option<(&LeavesOf<A>, u8)> {
        self.runs.first().map(|r| (r, self.length))
    }

    /// Rows held, repeats in several runs included.
    pub(super) fn rows(&self) -> usize {
        self.runs.iter().map(|r| r.addr.len()).sum()
    }

    fn merge_last(&mut self) {
        if let (Some(b), Some(a)) = (self.runs.pop(), self.runs.pop()) {
            self.runs.push(merge(&a, &b));
        }
    }

    /// Folds every run, as later deltas will be: the first has too many rows.
    fn fold(&mut self) {
        self.length = fitting_length(&self.runs[0].addr, self.length, self.max);
        for run in &mut self.runs {
            fold(run, self.length);
        }
    }
}
