//! The counting thread: has partitions read and counted, and hands flushes over.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, Sender, select};

use super::align::Alignment;
use super::ask::{Answer, Asked, Question};
use super::fields::FieldWatch;
use super::flush::{Done, Job, Outcome, Part};
use super::others::Others;
use super::readers::Readers;
use super::slot::{Reading, Slot};
use crate::count::Plan;
use crate::kafka::Fatal;
use crate::kafka::fence::AssignmentNumber;
use crate::kafka::group::{Group, GroupEvent};
use crate::stage::Shell;
use crate::stage::in_force::Generation;

/// How long the thread rests when no partition has a record.
const REST: Duration = Duration::from_millis(5);
/// How often silence, alignment and status are looked at.
const TICK: Duration = Duration::from_millis(100);
/// While partitions wait for others there is a flush this often.
const WAITING: Duration = Duration::from_millis(200);
/// After a failed flush the next one waits at least this long.
const AFTER_FAILURE: Duration = Duration::from_millis(500);
/// Within a stop: how long the last commits may take.
const LAST_COMMIT: Duration = Duration::from_secs(3);

/// The counting thread.
pub(super) struct Worker<'s> {
    pub(super) shell: &'s Arc<Shell>,
    pub(super) group: &'s Arc<Group>,
    pub(super) plan: Arc<Plan>,
    /// The generation of rules that it is of.
    generation: u64,
    pub(super) channels: Channels,
    pub(super) slots: Vec<Slot>,
    pub(super) readers: Readers,
    /// Nobody reads: a rebalance is going on.
    pub(super) frozen: bool,
    in_flight: bool,
    pub(super) next_flush: Instant,
    early_flush: Instant,
    next_tick: Instant,
    pub(super) next_ends: Instant,
    pub(super) next_lag: Instant,
    /// Partitions of each topic.
    pub(super) partitions: HashMap<Arc<str>, u32>,
    pub(super) alignment: Alignment,
    pub(super) others: Others,
    /// Nothing is read, since partitions wait for slower ones.
    pub(super) waiting: bool,
    pub(super) fields: FieldWatch,
}

/// To and from the other threads of the stage.
pub(super) struct Channels {
    pub(super) events: Receiver<GroupEvent>,
    pub(super) jobs: Sender<Job>,
    pub(super) results: Receiver<Done>,
    pub(super) questions: Sender<Question>,
    pub(super) answers: Receiver<Answer>,
}

impl<'s> Worker<'s> {
    pub(super) fn new(
        shell: &'s Arc<Shell>,
        group: &'s Arc<Group>,
        channels: Channels,
        readers: Readers,
    ) -> Self {
        let now = Instant::now();
        let (plan, generation) = plan(shell, &shell.rules.now());
        Self {
            alignment: Alignment::new(plan.rules.iter().map(|r| r.interval)),
            others: Others::new(now),
            waiting: false,
            shell,
            group,
            plan,
            generation,
            channels,
            slots: Vec::new(),
            readers,
            frozen: false,
            in_flight: false,
            next_flush: now,
            early_flush: now,
            next_tick: now,
            next_ends: now,
            next_lag: now,
            partitions: HashMap::new(),
            fields: FieldWatch::default(),
        }
    }

    /// Until a stop is requested or nothing more can be done. Drops queues and channels.
    pub(super) fn run(mut self) -> Result<(), Fatal> {
        let pulse = self.shell.pulses.of("count");
        while !self.shell.stop.is_requested() {
            let read = pulse.during(|| self.round())?;
            self.wait(if read { Duration::ZERO } else { REST })?;
        }
        self.finish()
    }

    /// One look at everything. Whether there were records.
    fn round(&mut self) -> Result<bool, Fatal> {
        let now = Instant::now();
        if now >= self.next_tick {
            self.next_tick = now + TICK;
            self.tick(now);
        }
        let read = self.read(now)?;
        self.flush(now);
        Ok(read)
    }

    /// Handles what the other threads say, waiting at most `patience` for it.
    fn wait(&mut self, patience: Duration) -> Result<(), Fatal> {
        let (mut event, mut result, mut answer) = (None, None, None);
        select! {
            recv(self.channels.events) -> e => event = Some(e),
            recv(self.channels.results) -> r => result = Some(r),
            recv(self.channels.answers) -> a => answer = Some(a),
            default(patience) => {}
        }
        let gone = |_| Fatal("a thread of count ended by itself: a bug".to_owned());
        if let Some(event) = event {
            self.rebalance(event.map_err(gone)?)?;
        }
        if let Some(done) = result {
            self.flushed(done.map_err(gone)?)?;
        }
        if let Some(answer) = answer {
            self.answered(answer.map_err(gone)?)?;
        }
        Ok(())
    }

    fn rebalance(&mut self, event: GroupEvent) -> Result<(), Fatal> {
        match event {
            GroupEvent::Rebalancing { revoked, released } => {
                self.slots.retain(|s| !revoked.contains(&s.number));
                self.frozen = true;
                drop(released);
            }
            GroupEvent::Rebalanced { assigned } => {
                let now = Instant::now();
                self.others.forget(now);
                for slot in &mut self.slots {
                    if let Some(counting) = slot.counting()
                        && counting.reading == Reading::Now
                    {
                        counting.reading = Reading::seek(now);
                    }
                }
                for assigned in assigned {
                    let slot = Slot::new(assigned, now);
                    self.ask(Question::Position(slot.asked()));
                    self.slots.push(slot);
                }
                self.frozen = false;
                self.shell.status.count(|c| c.assigned = true);
                self.tell();
            }
            GroupEvent::Failed(fatal) => return Err(fatal),
        }
        Ok(())
    }

    pub(super) fn ask(&self, question: Question) {
        // The asking thread ends after this one.
        let _ = self.channels.questions.send(question);
    }

    pub(super) fn slot(&mut self, number: AssignmentNumber) -> Option<&mut Slot> {
        self.slots.iter_mut().find(|s| s.number == number)
    }

    /// Who waits for others flushes early, since they may wait for what it commits.
    fn is_due(&self, now: Instant) -> bool {
        let early = self.waiting && now >= self.early_flush;
        early || now >= self.next_flush || self.is_full()
    }

    /// Hands a flush over, if it is time and none is in flight.
    fn flush(&mut self, now: Instant) {
        if self.in_flight || !self.is_due(now) {
            return;
        }
        let begun = Instant::now();
        let parts = self.parts();
        self.replan();
        if parts.is_empty() {
            return;
        }
        let records = parts.iter().map(|p| p.flush.fates.records()).sum();
        self.fields.add(records);
        self.early_flush = now + WAITING;
        self.next_flush = now + self.shell.config.flush_interval;
        // There is room: nothing is in flight.
        self.in_flight = self.channels.jobs.send(Job { parts, begun }).is_ok();
    }

    /// Counts by other rules, if there are. Right after [`Self::parts`].
    fn replan(&mut self) {
        if let Some(latest) = self.shell.rules.after(self.generation) {
            (self.plan, self.generation) = plan(self.shell, &latest);
            for counting in self.slots.iter_mut().filter_map(Slot::counting) {
                counting.task.replan(Arc::clone(&self.plan));
            }
        }
    }

    fn parts(&mut self) -> Vec<Part> {
        let partitions = &self.partitions;
        let parts = self.slots.iter_mut().filter_map(|slot| {
            let (number, topic, index) = (
                slot.number,
                slot.source.topic.clone(),
                slot.source.partition,
            );
            let counting = slot.counting()?;
            if !counting.task.has_news() {
                return None;
            }
            let least = u32::try_from(index).unwrap_or(0) + 1;
            Some(Part {
                number,
                topic_partitions: partitions.get(&topic).copied().unwrap_or(0).max(least),
                first_partitions: counting.first_partitions,
                flush: counting.task.flush(),
            })
        });
        parts.collect()
    }

    fn flushed(&mut self, done: Done) -> Result<(), Fatal> {
        self.in_flight = false;
        let now = Instant::now();
        match done.outcome {
            Outcome::Committed => {
                for number in done.numbers {
                    if let Some(counting) = self.slot(number).and_then(Slot::counting)
                        && counting.reading == Reading::AfterCommit
                    {
                        counting.reading = Reading::seek(now);
                    }
                }
                Ok(())
            }
            Outcome::Rewind => {
                self.next_flush = self.next_flush.max(now + AFTER_FAILURE);
                for number in done.numbers {
                    let Some(slot) = self.slot(number) else {
                        continue;
                    };
                    slot.rewind(now);
                    let asked: Asked = slot.asked();
                    self.ask(Question::Position(asked));
                }
                Ok(())
            }
            Outcome::Failed(fatal) => Err(fatal),
        }
    }

    /// Commits what was counted.
    fn finish(mut self) -> Result<(), Fatal> {
        let deadline = Instant::now() + LAST_COMMIT;
        for last in [false, true] {
            while self.in_flight && Instant::now() < deadline {
                self.wait(REST)?;
            }
            if last || self.in_flight {
                break;
            }
            self.next_flush = Instant::now();
            self.flush(self.next_flush);
        }
        Ok(())
    }
}

/// What tasks count by the rules of a generation, with its number.
fn plan(shell: &Shell, generation: &Generation) -> (Arc<Plan>, u64) {
    let (rules, replaced) = (
        generation.rules.clone(),
        generation.replaced().cloned().collect(),
    );
    let plan = shell.config.count_plan_of(rules, replaced);
    (Arc::new(plan), generation.number)
}
