//! What the choice of prefixes hides.

use super::MaskedPrefix;
use super::lengths::Lengths;
use super::stack::Silent;
use crate::net::{AddrBits, Prefix};

/// The one that hides more; of equals the longer, then the lower.
pub(super) fn better(a: Option<MaskedPrefix>, b: Option<MaskedPrefix>) -> Option<MaskedPrefix> {
    let rank = |m: &MaskedPrefix| (m.bytes, m.prefix.length(), std::cmp::Reverse(m.prefix));
    [a, b].into_iter().flatten().max_by_key(rank)
}

/// The silent chain that hides most.
pub(super) fn most<A: AddrBits>(silent: &[Silent<A>]) -> Option<MaskedPrefix> {
    silent
        .iter()
        .map(|s| MaskedPrefix {
            prefix: Prefix::new(s.addr.to_addr(), s.high),
            bytes: s.bytes,
        })
        .fold(None, |best, m| better(best, Some(m)))
}

/// Finds the silent prefixes around prefixes that come in address order, shorter first.
pub(super) struct Around<'a, A> {
    lengths: &'a Lengths,
    /// Not yet reached, last first.
    ahead: Vec<Silent<A>>,
    /// Around where we are, or behind.
    open: Vec<Silent<A>>,
}

impl<'a, A: AddrBits> Around<'a, A> {
    pub(super) fn new(mut silent: Vec<Silent<A>>, lengths: &'a Lengths) -> Self {
        silent.sort_unstable_by_key(|s| std::cmp::Reverse((s.addr.truncate(s.low), s.low)));
        Self {
            lengths,
            ahead: silent,
            open: Vec::new(),
        }
    }

    /// The silent prefix that strictly contains `addr/length` and hides most.
    pub(super) fn of(&mut self, addr: A, length: u8) -> Option<MaskedPrefix> {
        let end = |s: &Silent<A>| s.addr.last_of(s.low);
        while let Some(next) = self.ahead.pop_if(|s| s.addr.truncate(s.low) <= addr) {
            let start = next.addr.truncate(next.low);
            while self.open.pop_if(|s| end(s) < start).is_some() {}
            self.open.push(next);
        }
        while self.open.pop_if(|s| end(s) < addr).is_some() {}
        self.open
            .iter()
            .filter_map(|s| {
                let longest = self
                    .lengths
                    .at_most(i16::from(length.min(s.high.saturating_add(1))) - 1)?;
                let contains = longest >= s.low && s.addr.common_prefix_len(addr) >= longest;
                contains.then(|| MaskedPrefix {
                    prefix: Prefix::new(addr.to_addr(), longest),
                    bytes: s.bytes,
                })
            })
            .fold(None, |best, m| better(best, Some(m)))
    }
}
