//! The lives of a rule's alerts: from windows with prefixes over a threshold to started, ongoing and ended. Pure.
//!
//! In: what is over a threshold in each final window, in order. Out: what is to be said of which alert.
//! Guarantees: nothing ends that did not start, revisions of one alert have no gaps, and of one prefix
//! at most one alert is open.
//!
//! A prefix that is over its threshold is *pending* until it was so for `for` windows in a row, and has
//! an *open* alert then, until it was not for `hold` windows in a row. What was told of a window before
//! it was final is a *shadow*: it moves revisions on, and is confirmed or taken back by the final one.

use std::collections::{BTreeMap, BTreeSet};

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
}

impl Life {
    const fn begin(first: Timestamp, window: Window) -> Self {
        Self {
            first,
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
}

/// The lives of one rule's prefixes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Lives {
    all: BTreeMap<Prefix, Life>,
    open: BTreeSet<Prefix>,
    shadows: BTreeMap<Prefix, Shadow>,
}

impl Lives {
    /// Prefixes with an open alert.
    pub(super) const fn open(&self) -> &BTreeSet<Prefix> {
        &self.open
    }

    /// Whether nothing is remembered.
    pub(super) fn is_empty(&self) -> bool {
        self.all.is_empty() && self.shadows.is_empty()
    }

    /// Puts back what was saved of a prefix. Of several shadows, the one of the earliest alert stays.
    pub(super) fn restore(&mut self, prefix: Prefix, life: Option<Life>, shadow: Option<Shadow>) {
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
    }

    /// The prefixes of which something else is remembered than in `before`, with that: all is saved that way.
    pub(super) fn changes<'a>(
        &'a self,
        before: &'a Self,
    ) -> impl Iterator<Item = (Prefix, Option<&'a Life>, Option<&'a Shadow>)> {
        let prefixes: BTreeSet<Prefix> = [self, before]
            .into_iter()
            .flat_map(|lives| lives.all.keys().chain(lives.shadows.keys()))
            .copied()
            .collect();
        prefixes.into_iter().filter_map(move |prefix| {
            let of = |lives: &'a Self| (lives.all.get(&prefix), lives.shadows.get(&prefix));
            let now = of(self);
            (now != of(before)).then_some((prefix, now.0, now.1))
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
            self.all.retain(|prefix, life| {
                let is_over = |seen: &Seen| seen.severity.is_some();
                life.is_open() || seen.get(prefix).is_some_and(is_over)
            });
            for (prefix, seen) in seen {
                messages.extend(self.next(pace, window, *prefix, seen, told));
            }
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
        })
    }

    fn next(
        &mut self,
        pace: &Lifecycle,
        window: Window,
        prefix: Prefix,
        seen: &Seen,
        told: &BTreeSet<Prefix>,
    ) -> Option<Message> {
        if seen.severity.is_none() && !self.open.contains(&prefix) {
            return None;
        }
        let new = || Life::begin(window.start, window);
        let life = self.all.entry(prefix).or_insert_with(new);
        life.add(window, seen);
        let said = life.say(pace, told.contains(&prefix))?;
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
        } else {
            self.open.insert(prefix);
        }
        Some(Message {
            prefix,
            said,
            revision,
            life,
        })
    }

    /// Ends what was told to go on or to start, when no final window says so.
    fn take_back(
        &mut self,
        window: Window,
        prefix: Prefix,
        seen: Option<&Seen>,
    ) -> Option<Message> {
        let Shadow { first, revision } = *self.shadows.get(&prefix)?;
        let same = self.all.get(&prefix).filter(|life| life.first == first);
        if first > window.start || same.is_some_and(Life::is_open) {
            return None;
        }
        // What is pending must not start under the name of what has ended.
        if same.is_some() {
            self.all.remove(&prefix);
        }
        self.shadows.remove(&prefix);
        let mut life = Life::begin(first, window);
        if let Some(seen) = seen {
            life.add(window, seen);
        }
        Some(Message {
            prefix,
            said: Said::Ended(EndReason::Unconfirmed),
            revision,
            life,
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
            let shadow = Shadow {
                first,
                revision: revision.saturating_add(1),
            };
            let known = life.filter(|life| life.first == first);
            let mut life = known.cloned().unwrap_or_else(|| Life::begin(first, window));
            life.add(window, seen);
            self.shadows.insert(*prefix, shadow);
            messages.push(Message {
                prefix: *prefix,
                said,
                revision,
                life,
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
            });
        }
        let untold = lives.shadows.into_iter().map(|(prefix, shadow)| Message {
            prefix,
            said: Said::Ended(why),
            revision: shadow.revision,
            life: Life::begin(shadow.first, window),
        });
        messages.extend(untold);
        messages.sort_by_key(|m| (m.prefix, m.life.first));
        messages
    }
}

#[cfg(test)]
mod tests;
