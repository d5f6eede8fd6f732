//! The task: records of one input partition in, flushes out.

use std::sync::Arc;

use crate::flow::{Decoder, DecoderSettings, FieldSet, Sampler};
use crate::partial::SourceId;
use crate::time::Timestamp;
use crate::window::RecordTime;

use super::dead_letter::{DeadLetter, DeadLetterKind, DeadLetters, Refused};
use super::flush::Flush;
use super::metadata::{CorruptMetadata, MAX_RULES, Memory};
use super::plan::Plan;
use super::tally::Tally;

/// One record of an input partition.
#[derive(Clone, Copy, Debug)]
pub struct Record<'a> {
    /// Its offset.
    pub offset: i64,
    /// Its timestamp, if it has one.
    pub timestamp: Option<Timestamp>,
    /// Whether the broker set the timestamp.
    pub log_append_time: bool,
    /// Its value.
    pub payload: Option<&'a [u8]>,
    /// Its key: nothing depends on it, but a dead letter keeps it.
    pub key: Option<&'a [u8]>,
}

/// Where a task begins.
#[derive(Clone, Copy, Debug)]
pub enum Resume<'a> {
    /// Nothing was ever committed.
    Fresh {
        /// The first offset to be read.
        next_offset: i64,
        /// Whether that is the beginning of the partition's life, so that no record came before.
        from_log_start: bool,
    },
    /// Where another task, or this one before a restart, left off.
    Committed {
        /// The committed offset.
        next_offset: i64,
        /// The committed metadata. Empty counts as [`Resume::Fresh`], from the log's start if the
        /// offset is 0: a tool set the offset.
        metadata: &'a str,
    },
}

/// Why a task cannot begin.
#[derive(Debug, thiserror::Error)]
pub enum ResumeError {
    /// The committed metadata cannot be read.
    #[error("{source_id} at offset {offset}: {error}")]
    Metadata {
        /// The input partition.
        source_id: SourceId,
        /// The committed offset.
        offset: i64,
        /// What is wrong.
        error: CorruptMetadata,
    },
    /// Their progress would not fit into a commit.
    #[error("{0} rules, valid is at most {MAX_RULES}")]
    TooManyRules(usize),
}

/// Counts one input partition.
///
/// Invariant: a function of the records, gaps and idle advances since [`Resume`] alone; flushes may
/// come anywhere. `wall` caps times that no broker vouches for, and does nothing else.
#[derive(Debug)]
pub struct CountTask {
    source: SourceId,
    decoder: Decoder,
    sampler: Sampler,
    tally: Tally,
    letters: DeadLetters,
    next_offset: i64,
    news: bool,
}

impl CountTask {
    /// A task for `source` that goes on from `resume`.
    pub fn new(source: SourceId, plan: Arc<Plan>, resume: Resume<'_>) -> Result<Self, ResumeError> {
        if plan.rules.len() > MAX_RULES {
            return Err(ResumeError::TooManyRules(plan.rules.len()));
        }
        let (next_offset, remembered) = match resume {
            Resume::Fresh {
                next_offset,
                from_log_start,
            } => (next_offset, Ok(Memory::new(!from_log_start))),
            Resume::Committed {
                next_offset,
                metadata: "",
            } => (next_offset, Ok(Memory::new(next_offset != 0))),
            Resume::Committed {
                next_offset,
                metadata,
            } => (next_offset, Memory::decode(metadata)),
        };
        let memory = remembered.map_err(|error| ResumeError::Metadata {
            source_id: source.clone(),
            offset: next_offset,
            error,
        })?;
        let unheard = memory.known.is_empty();
        let decoder = Decoder::new(DecoderSettings {
            format: plan.format,
            direction_default: plan.direction_default,
            fields: plan.fields(),
        });
        let sampler = Sampler::new(&plan.sampling);
        let letters = DeadLetters::new(
            plan.dead_letters_per_block,
            memory.dead_letter_block,
            memory.dead_letters,
        );
        let (tally, changed) = Tally::new(plan, memory);
        Ok(Self {
            source,
            decoder,
            sampler,
            letters,
            tally,
            next_offset,
            // Detect waits for a source it never heard of, and for selections it does not know.
            news: unheard || changed,
        })
    }

    /// Counts by `plan`, whose rules differ in named sets alone, from the next record on. Right after [`Self::flush`].
    pub fn replan(&mut self, plan: Arc<Plan>) {
        debug_assert_eq!(self.leaves(), 0, "what was counted is flushed");
        self.news |= self.tally.replan(plan);
    }

    /// Counts one record, at or after [`Self::next_offset`].
    pub fn record(&mut self, record: &Record<'_>, wall: Timestamp) {
        debug_assert!(record.offset >= self.next_offset, "records come in order");
        self.next_offset = record.offset + 1;
        self.news = true;
        self.tally.memory.idle = false;
        if let Err(refused) = self.judge(record, wall) {
            self.bury(record, &refused);
        }
    }

    /// Gives a record its fate, unless it is a dead letter.
    fn judge(&mut self, record: &Record<'_>, wall: Timestamp) -> Result<(), Refused> {
        let payload = record.payload.filter(|value| !value.is_empty());
        let decoded = self.decoder.decode(payload.ok_or(Refused::NoValue)?);
        // Left where it was written down: to move it out of the result would copy hundreds of bytes for each record.
        let flow = decoded.as_ref().map_err(|undecodable| *undecodable)?;
        let scaled = self.sampler.scale(flow);
        let time = RecordTime {
            timestamp: record.timestamp,
            log_append: record.log_append_time,
        };
        self.tally.count(flow, scaled, time, wall)
    }

    /// Keeps a record as a dead letter, if the cap allows.
    fn bury(&mut self, record: &Record<'_>, refused: &Refused) {
        let kind = refused.kind();
        let fates = &mut self.tally.fates;
        match kind {
            DeadLetterKind::Undecodable => fates.undecodable += 1,
            DeadLetterKind::Implausible | DeadLetterKind::NoSamplingRate => fates.implausible += 1,
        }
        if self.letters.admit(record.offset) {
            fates.dead_letters += 1;
            self.letters.keep(DeadLetter {
                offset: record.offset,
                timestamp: record.timestamp,
                kind,
                reason: refused.to_string(),
                payload: record.payload.map(<[u8]>::to_vec),
                key: record.key.map(<[u8]>::to_vec),
            });
        }
    }

    /// Goes on at `next_offset` because the broker has lost what lies between `lost_from` and it.
    pub fn gap(&mut self, lost_from: i64, next_offset: i64) {
        let lost = next_offset.saturating_sub(lost_from).max(0) as u64;
        self.tally.fates.lost = self.tally.fates.lost.saturating_add(lost);
        self.tally.memory.missing_before_next = true;
        self.tally.memory.idle = false;
        self.next_offset = next_offset;
        self.news = true;
    }

    /// Takes note of confirmed silence. Stream time moves on to `advance_to`, never back; `None`
    /// when it cannot move because there never was a record.
    pub fn idle(&mut self, advance_to: Option<Timestamp>) {
        self.news |= self.tally.idle(advance_to);
    }

    /// The input partition.
    pub const fn source(&self) -> &SourceId {
        &self.source
    }

    /// The offset of the next record.
    pub const fn next_offset(&self) -> i64 {
        self.next_offset
    }

    /// Highest event time seen, or advanced to in silence.
    pub const fn stream_time(&self) -> Option<Timestamp> {
        self.tally.memory.stream_time
    }

    /// Whether silence was confirmed since the last record.
    pub const fn is_idle(&self) -> bool {
        self.tally.memory.idle
    }

    /// The fields that any record carried so far.
    pub fn seen(&self) -> FieldSet {
        self.decoder.seen()
    }

    /// Addresses held since the last flush, once for each window and for rules that count alike: a bound on memory.
    pub fn leaves(&self) -> usize {
        self.tally.leaves()
    }

    /// Bytes of dead letters held since the last flush.
    pub const fn pending_bytes(&self) -> usize {
        self.letters.bytes()
    }

    /// Whether there is anything to commit since the last flush.
    pub const fn has_news(&self) -> bool {
        self.news
    }

    /// Swaps out everything since the last flush, so that counting can go on while it is encoded
    /// and committed elsewhere. Cheap.
    pub fn flush(&mut self) -> Flush {
        self.news = false;
        let tally = &mut self.tally;
        let block = self.letters.block();
        (tally.memory.dead_letter_block, tally.memory.dead_letters) = block;
        Flush {
            source: self.source.clone(),
            next_offset: self.next_offset,
            metadata: tally.memory.encode(),
            dead_letters: self.letters.take(),
            fates: std::mem::take(&mut tally.fates),
            exporters: tally.exporters.take(),
            stream_time: tally.memory.stream_time,
            idle: tally.memory.idle,
            complete_from: tally.complete_from(),
            beginning: tally.beginning(),
            progress: tally.progress(),
            counts: tally.take(),
        }
    }
}
