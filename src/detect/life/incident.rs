//! Alerts that are one event: on prefixes that cover one another, at the same time or soon after.

use std::collections::BTreeMap;

use crate::net::Prefix;
use crate::time::Timestamp;

/// An alert of one rule, as its id is made of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::detect) struct Name {
    /// Start of its first window.
    pub(in crate::detect) first: Timestamp,
    pub(in crate::detect) prefix: Prefix,
}

/// An event, named after its first alert.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::detect) struct Incident {
    pub(in crate::detect) name: Name,
    /// How many times it has begun: all of its alerts had ended before each but the first.
    pub(in crate::detect) pulse: u32,
}

impl Incident {
    pub(super) const fn new(name: Name) -> Self {
        Self { name, pulse: 1 }
    }
}

/// What is remembered of an alert that has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::detect) struct Rest {
    pub(in crate::detect) incident: Incident,
    /// An alert that starts before this is the same event.
    pub(in crate::detect) until: Timestamp,
}

/// The entries whose prefix covers `prefix` or is covered by it: that of itself, too.
pub(super) fn related<V>(
    map: &BTreeMap<Prefix, V>,
    prefix: Prefix,
) -> impl Iterator<Item = (Prefix, &V)> {
    let around = (0..prefix.length()).filter_map(move |length| {
        let around = Prefix::new(prefix.addr(), length);
        map.get(&around).map(|value| (around, value))
    });
    // What is inside comes right after it.
    let inside = map.range(prefix..).map(|(inside, value)| (*inside, value));
    around.chain(inside.take_while(move |(inside, _)| prefix.covers(*inside)))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::net::Addr;

    proptest! {
        #[test]
        fn related_prefixes_are_those_that_cover_one_another(
            all in prop::collection::btree_map((0u32..64, 24u8..=32), any::<u8>(), 0..40),
            prefix in (0u32..64, 24u8..=32),
        ) {
            let prefix_of = |(host, length): (u32, u8)| Prefix::new(Addr::V4(host << 2), length);
            let mut map: BTreeMap<Prefix, u8> = all.into_iter().map(|(p, v)| (prefix_of(p), v)).collect();
            map.insert(Prefix::new(Addr::V6(0), 24), 0);
            let prefix = prefix_of(prefix);
            let got: BTreeMap<Prefix, u8> = related(&map, prefix).map(|(p, v)| (p, *v)).collect();
            let covers = |p: &Prefix| p.covers(prefix) || prefix.covers(*p);
            let expected = map.iter().filter(|(p, _)| covers(p)).map(|(p, v)| (*p, *v)).collect();
            prop_assert_eq!(got, expected);
        }
    }
}
