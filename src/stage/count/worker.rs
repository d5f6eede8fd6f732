//! The counting thread: reads partitions, counts, and hands flushes over.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, Sender, select};

use super::ask::{Answer, Asked, Question};
use super::flush::{Done, Outcome, Part};
use super::silence::{Silence, Verdict};
use super::slot::{Counting, Read, Reading, Slot, State};
use crate::config::OnGap;
use crate::count::{CountTask, Plan, Resume};
use crate::kafka::fence::AssignmentNumber;
use crate::kafka::group::{Group, GroupEvent};
use crate::kafka::queue::Buffer;
use crate::kafka::{Fatal, RequestError};
use crate::partial::SourceId;
use crate::stage::Shell;
use crate::stage::status::Stage;
use crate::telemetry::clock;
use crate::time::Timestamp;

/// Records per call: few enough that a rebalance or a flush does not wait, enough to pay for the call.
const BATCH: usize = 4096;
/// How long the thread rests when no partition has a record.
const REST: Duration = Duration::from_millis(5);
/// How often silence, alignment and status are looked at.
const TICK: Duration = Duration::from_millis(100);
/// Tables of all tasks together are flushed at this many leaves, whatever the interval.
const MAX_LEAVES: usize = 4_000_000;
/// Dead letters of all tasks together are flushed at this many bytes, whatever the interval.
const MAX_LETTER_BYTES: usize = 8 * 1024 * 1024;
/// After a failed flush the next one waits at least this long.
const AFTER_FAILURE: Duration = Duration::from_millis(500);
/// Within a stop: how long the last commits may take.
const LAST_COMMIT: Duration = Duration::from_secs(3);
/// Ends of quiet partitions are asked for this often.
const ENDS_EVERY: Duration = Duration::from_millis(250);
/// Ends of partitions with records are asked for this often, for telemetry alone.
const LAG_EVERY: Duration = Duration::from_secs(5);
/// A partition may be ahead of the slowest by at least this much.
const MIN_LEAD: Duration = Duration::from_mins(2);

/// The counting thread.
pub(super) struct Worker<'s> {
    pub(super) shell: &'s Arc<Shell>,
    pub(super) group: &'s Arc<Group>,
    pub(super) plan: Arc<Plan>,
    pub(super) events: Receiver<GroupEvent>,
    pub(super) jobs: Sender<Vec<Part>>,
    pub(super) results: Receiver<Done>,
    pub(super) questions: Sender<Question>,
    pub(super) answers: Receiver<Answer>,
}

/// What the thread keeps.
struct Counters<'s> {
    worker: Worker<'s>,
    slots: Vec<Slot>,
    buffer: Buffer,
    /// Nobody reads: a rebalance is going on.
    frozen: bool,
    in_flight: bool,
    next_flush: Instant,
    next_tick: Instant,
    next_ends: Instant,
    next_lag: Instant,
    /// Partitions of each topic.
    partitions: HashMap<Arc<str>, u32>,
    /// The first stream time of this process: what a partition that was not heard of yet may hold.
    first: Option<Timestamp>,
    /// No partition is read beyond this stream time.
    horizon: Option<Timestamp>,
}

impl<'s> Worker<'s> {
    /// Until a stop is requested or nothing more can be done. Drops queues and channels.
    pub(super) fn run(self) -> Result<(), Fatal> {
        let now = Instant::now();
        Counters {
            next_flush: now + self.shell.config.flush_interval,
            worker: self,
            slots: Vec::new(),
            buffer: Buffer::new(BATCH),
            frozen: false,
            in_flight: false,
            next_tick: now,
            next_ends: now,
            next_lag: now,
            partitions: HashMap::new(),
            first: None,
            horizon: None,
        }
        .run()
    }
}

impl Counters<'_> {
    fn run(mut self) -> Result<(), Fatal> {
        let pulse = self.worker.shell.pulses.of("count");
        while !self.worker.shell.stop.is_requested() {
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
            recv(self.worker.events) -> e => event = Some(e),
            recv(self.worker.results) -> r => result = Some(r),
            recv(self.worker.answers) -> a => answer = Some(a),
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
                for slot in &mut self.slots {
                    if let Some(counting) = slot.counting()
                        && counting.reading == Reading::Now
                    {
                        counting.reading = Reading::seek(now);
                    }
                }
                for assigned in assigned {
                    let slot = Slot::new(assigned);
                    self.ask(Question::Position(slot.asked()));
                    self.slots.push(slot);
                }
                self.frozen = false;
                self.worker.shell.status.count(|c| c.assigned = true);
                self.tell();
            }
            GroupEvent::Failed(fatal) => return Err(fatal),
        }
        Ok(())
    }

    fn ask(&self, question: Question) {
        // The asking thread ends after this one.
        let _ = self.worker.questions.send(question);
    }

    fn slot(&mut self, number: AssignmentNumber) -> Option<&mut Slot> {
        self.slots.iter_mut().find(|s| s.number == number)
    }

    fn answered(&mut self, answer: Answer) -> Result<(), Fatal> {
        match answer {
            Answer::Committed {
                number,
                offset,
                metadata,
                first_partitions,
                topic_partitions,
            } => {
                let resume = Resume::Committed {
                    next_offset: offset,
                    metadata: &metadata,
                };
                self.begin(number, resume, first_partitions, topic_partitions)
            }
            Answer::Fresh {
                number,
                beginning,
                topic_partitions,
            } => {
                let resume = Resume::Fresh {
                    next_offset: beginning.offset,
                    from_log_start: beginning.offset == 0,
                };
                self.begin(number, resume, beginning.first_partitions, topic_partitions)
            }
            Answer::Bounds { number, low, high } => self.bounds(number, low, high),
            Answer::Ends { asked, ends } => {
                self.ends(asked, &ends);
                Ok(())
            }
            Answer::Partitions { topic, partitions } => {
                self.partitions.insert(topic, partitions);
                Ok(())
            }
            Answer::Failed(fatal) => Err(fatal),
        }
    }

    /// Gives a slot its task.
    fn begin(
        &mut self,
        number: AssignmentNumber,
        resume: Resume<'_>,
        first_partitions: u32,
        topic_partitions: u32,
    ) -> Result<(), Fatal> {
        let plan = Arc::clone(&self.worker.plan);
        let now = Instant::now();
        let Some(slot) = self.slot(number) else {
            return Ok(());
        };
        if !matches!(slot.state, State::Asking) {
            return Ok(());
        }
        let source = slot.source.clone();
        let reading = match resume {
            // Its first position is committed before anything is counted.
            Resume::Fresh { .. } => Reading::AfterCommit,
            Resume::Committed { .. } => Reading::seek(now),
        };
        let is_fresh = reading == Reading::AfterCommit;
        let task =
            CountTask::new(source.clone(), plan, resume).map_err(|e| Fatal(e.to_string()))?;
        tracing::info!(%source, offset = task.next_offset(), "counting begins");
        slot.state = State::Counting(Box::new(Counting {
            silence: Silence::new(now, task.stream_time()),
            task,
            reading,
            first_partitions,
        }));
        self.partitions.insert(source.topic, topic_partitions);
        if is_fresh {
            self.next_flush = now;
        }
        Ok(())
    }

    /// The broker no longer has the record at a slot's position: goes on at its first one.
    fn bounds(&mut self, number: AssignmentNumber, low: i64, high: i64) -> Result<(), Fatal> {
        let on_gap = self.worker.shell.config.input.on_gap;
        let now = Instant::now();
        let Some(slot) = self.slot(number) else {
            return Ok(());
        };
        let source = slot.source.clone();
        let Some(counting) = slot.counting() else {
            return Ok(());
        };
        if counting.reading != Reading::AfterBounds {
            return Ok(());
        }
        let position = counting.task.next_offset();
        if position > high {
            return Err(Fatal(format!(
                "{source}: the log ends at {high}, below the position {position}: the topic was truncated or made anew; `hotprefix reset` or a new application_id begins afresh"
            )));
        }
        if position < low {
            if on_gap == OnGap::Stop {
                return Err(Fatal(format!(
                    "{source}: offsets {position} to {low} were deleted before they were read; input.on_gap is stop"
                )));
            }
            tracing::error!(%source, from = position, to = low, "records were deleted before they were read");
            counting.task.gap(position, low);
        }
        counting.reading = Reading::AfterSeek {
            since: now,
            next: now,
            restart: true,
        };
        Ok(())
    }

    fn ends(&mut self, asked: Instant, ends: &HashMap<SourceId, i64>) {
        let positions = self.worker.group.positions();
        for slot in &mut self.slots {
            let Some(end) = ends.get(&slot.source) else {
                continue;
            };
            let passed = positions.get(&slot.source).copied();
            if let Some(counting) = slot.counting()
                && counting.reading == Reading::Now
            {
                let position = counting.task.next_offset();
                let position = passed.map_or(position, |p| position.max(p));
                counting.silence.answer(asked, *end, position);
            }
        }
    }

    /// Silence, alignment, questions, status.
    fn tick(&mut self, now: Instant) {
        let idle_timeout = self.worker.shell.config.time.idle_timeout;
        for slot in &mut self.slots {
            let Some(counting) = slot.counting() else {
                continue;
            };
            if counting.reading != Reading::Now {
                continue;
            }
            if let Verdict::Idle(advance) = counting.silence.verdict(now, idle_timeout) {
                counting.task.idle(advance);
            }
        }
        self.align(now);
        self.ask_ends(now);
        self.tell();
    }

    fn ask_ends(&mut self, now: Instant) {
        if now < self.next_ends {
            return;
        }
        self.next_ends = now + ENDS_EVERY;
        let all = now >= self.next_lag;
        if all {
            self.next_lag = now + LAG_EVERY;
        }
        let asked = self.slots.iter().filter_map(|slot| match &slot.state {
            State::Counting(c) if all || c.silence.is_quiet(now) => Some(slot.source.clone()),
            _ => None,
        });
        self.ask(Question::Ends(asked.collect()));
    }

    /// Sets the horizon: how far ahead of the slowest partition any may be read.
    fn align(&mut self, now: Instant) {
        let longest = self.worker.plan.rules.iter().map(|r| r.interval).max();
        let lead = (longest.unwrap_or_default() * 2).max(MIN_LEAD);
        let counting = self.slots.iter().filter_map(|s| match &s.state {
            State::Counting(c) => Some(c),
            State::Asking => None,
        });
        let (mut slowest, mut first) = (None, self.first);
        let mut unheard = false;
        for c in counting {
            let time = c.task.stream_time();
            first = first.or(time);
            if c.task.is_idle() || !c.silence.is_catching_up(now) {
                continue;
            }
            unheard |= time.is_none();
            slowest = match (slowest, time) {
                (Some(a), Some(b)) => Some(std::cmp::min::<Timestamp>(a, b)),
                (a, b) => a.or(b),
            };
        }
        self.first = first;
        if unheard {
            slowest = first.map(|f| slowest.map_or(f, |s| s.min(f)));
        }
        self.horizon = slowest.map(|s| s.plus(lead));
    }

    fn read(&mut self, now: Instant) -> Result<bool, Fatal> {
        if self.frozen || self.is_full() {
            return Ok(false);
        }
        let (mut any, mut questions) = (false, Vec::new());
        let wall = clock::now();
        let status = &self.worker.shell.status;
        for slot in &mut self.slots {
            match slot.seek(self.worker.group, now) {
                Ok(()) => {}
                Err(RequestError::Retry(why)) => status.trouble(Stage::Count, &why),
                Err(RequestError::Fatal(fatal)) => return Err(fatal),
            }
            let ahead = slot.counting().is_some_and(|c| {
                self.horizon
                    .is_some_and(|h| c.task.stream_time().is_some_and(|t| t > h))
            });
            if ahead {
                continue;
            }
            match slot.read(&mut self.buffer, wall, now)? {
                Read::Records(n) => any |= n > 0,
                Read::OutOfRange => questions.push(Question::Bounds(slot.asked())),
                Read::Trouble(why) => status.trouble(Stage::Count, &why),
            }
        }
        for question in questions {
            self.ask(question);
        }
        Ok(any)
    }

    fn leaves(&self) -> usize {
        self.tasks().map(CountTask::leaves).sum()
    }

    fn tasks(&self) -> impl Iterator<Item = &CountTask> {
        self.slots.iter().filter_map(|s| match &s.state {
            State::Counting(c) => Some(&c.task),
            State::Asking => None,
        })
    }

    /// Whether tables are as large as they may be.
    fn is_full(&self) -> bool {
        self.leaves() >= MAX_LEAVES
            || self.tasks().map(CountTask::pending_bytes).sum::<usize>() >= MAX_LETTER_BYTES
    }

    /// Hands a flush over, if it is time and none is in flight.
    fn flush(&mut self, now: Instant) {
        if self.in_flight || now < self.next_flush && !self.is_full() {
            return;
        }
        let parts = self.parts();
        if parts.is_empty() {
            return;
        }
        self.next_flush = now + self.worker.shell.config.flush_interval;
        // There is room: nothing is in flight.
        self.in_flight = self.worker.jobs.send(parts).is_ok();
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
                    slot.rewind();
                    let asked: Asked = slot.asked();
                    self.ask(Question::Position(asked));
                }
                Ok(())
            }
            Outcome::Failed(fatal) => Err(fatal),
        }
    }

    /// Tells telemetry.
    fn tell(&self) {
        let sources: BTreeMap<_, _> = self
            .slots
            .iter()
            .map(|slot| {
                let told = match &slot.state {
                    State::Counting(c) => (c.task.stream_time(), c.task.is_idle(), c.silence.lag()),
                    State::Asking => (None, false, None),
                };
                (&slot.source, told)
            })
            .collect();
        let leaves = self.leaves() as u64;
        self.worker.shell.status.count(|count| {
            count.leaves = leaves;
            for status in count.sources.values_mut() {
                status.assigned = false;
            }
            for (source, (stream_time, idle, lag)) in sources {
                let status = count.sources.entry(source.clone()).or_default();
                status.assigned = true;
                status.stream_time = stream_time;
                status.idle = idle;
                status.lag = lag;
            }
        });
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
