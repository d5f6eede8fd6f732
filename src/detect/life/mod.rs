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
//! `rearm` windows after, also those of rules that are neighbours. An alert whose prefix is over no
//! more ends at once when one that covers it, or that it covers, took its place.
//!
//! An alert that starts while its prefix is silenced is so to its end, which comes when the silence is
//! over. What is still over a threshold then starts again, in an alert that is not silenced.

mod incident;
mod shadow;
mod silence;
mod window;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

pub(super) use self::incident::{Incident, Name, Neighbour, Rest, id_of};
use crate::alert::EndReason;
use crate::net::Prefix;
use crate::rule::{Lifecycle, Rule};
use crate::time::Timestamp;
use crate::window::Window;

/// Why alerts on a prefix are silenced in a window.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Hush {
    /// The silence.
    pub(super) name: Arc<str>,
    /// Whether alerts that were open before end.
    pub(super) ends: bool,
}

/// One prefix in one window.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Seen {
    /// Whether it is over a threshold, and then how severe that is.
    pub(super) severity: Option<String>,
    pub(super) bytes: u64,
    pub(super) packets: u64,
    pub(super) flows: u64,
    pub(super) silence: Option<Hush>,
}

impl Seen {
    const fn is_over(&self) -> bool {
        self.severity.is_some()
    }
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
    /// Its own until it is open, unless it takes the place of another alert on the prefix.
    pub(super) incident: Incident,
    /// The silence that it started in: from then on, or not at all.
    pub(super) silenced: Option<Arc<str>>,
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
            silenced: None,
        }
    }

    const fn is_open(&self) -> bool {
        self.revision > 0
    }

    /// Whether it takes the place of another alert on its prefix, which is `prefix`: before it is open.
    fn goes_on(&self, prefix: Prefix) -> bool {
        let name = Name {
            first: self.first,
            prefix,
        };
        self.incident != Incident::new(name)
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
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Shadow {
    /// The first window of the alert that was told.
    pub(super) first: Timestamp,
    /// Of its next message.
    pub(super) revision: u32,
    /// As it was told.
    pub(super) incident: Incident,
    /// As it was told.
    pub(super) silenced: Option<Arc<str>>,
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
    pub(super) fn told(prefix: Prefix, first: Timestamp, revision: u32) -> Self {
        let shadow = Shadow {
            first,
            revision: revision.saturating_add(1),
            incident: Incident::new(Name { first, prefix }),
            silenced: None,
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

    /// How many of those are silenced.
    pub(super) fn silenced(&self) -> usize {
        let lives = self.open.iter().filter_map(|prefix| self.all.get(prefix));
        lives.filter(|life| life.silenced.is_some()).count()
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
            let known = self.shadows.get(&prefix);
            if known.is_none_or(|known| shadow.first < known.first) {
                self.shadows.insert(prefix, shadow);
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
                shadow: self.shadows.get(&prefix).cloned(),
                rest: self.rests.get(&prefix).copied(),
            };
            (!is_same).then(|| (prefix, remembered()))
        })
    }
}

#[cfg(test)]
mod tests;
