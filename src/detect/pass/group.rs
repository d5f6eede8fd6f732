//! Leaves by scope entry.

use std::ops::Range;

use crate::net::{Addr, AddrBits, Prefix};
use crate::rule::ScopeEntry;

/// Leaves that are aggregated together: those of one scope entry, or all of them without a scope.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Group {
    /// Position in the scope's entries.
    pub(super) entry: Option<usize>,
    /// No prefix shorter than this is looked at.
    pub(super) floor: u8,
    /// Ranges of leaf positions, ascending, none empty. Entries inside this one leave holes.
    pub(super) spans: Vec<Range<usize>>,
}

impl Group {
    /// The positions of this group's leaves inside `addr/length`.
    pub(super) fn inside<A: AddrBits>(
        &self,
        leaves: &[A],
        addr: A,
        length: u8,
    ) -> impl Iterator<Item = Range<usize>> + use<'_, A> {
        let low = leaves.partition_point(|a| *a < addr);
        let last = addr.last_of(length);
        let high = low + leaves[low..].partition_point(|a| *a <= last);
        let first = self.spans.partition_point(|s| s.end <= low);
        self.spans[first..]
            .iter()
            .take_while(move |s| s.start < high)
            .map(move |s| s.start.max(low)..s.end.min(high))
    }
}

/// Splits leaves (sorted addresses of `resolution` bits) by the longest scope entry around each.
/// Leaves outside every entry are in no group.
pub(super) fn groups<A: AddrBits>(
    leaves: &[A],
    resolution: u8,
    scope: Option<&[ScopeEntry]>,
) -> Vec<Group> {
    if leaves.is_empty() {
        return Vec::new();
    }
    let Some(scope) = scope else {
        return vec![Group {
            entry: None,
            floor: 0,
            spans: std::iter::once(0..leaves.len()).collect(),
        }];
    };
    let mut split = Split {
        groups: Vec::new(),
        open: Vec::new(),
    };
    for (prefix, entry) in entries_at::<A>(scope, resolution) {
        let addr = bits::<A>(prefix.addr());
        let low = leaves.partition_point(|a| *a < addr);
        let last = addr.last_of(prefix.length());
        let high = low + leaves[low..].partition_point(|a| *a <= last);
        if low < high {
            split.enter(low..high, entry, prefix.length());
        }
    }
    split.leave(usize::MAX);
    split.groups.retain(|g| !g.spans.is_empty());
    split.groups
}

/// The scope entries of one family as leaves of `resolution` bits can tell them apart, sorted by
/// prefix. A leaf belongs to an entry that covers it whole. An entry longer than the resolution
/// and in no shorter one is stretched to the resolution, so that its traffic stays visible; of
/// several that become the same, the first stands for all.
fn entries_at<A: AddrBits>(scope: &[ScopeEntry], resolution: u8) -> Vec<(Prefix, usize)> {
    let of_family = scope
        .iter()
        .enumerate()
        .filter(|(_, e)| e.prefix.family() == A::FAMILY)
        .map(|(i, e)| (e.prefix, i));
    let (mut kept, longer): (Vec<_>, Vec<_>) =
        of_family.partition(|(p, _)| p.length() <= resolution);
    let mut stretched: Vec<_> = longer
        .into_iter()
        .map(|(p, i)| (Prefix::new(p.addr(), resolution), i))
        .collect();
    stretched.sort_unstable();
    stretched.dedup_by_key(|(p, _)| *p);
    // Both are sorted, and prefixes nest: the last kept one that starts at or before a stretched
    // one, or one around that, covers it if any does.
    let mut around: Vec<Prefix> = Vec::new();
    let mut next = 0;
    let mut orphans = Vec::new();
    for (prefix, entry) in stretched {
        while next < kept.len() && kept[next].0 <= prefix {
            while around.pop_if(|a| !a.covers(kept[next].0)).is_some() {}
            around.push(kept[next].0);
            next += 1;
        }
        while around.pop_if(|a| !a.covers(prefix)).is_some() {}
        if around.is_empty() {
            orphans.push((prefix, entry));
        }
    }
    kept.extend(orphans);
    kept.sort_unstable();
    kept
}

/// The number behind an address of the family of `A`.
pub(super) fn bits<A: AddrBits>(addr: Addr) -> A {
    match addr {
        Addr::V4(bits) => A::from_u128(u128::from(bits)),
        Addr::V6(bits) => A::from_u128(bits),
    }
}

/// Walks nested ranges in order and gives each position to the innermost.
struct Split {
    groups: Vec<Group>,
    /// Position in `groups`, next position not given away, end.
    open: Vec<(usize, usize, usize)>,
}

impl Split {
    fn enter(&mut self, range: Range<usize>, entry: usize, floor: u8) {
        self.leave(range.start);
        self.give(range.start);
        self.open.push((self.groups.len(), range.start, range.end));
        self.groups.push(Group {
            entry: Some(entry),
            floor,
            spans: Vec::new(),
        });
    }

    /// Closes every range that ends at or before `position`.
    fn leave(&mut self, position: usize) {
        while let Some((_, _, end)) = self.open.last().copied().filter(|o| o.2 <= position) {
            self.give(end);
            self.open.pop();
            if let Some(outer) = self.open.last_mut() {
                outer.1 = end;
            }
        }
    }

    /// Gives what lies before `position` to the innermost open range.
    fn give(&mut self, position: usize) {
        if let Some((group, from, _)) = self.open.last_mut() {
            if *from < position {
                self.groups[*group].spans.push(*from..position);
            }
            *from = position;
        }
    }
}
