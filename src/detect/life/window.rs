//! What a final window says, and the end of a rule.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use super::incident::{self, Neighbour, related};
use super::shadow::confirm;
use super::{Incident, Life, Lives, Message, Name, Rest, Said, Seen};
use crate::alert::EndReason;
use crate::net::Prefix;
use crate::rule::Lifecycle;
use crate::window::Window;

impl Lives {
    /// Takes the next final window. `told` are the prefixes of its provisional records. What is not
    /// `seen`, because addresses were folded, stays as it is, and everything does where nothing was
    /// looked for.
    pub(in crate::detect) fn window(
        &mut self,
        pace: &Lifecycle,
        neighbours: &[Neighbour],
        window: Window,
        seen: Option<&BTreeMap<Prefix, Seen>>,
        told: &BTreeSet<Prefix>,
    ) -> Vec<Message> {
        let mut messages = Vec::new();
        if let Some(seen) = seen {
            messages = self.look_at((pace, neighbours), window, seen, told);
        }
        for prefix in told {
            let seen = seen.and_then(|seen| seen.get(prefix));
            let Some(taken_back) = self.take_back(window, *prefix, seen) else {
                continue;
            };
            messages.push(taken_back);
            if !messages.iter().any(|m| m.prefix == *prefix && !m.is_end()) {
                messages.extend(self.repeat(*prefix));
            }
        }
        messages.sort_by_key(|m| (m.prefix, !m.is_end()));
        messages
    }

    fn look_at(
        &mut self,
        (pace, neighbours): (&Lifecycle, &[Neighbour]),
        window: Window,
        all: &BTreeMap<Prefix, Seen>,
        told: &BTreeSet<Prefix>,
    ) -> Vec<Message> {
        self.rests.retain(|_, rest| rest.until > window.start);
        self.all
            .retain(|prefix, life| life.is_open() || all.get(prefix).is_some_and(Seen::is_over));
        let mut messages = self.turn(pace, window, all);
        let mut said = BTreeMap::new();
        for prefix in all.keys() {
            let what = self.add((pace, neighbours), window, *prefix, all, told);
            said.extend(what.map(|what| (*prefix, (what, None))));
        }
        for (prefix, by) in self.superseded(all) {
            let end = Said::Ended(EndReason::Superseded);
            said.insert(prefix, (end, Some(by)));
        }
        let said = said.into_iter();
        messages.extend(
            said.filter_map(|(prefix, (said, by))| self.tell(pace, window, prefix, said, by)),
        );
        messages
    }

    /// Adds a window to what is known of a prefix: what is to be said of it, if anything.
    fn add(
        &mut self,
        (pace, neighbours): (&Lifecycle, &[Neighbour]),
        window: Window,
        prefix: Prefix,
        all: &BTreeMap<Prefix, Seen>,
        told: &BTreeSet<Prefix>,
    ) -> Option<Said> {
        let seen = all.get(&prefix)?;
        if !seen.is_over() && !self.open.contains(&prefix) {
            return None;
        }
        let first = window.start;
        let new = || Life::begin(Name { first, prefix }, window);
        let life = self.all.entry(prefix).or_insert_with(new);
        life.add(window, seen);
        let said = life.say(pace, told.contains(&prefix))?;
        if said == Said::Started {
            let name = Name {
                first: life.first,
                prefix,
            };
            // Whatever a provisional message said: what is final does not depend on those.
            let incident = if life.goes_on(prefix) {
                life.incident
            } else {
                self.incident(name, neighbours)
            };
            let same = related(&self.rests, prefix);
            let same = same.filter(|(_, rest)| rest.incident.is_of(&incident));
            for prefix in same.map(|(prefix, _)| prefix).collect::<Vec<_>>() {
                self.rests.remove(&prefix);
            }
            let silenced = self.silenced_by(prefix, all);
            let life = self.all.get_mut(&prefix)?;
            life.incident = incident;
            life.silenced = silenced;
            // Those that start in the same window are one incident with it.
            self.open.insert(prefix);
        }
        Some(said)
    }

    /// The event that an alert belongs to when it starts.
    pub(super) fn incident(&self, name: Name, neighbours: &[Neighbour]) -> Incident {
        let others = related(&self.all, name.prefix).filter(|(other, life)| {
            let is_open = self.open.contains(other) || life.goes_on(*other);
            *other != name.prefix && is_open
        });
        let open = others.map(|(_, life)| life.incident).min();
        let rests = || related(&self.rests, name.prefix).map(|(_, rest)| rest.incident);
        let again = || {
            let before = rests().min();
            let incident = before.or_else(|| incident::before(neighbours, name))?;
            Some(Incident {
                pulse: incident.pulse.saturating_add(1),
                ..incident
            })
        };
        open.or_else(|| incident::now(neighbours, name))
            .or_else(again)
            .unwrap_or(Incident::new(name))
    }

    /// Open alerts that are over no threshold now, each with the largest of those that started since it was.
    fn superseded(&self, seen: &BTreeMap<Prefix, Seen>) -> Vec<(Prefix, Name)> {
        let is_below = |prefix: &&Prefix| seen.get(prefix).is_some_and(|s| !s.is_over());
        let below = self.open.iter().filter(is_below);
        let by = |prefix: &Prefix| {
            let last = self.all.get(prefix)?.last;
            let others = related(&self.all, *prefix).filter_map(|(other, life)| {
                let now = seen.get(&other).filter(|now| now.is_over())?;
                let is_new = self.open.contains(&other) && life.first >= last;
                is_new.then_some((now.bytes, Reverse(other), life.first))
            });
            let (_, Reverse(other), first) = others.max()?;
            let by = Name {
                first,
                prefix: other,
            };
            Some((*prefix, by))
        };
        below.filter_map(by).collect()
    }

    /// Says once more that the alert on a prefix is open: of messages on one prefix the last holds.
    fn repeat(&mut self, prefix: Prefix) -> Option<Message> {
        let life = self.all.get_mut(&prefix).filter(|life| life.is_open())?;
        let revision = life.revision;
        life.revision = revision.saturating_add(1);
        Some(Message {
            prefix,
            said: Said::Ongoing,
            revision,
            life: life.clone(),
            by: None,
        })
    }

    pub(super) fn tell(
        &mut self,
        pace: &Lifecycle,
        window: Window,
        prefix: Prefix,
        said: Said,
        by: Option<Name>,
    ) -> Option<Message> {
        let life = self.all.get_mut(&prefix)?;
        let revision = confirm(&mut self.shadows, prefix, life);
        life.revision = revision.saturating_add(1);
        // What is said only since a provisional message was does not put off what is due.
        if said == Said::Started || life.untold >= pace.repeat {
            life.untold = 0;
        }
        let life = life.clone();
        if said.is_end() {
            self.all.remove(&prefix);
            self.open.remove(&prefix);
            if by.is_none() && pace.rearm > 0 {
                let rest = Rest {
                    incident: life.incident,
                    last: life.last,
                    until: window.end.plus(window.length() * pace.rearm),
                };
                self.rests.insert(prefix, rest);
            }
        }
        Some(Message {
            prefix,
            said,
            revision,
            life,
            by,
        })
    }

    /// Ends everything that was told, and forgets the rest.
    pub(in crate::detect) fn end(&mut self, why: EndReason, window: Window) -> Vec<Message> {
        let mut lives = std::mem::take(self);
        let mut messages = Vec::new();
        for (prefix, life) in lives.all.into_iter().filter(|(_, life)| life.is_open()) {
            let revision = confirm(&mut lives.shadows, prefix, &life);
            messages.push(Message {
                prefix,
                said: Said::Ended(why),
                revision,
                life,
                by: None,
            });
        }
        let untold = lives.shadows.into_iter().map(|(prefix, shadow)| {
            let first = shadow.first;
            let mut life = Life::begin(Name { first, prefix }, window);
            life.incident = shadow.incident;
            life.silenced = shadow.silenced;
            Message {
                prefix,
                said: Said::Ended(why),
                revision: shadow.revision,
                life,
                by: None,
            }
        });
        messages.extend(untold);
        messages.sort_by_key(|m| (m.prefix, m.life.first));
        messages
    }
}
