//! One selection of one rule: its open windows, and how far it is finalised.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use super::life::Lives;
use super::store::Store;
use crate::alert::{KeyName, ModeName};
use crate::net::Prefix;
use crate::partial::{Delta, Leaves};
use crate::rule::{Fingerprint, KeySide, LatePolicy, Mode, Rule};
use crate::time::{Timestamp, millis};
use crate::window::Window;

/// Leaves kept per window and family of a rule whose configuration is not known.
const UNKNOWN_MAX_PREFIXES: usize = 4_000_000;

/// What a window's provisional records said.
#[derive(Debug, Default)]
pub(super) struct Written {
    /// Revision of the latest window record.
    pub(super) window_revision: Option<u32>,
    /// Prefixes of which they told.
    pub(super) prefixes: BTreeSet<Prefix>,
    /// State records that hold this.
    pub(super) chunks: u32,
}

impl Written {
    /// The revision of the window's next record.
    pub(super) fn next_window_revision(&self) -> u32 {
        self.window_revision.map_or(0, |r| r + 1)
    }

    /// Prefixes written that are not in `kept`.
    pub(super) fn void(&self, kept: &BTreeSet<Prefix>) -> Vec<Prefix> {
        self.prefixes.difference(kept).copied().collect()
    }
}

/// How alerts name a rule, for when it is not configured any more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ToldAs {
    /// Of selection and decision.
    pub(super) fingerprint: Fingerprint,
    pub(super) labels: BTreeMap<String, String>,
    pub(super) key: KeyName,
    pub(super) mode: ModeName,
    /// What alert ids are made of. It stays when sets change.
    pub(super) identity: Fingerprint,
}

impl ToldAs {
    pub(super) fn of(rule: &Rule) -> Self {
        Self {
            fingerprint: rule.fingerprint(),
            labels: rule.labels.clone(),
            key: match rule.key {
                KeySide::Dst => KeyName::Dst,
                KeySide::Src => KeyName::Src,
            },
            mode: match rule.mode {
                Mode::MostSpecific => ModeName::MostSpecific,
                Mode::Discounted => ModeName::Discounted,
                Mode::All => ModeName::All,
            },
            identity: rule.identity,
        }
    }
}

/// A window that is not finalised and has something in it.
#[derive(Debug)]
pub(super) struct OpenWindow {
    pub(super) v4: Store<u32>,
    pub(super) v6: Store<u128>,
    pub(super) late_flows: u64,
    /// The first partials record that is needed to rebuild it.
    pub(super) first_offset: i64,
    /// When the first source closed it.
    pub(super) closed_somewhere: Option<Timestamp>,
    /// How long the last source took after that; for telemetry alone.
    pub(super) waited: Option<Duration>,
    /// Wall-clock time from which `max_wait` counts.
    pub(super) waiting_since: Option<Timestamp>,
    /// Whether it has waited that long.
    pub(super) overdue: bool,
    /// Whether anything came since the last provisional pass.
    pub(super) changed: bool,
}

impl OpenWindow {
    pub(super) fn new(max_prefixes: usize, offset: i64) -> Self {
        Self {
            v4: Store::new(max_prefixes),
            v6: Store::new(max_prefixes),
            late_flows: 0,
            first_offset: offset,
            closed_somewhere: None,
            waited: None,
            waiting_since: None,
            overdue: false,
            changed: true,
        }
    }

    fn add(&mut self, leaves: Leaves) {
        self.changed = true;
        match leaves {
            Leaves::V4(leaves) => self.v4.add(leaves),
            Leaves::V6(leaves) => self.v6.add(leaves),
        }
    }
}

/// A selection.
#[derive(Debug)]
pub(super) struct Track {
    pub(super) name: Arc<str>,
    pub(super) selection: Fingerprint,
    pub(super) interval: Duration,
    /// `None`: not in this instance's configuration.
    pub(super) rule: Option<Arc<Rule>>,
    /// What decides until this selection takes over from it.
    pub(super) after: Option<Fingerprint>,
    /// Start of the first window; it may move back until one is finalised.
    pub(super) first: Option<Timestamp>,
    /// Start of the oldest window that is not finalised, once one is.
    pub(super) next: Option<Timestamp>,
    pub(super) decision: Fingerprint,
    pub(super) decision_from: Timestamp,
    /// Deltas that came too late, by offset, with the start of the window that they went to.
    pub(super) late: BTreeMap<i64, Timestamp>,
    pub(super) open: BTreeMap<Timestamp, OpenWindow>,
    /// Provisional records of windows that are not finalised.
    pub(super) written: BTreeMap<Timestamp, Written>,
    /// Every window that ends at or before this is due.
    pub(super) due_through: Timestamp,
    /// Offset of the marker with which nobody counted it any more. What was before is forgotten.
    pub(super) gone_at: Option<i64>,
    /// `None`: it never decided, or another selection took over from it.
    pub(super) told_as: Option<ToldAs>,
    /// As of `next`. Shared with emissions that are not committed yet.
    pub(super) lives: Arc<Lives>,
    /// Nobody counts it any more and it is not configured: its alerts end.
    pub(super) leaves: bool,
}

impl Track {
    /// A selection without windows.
    pub(super) fn new(name: Arc<str>, selection: Fingerprint, interval: Duration) -> Self {
        Self {
            name,
            selection,
            interval,
            rule: None,
            after: None,
            first: None,
            next: None,
            decision: Fingerprint::default(),
            decision_from: Timestamp::MIN,
            late: BTreeMap::new(),
            open: BTreeMap::new(),
            written: BTreeMap::new(),
            due_through: Timestamp::MIN,
            gone_at: None,
            told_as: None,
            lives: Arc::default(),
            leaves: false,
        }
    }

    /// Lets `rule` decide, from the oldest window on that is not finalised.
    pub(super) fn configure(&mut self, rule: &Arc<Rule>) {
        if self.decision != rule.decision {
            self.decision = rule.decision;
            self.decision_from = self.next.unwrap_or(Timestamp::MIN);
        }
        self.told_as = Some(ToldAs::of(rule));
        self.rule = Some(Arc::clone(rule));
    }

    /// What its windows are written together with, and whether that is a group of rules.
    pub(super) fn home(&self) -> (&str, bool) {
        match &self.rule {
            Some(rule) => (rule.home(), rule.incident_group.is_some()),
            None => (&self.name, false),
        }
    }

    /// Whether it has decided for `rule` until now, with other items in named sets.
    pub(super) fn is_before(&self, rule: &Rule) -> bool {
        let told_as = self.told_as.as_ref();
        self.selection != rule.selection
            && self.name == rule.name
            && self.interval == rule.interval
            && told_as.is_some_and(|told_as| told_as.identity == rule.identity)
    }

    /// Decides from the window at `start` on.
    pub(super) fn take_over(&mut self, start: Timestamp) {
        self.after = None;
        self.first = Some(self.first.map_or(start, |first| first.min(start)));
        self.next = Some(start);
        if let Some(rule) = self.rule.take() {
            self.configure(&rule);
        }
    }

    /// Decides no more. What it has of later windows is nobody's business.
    pub(super) fn resign(&mut self) {
        self.rule = None;
        self.told_as = None;
        self.lives = Arc::default();
        self.written.clear();
    }

    /// The oldest window that is not finalised. `None` before the first is known.
    pub(super) fn oldest(&self) -> Option<Window> {
        let start = self.next.or(self.first)?;
        Some(Window::starting(start, self.interval))
    }

    /// Learns that windows from the one at `start` on are there.
    pub(super) fn begin(&mut self, start: Timestamp) {
        if self.next.is_none() {
            self.first = Some(self.first.map_or(start, |f| f.min(start)));
        }
    }

    /// Adds a delta that is read for the first time. Whether its window was finalised before.
    pub(super) fn add(&mut self, offset: i64, delta: Delta) -> bool {
        match self.next {
            Some(next) if delta.window.start < next => {
                self.late.insert(offset, next);
                self.add_late(offset, next, delta);
                true
            }
            _ => {
                self.add_in_time(offset, delta);
                false
            }
        }
    }

    /// Adds a delta again, to where it went at first, if that window is still open.
    pub(super) fn add_again(&mut self, offset: i64, delta: Delta) {
        if self.gone_at.is_some_and(|gone| offset < gone) {
            return;
        }
        let is_open = |start: Timestamp| self.next.is_none_or(|n| start >= n);
        match self.late.get(&offset).copied() {
            Some(start) => self.add_late(offset, start, delta),
            None if is_open(delta.window.start) => self.add_in_time(offset, delta),
            _ => {}
        }
    }

    fn add_in_time(&mut self, offset: i64, delta: Delta) {
        self.begin(delta.window.start);
        let window = self.window(delta.window.start, offset);
        window.late_flows = window.late_flows.saturating_add(delta.late_flows);
        window.add(delta.leaves);
    }

    /// Adds a delta whose window is finalised, as late flows: that can only be from a source that
    /// was known to be empty then.
    fn add_late(&mut self, offset: i64, start: Timestamp, delta: Delta) {
        let counts = self
            .rule
            .as_ref()
            .is_some_and(|r| r.late == LatePolicy::OldestOpen);
        let flows = match &delta.leaves {
            Leaves::V4(leaves) => &leaves.flows,
            Leaves::V6(leaves) => &leaves.flows,
        };
        let flows = flows.iter().copied().fold(0, u64::saturating_add);
        let window = self.window(start, offset);
        window.late_flows = window
            .late_flows
            .saturating_add(delta.late_flows)
            .saturating_add(flows);
        if counts {
            window.add(delta.leaves);
        }
    }

    fn window(&mut self, start: Timestamp, offset: i64) -> &mut OpenWindow {
        let max = self
            .rule
            .as_ref()
            .map_or(UNKNOWN_MAX_PREFIXES, |r| r.max_prefixes);
        let window = self
            .open
            .entry(start)
            .or_insert_with(|| OpenWindow::new(max, offset));
        window.first_offset = window.first_offset.min(offset);
        window
    }

    /// How many windows lie between two window starts.
    pub(super) fn windows_between(&self, from: Timestamp, to: Timestamp) -> u64 {
        let length = u128::from(millis(self.interval).max(1).unsigned_abs());
        let span = to.as_millis().abs_diff(from.as_millis());
        (u128::from(span) / length) as u64
    }

    /// The start of the window that is `n` after the one at `start`.
    pub(super) fn after(&self, start: Timestamp, n: u64) -> Timestamp {
        let length = millis(self.interval).max(1);
        let distance = length.saturating_mul(n.min(i64::MAX as u64) as i64);
        Timestamp::from_millis(start.as_millis().saturating_add(distance))
    }

    /// Forgets a selection that is not configured, is not counted any more and has no open window, at
    /// the marker at `offset`. A delta after that, which is not to be expected, starts
    /// afresh: its window may be told again. Whether there are alerts that must end before.
    pub(super) fn go(&mut self, offset: i64) -> bool {
        if self.rule.is_none() && self.open.is_empty() && !self.lives.is_empty() {
            self.leaves = true;
            return true;
        }
        let is_new = self.gone_at.is_none() || self.oldest().is_some();
        if self.rule.is_none() && self.open.is_empty() && is_new {
            self.first = None;
            self.next = None;
            self.late.clear();
            self.gone_at = Some(offset);
        }
        false
    }

    /// Finalises everything before `next`.
    pub(super) fn advance(&mut self, next: Timestamp) {
        self.next = Some(next);
        self.open = self.open.split_off(&next);
        self.written = self.written.split_off(&next);
        // All of them went to the window that was the oldest until now.
        self.late.clear();
    }

    /// The first offset that open windows from `next` on need.
    pub(super) fn needs_from(&self, next: Option<Timestamp>) -> Option<i64> {
        let from = next.or(self.next).unwrap_or(Timestamp::MIN);
        self.open.range(from..).map(|(_, w)| w.first_offset).min()
    }

    /// Late flows of the window at `start`.
    pub(super) fn late_flows(&self, start: Timestamp) -> u64 {
        self.open.get(&start).map_or(0, |w| w.late_flows)
    }
}
