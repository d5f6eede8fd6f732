//! Leaves by scope entry, and by the overrides that count apart.

use std::ops::Range;

use crate::net::{Addr, AddrBits, Prefix};
use crate::rule::{NOWHERE, Places, ScopeEntry};

/// Leaves that are aggregated together: those of one scope entry or of an override that counts
/// apart, or all that are in none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Group {
    /// Position in the scope's entries.
    pub(super) entry: Option<usize>,
    /// No prefix shorter than this is looked at.
    pub(super) floor: u8,
    /// Its spans, in [`Groups::spans`].
    spans: Range<usize>,
}

/// Neighbouring leaves of one group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Span {
    /// Leaf positions; not empty.
    pub(super) leaves: Range<usize>,
    /// The longest override that holds them, or [`NOWHERE`].
    pub(super) place: u32,
    /// Position in [`Groups::all`].
    group: usize,
}

/// The groups of one family's leaves, none without leaves.
#[derive(Debug, Default)]
pub(super) struct Groups {
    all: Vec<Group>,
    /// By group, then address. What is inside a group but not of it leaves holes.
    spans: Vec<Span>,
}

impl Groups {
    pub(super) const fn len(&self) -> usize {
        self.all.len()
    }

    pub(super) fn get(&self, group: usize) -> &Group {
        &self.all[group]
    }

    /// A group's spans, by address.
    pub(super) fn spans(&self, group: usize) -> &[Span] {
        &self.spans[self.all[group].spans.clone()]
    }

    /// All spans by address.
    pub(super) fn by_address(&self) -> Vec<&Span> {
        let mut spans: Vec<&Span> = self.spans.iter().collect();
        spans.sort_unstable_by_key(|span| span.leaves.start);
        spans
    }

    /// The group that `addr/length` is a prefix of; `None` if none of its leaves are there.
    pub(super) fn of<A: AddrBits>(
        &self,
        by_address: &[&Span],
        leaves: &[A],
        addr: A,
        length: u8,
    ) -> Option<usize> {
        let Range { start, end } = range(leaves, addr, length);
        let first = by_address.partition_point(|span| span.leaves.end <= start);
        let inside = by_address[first..].iter();
        let mut inside = inside.take_while(|span| start < end && span.leaves.start < end);
        // What is apart inside it has a longer floor.
        let found = inside.find(|span| self.all[span.group].floor <= length);
        found.map(|span| span.group)
    }

    /// The positions of a group's leaves inside `addr/length`.
    pub(super) fn inside<A: AddrBits>(
        &self,
        group: usize,
        leaves: &[A],
        addr: A,
        length: u8,
    ) -> impl Iterator<Item = Range<usize>> + use<'_, A> {
        let Range { start, end } = range(leaves, addr, length);
        let spans = self.spans(group);
        let first = spans.partition_point(|s| s.leaves.end <= start);
        spans[first..]
            .iter()
            .map(|s| s.leaves.clone())
            .take_while(move |s| s.start < end)
            .map(move |s| s.start.max(start)..s.end.min(end))
    }
}

/// The positions of the leaves inside `addr/length`.
fn range<A: AddrBits>(leaves: &[A], addr: A, length: u8) -> Range<usize> {
    let start = leaves.partition_point(|a| *a < addr);
    let last = addr.last_of(length);
    start..start + leaves[start..].partition_point(|a| *a <= last)
}

/// Splits leaves (sorted addresses of `resolution` bits) by the longest scope entry, or override that
/// counts apart, around each. Where there is a scope, leaves outside every entry are in no group.
pub(super) fn groups<A: AddrBits>(
    leaves: &[A],
    resolution: u8,
    scope: Option<&[ScopeEntry]>,
    places: Option<&Places>,
) -> Groups {
    if leaves.is_empty() {
        return Groups::default();
    }
    let mut split = Split::default();
    if scope.is_none() {
        split.enter(0..leaves.len(), None, 0);
    }
    let entries = scope.map_or_else(Vec::new, |scope| entries_at::<A>(scope, resolution));
    let mut entries = entries.into_iter().peekable();
    let places = places.into_iter().flat_map(|places| places.of(A::FAMILY));
    // An override that is longer than the leaves cannot be told apart.
    let mut places = places
        .filter(|(_, place)| place.prefix.length() <= resolution)
        .peekable();
    let mut cursor = Cursor { leaves, at: 0 };
    loop {
        // A scope entry stands around an override of the same prefix.
        let next = places.peek().map(|(_, place)| place.prefix);
        let entry = entries.next_if(|(prefix, _)| next.is_none_or(|next| *prefix <= next));
        if let Some((prefix, entry)) = entry {
            if let Some(range) = cursor.inside(prefix) {
                split.enter(range, Some(entry), prefix.length());
            }
        } else if let Some((name, place)) = places.next() {
            if let Some(range) = cursor.inside(place.prefix) {
                split.enter_place(range, name, place.is_apart, place.prefix.length());
            }
        } else {
            break;
        }
    }
    split.finish()
}

/// Finds ranges of leaves for prefixes that come sorted.
struct Cursor<'a, A> {
    leaves: &'a [A],
    /// Leaves before this are before every prefix to come.
    at: usize,
}

impl<A: AddrBits> Cursor<'_, A> {
    /// The leaves inside `prefix`, if there are some.
    fn inside(&mut self, prefix: Prefix) -> Option<Range<usize>> {
        let addr = bits::<A>(prefix.addr());
        let last = addr.last_of(prefix.length());
        // Nearly every prefix of a long list ends here.
        if self.leaves.get(self.at).is_none_or(|a| *a > last) {
            return None;
        }
        self.at += first_not(&self.leaves[self.at..], |a| a < addr);
        let inside = first_not(&self.leaves[self.at..], |a| a <= last);
        (inside > 0).then(|| self.at..self.at + inside)
    }
}

/// How many of sorted `leaves` `is_before` holds for: in steps that double, as few are likely.
fn first_not<A: AddrBits>(leaves: &[A], is_before: impl Fn(A) -> bool) -> usize {
    let mut step = 1;
    while leaves.get(step - 1).is_some_and(|a| is_before(*a)) {
        step *= 2;
    }
    let known = step / 2;
    let end = leaves.len().min(step);
    known + leaves[known..end].partition_point(|a| is_before(*a))
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
#[derive(Default)]
struct Split {
    groups: Vec<Group>,
    spans: Vec<Span>,
    open: Vec<Frame>,
}

/// A range that is being walked.
struct Frame {
    /// `None`: outside the scope.
    group: Option<usize>,
    place: u32,
    /// The next position that is not given away.
    from: usize,
    end: usize,
}

impl Split {
    fn enter(&mut self, range: Range<usize>, entry: Option<usize>, floor: u8) {
        self.leave(range.start);
        let place = self.open.last().map_or(NOWHERE, |outer| outer.place);
        let group = self.begin(entry, floor);
        self.open_at(range, Some(group), place);
    }

    fn enter_place(&mut self, range: Range<usize>, place: u32, is_apart: bool, floor: u8) {
        self.leave(range.start);
        // An override around scope entries holds nothing by itself, and is inherited in them.
        let outer = self.open.last().and_then(|outer| outer.group);
        let group = match outer {
            Some(outer) if is_apart => Some(self.begin(self.groups[outer].entry, floor)),
            _ => outer,
        };
        self.open_at(range, group, place);
    }

    fn begin(&mut self, entry: Option<usize>, floor: u8) -> usize {
        self.groups.push(Group {
            entry,
            floor,
            spans: 0..0,
        });
        self.groups.len() - 1
    }

    fn open_at(&mut self, range: Range<usize>, group: Option<usize>, place: u32) {
        self.give(range.start);
        self.open.push(Frame {
            group,
            place,
            from: range.start,
            end: range.end,
        });
    }

    /// Closes every range that ends at or before `position`.
    fn leave(&mut self, position: usize) {
        while let Some(end) = self.open.last().map(|o| o.end).filter(|e| *e <= position) {
            self.give(end);
            self.open.pop();
            if let Some(outer) = self.open.last_mut() {
                outer.from = end;
            }
        }
    }

    /// Gives what lies before `position` to the innermost open range.
    fn give(&mut self, position: usize) {
        if let Some(frame) = self.open.last_mut() {
            if let Some(group) = frame.group.filter(|_| frame.from < position) {
                self.spans.push(Span {
                    leaves: frame.from..position,
                    place: frame.place,
                    group,
                });
            }
            frame.from = position;
        }
    }

    fn finish(mut self) -> Groups {
        self.leave(usize::MAX);
        // Already by address; those of one group come together.
        self.spans.sort_by_key(|span| span.group);
        let mut all = Vec::new();
        for spans in self.spans.chunk_by_mut(|a, b| a.group == b.group) {
            let from = all.last().map_or(0, |group: &Group| group.spans.end);
            let group = Group {
                spans: from..from + spans.len(),
                ..self.groups[spans[0].group].clone()
            };
            // Groups without leaves are left out.
            for span in spans {
                span.group = all.len();
            }
            all.push(group);
        }
        Groups {
            all,
            spans: self.spans,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::rule::parse_prefix;

    fn entries(prefixes: &[&str]) -> Vec<ScopeEntry> {
        let entry = |text: &&str| ScopeEntry {
            prefix: parse_prefix(text).unwrap(),
            labels: BTreeMap::new(),
        };
        prefixes.iter().map(entry).collect()
    }

    /// Entry, floor and leaf positions of each group.
    fn split(leaves: &[u32], resolution: u8, scope: &[ScopeEntry]) -> Vec<(usize, u8, Vec<usize>)> {
        let groups = groups(leaves, resolution, Some(scope), None);
        (0..groups.len())
            .map(|group| {
                let Group { entry, floor, .. } = groups.get(group);
                let leaves = groups.spans(group).iter().flat_map(|s| s.leaves.clone());
                (entry.unwrap(), *floor, leaves.collect())
            })
            .collect()
    }

    #[test]
    fn an_entry_has_what_is_in_none_inside_it_and_entries_without_leaves_are_no_groups() {
        let scope = entries(&["10.0.0.0/8", "10.0.0.0/24", "10.0.9.0/24", "11.0.0.0/8"]);
        let inner = [0x0a00_0001_u32, 0x0a00_0002];
        assert_eq!(split(&inner, 32, &scope), [(1, 24, vec![0, 1])]);
        let both = [0x0a00_0001_u32, 0x0a00_0002, 0x0a00_0a01, 0x0c00_0001];
        assert_eq!(
            split(&both, 32, &scope),
            [(0, 8, vec![2]), (1, 24, vec![0, 1])]
        );
    }

    #[test]
    fn an_entry_longer_than_the_leaves_is_stretched_only_where_no_other_holds_them() {
        let scope = entries(&["10.0.0.0/8", "10.1.0.0/16", "10.2.3.4/32", "12.0.0.1/32"]);
        let leaves = [0x0a01_0000_u32, 0x0a02_0000, 0x0c00_0000];
        assert_eq!(
            split(&leaves, 20, &scope),
            [(0, 8, vec![1]), (1, 16, vec![0]), (3, 20, vec![2])]
        );
    }
}
