//! What count tells detect: additive deltas and progress markers, and their encoding. Pure.
//!
//! In and out: [`Partial`] values and the bytes of `<app>-partials` records. Guarantees: an encoded
//! delta is self-contained, sorted by address and at most [`MAX_CHUNK_BYTES`] long before
//! compression; decoding never panics; a record that is corrupt or of an unknown version is an
//! error, never a wrong sum.

mod columns;
mod merge;
mod model;
#[cfg(test)]
mod tests;
mod wire;

pub use columns::ColumnError;
pub use merge::{Runs, merge, merge_all};
pub use model::{
    Delta, Fates, Leaves, LeavesOf, MAX_CHUNK_BYTES, MAX_PARTITIONS, Marker, Partial, RuleProgress,
    Sampling, SourceId,
};
pub use wire::{CorruptPartial, decode, encode, encode_delta, encode_marker, partition_of};
