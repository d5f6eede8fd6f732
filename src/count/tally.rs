//! What becomes of decoded flows: stream time, rules, fates.

use std::sync::Arc;

use crate::flow::{Flow, Rejected, Scaled};
use crate::partial::{Fates, RuleProgress};
use crate::rule::{KeySide, Rule, SharedFilters};
use crate::time::Timestamp;
use crate::window::{FlowTimes, RecordTime, Window};

use super::dead_letter::Refused;
use super::exporters::Exporters;
use super::lane::{Lane, LaneCounts, Outcome, Served, When};
use super::metadata::{Memory, ShortFingerprint};
use super::plan::Plan;
use super::rows::Amount;

/// The counts of one input partition since the last flush, and its memory.
#[derive(Debug)]
pub(super) struct Tally {
    plan: Arc<Plan>,
    lanes: Vec<Lane>,
    filters: SharedFilters,
    needs_dst: bool,
    needs_src: bool,
    pub(super) memory: Memory,
    /// The first time known of this partition, until it is told.
    first: Option<Timestamp>,
    pub(super) fates: Fates,
    pub(super) exporters: Exporters,
}

impl Tally {
    /// Counts by `plan` from where `memory` ends. Also says whether that changes what is counted.
    pub(super) fn new(plan: Arc<Plan>, memory: Memory) -> (Self, bool) {
        let needs = |side| plan.rules.iter().any(|rule| rule.key == side);
        let mut tally = Self {
            lanes: Vec::new(),
            filters: SharedFilters::default(),
            needs_dst: needs(KeySide::Dst),
            needs_src: needs(KeySide::Src),
            plan: Arc::clone(&plan),
            memory,
            first: None,
            fates: Fates::default(),
            exporters: Exporters::default(),
        };
        let changed = tally.replan(plan);
        (tally, changed)
    }

    /// Counts by `plan` from the next record on, whose rules differ in named sets alone. Says whether anything changes.
    /// Right after [`Self::take`]: what a rule that is gone has counted since would be lost.
    pub(super) fn replan(&mut self, plan: Arc<Plan>) -> bool {
        self.plan = plan;
        let known = |rule: &Rule| {
            let short = ShortFingerprint::from(rule.selection);
            self.memory.known.contains_key(&short)
        };
        let replaced = self.plan.replaced.iter().filter(|rule| known(rule));
        let served = |rule: &Arc<Rule>, is_replaced| Served {
            rule: Arc::clone(rule),
            is_replaced,
        };
        let rules = self.plan.rules.iter().map(|rule| served(rule, false));
        let rules = rules.chain(replaced.map(|rule| served(rule, true)));
        let longest = self.plan.time.max_flow_duration;
        let (mut lanes, mut filters) = (Vec::<Lane>::new(), SharedFilters::default());
        for rule in rules {
            let alone = lanes
                .iter_mut()
                .try_fold(rule, |rule, lane| lane.serve(rule).err().ok_or(()));
            if let Ok(rule) = alone {
                lanes.push(Lane::new(rule, &mut filters, longest));
            }
        }
        (self.lanes, self.filters) = (lanes, filters);
        let served = self.lanes.iter().flat_map(Lane::served);
        self.memory.adopt(served.map(|of| of.rule.selection))
    }

    /// Whom lanes count for.
    fn served(&self) -> impl Iterator<Item = &Served> {
        self.lanes.iter().flat_map(Lane::served)
    }

    /// Ends what was replaced long enough ago, right after [`Self::take`].
    fn retire(&mut self) {
        if !self.served().any(|served| served.is_replaced) {
            return;
        }
        let known = &self.memory.known;
        let from = |rule: &Rule| known.get(&ShortFingerprint::from(rule.selection)).copied();
        let newest = self.served().filter(|served| !served.is_replaced);
        let newest: Vec<_> = newest
            .map(|served| (Arc::clone(&served.rule.name), from(&served.rule)))
            .collect();
        let stream = self.memory.stream_time;
        let is_over = |rule: &Rule| {
            let mut after = newest.iter().filter(|(name, _)| *name == rule.name);
            after.all(|(_, from)| from.is_none_or(|from| Plan::is_over(rule, from, stream)))
        };
        let known = &mut self.memory.known;
        self.lanes.retain_mut(|lane| {
            lane.retain(|served| {
                let stays = !served.is_replaced || !is_over(&served.rule);
                if !stays {
                    known.remove(&ShortFingerprint::from(served.rule.selection));
                }
                stays
            })
        });
    }

    /// Gives a flow its fate. `scaled` is what it adds, or why it adds nothing; the error is why
    /// its record is a dead letter.
    pub(super) fn count(
        &mut self,
        flow: &Flow<'_>,
        scaled: Result<Scaled, Rejected>,
        record: RecordTime,
        wall: Timestamp,
    ) -> Result<(), Refused> {
        let when = self.advance(flow, record, wall).ok_or(Refused::NoTime)?;
        let keyed =
            self.needs_dst && flow.dst_addr.is_some() || self.needs_src && flow.src_addr.is_some();
        if !keyed || !flow.may_be_ip() {
            self.fates.not_ip += 1;
            return Ok(());
        }
        self.offer(flow, &amount(&scaled?), when);
        Ok(())
    }

    /// Places a flow in time and moves stream time on. `None` when nothing states a time.
    fn advance(&mut self, flow: &Flow<'_>, record: RecordTime, wall: Timestamp) -> Option<When> {
        let times = FlowTimes {
            received: flow.time_received,
            start: flow.time_start,
            end: flow.time_end,
        };
        let before = self.memory.stream_time;
        let instant = self.plan.time.event_instant(times, record, before, wall)?;
        if instant.clamped {
            self.fates.clamped += 1;
            self.exporters.row(flow.exporter).clamped += 1;
        }
        self.fates.clock_ahead += u64::from(instant.clock_ahead);
        let stream = before.map_or(instant.at, |before| before.max(instant.at));
        if before.is_none() {
            self.first = Some(stream);
        }
        self.memory.stream_time = Some(stream);
        self.settle_missing(stream);
        Some(When {
            event: instant.at,
            stream,
        })
    }

    /// After records that may be missing, windows are whole again from the longest grace after
    /// the first time known.
    fn settle_missing(&mut self, stream: Timestamp) {
        if self.memory.missing_before_next {
            self.memory.missing_before_next = false;
            let whole = stream.plus(self.plan.longest_grace());
            self.memory.complete_from = self.memory.complete_from.max(whole);
        }
    }

    /// Offers a flow to every rule.
    fn offer(&mut self, flow: &Flow<'_>, amount: &Amount, when: When) {
        let (mut counted, mut late, mut dropped) = (false, false, false);
        self.filters.turn();
        for lane in &mut self.lanes {
            match lane.add(flow, &mut self.filters, amount, when) {
                Outcome::Unwanted => {}
                Outcome::Counted => counted = true,
                Outcome::CountedLate => (counted, late) = (true, true),
                Outcome::Dropped => dropped = true,
            }
        }
        if counted {
            self.fates.selected += 1;
            self.fates.late_counted += u64::from(late);
            if amount.rate == 0 {
                self.fates.unknown_sampling += 1;
                self.exporters.row(flow.exporter).unknown_sampling += 1;
            }
        } else if dropped {
            self.fates.late += 1;
        } else {
            self.fates.not_selected += 1;
        }
    }

    /// Marks confirmed silence; says whether detect must hear of it: the state changes, or a
    /// window closes.
    pub(super) fn idle(&mut self, advance_to: Option<Timestamp>) -> bool {
        let was_idle = std::mem::replace(&mut self.memory.idle, true);
        let before = self.memory.stream_time;
        let Some(stream) = before.max(advance_to) else {
            return !was_idle;
        };
        self.memory.stream_time = Some(stream);
        if before.is_none() {
            self.first = Some(stream);
        }
        let settles = advance_to.is_some() && self.memory.missing_before_next;
        if settles {
            self.settle_missing(stream);
        }
        let closes = before.is_none_or(|before| {
            self.plan.rules.iter().any(|rule| {
                let oldest = |at| Window::oldest_open(at, rule.interval, rule.grace);
                oldest(before) != oldest(stream)
            })
        });
        !was_idle || settles || closes
    }

    /// Addresses held in all tables.
    pub(super) fn leaves(&self) -> usize {
        self.lanes.iter().map(Lane::leaves).sum()
    }

    /// From which start on windows lack no record.
    pub(super) const fn complete_from(&self) -> Timestamp {
        // A gap whose end is not known yet may reach into every window.
        if self.memory.missing_before_next && self.memory.stream_time.is_some() {
            Timestamp::MAX
        } else {
            self.memory.complete_from
        }
    }

    /// How far each selection had come with the first record, once: where windows begin must not depend on how
    /// many records the first flush has.
    pub(super) fn beginning(&mut self) -> Option<(Timestamp, Vec<RuleProgress>)> {
        let first = self.first.take()?;
        Some((first, self.progress_at(Some(first))))
    }

    /// How far each selection has come, in ascending order of selection, without repeats.
    pub(super) fn progress(&self) -> Vec<RuleProgress> {
        self.progress_at(self.memory.stream_time)
    }

    fn progress_at(&self, stream: Option<Timestamp>) -> Vec<RuleProgress> {
        let of_rule = |served: &Served| {
            let rule = &served.rule;
            let short = ShortFingerprint::from(rule.selection);
            let known = self.memory.known.get(&short);
            RuleProgress {
                selection: rule.selection,
                counted_from: known.copied().unwrap_or(Timestamp::MIN),
                closed_through: stream.map_or(Timestamp::MIN, |at| at.minus(rule.grace)),
            }
        };
        let mut progress: Vec<_> = self.served().map(of_rule).collect();
        progress.sort_unstable_by_key(|rule| rule.selection);
        progress.dedup_by_key(|rule| rule.selection);
        progress
    }

    /// Swaps the counts out.
    pub(super) fn take(&mut self) -> Vec<LaneCounts> {
        let counts = self.lanes.iter_mut().map(Lane::take).collect();
        self.retire();
        counts
    }
}

const fn amount(scaled: &Scaled) -> Amount {
    Amount {
        bytes: scaled.bytes,
        packets: scaled.packets,
        flows: 1,
        raw_bytes: scaled.raw_bytes,
        rate: scaled.rate,
    }
}
