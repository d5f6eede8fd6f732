//! One assigned input partition and where its task stands.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::align::{Alignment, MAX_BATCH, Pace, STUCK};
use super::ask::Asked;
use super::silence::Silence;
use crate::count::{CountTask, Record};
use crate::kafka::fence::AssignmentNumber;
use crate::kafka::group::{Assigned, Group};
use crate::kafka::queue::{Buffer, PartitionQueue};
use crate::kafka::queue::{Event, unreadable};
use crate::kafka::{Fatal, RequestError};
use crate::partial::SourceId;
use crate::time::Timestamp;

/// How long a refused start is tried again before the fetcher is started anew.
const SEEK_PATIENCE: Duration = Duration::from_secs(2);
/// Between two tries.
const SEEK_PAUSE: Duration = Duration::from_millis(20);

/// A partition of ours.
pub(super) struct Slot {
    pub(super) source: SourceId,
    pub(super) number: AssignmentNumber,
    queue: PartitionQueue,
    buffer: Buffer,
    pub(super) state: State,
    /// Whoever is asked something for this slot holds a weak one.
    alive: Arc<()>,
}

/// Where a slot stands.
pub(super) enum State {
    /// Where it begins is being asked, since then.
    Asking(Instant),
    /// It has a task.
    Counting(Box<Counting>),
}

/// A task at work.
pub(super) struct Counting {
    pub(super) task: CountTask,
    pub(super) silence: Silence,
    /// Whether its queue may be read.
    pub(super) reading: Reading,
    pub(super) pace: Pace,
    pub(super) first_partitions: u32,
}

/// Whether a queue may be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reading {
    /// Not before its first position is committed.
    AfterCommit,
    /// Not before its queue begins where the task is; first tried at `since`, next at `next`.
    AfterSeek {
        since: Instant,
        next: Instant,
        /// The fetcher has stopped: a seek would be refused.
        restart: bool,
    },
    /// Not before it is known which offsets the broker has.
    AfterBounds,
    /// Yes.
    Now,
}

impl Reading {
    /// Seek now.
    pub(super) fn seek(now: Instant) -> Self {
        Self::AfterSeek {
            since: now,
            next: now,
            restart: false,
        }
    }
}

/// What reading a batch came to.
pub(super) enum Read {
    /// This many records.
    Records(usize),
    /// The broker no longer has the record at our position.
    OutOfRange,
    /// Something went wrong that will pass.
    Trouble(String),
}

impl Slot {
    /// A partition that was just assigned.
    pub(super) fn new(assigned: Assigned, now: Instant) -> Self {
        Self {
            source: assigned.partition,
            number: assigned.number,
            queue: assigned.queue,
            buffer: Buffer::new(MAX_BATCH),
            state: State::Asking(now),
            alive: Arc::new(()),
        }
    }

    /// For questions about this slot as it is now.
    pub(super) fn asked(&self) -> Asked {
        Asked {
            source: self.source.clone(),
            number: self.number,
            alive: Arc::downgrade(&self.alive),
        }
    }

    /// Drops the task, and with it everything that was asked before.
    pub(super) fn rewind(&mut self, now: Instant) {
        self.state = State::Asking(now);
        self.alive = Arc::new(());
    }

    /// The task, if there is one.
    pub(super) fn counting(&mut self) -> Option<&mut Counting> {
        match &mut self.state {
            State::Counting(counting) => Some(counting),
            State::Asking(_) => None,
        }
    }

    /// Its stream time, and whether others should wait for it.
    pub(super) fn alignment(&self, now: Instant) -> (Option<Timestamp>, bool) {
        match &self.state {
            State::Counting(c) => {
                let holds_others = !c.task.is_idle() && c.silence.is_catching_up(now);
                (c.task.stream_time(), holds_others)
            }
            // The answer takes a while from a busy coordinator. Without one nothing can be committed anyway.
            State::Asking(since) => (None, now.duration_since(*since) < STUCK),
        }
    }

    /// Whether it has to wait for others.
    pub(super) fn is_ahead(&self, alignment: &Alignment) -> bool {
        let State::Counting(counting) = &self.state else {
            return false;
        };
        alignment.is_ahead(counting.task.stream_time())
    }

    /// Gives the queue its position, if it is time to.
    pub(super) fn seek(&mut self, group: &Group, now: Instant) -> Result<(), RequestError> {
        let State::Counting(counting) = &mut self.state else {
            return Ok(());
        };
        let Reading::AfterSeek {
            since,
            next,
            restart,
        } = counting.reading
        else {
            return Ok(());
        };
        if now < next {
            return Ok(());
        }
        let offset = counting.task.next_offset();
        let result = if restart {
            group.restart_at(&self.source, offset)
        } else {
            group.start_at(&self.source, offset)
        };
        counting.reading = match &result {
            Ok(()) => Reading::Now,
            // The fetcher of a new assignment may not have started yet; one that was stopped by an
            // error never will.
            Err(_) => Reading::AfterSeek {
                since,
                next: now + SEEK_PAUSE,
                restart: now.duration_since(since) > SEEK_PATIENCE,
            },
        };
        match result {
            Err(RequestError::Retry(_)) if now.duration_since(since) <= SEEK_PATIENCE => Ok(()),
            other => other,
        }
    }

    /// Counts what is there.
    pub(super) fn read(
        &mut self,
        alignment: &Alignment,
        wall: Timestamp,
        now: Instant,
    ) -> Result<Read, Fatal> {
        let State::Counting(counting) = &mut self.state else {
            return Ok(Read::Records(0));
        };
        if counting.reading != Reading::Now {
            return Ok(Read::Records(0));
        }
        let before = counting.task.stream_time();
        let most = counting.pace.most();
        let batch = self.queue.consume(&mut self.buffer, most, Duration::ZERO);
        let mut records = 0;
        let mut result = None;
        for message in batch.iter() {
            if let Some(event) = message.event {
                result = Some(event_of(&self.source, event)?);
                break;
            }
            let expected = counting.task.next_offset();
            if message.offset < expected {
                return Err(Fatal(format!(
                    "{}: record at offset {} after {expected}: a bug",
                    self.source, message.offset
                )));
            }
            records += 1;
            let record = Record {
                offset: message.offset,
                timestamp: message.timestamp.map(Timestamp::from_millis),
                log_append_time: message.log_append_time,
                payload: message.payload,
                key: message.key,
            };
            counting.task.record(&record, wall);
        }
        drop(batch);
        if records > 0 {
            let after = counting.task.stream_time();
            counting.silence.record(now, after);
            counting.pace.read(records, before, after, alignment);
        }
        let Some(event) = result else {
            return Ok(Read::Records(records));
        };
        counting.silence.error(now);
        counting.reading = match event {
            Read::OutOfRange => Reading::AfterBounds,
            // An event in a batch moves librdkafka's own idea of our position: set it right.
            _ => Reading::seek(now),
        };
        Ok(event)
    }
}

fn event_of(source: &SourceId, event: Event) -> Result<Read, Fatal> {
    match event {
        Event::OutOfRange => Ok(Read::OutOfRange),
        Event::Permanent(code) => Err(unreadable(source, code)),
        // Members get no end-of-partition events.
        Event::End => Ok(Read::Trouble(format!(
            "{source}: unexpected end of partition"
        ))),
        Event::Trouble(code) => Ok(Read::Trouble(format!("{source}: {code}"))),
    }
}
