//! One metric's pass over one group of leaves.
//!
//! Sorted leaves are the leaves of a binary trie in order, and the longest common prefix of two
//! neighbours is the branch between them. So a stack of open branches is all the trie that is ever
//! needed: a branch is complete when a neighbour shares fewer bits than its length, and a chain of
//! prefixes with one child each is a range of lengths at one stack entry. (The same walk as the
//! construction of a suffix tree from a suffix array and its LCP table.)

use super::gates::Gates;
use super::lengths::Lengths;
use crate::net::{AddrBits, Prefix};
use crate::rule::{Limit, Mode, NOWHERE, Places};

/// What is asked of the leaves in one metric.
#[derive(Clone, Copy, Debug)]
pub(super) struct Question<'a> {
    pub(super) mode: Mode,
    pub(super) lengths: &'a Lengths,
    /// By prefix length: reported when the volume is greater.
    pub(super) limits: &'a [u128],
    /// No prefix outside every place is reported with at most this volume.
    pub(super) least: u128,
    /// What is different in places.
    pub(super) places: Option<&'a Places>,
    /// Whether silent prefixes are to be told.
    pub(super) silent: bool,
    /// What is asked, for what is open.
    pub(super) asked: &'a super::Question<'a>,
    /// Which of its limits this is.
    pub(super) limit: usize,
    /// Where nothing is to be reported, and the scope entry that the leaves are in.
    pub(super) gates: Option<(&'a Gates<'a>, Option<usize>)>,
}

/// One leaf as this metric sees it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Row<A> {
    pub(super) addr: A,
    /// The longest place that holds it, or [`NOWHERE`].
    pub(super) place: u32,
    /// In the metric's dimension.
    pub(super) volume: u64,
    pub(super) bytes: u64,
}

/// A reported prefix.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Hit<A> {
    pub(super) addr: A,
    pub(super) length: u8,
    /// The longest place that covers it, or [`NOWHERE`].
    pub(super) place: u32,
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
pub(super) struct Branch<A> {
    addr: A,
    length: i16,
    /// The longest place that covers it, or [`NOWHERE`].
    place: u32,
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
/// `stack` is empty before and after.
pub(super) fn walk<A: AddrBits>(
    rows: impl Iterator<Item = Row<A>>,
    leaf_length: u8,
    floor: u8,
    question: &Question<'_>,
    stack: &mut Vec<Branch<A>>,
) -> Answer<A> {
    let mut pass = Pass {
        question,
        stack: &mut *stack,
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
            place: row.place,
            volume: u128::from(row.volume),
            covered: 0,
            bytes: u128::from(row.bytes),
            covered_bytes: 0,
            shown: 0,
        });
    }
    pass.complete_to(i16::from(floor) - 1);
    let answer = pass.answer;
    stack.clear();
    answer
}

struct Pass<'a, A> {
    question: &'a Question<'a>,
    stack: &'a mut Vec<Branch<A>>,
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
            if let Some(places) = self.question.places {
                branch.place = places.within(branch.place, outer);
            }
            match self.stack.last_mut() {
                Some(parent) if parent.length == outer => parent.absorb(&branch),
                _ => self.stack.push(branch),
            }
        }
    }

    /// Decides the lengths above `outer` of a completed branch, longest first.
    fn look_at(&mut self, branch: &mut Branch<A>, outer: i16) {
        // Nearly every branch ends here.
        if branch.volume <= self.least(branch.place) && branch.covered == 0 {
            return;
        }
        let Question {
            mode,
            lengths,
            silent,
            ..
        } = *self.question;
        let mut hiding: Option<u8> = None;
        let mut place = branch.place;
        let mut next = self.next(&mut place, branch.length);
        while let Some((length, is_listed)) = next.filter(|(l, _)| i16::from(*l) > outer) {
            if branch.is_over(
                mode,
                self.limit(branch.addr, place, length),
                lengths.range(),
            ) {
                self.tell_silent(branch, hiding.take(), length + 1);
                self.answer.hits.push(Hit {
                    addr: branch.addr.truncate(length),
                    length,
                    place,
                    volume: branch.volume,
                    conditioned: branch.volume - branch.covered,
                });
                branch.covered = branch.volume;
                branch.covered_bytes = branch.bytes;
                branch.shown = branch.volume;
            } else if silent
                && is_listed
                && branch.covered > 0
                && branch.bytes > branch.covered_bytes
            {
                hiding = hiding.or(Some(length));
            }
            next = self.next(&mut place, i16::from(length) - 1);
        }
        self.tell_silent(branch, hiding, (outer + 1) as u8);
    }

    /// The longest length up to `length` that is looked at inside `place`, which moves out with it,
    /// and whether the rule lists it.
    fn next(&self, place: &mut u32, length: i16) -> Option<(u8, bool)> {
        let listed = self.question.lengths.at_most(length);
        let Some(places) = self.question.places.filter(|_| *place != NOWHERE) else {
            return listed.map(|l| (l, true));
        };
        *place = places.within(*place, length);
        let own = match *place {
            NOWHERE => None,
            place => places.looked_at(place, self.question.limit),
        };
        let longest = listed.max(own)?;
        *place = places.within(*place, i16::from(longest));
        Some((longest, listed == Some(longest)))
    }

    fn limit(&self, addr: A, place: u32, length: u8) -> u128 {
        let is_closed = |(gates, entry): (&Gates<'_>, _)| gates.is_closed(place, entry);
        if self.question.gates.is_some_and(is_closed) {
            return Limit::NO_LIMIT;
        }
        let places = self.question.places.filter(|_| place != NOWHERE);
        let limit = self.question.limit;
        let usual = places
            .and_then(|places| places.volume(place, limit, length))
            .unwrap_or(self.question.limits[usize::from(length)]);
        let asked = self.question.asked;
        if asked.open.is_none() || usual == Limit::NO_LIMIT {
            return usual;
        }
        let prefix = Prefix::new(addr.to_addr(), length);
        let clear = asked.clear_volume(limit, prefix, place);
        clear.map_or(usual, |clear| clear.min(usual))
    }

    /// No prefix whose longest place is `place` is reported with at most this volume, nor one around it.
    fn least(&self, place: u32) -> u128 {
        let Question {
            asked,
            limit,
            least,
            ..
        } = *self.question;
        match self.question.places {
            Some(places) if place != NOWHERE => {
                least.min(asked.eased(limit, places.least(place, limit)))
            }
            _ => least,
        }
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
