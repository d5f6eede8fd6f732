//! Reading partitions, and what is looked at now and then: silence, alignment, ends, status.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::ask::Question;
use super::silence::Verdict;
use super::slot::{Read, Reading, Slot, State};
use super::worker::Worker;
use crate::count::CountTask;
use crate::flow::{Field, FieldSet};
use crate::kafka::{Fatal, RequestError};
use crate::partial::SourceId;
use crate::stage::status::Stage;
use crate::telemetry::clock;

/// Tables of all tasks together are flushed at this many leaves, whatever the interval.
const MAX_LEAVES: usize = 4_000_000;
/// Dead letters of all tasks together are flushed at this many bytes, whatever the interval.
const MAX_LETTER_BYTES: usize = 8 * 1024 * 1024;
/// Ends of quiet partitions are asked for this often.
const ENDS_EVERY: Duration = Duration::from_millis(250);
/// Ends of partitions with records are asked for this often, for telemetry alone.
const LAG_EVERY: Duration = Duration::from_secs(5);

impl Worker<'_> {
    /// Silence, alignment, questions, status.
    pub(super) fn tick(&mut self, now: Instant) {
        let idle_timeout = self.shell.config.time.idle_timeout;
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
        self.ask_others(now);
        self.tell();
        if self.fields.is_due() {
            let seen = self.tasks().map(CountTask::seen);
            let seen = seen.fold(FieldSet::EMPTY, FieldSet::union);
            for (rule, fields) in self.fields.absent(&self.plan.rules, seen) {
                let fields: Vec<_> = fields.into_iter().map(Field::name).collect();
                tracing::warn!(rule, "the input never carries {}", fields.join(", "));
            }
        }
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

    fn ask_others(&mut self, now: Instant) {
        // Until a topic's partitions are known, so are not those that others count.
        let topics = self.shell.config.input.topics.len();
        if self.slots.is_empty() || self.partitions.len() < topics {
            return;
        }
        if !self.others.is_due(now, self.waiting) {
            return;
        }
        let ours: HashSet<_> = self.slots.iter().map(|s| &s.source).collect();
        let all = self.partitions.iter().flat_map(|(topic, partitions)| {
            let of_topic = move |partition| SourceId {
                topic: Arc::clone(topic),
                partition,
            };
            (0..i32::try_from(*partitions).unwrap_or(i32::MAX)).map(of_topic)
        });
        let others: Vec<_> = all.filter(|source| !ours.contains(source)).collect();
        if others.is_empty() {
            self.others.learn(now, Vec::new());
        } else {
            self.ask(Question::Others(self.others.ticket(), others));
        }
    }

    pub(super) fn read(&mut self, now: Instant) -> Result<bool, Fatal> {
        if self.frozen || self.is_full() {
            return Ok(false);
        }
        let (mut any, mut ahead, mut questions) = (false, false, Vec::new());
        let wall = clock::now();
        let status = &self.shell.status;
        let mut readable = Vec::with_capacity(self.slots.len());
        for slot in &mut self.slots {
            match slot.seek(self.group, now) {
                Ok(()) => {}
                Err(RequestError::Retry(why)) => status.trouble(Stage::Count, &why),
                Err(RequestError::Fatal(fatal)) => return Err(fatal),
            }
            if slot.is_ahead(&self.alignment) {
                ahead = true;
            } else {
                readable.push(slot);
            }
        }
        let read = |slot: &mut Slot| slot.read(&self.alignment, wall, now);
        for (slot, read) in self.readers.read(readable, read) {
            match read? {
                Read::Records(n) => any |= n > 0,
                Read::OutOfRange => questions.push(Question::Bounds(slot.asked())),
                Read::Trouble(why) => status.trouble(Stage::Count, &why),
            }
        }
        for question in questions {
            self.ask(question);
        }
        self.waiting = ahead && !any;
        if any && !self.alignment.is_set() {
            self.align(now);
        }
        Ok(any)
    }

    fn align(&mut self, now: Instant) {
        let ours = self.slots.iter().map(|slot| slot.alignment(now));
        self.alignment
            .update(ours.chain(self.others.partitions(now)));
    }

    fn leaves(&self) -> usize {
        self.tasks().map(CountTask::leaves).sum()
    }

    fn tasks(&self) -> impl Iterator<Item = &CountTask> {
        self.slots.iter().filter_map(|s| match &s.state {
            State::Counting(c) => Some(&c.task),
            State::Asking(_) => None,
        })
    }

    /// Whether tables are as large as they may be.
    pub(super) fn is_full(&self) -> bool {
        self.leaves() >= MAX_LEAVES
            || self.tasks().map(CountTask::pending_bytes).sum::<usize>() >= MAX_LETTER_BYTES
    }

    /// Tells telemetry.
    pub(super) fn tell(&self) {
        let sources: BTreeMap<_, _> = self
            .slots
            .iter()
            .map(|slot| {
                let told = match &slot.state {
                    State::Counting(c) => (c.task.stream_time(), c.task.is_idle(), c.silence.lag()),
                    State::Asking(_) => (None, false, None),
                };
                (&slot.source, (told, slot.is_ahead(&self.alignment)))
            })
            .collect();
        let leaves = self.leaves() as u64;
        self.shell.status.count(|count| {
            count.leaves = leaves;
            for status in count.sources.values_mut() {
                status.assigned = false;
            }
            for (source, ((stream_time, idle, lag), waiting)) in sources {
                let status = count.sources.entry(source.clone()).or_default();
                status.assigned = true;
                status.stream_time = stream_time;
                status.idle = idle;
                status.waiting = waiting;
                status.lag = lag;
            }
        });
    }
}
