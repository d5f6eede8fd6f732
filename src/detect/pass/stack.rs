//! One metric's pass over one group of leaves.
//!
//! Sorted leaves are the leaves of a binary trie in order, and the longest common prefix of two
//! neighbours is the branch between them. So a stack of open branches is all the trie that is ever
//! needed: a branch is complete when a neighbour shares fewer bits than its length, and a chain of
//! prefixes with one child each is a range of lengths at one stack entry. (The same walk as the
//! construction of a suffix tree from a suffix array and its LCP table.)

use super::lengths::Lengths;
use crate::net::AddrBits;
use crate::rule::Mode;

/// What is asked of the leaves in one metric.
#[derive(Clone, Copy, Debug)]
pub(super) struct Question<'a> {
    pub(super) mode: Mode,
    pub(super) lengths: &'a Lengths,
    /// By prefix length: reported when the volume is greater.
    pub(super) limits: &'a [u128],
    /// Whether silent prefixes are to be told.
    pub(super) silent: bool,
}

/// One leaf as this metric sees it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Row<A> {
    pub(super) addr: A,
    /// In the metric's dimension.
    pub(super) volume: u64,
    pub(super) bytes: u64,
}

/// A reported prefix.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Hit<A> {
    pub(super) addr: A,
    pub(super) length: u8,
    pub(super) volume: u128,
    /// Volume outside the reported prefixes inside.
    pub(super) conditioned: u128,
}

/// A chain of silent prefixes around reported ones: lengths `low..=high` of `addr` hide `bytes` each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Silent<A> {
    pub(super) addr: A,
    pub(super) low: u8,
    pub(super) high: u8,
    pub(super) bytes: u128,
}

/// What a pass found, in the order in which branches were completed.
#[derive(Debug)]
pub(super) struct Answer<A> {
    pub(super) hits: Vec<Hit<A>>,
    pub(super) silent: Vec<Silent<A>>,
}

/// An open branch: the sums of everything so far under the first `length` bits of `addr`.
#[derive(Clone, Copy, Debug)]
struct Branch<A> {
    addr: A,
    length: i16,
    volume: u128,
    /// Union of the reported prefixes inside. Zero exactly when there is none: a reported volume
    /// is greater than its limit.
    covered: u128,
    bytes: u128,
    covered_bytes: u128,
    /// The largest volume of a reported prefix inside.
    shown: u128,
}

/// Looks at `rows`, strictly ascending leaves of `leaf_length` bits that share at least `floor` bits.
pub(super) fn walk<A: AddrBits>(
    rows: impl Iterator<Item = Row<A>>,
    leaf_length: u8,
    floor: u8,
    question: &Question<'_>,
) -> Answer<A> {
    let mut pass = Pass {
        least: question.lengths.least_limit(question.limits),
        question,
        stack: Vec::with_capacity(usize::from(A::BITS) + 1),
        answer: Answer {
            hits: Vec::new(),
            silent: Vec::new(),
        },
    };
    let mut previous = None;
    for row in rows {
        if let Some(before) = previous {
            pass.complete_to(i16::from(row.addr.common_prefix_len(before)));
        }
        previous = Some(row.addr);
        pass.stack.push(Branch {
            addr: row.addr,
            length: i16::from(leaf_length),
            volume: u128::from(row.volume),
            covered: 0,
            bytes: u128::from(row.bytes),
            covered_bytes: 0,
            shown: 0,
        });
    }
    pass.complete_to(i16::from(floor) - 1);
    pass.answer
}

struct Pass<'a, A> {
    question: &'a Question<'a>,
    /// No prefix with at most this volume is reported.
    least: u128,
    stack: Vec<Branch<A>>,
    answer: Answer<A>,
}

impl<A: AddrBits> Pass<'_, A> {
    /// Completes every branch longer than `shared` bits; what they held is then open at `shared`.
    fn complete_to(&mut self, shared: i16) {
        while let Some(branch) = self.stack.pop_if(|b| b.length > shared) {
            let outer = self.stack.last().map_or(shared, |b| b.length.max(shared));
            let mut branch = branch;
            self.look_at(&mut branch, outer);
            branch.length = outer;
            match self.stack.last_mut() {
                Some(parent) if parent.length == outer => parent.absorb(&branch),
                _ => self.stack.push(branch),
            }
        }
    }

    /// Decides the lengths above `outer` of a completed branch, longest first.
    fn look_at(&mut self, branch: &mut Branch<A>, outer: i16) {
        // Nearly every branch ends here.
        if branch.volume <= self.least && branch.covered == 0 {
            return;
        }
        let Question {
            mode,
            lengths,
            limits,
            silent,
        } = *self.question;
        let mut hiding: Option<u8> = None;
        let mut next = lengths.at_most(branch.length);
        while let Some(length) = next.filter(|l| i16::from(*l) > outer) {
            if branch.is_over(mode, limits[usize::from(length)], lengths.range()) {
                self.tell_silent(branch, hiding.take(), length + 1);
                self.answer.hits.push(Hit {
                    addr: branch.addr.truncate(length),
                    length,
                    volume: branch.volume,
                    conditioned: branch.volume - branch.covered,
                });
                branch.covered = branch.volume;
                branch.covered_bytes = branch.bytes;
                branch.shown = branch.volume;
            } else if silent && branch.covered > 0 && branch.bytes > branch.covered_bytes {
                hiding = hiding.or(Some(length));
            }
            next = lengths.at_most(i16::from(length) - 1);
        }
        self.tell_silent(branch, hiding, (outer + 1) as u8);
    }

    fn tell_silent(&mut self, branch: &Branch<A>, high: Option<u8>, low: u8) {
        if let Some(high) = high {
            self.answer.silent.push(Silent {
                addr: branch.addr.truncate(high),
                low,
                high,
                bytes: branch.bytes - branch.covered_bytes,
            });
        }
    }
}

impl<A> Branch<A> {
    fn absorb(&mut self, child: &Self) {
        self.volume += child.volume;
        self.covered += child.covered;
        self.bytes += child.bytes;
        self.covered_bytes += child.covered_bytes;
        self.shown = self.shown.max(child.shown);
    }

    fn is_over(&self, mode: Mode, limit: u128, range: bool) -> bool {
        match mode {
            Mode::MostSpecific => self.covered == 0 && self.volume > limit,
            Mode::Discounted => self.volume - self.covered > limit,
            // With a range, a prefix is told in its longest form: one inside has the same volume.
            Mode::All => self.volume > limit && !(range && self.shown == self.volume),
        }
    }
}
