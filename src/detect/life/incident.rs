//! Alerts that are one event: on prefixes that cover one another, at the same time or soon after.

use std::collections::BTreeMap;
use std::sync::Arc;

use uuid::Uuid;

use super::Lives;
use crate::net::Prefix;
use crate::rule::Fingerprint;
use crate::time::Timestamp;

/// Namespace of alert ids, made once at random.
const ALERT_IDS: Uuid = Uuid::from_u128(0x9f2d_41c3_6a58_4e07_b1d4_2c7e_90a3_5f16);

/// The id of the alert of that name: a UUID of version 5.
pub(in crate::detect) fn id_of(rule: &str, identity: Fingerprint, name: &Name) -> Uuid {
    let Name { first, prefix } = name;
    let text = format!("{rule}\n{identity}\n{prefix}\n{}", first.as_millis());
    Uuid::new_v5(&ALERT_IDS, text.as_bytes())
}

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
    /// The id of that alert, if it is another rule's.
    pub(in crate::detect) foreign: Option<Uuid>,
}

impl Incident {
    pub(super) const fn new(name: Name) -> Self {
        Self {
            name,
            pulse: 1,
            foreign: None,
        }
    }

    /// The id of its first alert, for which `own` is asked if that is of the same rule.
    pub(in crate::detect) fn id(&self, own: impl FnOnce(&Name) -> Uuid) -> Uuid {
        self.foreign.unwrap_or_else(|| own(&self.name))
    }

    /// Whether both are the same event, whichever pulse of it.
    pub(super) fn is_of(&self, other: &Self) -> bool {
        (self.name, self.foreign) == (other.name, other.foreign)
    }
}

/// Another rule, whose incidents alerts may join.
#[derive(Clone, Debug)]
pub(in crate::detect) struct Neighbour {
    pub(in crate::detect) rule: Arc<str>,
    pub(in crate::detect) identity: Fingerprint,
    pub(in crate::detect) lives: Arc<Lives>,
}

impl Neighbour {
    /// As it is named from outside.
    fn named(&self, incident: Incident) -> Incident {
        let id = incident.id(|name| id_of(&self.rule, self.identity, name));
        Incident {
            foreign: Some(id),
            ..incident
        }
    }

    /// The events at the time of an alert: those of alerts that are open, or were not over when it began, on prefixes that cover its
    /// own or are covered by it.
    fn now(&self, name: Name) -> impl Iterator<Item = Incident> {
        let open = related(&self.lives.all, name.prefix);
        let open = open.filter(|(other, _)| self.lives.open.contains(other));
        let open = open.map(|(_, life)| life.incident);
        let rests = related(&self.lives.rests, name.prefix).map(|(_, rest)| rest);
        let over = rests.filter(move |rest| rest.last > name.first);
        open.chain(over.map(|rest| rest.incident))
            .map(|incident| self.named(incident))
    }

    /// The events that an alert is another pulse of.
    fn before(&self, name: Name) -> impl Iterator<Item = Incident> {
        let rests = related(&self.lives.rests, name.prefix).map(|(_, rest)| rest);
        let rests = rests.filter(move |rest| rest.until > name.first);
        rests.map(|rest| self.named(rest.incident))
    }
}

/// The event of other rules at the time of an alert: of several the one that began first.
pub(super) fn now(neighbours: &[Neighbour], name: Name) -> Option<Incident> {
    neighbours.iter().flat_map(|n| n.now(name)).min()
}

/// The event of other rules that an alert is another pulse of.
pub(super) fn before(neighbours: &[Neighbour], name: Name) -> Option<Incident> {
    neighbours.iter().flat_map(|n| n.before(name)).min()
}

/// What is remembered of an alert that has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::detect) struct Rest {
    pub(in crate::detect) incident: Incident,
    /// End of the last window over a threshold.
    pub(in crate::detect) last: Timestamp,
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

    fn name(first: i64) -> Name {
        Name {
            first: Timestamp::from_millis(first),
            prefix: Prefix::new(Addr::V4(0x0a00_0000), 24),
        }
    }

    #[test]
    fn an_alert_joins_one_that_was_over_when_it_began_and_is_another_pulse_of_one_that_rests() {
        let rest = Rest {
            incident: Incident::new(name(0)),
            last: Timestamp::from_millis(10),
            until: Timestamp::from_millis(20),
        };
        let mut lives = Lives::default();
        lives.rests.insert(name(0).prefix, rest);
        let others = [Neighbour {
            rule: "other".into(),
            identity: Fingerprint(7),
            lives: Arc::new(lives),
        }];
        let joins = |first| now(&others, name(first)).is_some();
        let begins_again = |first| before(&others, name(first)).is_some();
        assert_eq!([joins(9), joins(10)], [true, false]);
        assert_eq!([begins_again(19), begins_again(20)], [true, false]);
    }

    #[test]
    fn incidents_are_the_same_in_any_pulse_but_not_those_of_other_alerts_or_rules() {
        let one = Incident::new(name(0));
        let again = Incident { pulse: 2, ..one };
        let foreign = Incident {
            foreign: Some(Uuid::from_u128(1)),
            ..one
        };
        assert!(one.is_of(&again));
        assert!(!one.is_of(&foreign) && !one.is_of(&Incident::new(name(1))));
    }
}
