//! Flows of one input partition → additive deltas and progress markers. Pure.
//!
//! In: the records of one partition in order of offset, gaps, and confirmed silence. Out: flushes,
//! each with the counts since the flush before, one marker, dead letters, and the metadata that
//! lets another task go on. Guarantees: what the flushes add up to does not depend on where they
//! were cut, or on restarts from their metadata; every record has one fate; nothing is kept for
//! longer than one flush. A record is never an error: at worst it is a dead letter.

mod dead_letter;
mod exporters;
mod flush;
mod lane;
mod metadata;
mod plan;
mod rows;
mod table;
mod tally;
mod task;
#[cfg(test)]
mod tests;

pub use dead_letter::{BLOCK, DeadLetter, DeadLetterKind};
pub use exporters::ExporterIssues;
pub use flush::{EncodedFlush, EncodedPartial, Flush, RuleSums};
pub use metadata::{CorruptMetadata, MAX_METADATA_BYTES, MAX_RULES, Progress};
pub use plan::{OVERLAP, Plan};
pub use task::{CountTask, Record, Resume, ResumeError};
