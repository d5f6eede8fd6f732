//! What windows that are not final say, and how it is taken back.

use std::collections::BTreeMap;

use super::{Life, Lives, Message, Name, Neighbour, Said, Seen, Shadow};
use crate::alert::EndReason;
use crate::net::Prefix;
use crate::rule::Lifecycle;
use crate::time::Timestamp;
use crate::window::Window;

/// Forgets what was told of an alert before its window was final: the revision of its next message.
pub(super) fn confirm(shadows: &mut BTreeMap<Prefix, Shadow>, prefix: Prefix, life: &Life) -> u32 {
    let is_same = |shadow: &&Shadow| shadow.first == life.first;
    let told = shadows.get(&prefix).filter(is_same).map(|s| s.revision);
    if told.is_some() {
        shadows.remove(&prefix);
    }
    told.unwrap_or(0).max(life.revision)
}

impl Lives {
    /// Ends what was told to go on or to start, when no final window says so.
    pub(super) fn take_back(
        &mut self,
        window: Window,
        prefix: Prefix,
        seen: Option<&Seen>,
    ) -> Option<Message> {
        let Shadow {
            first,
            revision,
            incident,
            silenced,
        } = self.shadows.get(&prefix)?.clone();
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
        life.silenced = silenced;
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
    pub(in crate::detect) fn provisional(
        &mut self,
        pace: &Lifecycle,
        neighbours: &[Neighbour],
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
            let shadow = self.shadows.get(prefix);
            let shadow = shadow.map(|shadow| (shadow.incident, shadow.silenced.clone()));
            let open = known.filter(|life| life.is_open());
            let open = open.map(|life| (life.incident, life.silenced.clone()));
            let (incident, silenced) = shadow.or(open).unwrap_or_else(|| {
                (
                    self.incident(name, neighbours),
                    self.silenced_by(*prefix, over),
                )
            });
            let mut life = known.cloned().unwrap_or_else(|| Life::begin(name, window));
            life.incident = incident;
            life.silenced.clone_from(&silenced);
            life.add(window, seen);
            let shadow = Shadow {
                first,
                revision: revision.saturating_add(1),
                incident,
                silenced,
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
}
