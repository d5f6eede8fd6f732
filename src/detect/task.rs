//! The task of one partials partition.
//!
//! Invariant: what is saved as position P is the state right after the record before P. So while
//! windows are due, or an emission is being committed, later records are held back and not looked at:
//! completeness is decided marker by marker, however late the emission comes. When the windows that a
//! marker made due need several emissions, all but the last are saved as of *before* that marker;
//! after a crash in between it is read again and makes the rest due again.
//!
//! Deliberately absent: any decision by a clock but `overdue`, and any memory of a window that
//! has nothing in it.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use super::emission::Prepared;
use super::life::Remembered;
use super::source::{Before, Counted, Source, Sources};
use super::track::Track;
use super::wire::{self, Saved, StateError};
use crate::net::Prefix;
use crate::partial::{Delta, Marker, Partial, SourceId};
use crate::rule::{Fingerprint, Rule};
use crate::time::Timestamp;
use crate::window::Window;

/// What all detect tasks of a process share.
#[derive(Clone, Debug)]
pub struct DetectPlan {
    /// Every configured rule; a task takes those of its partition.
    pub rules: Vec<Arc<Rule>>,
    /// Configured input topics: each is expected to have at least one partition.
    pub topics: Vec<Arc<str>>,
    /// How long an incomplete window waits before provisional alerts.
    pub max_wait: Duration,
}

/// Detects in one partials partition. See [`super`] for what is guaranteed.
#[derive(Debug)]
pub struct DetectTask {
    pub(super) partition: i32,
    pub(super) partials_partitions: u32,
    pub(super) max_wait: Duration,
    pub(super) sources: Sources,
    pub(super) tracks: BTreeMap<Fingerprint, Track>,
    /// Selections of configured rules that live in other partitions.
    pub(super) elsewhere: BTreeSet<Fingerprint>,
    /// Records below this were looked at before the start: they only rebuild open windows.
    pub(super) recovered: i64,
    /// Every record below this was looked at.
    pub(super) position: i64,
    /// The marker that made windows due: its offset, and what it changed.
    pub(super) due: Option<(i64, Before)>,
    pub(super) in_flight: bool,
    pub(super) held: VecDeque<(i64, Partial, Timestamp)>,
    /// A due window that found no room in the last emission.
    pub(super) prepared: Option<Prepared>,
    /// State records as committed, without provisional ones.
    pub(super) saved: BTreeMap<Vec<u8>, Vec<u8>>,
    pub(super) committed: Option<i64>,
    /// Since they were last asked for.
    late_deltas: u64,
}

impl DetectTask {
    /// A task that goes on from saved state records (key, value; in any order, one per key) and the
    /// committed offset, from which on [`Self::apply`] is to be called.
    pub fn new(
        partition: i32,
        plan: &DetectPlan,
        state: Vec<(Vec<u8>, Vec<u8>)>,
        committed: Option<i64>,
        partials_partitions: u32,
    ) -> Result<Self, StateError> {
        let mut task = Self {
            partition,
            partials_partitions,
            max_wait: plan.max_wait,
            sources: Sources::default(),
            tracks: BTreeMap::new(),
            elsewhere: BTreeSet::new(),
            recovered: committed.unwrap_or(0),
            position: committed.unwrap_or(0),
            due: None,
            in_flight: false,
            held: VecDeque::new(),
            prepared: None,
            saved: BTreeMap::new(),
            committed,
            late_deltas: 0,
        };
        task.restore(state)?;
        for topic in &plan.topics {
            task.sources.expect(topic, 1);
        }
        task.replan(&plan.rules);
        Ok(task)
    }

    fn restore(&mut self, mut state: Vec<(Vec<u8>, Vec<u8>)>) -> Result<(), StateError> {
        // What another version wrote is not corrupt.
        state.sort_by_key(|(key, _)| !wire::is_task(key));
        let mut position = None;
        let mut without_lives = false;
        let mut rest = Vec::new();
        for (key, value) in state {
            match wire::decode(&key, &value)? {
                Saved::Task {
                    version,
                    position: p,
                    partials_partitions,
                    topics,
                } => {
                    self.check(version, partials_partitions)?;
                    position = Some(p);
                    without_lives = wire::is_without_lives(version);
                    for (topic, partitions) in topics {
                        self.sources.expect(&topic, partitions as usize);
                    }
                }
                Saved::Source(id, source) => self.sources.restore(&id, source),
                Saved::Rule(track) => {
                    self.tracks.insert(track.selection, *track);
                }
                saved @ (Saved::Provisional { .. } | Saved::Life { .. }) => {
                    rest.push(saved);
                    continue;
                }
            }
            self.saved.insert(key, value);
        }
        for saved in rest {
            self.restore_of_rule(saved, without_lives);
        }
        match (position, self.committed) {
            (None, None) if self.saved.is_empty() => {}
            (None, Some(committed)) => return Err(StateError::Missing { committed }),
            (Some(position), Some(committed)) if committed <= position => {
                self.position = committed;
                self.recovered = position;
            }
            (position, committed) => {
                return Err(StateError::Offset {
                    position: position.unwrap_or(0),
                    committed,
                });
            }
        }
        Ok(())
    }

    const fn check(&self, version: u32, partials_partitions: u32) -> Result<(), StateError> {
        if !wire::is_readable(version) {
            return Err(StateError::Version { found: version });
        }
        if partials_partitions != self.partials_partitions {
            return Err(StateError::Partitions {
                saved: partials_partitions,
                found: self.partials_partitions,
            });
        }
        Ok(())
    }

    fn restore_of_rule(&mut self, saved: Saved, without_lives: bool) {
        match saved {
            Saved::Life {
                selection,
                prefix,
                remembered,
            } => self.restore_life(selection, prefix, *remembered),
            Saved::Provisional {
                selection,
                start,
                window_revision,
                alert_revision,
                prefixes,
            } => {
                let Some(track) = self.tracks.get_mut(&selection) else {
                    return;
                };
                let written = track.written.entry(start).or_default();
                written.window_revision = written.window_revision.max(Some(window_revision));
                written.prefixes.extend(prefixes.iter().copied());
                written.chunks += 1;
                if without_lives {
                    for prefix in prefixes {
                        let told = Remembered::told(prefix, start, alert_revision);
                        self.restore_life(selection, prefix, told);
                    }
                }
            }
            Saved::Task { .. } | Saved::Source(..) | Saved::Rule(_) => {}
        }
    }

    fn restore_life(&mut self, selection: Fingerprint, prefix: Prefix, remembered: Remembered) {
        if let Some(track) = self.tracks.get_mut(&selection) {
            Arc::make_mut(&mut track.lives).restore(prefix, remembered);
        }
    }

    /// A rule that is configured after count began to count it has windows already.
    pub(super) fn begin_restored(&mut self) {
        for (selection, track) in &mut self.tracks {
            if track.rule.is_none() {
                continue;
            }
            for (_, source) in self.sources.iter() {
                let counted = source.and_then(|s| s.counted.get(selection));
                if let Some(closed) = counted.and_then(Counted::closed) {
                    track.begin(Window::containing(closed, track.interval).start);
                }
            }
        }
    }

    /// Takes the record at `offset`, in log order. `wall` is a clock that nobody sets, for `max_wait` alone.
    pub fn apply(&mut self, offset: i64, partial: Partial, wall: Timestamp) {
        if self.in_flight || self.due.is_some() {
            self.held.push_back((offset, partial, wall));
        } else {
            self.look_at(offset, partial, wall);
        }
    }

    /// Looks at records that were held back, until windows are due again.
    pub(super) fn release(&mut self) {
        while self.due.is_none()
            && !self.in_flight
            && let Some((offset, partial, wall)) = self.held.pop_front()
        {
            self.look_at(offset, partial, wall);
        }
    }

    fn look_at(&mut self, offset: i64, partial: Partial, wall: Timestamp) {
        match partial {
            Partial::Delta(delta) => self.delta(offset, delta),
            Partial::Marker(marker) if offset >= self.recovered => {
                self.marker(offset, marker, wall);
            }
            Partial::Marker(_) => {}
        }
        self.position = self.position.max(offset + 1);
    }

    fn delta(&mut self, offset: i64, delta: Delta) {
        let new = || {
            let name = Arc::clone(&delta.rule);
            Track::new(name, delta.selection, delta.window.length())
        };
        let track = self.tracks.entry(delta.selection).or_insert_with(new);
        if offset < self.recovered {
            track.add_again(offset, delta);
        } else {
            self.late_deltas += u64::from(track.add(offset, delta));
        }
    }

    fn marker(&mut self, offset: i64, mut marker: Marker, wall: Timestamp) {
        marker
            .rules
            .retain(|r| !self.elsewhere.contains(&r.selection));
        let Some(before) = self.sources.apply(&marker) else {
            return;
        };
        self.sources
            .forget_selections(&marker.source, |s| self.tracks.contains_key(&s));
        let Some(source) = self.sources.get(&marker.source) else {
            return;
        };
        let mut is_due = false;
        for track in self.tracks.values_mut() {
            begin(track, before.source.as_ref(), source);
            wait(track, source, wall);
            is_due |= close(track, source, &self.sources, wall);
            if !self.sources.list(track.selection) {
                is_due |= track.go(offset);
            }
        }
        if is_due {
            self.due = Some((offset, before));
        }
    }

    /// Whether the records that rebuild open windows are still to come.
    pub(super) const fn is_recovering(&self) -> bool {
        self.position < self.recovered
    }

    /// Whether [`Self::emission`] has something to write. Records applied now are held back.
    pub const fn due(&self) -> bool {
        self.due.is_some() && !self.in_flight
    }

    /// Records held back while windows are due or being committed.
    pub fn held(&self) -> usize {
        self.held.len()
    }

    /// Windows that are not finalised.
    pub fn open_windows(&self) -> usize {
        self.tracks.values().map(|t| t.open.len()).sum()
    }

    /// Rows of all open windows: a measure of memory.
    pub fn rows(&self) -> usize {
        let windows = self.tracks.values().flat_map(|t| t.open.values());
        windows.map(|w| w.v4.rows() + w.v6.rows()).sum()
    }

    /// Deltas since the last call whose window was finalised before they came.
    pub const fn take_late_deltas(&mut self) -> u64 {
        std::mem::replace(&mut self.late_deltas, 0)
    }

    /// Every expected source with its stream time and whether it is idle.
    pub fn sources(&self) -> impl Iterator<Item = (SourceId, Option<Timestamp>, bool)> {
        self.sources.iter().map(|(id, source)| {
            let stream_time = source.and_then(|s| s.stream_time);
            (id, stream_time, source.is_some_and(|s| s.idle))
        })
    }

    /// Sources that no marker came from, and those that hold back a window for longer than `max_wait`
    /// (as of the last [`Self::overdue`]).
    pub fn missing(&self) -> Vec<SourceId> {
        let overdue: Vec<(Fingerprint, Timestamp)> = self
            .tracks
            .values()
            .filter_map(|t| {
                let (start, _) = t.open.iter().rev().find(|(_, w)| w.overdue)?;
                Some((t.selection, start.plus(t.interval)))
            })
            .collect();
        let holds_back = |s: &Source| {
            overdue
                .iter()
                .any(|(selection, end)| s.closed_through(*selection) < *end)
        };
        self.sources
            .iter()
            .filter(|(_, source)| source.is_none_or(holds_back))
            .map(|(id, _)| id)
            .collect()
    }
}

/// A source's first word on a selection tells from which window on there are windows: a rule that
/// finds nothing has records, too.
fn begin(track: &mut Track, before: Option<&Source>, source: &Source) {
    let closed = |s: &Source| s.counted.get(&track.selection).and_then(Counted::closed);
    if track.rule.is_some()
        && before.and_then(closed).is_none()
        && let Some(closed) = closed(source)
    {
        track.begin(Window::containing(closed, track.interval).start);
    }
}

/// Starts the clock of windows that `source` has closed.
fn wait(track: &mut Track, source: &Source, wall: Timestamp) {
    if source.stream_time.is_none() {
        return;
    }
    let closed = source.closed_through(track.selection);
    for (start, window) in &mut track.open {
        if start.plus(track.interval) > closed {
            break;
        }
        window.waiting_since.get_or_insert(wall);
        window.closed_somewhere.get_or_insert(wall);
    }
}

/// Finds out whether windows are due now that `source` moved.
fn close(track: &mut Track, source: &Source, sources: &Sources, wall: Timestamp) -> bool {
    let Some(oldest) = track.oldest() else {
        return false;
    };
    if source.closed_through(track.selection) < oldest.end {
        return false;
    }
    let closed = sources.closed_through(track.selection);
    if closed < oldest.end || closed == Timestamp::MAX {
        return false;
    }
    let due_through = Window::containing(closed, track.interval).start;
    // Empty windows of a rule that nobody knows are nobody's business.
    if track.rule.is_none() && track.open.range(..due_through).next().is_none() {
        return false;
    }
    track.due_through = due_through;
    for (_, window) in track.open.range_mut(..due_through) {
        let since = window.closed_somewhere.unwrap_or(wall);
        window.waited.get_or_insert(wall.since(since));
    }
    true
}
