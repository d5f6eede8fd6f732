//! The lives of a rule's alerts: from windows with prefixes over a threshold to started, ongoing and ended. Pure.
//!
//! In: what is over a threshold in each final window, in order. Out: what is to be said of which alert.
//! Guarantees: nothing ends that did not start, revisions of one alert have no gaps, and of one prefix
//! at most one alert is open.
//!
//! A prefix that is over its threshold is *pending* until it was so for `for` windows in a row, and has
//! an *open* alert then, until it was not for `hold` windows in a row. What was told of a window before
//! it was final is a *shadow*: it moves revisions on, and is confirmed or taken back by the final one.
//!
//! Alerts on prefixes that cover one another are one [`Incident`] while one of them is open, and for
//! `rearm` windows after. An alert whose prefix is over no more ends at once when one that covers it,
//! or that it covers, took its place.

mod incident;

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use self::incident::related;
pub(super) use self::incident::{Incident, Name, Rest};
use crate::alert::EndReason;
use crate::net::Prefix;
use crate::rule::{Lifecycle, Rule};
use crate::time::Timestamp;
use crate::window::Window;

/// One prefix in one window.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Seen {
    /// Whether it is over a threshold, and then how severe that is.
    pub(super) severity: Option<String>,
    pub(super) bytes: u64,
    pub(super) packets: u64,
    pub(super) flows: u64,
}

/// A pending prefix or an open alert.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Life {
    /// Start of the first window over the threshold.
    pub(super) first: Timestamp,
    /// End of the last one.
    pub(super) last: Timestamp,
    /// Windows over the threshold in a row, while it is pending.
    pub(super) over: u32,
    /// Windows not over it in a row, while it is open.
    pub(super) below: u32,
    /// Windows since the last message.
    pub(super) untold: u32,
    /// Of the next message. 0: it is pending.
    pub(super) revision: u32,
    /// Everything since `first`.
    pub(super) bytes: u64,
    pub(super) packets: u64,
    pub(super) flows: u64,
    /// The most bytes in one window, and when that began.
    pub(super) peak: (u64, Timestamp),
    /// When it was last over a threshold.
    pub(super) severity: String,
    /// Its own until it is open.
    pub(super) incident: Incident,
}

impl Life {
    const fn begin(name: Name, window: Window) -> Self {
        Self {
            first: name.first,
            last: window.end,
            over: 0,
            below: 0,
            untold: 0,
            revision: 0,
            bytes: 0,
            packets: 0,
            flows: 0,
            peak: (0, window.start),
            severity: String::new(),
            incident: Incident::new(name),
        }
    }

    const fn is_open(&self) -> bool {
        self.revision > 0
    }

    /// What is to be said after another window.
    const fn say(&self, pace: &Lifecycle, was_told: bool) -> Option<Said> {
        if !self.is_open() {
            return if self.over >= pace.after {
                Some(Said::Started)
            } else {
                None
            };
        }
        if self.below >= pace.hold {
            return Some(Said::Ended(EndReason::BelowThreshold));
        }
        if self.untold >= pace.repeat || was_told {
            return Some(Said::Ongoing);
        }
        None
    }

    fn add(&mut self, window: Window, seen: &Seen) {
        self.bytes = self.bytes.saturating_add(seen.bytes);
        self.packets = self.packets.saturating_add(seen.packets);
        self.flows = self.flows.saturating_add(seen.flows);
        if seen.bytes > self.peak.0 {
            self.peak = (seen.bytes, window.start);
        }
        match &seen.severity {
            Some(severity) => {
                self.last = window.end;
                self.below = 0;
                self.over = self.over.saturating_add(1);
                self.severity.clone_from(severity);
            }
            None => self.below = self.below.saturating_add(1),
        }
        self.untold = self.untold.saturating_add(1);
    }
}

/// What is said of an alert.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Said {
    Started,
    Ongoing,
    Ended(EndReason),
}

/// A message, with the alert as it was then.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Message {
    pub(super) prefix: Prefix,
    pub(super) said: Said,
    /// Of this message.
    pub(super) revision: u32,
    pub(super) life: Life,
    /// What it is superseded by, if that is why it ended.
    pub(super) by: Option<Name>,
}

impl Said {
    /// Whether it is the last that is said.
    pub(super) const fn is_end(self) -> bool {
        matches!(self, Self::Ended(_))
    }
}

impl Message {
    const fn is_end(&self) -> bool {
        self.said.is_end()
    }

    /// What it was when it was last over a threshold.
    pub(super) fn severity<'a>(&'a self, rule: Option<&'a Rule>) -> &'a str {
        match rule {
            Some(rule) if self.life.severity.is_empty() => &rule.severity,
            _ => &self.life.severity,
        }
    }
}

/// What was told of a prefix before its window was final.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Shadow {
    /// The first window of the alert that was told.
    pub(super) first: Timestamp,
    /// Of its next message.
    pub(super) revision: u32,
    /// As it was told.
    pub(super) incident: Incident,
}

/// What is remembered of a prefix from window to window.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Remembered {
    pub(super) life: Option<Life>,
    pub(super) shadow: Option<Shadow>,
    pub(super) rest: Option<Rest>,
}

impl Remembered {
    /// A prefix that was told provisionally, in `revision`, as an alert of its window, which starts at `first`.
    pub(super) const fn told(prefix: Prefix, first: Timestamp, revision: u32) -> Self {
        let shadow = Shadow {
            first,
            revision: revision.saturating_add(1),
            incident: Incident::new(Name { first, prefix }),
        };
        Self {
            life: None,
            shadow: Some(shadow),
            rest: None,
        }
    }
}

/// The lives of one rule's prefixes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Lives {
    all: BTreeMap<Prefix, Life>,
    open: BTreeSet<Prefix>,
    shadows: BTreeMap<Prefix, Shadow>,
    rests: BTreeMap<Prefix, Rest>,
}

impl Lives {
    /// Prefixes with an open alert.
    pub(super) const fn open(&self) -> &BTreeSet<Prefix> {
        &self.open
    }

    /// Whether nothing is remembered.
    pub(super) fn is_empty(&self) -> bool {
        self.all.is_empty() && self.shadows.is_empty() && self.rests.is_empty()
    }

    /// Puts back what was saved of a prefix. Of several shadows, the one of the earliest alert stays.
    pub(super) fn restore(&mut self, prefix: Prefix, saved: Remembered) {
        let Remembered { life, shadow, rest } = saved;
        if let Some(life) = life {
            if life.is_open() {
                self.open.insert(prefix);
            }
            self.all.insert(prefix, life);
        }
        if let Some(shadow) = shadow {
            let known = self.shadows.entry(prefix).or_insert(shadow);
            if shadow.first < known.first {
                *known = shadow;
            }
        }
        self.rests.extend(rest.map(|rest| (prefix, rest)));
    }

    /// The prefixes of which something else is remembered than in `before`, with that: all is saved that way.
    pub(super) fn changes(&self, before: &Self) -> impl Iterator<Item = (Prefix, Remembered)> {
        let prefixes: BTreeSet<Prefix> = [self, before]
            .into_iter()
            .flat_map(|lives| {
                let alive = lives.all.keys().chain(lives.shadows.keys());
                alive.chain(lives.rests.keys())
            })
            .copied()
            .collect();
        prefixes.into_iter().filter_map(move |prefix| {
            let is_same = self.all.get(&prefix) == before.all.get(&prefix)
                && self.shadows.get(&prefix) == before.shadows.get(&prefix)
                && self.rests.get(&prefix) == before.rests.get(&prefix);
            let remembered = || Remembered {
                life: self.all.get(&prefix).cloned(),
                shadow: self.shadows.get(&prefix).copied(),
                rest: self.rests.get(&prefix).copied(),
            };
            (!is_same).then(|| (prefix, remembered()))
        })
    }

    /// Takes the next final window. `told` are the prefixes of its provisional records. What is not
    /// `seen`, because addresses were folded, stays as it is, and everything does where nothing was
    /// looked for.
    pub(super) fn window(
        &mut self,
        pace: &Lifecycle,
        window: Window,
        seen: Option<&BTreeMap<Prefix, Seen>>,
        told: &BTreeSet<Prefix>,
    ) -> Vec<Message> {
        let mut messages = Vec::new();
        if let Some(seen) = seen {
            messages = self.look_at(pace, window, seen, told);
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
        pace: &Lifecycle,
        window: Window,
        seen: &BTreeMap<Prefix, Seen>,
        told: &BTreeSet<Prefix>,
    ) -> Vec<Message> {
        self.rests.retain(|_, rest| rest.until > window.start);
        self.all.retain(|prefix, life| {
            let is_over = |seen: &Seen| seen.severity.is_some();
            life.is_open() || seen.get(prefix).is_some_and(is_over)
        });
        let mut said = BTreeMap::new();
        for (prefix, seen) in seen {
            let what = self.add(pace, window, *prefix, seen, told);
            said.extend(what.map(|what| (*prefix, (what, None))));
        }
        for (prefix, by) in self.superseded(seen) {
            let end = Said::Ended(EndReason::Superseded);
            said.insert(prefix, (end, Some(by)));
        }
        let said = said.into_iter();
        said.filter_map(|(prefix, (said, by))| self.tell(pace, window, prefix, said, by))
            .collect()
    }

    /// Adds a window to what is known of a prefix: what is to be said of it, if anything.
    fn add(
        &mut self,
        pace: &Lifecycle,
        window: Window,
        prefix: Prefix,
        seen: &Seen,
        told: &BTreeSet<Prefix>,
    ) -> Option<Said> {
        if seen.severity.is_none() && !self.open.contains(&prefix) {
            return None;
        }
        let first = window.start;
        let new = || Life::begin(Name { first, prefix }, window);
        let life = self.all.entry(prefix).or_insert_with(new);
        life.add(window, seen);
        let said = life.say(pace, told.contains(&prefix))?;
        if said == Said::Started {
            let first = life.first;
            // Whatever a provisional message said: what is final does not depend on those.
            let incident = self.incident(Name { first, prefix });
            self.rests
                .retain(|_, rest| rest.incident.name != incident.name);
            self.all.get_mut(&prefix)?.incident = incident;
            // Those that start in the same window are one incident with it.
            self.open.insert(prefix);
        }
        Some(said)
    }

    /// The event that an alert belongs to when it starts.
    fn incident(&self, name: Name) -> Incident {
        let others = related(&self.all, name.prefix)
            .filter(|(other, _)| *other != name.prefix && self.open.contains(other));
        let open = others.map(|(_, life)| life.incident).min();
        let rests = || related(&self.rests, name.prefix).map(|(_, rest)| rest.incident);
        let again = || {
            let incident = rests().min()?;
            Some(Incident {
                pulse: incident.pulse.saturating_add(1),
                ..incident
            })
        };
        open.or_else(again).unwrap_or(Incident::new(name))
    }

    /// Open alerts that are over no threshold now, each with the largest of those that started since it was.
    fn superseded(&self, seen: &BTreeMap<Prefix, Seen>) -> Vec<(Prefix, Name)> {
        let is_below = |prefix: &&Prefix| seen.get(prefix).is_some_and(|s| s.severity.is_none());
        let below = self.open.iter().filter(is_below);
        let by = |prefix: &Prefix| {
            let last = self.all.get(prefix)?.last;
            let others = related(&self.all, *prefix).filter_map(|(other, life)| {
                let now = seen.get(&other).filter(|now| now.severity.is_some())?;
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
        life.untold = 0;
        Some(Message {
            prefix,
            said: Said::Ongoing,
            revision,
            life: life.clone(),
            by: None,
        })
    }

    fn tell(
        &mut self,
        pace: &Lifecycle,
        window: Window,
        prefix: Prefix,
        said: Said,
        by: Option<Name>,
    ) -> Option<Message> {
        let life = self.all.get_mut(&prefix)?;
        let is_same = |shadow: &&Shadow| shadow.first == life.first;
        let shadow = self.shadows.get(&prefix).filter(is_same);
        let revision = shadow.map_or(0, |s| s.revision).max(life.revision);
        if shadow.is_some() {
            self.shadows.remove(&prefix);
        }
        life.revision = revision.saturating_add(1);
        life.untold = 0;
        let life = life.clone();
        if said.is_end() {
            self.all.remove(&prefix);
            self.open.remove(&prefix);
            if by.is_none() && pace.rearm > 0 {
                let rest = Rest {
                    incident: life.incident,
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

    /// Ends what was told to go on or to start, when no final window says so.
    fn take_back(
        &mut self,
        window: Window,
        prefix: Prefix,
        seen: Option<&Seen>,
    ) -> Option<Message> {
        let Shadow {
            first,
            revision,
            incident,
        } = *self.shadows.get(&prefix)?;
        let same = self.all.get(&prefix).filter(|life| life.first == first);
        if first > window.start || same.is_some_and(Life::is_open) {
            return None;
        }
        // What is pending must not start under the name of what has ended.
        if same.is_some() {
            self.all.remove(&prefix);
        }
        self.shadows.remove(&prefix);
        let mut life = Life::begin(Name { first, prefix }, window);
        life.incident = incident;
        if let Some(seen) = seen {
            life.add(window, seen);
        }
        Some(Message {
            prefix,
            said: Said::Ended(EndReason::Unconfirmed),
            revision,
            life,
            by: None,
        })
    }

    /// Takes prefixes that are over a threshold in a window that is not final yet, as far as they are to be
    /// told. `is_next`: it is the oldest such window.
    pub(super) fn provisional(
        &mut self,
        pace: &Lifecycle,
        window: Window,
        is_next: bool,
        over: &BTreeMap<Prefix, Seen>,
    ) -> Vec<Message> {
        let mut messages = Vec::new();
        for (prefix, seen) in over {
            let life = self.all.get(prefix);
            let Some((said, first, revision)) = self.foretell(pace, window, is_next, prefix) else {
                continue;
            };
            let name = Name {
                first,
                prefix: *prefix,
            };
            let known = life.filter(|life| life.first == first);
            let shadow = self.shadows.get(prefix).map(|shadow| shadow.incident);
            let open = known.filter(|life| life.is_open()).map(|l| l.incident);
            let incident = shadow.or(open).unwrap_or_else(|| self.incident(name));
            let mut life = known.cloned().unwrap_or_else(|| Life::begin(name, window));
            life.incident = incident;
            life.add(window, seen);
            let shadow = Shadow {
                first,
                revision: revision.saturating_add(1),
                incident,
            };
            self.shadows.insert(*prefix, shadow);
            messages.push(Message {
                prefix: *prefix,
                said,
                revision,
                life,
                by: None,
            });
        }
        messages
    }

    /// What is said of a prefix over its threshold in a window that is not final, of the alert with which
    /// first window, in which revision.
    fn foretell(
        &self,
        pace: &Lifecycle,
        window: Window,
        is_next: bool,
        prefix: &Prefix,
    ) -> Option<(Said, Timestamp, u32)> {
        let life = self.all.get(prefix);
        let open = life.filter(|life| life.is_open());
        match (open, self.shadows.get(prefix)) {
            (Some(life), Some(shadow)) if shadow.first == life.first => {
                let revision = shadow.revision.max(life.revision);
                Some((Said::Ongoing, life.first, revision))
            }
            (Some(life), None) => Some((Said::Ongoing, life.first, life.revision)),
            (None, Some(shadow)) if shadow.first <= window.start => {
                Some((Said::Ongoing, shadow.first, shadow.revision))
            }
            // What was told of another alert on this prefix, or of a later window, is to be taken back first.
            (_, Some(_)) => None,
            (None, None) if pace.after == 1 => Some((Said::Started, window.start, 0)),
            (None, None) => {
                let pending =
                    life.filter(|life| is_next && life.over.saturating_add(1) >= pace.after)?;
                Some((Said::Started, pending.first, 0))
            }
        }
    }

    /// Ends everything that was told, and forgets the rest.
    pub(super) fn end(&mut self, why: EndReason, window: Window) -> Vec<Message> {
        let mut lives = std::mem::take(self);
        let mut messages = Vec::new();
        for (prefix, life) in lives.all.into_iter().filter(|(_, life)| life.is_open()) {
            let is_same = |shadow: &&Shadow| shadow.first == life.first;
            let shadow = lives.shadows.get(&prefix).filter(is_same);
            let revision = shadow.map_or(0, |s| s.revision).max(life.revision);
            if shadow.is_some() {
                lives.shadows.remove(&prefix);
            }
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

#[cfg(test)]
mod tests;
