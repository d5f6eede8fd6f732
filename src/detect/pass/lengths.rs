//! The prefix lengths that one group of leaves is looked at in.

use crate::rule::LengthSet;

/// A set of lengths with the next shorter one at hand.
#[derive(Clone, Debug)]
pub(super) struct Lengths {
    /// By length: the longest length of the set that is not longer.
    at_most: [Option<u8>; 129],
    range: bool,
}

impl Lengths {
    /// The lengths of `set` that are at least `floor`, for leaves of `resolution` bits. A length
    /// beyond the resolution is looked at as the resolution: there is nothing longer to see.
    pub(super) fn new(set: &LengthSet, floor: u8, resolution: u8) -> Self {
        let mut at_most = [None; 129];
        for length in set.longest_first().map(|l| l.min(resolution)) {
            if length >= floor {
                at_most[usize::from(length)] = Some(length);
            }
        }
        for l in 1..at_most.len() {
            at_most[l] = at_most[l].or(at_most[l - 1]);
        }
        Self {
            at_most,
            range: set.is_range(),
        }
    }

    /// The longest length that is at most `length`.
    pub(super) fn at_most(&self, length: i16) -> Option<u8> {
        usize::try_from(length)
            .ok()
            .and_then(|l| self.at_most[l.min(128)])
    }

    /// Whether they were given as a range.
    pub(super) const fn range(&self) -> bool {
        self.range
    }

    /// The lowest of `limits` (by length) over these lengths; the highest number if there is none.
    pub(super) fn least_limit(&self, limits: &[u128]) -> u128 {
        (0u8..=128)
            .filter(|l| self.at_most[usize::from(*l)] == Some(*l))
            .map(|l| limits[usize::from(l)])
            .min()
            .unwrap_or(u128::MAX)
    }
}
