//! Prefixes with an open alert: what is over a threshold there.

use std::collections::BTreeSet;

use super::Question;
use crate::net::Prefix;
use crate::rule::{Clear, Limit};

/// The prefixes with an open alert.
#[derive(Clone, Copy, Debug)]
pub struct Open<'a> {
    /// All of them.
    pub prefixes: &'a BTreeSet<Prefix>,
    /// Others whose traffic is told when they are not over a threshold.
    pub also: &'a BTreeSet<Prefix>,
    /// Over what they are over their threshold.
    pub clear: &'a Clear,
    /// The rule's interval.
    pub interval_ms: u64,
}

impl Question<'_> {
    /// Over what volume a prefix with an open alert is over a limit of the rule: `None` where it has none.
    /// `place` is the longest around it.
    pub(super) fn clear_volume(&self, limit: usize, prefix: Prefix, place: u32) -> Option<u128> {
        let open = self.open.filter(|open| open.prefixes.contains(&prefix))?;
        let of = &self.limits[limit];
        let (family, length) = (prefix.family(), prefix.length());
        match open.clear {
            Clear::PerMille(share) => {
                let places = self
                    .places()
                    .zip(Some(place).filter(|p| *p != crate::rule::NOWHERE));
                let own = places.and_then(|(places, place)| places.stated(place, limit, length));
                let stated = own.unwrap_or_else(|| of.stated(family, length));
                (stated != Limit::NOT_STATED).then(|| {
                    of.metric
                        .volume_limit_times(stated, *share, open.interval_ms)
                })
            }
            Clear::Limits(limits) => {
                let own = limits.iter().find(|l| l.metric == of.metric)?;
                Some(own.volume(family)[usize::from(length)])
            }
        }
    }

    /// No open prefix is over a limit with at most this volume, where no other is with at most `least`.
    pub(super) fn eased(&self, limit: usize, least: u128) -> u128 {
        let Some(open) = self.open.filter(|open| !open.prefixes.is_empty()) else {
            return least;
        };
        match open.clear {
            Clear::PerMille(_) if least == Limit::NO_LIMIT => least,
            Clear::PerMille(share) => least.saturating_mul(u128::from(*share)) / 1000,
            Clear::Limits(limits) => {
                let metric = self.limits[limit].metric;
                let own = limits.iter().filter(|l| l.metric == metric);
                let own = own.flat_map(|l| l.volume_v4.iter().chain(&l.volume_v6));
                own.copied().fold(least, u128::min)
            }
        }
    }
}
