//! One assigned partials partition and where its task stands.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::behind::Behind;
use super::restore::{Question, gone};
use crate::detect::DetectTask;
use crate::kafka::fence::AssignmentNumber;
use crate::kafka::group::{Assigned, Group};
use crate::kafka::queue::{Buffer, Event, PartitionQueue, unreadable};
use crate::kafka::{Fatal, RequestError};
use crate::partial::{self, CorruptPartial, Partial, SourceId};
use crate::telemetry::otel::{TRACEPARENT_C, context_of};
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
    /// `None` while it is being restored.
    pub(super) detecting: Option<Detecting>,
    /// Whoever restores this slot holds a weak one.
    alive: Arc<()>,
}

/// A task at work.
pub(super) struct Detecting {
    pub(super) task: Box<DetectTask>,
    /// The generation of rules that it is known to go by.
    pub(super) generation: u64,
    /// The next offset to read.
    pub(super) position: i64,
    /// Set while the queue must not be read: since when and when next a seek is tried.
    pub(super) seek: Option<(Instant, Instant)>,
    /// Sampled flushes behind the open windows.
    pub(super) behind: Behind,
    /// When its position was last committed.
    pub(super) committed: Instant,
    pub(super) lag: Option<u64>,
}

impl Slot {
    /// A partition that was just assigned.
    pub(super) fn new(assigned: Assigned) -> Self {
        Self {
            source: assigned.partition,
            number: assigned.number,
            queue: assigned.queue,
            detecting: None,
            alive: Arc::new(()),
        }
    }

    /// Drops the task, if there is one, and asks for another.
    pub(super) fn restore(&mut self) -> Question {
        self.detecting = None;
        self.alive = Arc::new(());
        Question::Restore {
            source: self.source.clone(),
            number: self.number,
            alive: Arc::downgrade(&self.alive),
        }
    }

    /// Takes a restored task over, to be read from `offset` on.
    pub(super) fn begin(&mut self, task: Box<DetectTask>, offset: i64, now: Instant) {
        self.detecting = Some(Detecting {
            task,
            generation: 0,
            position: offset,
            seek: Some((now, now)),
            behind: Behind::default(),
            committed: now,
            lag: None,
        });
    }

    /// Gives the queue its position, if it is time to.
    pub(super) fn seek(&mut self, group: &Group, now: Instant) -> Result<(), RequestError> {
        let Some(detecting) = &mut self.detecting else {
            return Ok(());
        };
        let Some((since, next)) = detecting.seek else {
            return Ok(());
        };
        if now < next {
            return Ok(());
        }
        // The fetcher of a new assignment may not have started yet; one that was stopped by an error
        // never will.
        let patient = now.duration_since(since) <= SEEK_PATIENCE;
        let result = if patient {
            group.start_at(&self.source, detecting.position)
        } else {
            group.restart_at(&self.source, detecting.position)
        };
        detecting.seek = result.is_err().then_some((since, now + SEEK_PAUSE));
        match result {
            Err(RequestError::Retry(_)) if patient => Ok(()),
            other => other,
        }
    }

    /// Applies what is there; how many records that was. With `traced`, headers are looked at.
    pub(super) fn read(
        &mut self,
        buffer: &mut Buffer,
        traced: bool,
        wall: Timestamp,
        now: Instant,
    ) -> Result<usize, RequestError> {
        let Some(detecting) = self.detecting.as_mut().filter(|d| d.seek.is_none()) else {
            return Ok(0);
        };
        let batch = self.queue.consume(buffer, usize::MAX, Duration::ZERO);
        let source = &self.source;
        let mut records = 0;
        for message in batch.iter() {
            match message.event {
                None => {}
                Some(Event::OutOfRange) => {
                    return Err(gone(source, detecting.position, message.offset).into());
                }
                Some(Event::Permanent(code)) => {
                    return Err(unreadable(source, code).into());
                }
                Some(event) => {
                    // An event in a batch moves librdkafka's own idea of our position: set it right.
                    detecting.seek = Some((now, now));
                    return Err(RequestError::Retry(format!("{source}: {event:?}")));
                }
            }
            let offset = message.offset;
            if offset < detecting.position {
                return Err(Fatal(format!(
                    "{source}: record at offset {offset} after {}: a bug",
                    detecting.position
                ))
                .into());
            }
            let partial = partial::decode(message.payload.unwrap_or_default())
                .map_err(|e| illegible(source, offset, &e))?;
            if traced && let Partial::Delta(delta) = &partial {
                let flush = message.header(TRACEPARENT_C).and_then(context_of);
                if let Some(flush) = flush {
                    detecting.behind.add(&delta.rule, delta.window.end, flush);
                }
            }
            detecting.task.apply(offset, partial, wall);
            detecting.position = offset + 1;
            records += 1;
        }
        Ok(records)
    }
}

/// What an operator can do about a record that cannot be added up. To leave it out would make sums wrong.
fn illegible(source: &SourceId, offset: i64, error: &CorruptPartial) -> Fatal {
    let cure = match error {
        CorruptPartial::Version(_) => "run the version that wrote it, or start afresh",
        _ => "hotprefix did not write it, or it is damaged: start afresh",
    };
    Fatal(format!(
        "{source}: record at offset {offset}: {error}: {cure} with `hotprefix reset` or a new application id"
    ))
}
