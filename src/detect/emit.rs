//! From what is due to what is committed.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::emission::{Emission, Prepared, StateChange};
use super::finalise;
use super::life::Neighbour;
use super::source::Before;
use super::task::DetectTask;
use super::track::Track;
use super::wire;
use crate::alert::{EndReason, WindowState};
use crate::rule::Fingerprint;
use crate::time::Timestamp;
use crate::window::Window;

/// What became of a window.
enum Step {
    /// It is in the emission.
    Written,
    /// There was no room for it.
    Full,
    /// There is nothing to say of the selection.
    Nothing,
}

impl DetectTask {
    /// The next due windows, and what is written for them; `None` when nothing is due or an emission
    /// is not committed yet. One large window, or several small ones.
    pub fn emission(&mut self) -> Option<Emission> {
        if !self.due() {
            return None;
        }
        let mut emission = Emission::default();
        emission.effect.all_due = true;
        for group in self.groups() {
            if !self.emit(&group, &mut emission) {
                emission.effect.all_due = false;
                break;
            }
        }
        Some(self.seal(emission))
    }

    /// Provisional alerts for windows that some source closed `max_wait` of real time ago, and
    /// that others hold back. `None` when there is nothing new to tell.
    pub fn overdue(&mut self, wall: Timestamp) -> Option<Emission> {
        if self.in_flight || self.due.is_some() || self.is_recovering() {
            return None;
        }
        let mut emission = Emission::default();
        'all: for selection in self.groups().concat() {
            for window in self.waiting(selection, wall) {
                let Some(prepared) = self.provisional(selection, window, &emission, wall) else {
                    continue;
                };
                if !emission.has_room(&prepared) {
                    break 'all;
                }
                emission.push(prepared);
            }
        }
        (!emission.windows.is_empty()).then(|| self.seal(emission))
    }

    /// Position and sources alone, so that the committed offset follows when no window is closed.
    /// `None` when nothing changed since the last commit, or an emission is not committed yet.
    pub fn progress(&mut self) -> Option<Emission> {
        if self.in_flight || self.is_recovering() {
            return None;
        }
        let emission = self.seal(Emission::default());
        if emission.state.is_empty() && Some(emission.offset) == self.committed {
            self.in_flight = false;
            return None;
        }
        Some(emission)
    }

    /// Learns that `emission` is committed: its windows are released. (When it was aborted, or nobody
    /// knows, the task is to be dropped and made anew from what is committed.)
    pub fn committed(&mut self, emission: Emission) {
        let effect = emission.effect;
        self.in_flight = false;
        self.committed = Some(emission.offset);
        if effect.all_due {
            self.due = None;
        }
        for (selection, lives) in effect.lives {
            if let Some(track) = self.tracks.get_mut(&selection) {
                track.lives = lives;
                track.leaves = false;
            }
        }
        for (selection, next) in effect.finalised {
            if let Some(track) = self.tracks.get_mut(&selection) {
                track.advance(next);
                self.sources.forget_gaps(selection, next);
            }
        }
        for told in effect.provisional {
            let Some(track) = self.tracks.get_mut(&told.selection) else {
                continue;
            };
            let written = track.written.entry(told.start).or_default();
            written.window_revision = Some(told.window_revision);
            written.prefixes.extend(told.prefixes);
            written.chunks += told.chunks;
            if let Some(window) = track.open.get_mut(&told.start) {
                window.waiting_since = Some(told.wall);
                window.changed = false;
            }
        }
        for StateChange { key, value } in emission.state {
            match value {
                _ if wire::is_told_once(&key) => {}
                Some(value) => {
                    self.saved.insert(key, value);
                }
                None => {
                    self.saved.remove(&key);
                }
            }
        }
        self.forget_gone(emission.offset);
        self.release();
    }

    /// Forgets selections that nobody counts, once no record from the committed offset on names them.
    fn forget_gone(&mut self, committed: i64) {
        self.tracks.retain(|_, track| {
            let is_gone = track.gone_at.is_some_and(|gone| gone < committed);
            track.rule.is_some() || !track.open.is_empty() || track.next.is_some() || !is_gone
        });
    }

    /// Selections in the order in which one marker's windows are written, those apart that go by each other: of one
    /// rule, and of rules that share incidents.
    fn groups(&self) -> Vec<Vec<Fingerprint>> {
        let mut groups: BTreeMap<(&str, bool), Vec<&Track>> = BTreeMap::new();
        for track in self.tracks.values() {
            groups.entry(track.home()).or_default().push(track);
        }
        let mut groups: Vec<_> = groups.into_values().collect();
        for group in &mut groups {
            group.sort_by_key(|t| (&t.name, t.selection));
        }
        let selections = |group: Vec<&Track>| group.into_iter().map(|t| t.selection).collect();
        groups.into_iter().map(selections).collect()
    }

    /// Adds the due windows of a group, in the order in which stream time makes them due: that is the same however many a
    /// marker makes due at once. False when there was no room for all.
    fn emit(&mut self, group: &[Fingerprint], emission: &mut Emission) -> bool {
        let mut ended = BTreeSet::new();
        loop {
            let going = group.iter().filter(|s| !ended.contains(*s));
            let due = going.filter_map(|s| {
                let (at, window) = self.next_window(*s, emission)?;
                Some((at, &self.tracks.get(s)?.name, *s, window))
            });
            let earliest = due.min_by(|a, b| (a.0, a.1, a.2).cmp(&(b.0, b.1, b.2)));
            let Some((_, _, selection, window)) = earliest else {
                break;
            };
            match self.emit_one(selection, window, emission) {
                Step::Written => {}
                Step::Full => return false,
                Step::Nothing => {
                    ended.insert(selection);
                }
            }
        }
        // What is due is finalised, also where nobody wants a record of it.
        for selection in group {
            self.pass_over(*selection, emission);
        }
        true
    }

    /// The next window of a selection that is to be written, or looked at for a successor, and the stream time at which it is
    /// due.
    fn next_window(
        &self,
        selection: Fingerprint,
        emission: &Emission,
    ) -> Option<(Timestamp, Window)> {
        let track = self.tracks.get(&selection).filter(|t| t.after.is_none())?;
        let cursor = Self::cursor(track, emission)?;
        let due = self.due_through(track);
        if let Some(rule) = &track.rule {
            let at = cursor.end.plus(rule.grace);
            return (cursor.start < due).then_some((at, cursor));
        }
        let lives = emission.effect.lives.get(&selection);
        if track.leaves && !lives.unwrap_or(&track.lives).is_empty() {
            return Some((cursor.start, cursor));
        }
        let (start, _) = track.open.range(cursor.start..).next()?;
        let window = Window::starting(*start, track.interval);
        (*start < due).then_some((window.end, window))
    }

    /// The oldest window that is neither finalised nor in `emission`.
    fn cursor(track: &Track, emission: &Emission) -> Option<Window> {
        let oldest = track.oldest()?;
        let done = emission.effect.finalised.get(&track.selection);
        let start = done.map_or(oldest.start, |done| oldest.start.max(*done));
        Some(Window::starting(start, track.interval))
    }

    /// Windows that end at or before this are due, also for a successor.
    fn due_through(&self, track: &Track) -> Timestamp {
        let successor = self.successor(track.selection);
        successor.map_or(track.due_through, |(_, due)| due)
    }

    /// Adds one window, or lets a successor take over with it.
    fn emit_one(
        &mut self,
        selection: Fingerprint,
        window: Window,
        emission: &mut Emission,
    ) -> Step {
        let successor = self.successor(selection);
        if let Some((new, due)) = successor {
            if self.can_take_over(new, window) {
                self.hand_over(selection, new, window, emission);
                return Step::Written;
            }
            if let Some(track) = self.tracks.get_mut(&selection) {
                track.due_through = due;
            }
        }
        let stashed = self.prepared.take_if(|p| p.selection == selection);
        let prepared = stashed.or_else(|| self.prepare(selection, window, emission));
        let Some(prepared) = prepared else {
            return Step::Nothing;
        };
        if !emission.has_room(&prepared) {
            self.prepared = Some(prepared);
            return Step::Full;
        }
        let next = prepared.next;
        emission.push(prepared);
        self.follow(successor, next, emission);
        Step::Written
    }

    /// Finalises what is due of a selection.
    fn pass_over(&self, selection: Fingerprint, emission: &mut Emission) {
        let Some(track) = self.tracks.get(&selection).filter(|t| t.after.is_none()) else {
            return;
        };
        let due = self.due_through(track);
        if Self::cursor(track, emission).is_some_and(|c| c.start < due) {
            emission.effect.finalised.insert(selection, due);
            self.follow(self.successor(selection), due, emission);
        }
    }

    /// Other rules that `track` shares incidents with, as they are with what `emission` says.
    fn neighbours(&self, track: &Track, emission: &Emission) -> Vec<Neighbour> {
        let (home, is_shared) = track.home();
        if !is_shared {
            return Vec::new();
        }
        let others = self
            .tracks
            .values()
            .filter(|t| t.name != track.name && t.after.is_none() && t.home() == (home, true));
        let neighbour = |track: &Track| {
            let lives = emission.effect.lives.get(&track.selection);
            Some(Neighbour {
                rule: Arc::clone(&track.name),
                identity: track.told_as.as_ref()?.identity,
                lives: Arc::clone(lives.unwrap_or(&track.lives)),
            })
        };
        others.filter_map(neighbour).collect()
    }

    /// What is due next of a selection from `cursor` on, after what `emission` says.
    fn prepare(
        &mut self,
        selection: Fingerprint,
        cursor: Window,
        emission: &Emission,
    ) -> Option<Prepared> {
        let track = self.tracks.get(&selection)?;
        let neighbours = self.neighbours(track, emission);
        let lives = emission.effect.lives.get(&selection);
        let name = Arc::clone(&track.name);
        let siblings: Vec<_> = self
            .tracks
            .values()
            .filter(|t| t.name == name && t.rule.is_some())
            .map(|t| (t.interval, t.first))
            .collect();
        let track = self.tracks.get_mut(&selection)?;
        let lives = Arc::clone(lives.unwrap_or(&track.lives));
        if let Some(rule) = track.rule.clone() {
            let among = (&lives, neighbours.as_slice());
            return finalise::next_due(track, &rule, &self.sources, cursor.start, among);
        }
        let (state, end) = if siblings.is_empty() {
            (WindowState::UnknownRule, EndReason::RuleRemoved)
        } else {
            (WindowState::RuleChange, EndReason::RuleChanged)
        };
        if track.leaves {
            return finalise::farewell(track, &self.sources, cursor.start, &lives, end);
        }
        let is_told = |window: Window| {
            siblings.iter().any(|(interval, first)| {
                *interval == window.length() && first.is_some_and(|f| f <= window.start)
            })
        };
        finalise::next_unknown(track, &self.sources, cursor.start, state, is_told)
    }

    /// Windows of a configured rule that have waited for `max_wait`.
    fn waiting(&mut self, selection: Fingerprint, wall: Timestamp) -> Vec<Window> {
        let closed = self.sources.closed_somewhere(selection);
        let Some(track) = self.tracks.get_mut(&selection) else {
            return Vec::new();
        };
        if track.rule.is_none() || track.after.is_some() {
            return Vec::new();
        }
        let mut waiting = Vec::new();
        for (start, open) in &mut track.open {
            let window = Window::starting(*start, track.interval);
            if window.end > closed {
                break;
            }
            let since = *open.waiting_since.get_or_insert(wall);
            if wall >= since.plus(self.max_wait) {
                open.overdue = true;
                waiting.push(window);
            }
        }
        waiting
    }

    fn provisional(
        &mut self,
        selection: Fingerprint,
        window: Window,
        emission: &Emission,
        wall: Timestamp,
    ) -> Option<Prepared> {
        let lives = emission.effect.lives.get(&selection).cloned();
        let neighbours = self.neighbours(self.tracks.get(&selection)?, emission);
        let track = self.tracks.get_mut(&selection)?;
        let rule = track.rule.clone()?;
        let prepared = if track.open.get(&window.start)?.changed {
            let lives = lives.unwrap_or_else(|| Arc::clone(&track.lives));
            let among = (&lives, neighbours.as_slice());
            finalise::provisional(track, &rule, &self.sources, window, among, wall)
        } else {
            None
        };
        if prepared.is_none() {
            let open = track.open.get_mut(&window.start)?;
            open.waiting_since = Some(wall);
            open.changed = false;
        }
        prepared
    }

    /// Adds state and offset. From here on records are held back.
    fn seal(&mut self, mut emission: Emission) -> Emission {
        let undone = self.due.as_ref().filter(|_| !emission.effect.all_due);
        let position = undone.map_or(self.position, |(offset, _)| *offset);
        let finalised = &emission.effect.finalised;
        let needed = self
            .tracks
            .values()
            .filter_map(|t| t.needs_from(finalised.get(&t.selection).copied()));
        emission.offset = needed.fold(position, i64::min);
        let changes = self.changes(position, undone.map(|(_, before)| before), finalised);
        emission.state.extend(changes);
        self.in_flight = true;
        emission
    }

    /// State records that differ from what is committed, as of `position`: before the marker that
    /// changed `undone`, and after the windows in `finalised`.
    fn changes(
        &self,
        position: i64,
        undone: Option<&Before>,
        finalised: &BTreeMap<Fingerprint, Timestamp>,
    ) -> Vec<StateChange> {
        let topics = self.sources.topics().filter_map(|(topic, partitions)| {
            match undone.filter(|u| u.id.topic == *topic) {
                Some(before) => before.partitions.map(|p| (topic, p)),
                None => Some((topic, partitions)),
            }
        });
        let mut records = BTreeMap::new();
        records.extend([wire::task(position, self.partials_partitions, topics)]);
        for (id, source) in self.sources.iter() {
            let source = match undone.filter(|u| u.id == id) {
                Some(before) => before.source.as_ref(),
                None => source,
            };
            records.extend(source.map(|s| wire::source(&id, s)));
        }
        for track in self.tracks.values() {
            let next = finalised.get(&track.selection).copied().or(track.next);
            records.extend([wire::rule(track, next)]);
        }
        let gone = self.saved.keys().filter(|k| !records.contains_key(*k));
        let gone: Vec<StateChange> = gone
            .map(|key| StateChange {
                key: key.clone(),
                value: None,
            })
            .collect();
        let changed = records
            .into_iter()
            .filter(|(key, value)| self.saved.get(key) != Some(value))
            .map(|(key, value)| StateChange {
                key,
                value: Some(value),
            });
        gone.into_iter().chain(changed).collect()
    }
}
