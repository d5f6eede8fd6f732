//! How a selection takes over from the one before it, when only the items of named sets differ.
//!
//! Count tasks learn of new items at times of their own, and count both selections for a while. The one
//! before decides every window until the first that every source counted by the new one from its beginning: that one and all
//! later ones are the new selection's, with the alerts that are open. So each window is decided by one
//! selection whole, and by which of them depends on what markers say alone.

use std::sync::Arc;

use super::emission::Emission;
use super::finalise::{forget, remember};
use super::life::Lives;
use super::task::DetectTask;
use super::track::Track;
use super::wire;
use crate::partial::partition_of;
use crate::rule::{Fingerprint, Rule};
use crate::time::Timestamp;
use crate::window::Window;

impl DetectTask {
    /// Lets `rules` decide from now on. Says no while something is being written: then it must be tried again.
    pub fn replan(&mut self, rules: &[Arc<Rule>]) -> bool {
        if self.in_flight || self.due.is_some() {
            return false;
        }
        self.elsewhere.clear();
        for track in self.tracks.values_mut() {
            track.rule = None;
            track.after = None;
        }
        for rule in rules {
            if partition_of(rule.home(), self.partials_partitions) == self.partition {
                self.configure(rule);
            } else {
                self.elsewhere.insert(rule.selection);
            }
        }
        self.begin_restored();
        true
    }

    fn configure(&mut self, rule: &Arc<Rule>) {
        let before = self.tracks.values_mut().find(|t| t.is_before(rule));
        let after = before.map(|track| {
            let selection = track.selection;
            track.configure(&Arc::new(Rule {
                selection,
                ..Rule::clone(rule)
            }));
            selection
        });
        let new = || Track::new(Arc::clone(&rule.name), rule.selection, rule.interval);
        let track = self.tracks.entry(rule.selection).or_insert_with(new);
        match after {
            None => track.configure(rule),
            Some(_) => track.rule = Some(Arc::clone(rule)),
        }
        track.after = after;
    }

    /// The selection that is to take over from this one, and the end of what may be decided of either.
    pub(super) fn successor(&self, selection: Fingerprint) -> Option<(Fingerprint, Timestamp)> {
        let due = self.tracks.get(&selection)?.due_through;
        let new = self.tracks.values().find(|t| t.after == Some(selection))?;
        // A window is decided once it is closed for both.
        let closed = new.oldest().map(|w| w.start.max(new.due_through));
        Some((new.selection, closed.map_or(due, |closed| due.min(closed))))
    }

    /// Whether every source counted all of `window` by `new`.
    pub(super) fn can_take_over(&self, new: Fingerprint, window: Window) -> bool {
        let next = self.tracks.get(&new).and_then(|track| track.next);
        next.is_none_or(|next| next <= window.start) && self.sources.cover(new, window)
    }

    /// Windows before `next` are decided, so a successor has nothing to say of them.
    pub(super) fn follow(
        &self,
        successor: Option<(Fingerprint, Timestamp)>,
        next: Timestamp,
        emission: &mut Emission,
    ) {
        let Some((new, _)) = successor else { return };
        let known = self.tracks.get(&new).and_then(|track| track.next);
        let next = known.map_or(next, |known| known.max(next));
        emission.effect.finalised.insert(new, next);
    }

    /// Gives `new` what `old` knew of alerts, with `window` as its first.
    pub(super) fn hand_over(
        &mut self,
        old: Fingerprint,
        new: Fingerprint,
        window: Window,
        emission: &mut Emission,
    ) {
        let Some(mut before) = self.tracks.remove(&old) else {
            return;
        };
        if let Some(track) = self.tracks.get_mut(&new) {
            let lives = emission.effect.lives.remove(&old);
            track.lives = lives.unwrap_or_else(|| Arc::clone(&before.lives));
            let none = Lives::default();
            let gone = none.changes(&track.lives);
            let gone = gone.map(|(prefix, nothing)| wire::life(old, prefix, nothing));
            emission.state.extend(gone);
            let here = track.lives.changes(&none);
            let here = here.map(|(prefix, now)| wire::life(new, prefix, now));
            emission.state.extend(here);
            for (start, mut written) in before.written.split_off(&window.start) {
                let told = Window::starting(start, track.interval);
                let gone = forget(&before, start, written.chunks);
                emission.state.extend(gone);
                let prefixes: Vec<_> = written.prefixes.iter().copied().collect();
                let revision = written.window_revision.unwrap_or(0);
                let here = remember(track, 0, told, revision, &prefixes);
                written.chunks = here.len() as u32;
                emission.state.extend(here);
                track.written.insert(start, written);
            }
            track.take_over(window.start);
        }
        before.resign();
        for selection in [old, new] {
            emission.effect.finalised.insert(selection, window.start);
        }
        self.tracks.insert(old, before);
    }
}
