//! One rule's counts: which flows it takes, and into which window.
//!
//! Invariant: what a lane does with a flow depends on the flow, its event time and the stream time
//! alone, never on when it was flushed.

use std::sync::Arc;
use std::time::Duration;

use crate::flow::Flow;
use crate::net::Addr;
use crate::partial::{Delta, Leaves};
use crate::rule::{Attribution, LatePolicy, Rule, SharedFilters};
use crate::time::Timestamp;
use crate::window::{Span, Window};

use super::rows::Amount;
use super::table::Table;

/// The times that decide which window a flow counts in.
#[derive(Clone, Copy, Debug)]
pub(super) struct When {
    /// Its event time.
    pub(super) event: Timestamp,
    /// Stream time, the flow included.
    pub(super) stream: Timestamp,
}

/// What a rule did with a flow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// Not one of its flows.
    Unwanted,
    /// Counted, all of it in time.
    Counted,
    /// Counted, all or a part of it in the oldest open window, since its own is closed.
    CountedLate,
    /// Its windows are closed, and the rule drops such flows.
    Dropped,
}

/// Counts of one window since the last flush.
#[derive(Debug)]
struct Slot {
    window: Window,
    /// The stream time at which the window is closed.
    closes_at: Timestamp,
    late_flows: u64,
    v4: Table<u32>,
    v6: Table<u128>,
}

/// A rule that a lane counts for.
#[derive(Clone, Debug)]
pub(super) struct Served {
    pub(super) rule: Arc<Rule>,
    /// Whether another rule of the same name came after it.
    pub(super) is_replaced: bool,
}

/// The counts since the last flush of rules that count alike.
#[derive(Debug)]
pub(super) struct Lane {
    /// The first of them: how all count, even when it is gone.
    rule: Arc<Rule>,
    served: Vec<Served>,
    /// Which of the filters is theirs.
    filter: usize,
    max_flow_duration: Duration,
    slots: Vec<Slot>,
    /// The slot that was added to last: most flows go where the one before went.
    current: usize,
    /// Room for addresses in a new table: what the last flush's tables held on average.
    room: (usize, usize),
}

impl Lane {
    pub(super) fn new(
        first: Served,
        filters: &mut SharedFilters,
        max_flow_duration: Duration,
    ) -> Self {
        Self {
            filter: filters.add(&first.rule.filter),
            rule: Arc::clone(&first.rule),
            served: vec![first],
            max_flow_duration,
            slots: Vec::new(),
            current: 0,
            room: (0, 0),
        }
    }

    /// Counts for another rule, too, if that counts alike; else gives it back.
    pub(super) fn serve(&mut self, other: Served) -> Result<(), Served> {
        if !self.rule.counts_like(&other.rule) {
            return Err(other);
        }
        self.served.push(other);
        Ok(())
    }

    /// The rules that it counts for.
    pub(super) fn served(&self) -> &[Served] {
        &self.served
    }

    /// Counts for those rules no more that are not to stay. Says whether any does.
    pub(super) fn retain(&mut self, stays: impl FnMut(&Served) -> bool) -> bool {
        self.served.retain(stays);
        !self.served.is_empty()
    }

    /// Entries in all tables.
    pub(super) fn leaves(&self) -> usize {
        let of_slot = |slot: &Slot| slot.v4.len() + slot.v6.len();
        self.slots.iter().map(of_slot).sum()
    }

    /// Counts a flow if the rules want it.
    pub(super) fn add(
        &mut self,
        flow: &Flow<'_>,
        filters: &mut SharedFilters,
        amount: &Amount,
        when: When,
    ) -> Outcome {
        let matches = || filters.matches(self.filter, flow);
        match self.rule.select_by(flow, matches) {
            None => Outcome::Unwanted,
            Some(addr) => match self.rule.attribution {
                Attribution::Arrival => self.add_at(addr, amount, when, when.event),
                Attribution::Spread => self.spread(flow, addr, amount, when),
            },
        }
    }

    /// Counts a whole flow in the window of `at`, or as a late one.
    fn add_at(&mut self, addr: Addr, amount: &Amount, when: When, at: Timestamp) -> Outcome {
        if let Some(open) = self.open_slot(at, when.stream) {
            self.put(open, addr, amount);
            return Outcome::Counted;
        }
        let oldest = self.oldest_open(when.stream);
        self.slots[oldest].late_flows += 1;
        match self.rule.late {
            LatePolicy::OldestOpen => {
                self.put(oldest, addr, amount);
                Outcome::CountedLate
            }
            LatePolicy::Drop => Outcome::Dropped,
        }
    }

    /// Divides a flow over the open windows of its duration; the flow itself counts in the last one.
    fn spread(&mut self, flow: &Flow<'_>, addr: Addr, whole: &Amount, when: When) -> Outcome {
        let (start, end) = (flow.time_start, flow.time_end);
        let Some(span) = Span::of(when.event, start, end, self.max_flow_duration) else {
            return self.add_at(addr, whole, when, when.event);
        };
        let last = span.last_window(self.rule.interval);
        if last.is_closed(when.stream, self.rule.grace) {
            return self.add_at(addr, whole, when, last.start);
        }
        let share = |[bytes, packets, raw_bytes]: [u64; 3], flows| Amount {
            bytes,
            packets,
            flows,
            raw_bytes,
            rate: whole.rate,
        };
        let oldest = Window::oldest_open(when.stream, self.rule.interval, self.rule.grace);
        let amounts = [whole.bytes, whole.packets, whole.raw_bytes];
        let shares = span.divide(self.rule.interval, oldest, amounts);
        let late = shares.late();
        for (window, amounts) in shares {
            let flows = u32::from(window == last);
            if flows > 0 || amounts != [0; 3] {
                let slot = self.slot_of(window);
                self.put(slot, addr, &share(amounts, flows));
            }
        }
        let Some(late) = late else {
            return Outcome::Counted;
        };
        let oldest = self.slot_of(oldest);
        self.slots[oldest].late_flows += 1;
        match self.rule.late {
            LatePolicy::OldestOpen => {
                if late != [0; 3] {
                    self.put(oldest, addr, &share(late, 0));
                }
                Outcome::CountedLate
            }
            LatePolicy::Drop => Outcome::Counted,
        }
    }

    fn put(&mut self, slot: usize, addr: Addr, amount: &Amount) {
        let slot = &mut self.slots[slot];
        match addr {
            Addr::V4(addr) => slot.v4.add(addr, amount),
            Addr::V6(addr) => slot.v6.add(addr, amount),
        }
    }

    /// The slot of the window that holds `at`, if that is open at `stream`.
    fn open_slot(&mut self, at: Timestamp, stream: Timestamp) -> Option<usize> {
        let holds = |slot: &Slot| slot.window.contains(at);
        if !self.slots.get(self.current).is_some_and(holds) {
            if let Some(known) = self.slots.iter().rposition(holds) {
                self.current = known;
            } else {
                let window = Window::containing(at, self.rule.interval);
                if window.is_closed(stream, self.rule.grace) {
                    return None;
                }
                self.current = self.slot_of(window);
            }
        }
        (stream < self.slots[self.current].closes_at).then_some(self.current)
    }

    fn oldest_open(&mut self, stream: Timestamp) -> usize {
        self.slot_of(Window::oldest_open(
            stream,
            self.rule.interval,
            self.rule.grace,
        ))
    }

    /// The slot of `window`, new if need be.
    fn slot_of(&mut self, window: Window) -> usize {
        if let Some(known) = self.slots.iter().rposition(|slot| slot.window == window) {
            return known;
        }
        self.slots.push(Slot {
            window,
            closes_at: window.end.plus(self.rule.grace),
            late_flows: 0,
            v4: Table::with_capacity(self.room.0),
            v6: Table::with_capacity(self.room.1),
        });
        self.slots.len() - 1
    }

    /// Swaps the counts out.
    pub(super) fn take(&mut self) -> LaneCounts {
        let slots = std::mem::take(&mut self.slots);
        let tables = slots.len().max(1);
        let (v4, v6) = slots.iter().fold((0, 0), |(v4, v6), slot| {
            (v4 + slot.v4.len(), v6 + slot.v6.len())
        });
        self.room = (v4 / tables, v6 / tables);
        self.current = 0;
        LaneCounts {
            rule: Arc::clone(&self.rule),
            served: self.served.clone(),
            slots,
        }
    }
}

/// What a lane counted between two flushes.
#[derive(Debug)]
pub(super) struct LaneCounts {
    rule: Arc<Rule>,
    /// For whom.
    pub(super) served: Vec<Served>,
    slots: Vec<Slot>,
}

impl LaneCounts {
    /// As deltas of one rule, in order of window and family; those of the others differ in its name and selection.
    /// Sorting happens here.
    pub(super) fn into_deltas(mut self) -> impl Iterator<Item = Delta> {
        self.slots.sort_unstable_by_key(|slot| slot.window.start);
        let rule = self.rule;
        self.slots.into_iter().flat_map(move |slot| {
            let delta = |late_flows, leaves| Delta {
                rule: Arc::clone(&rule.name),
                selection: rule.selection,
                window: slot.window,
                late_flows,
                leaves,
            };
            // Late flows are told once, with no leaves where there are none.
            let v4 = (slot.v4.len() > 0 || slot.v6.len() == 0)
                .then(|| delta(slot.late_flows, Leaves::V4(slot.v4.into_leaves())));
            let late_flows = if v4.is_some() { 0 } else { slot.late_flows };
            let v6 =
                (slot.v6.len() > 0).then(|| delta(late_flows, Leaves::V6(slot.v6.into_leaves())));
            v4.into_iter().chain(v6)
        })
    }
}
