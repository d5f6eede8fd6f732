//! Where a partition begins that the group has no offset for.
//!
//! Partitions that were there when the application first started begin where `input.start` says;
//! those added to the topic later begin with their first record. To tell them apart, every commit
//! says how many partitions the topic had at first: partitions are numbered from 0 and never go away.

use crate::config::InputStart;
use crate::kafka::RequestError;
use crate::kafka::offsets::Offsets;
use crate::partial::SourceId;
use crate::time::Timestamp;

/// The metadata string of a commit: the topic's partitions at the first start, and the task's own.
pub(super) fn metadata(first_partitions: u32, task: &str) -> String {
    format!("{first_partitions}:{task}")
}

/// What [`metadata`] was made of. A string without a number is the task's alone.
pub(super) fn parse(metadata: &str) -> (Option<u32>, &str) {
    match metadata.split_once(':') {
        Some((first, task)) => (first.parse().ok(), task),
        None => (None, metadata),
    }
}

/// A first position.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Beginning {
    pub(super) offset: i64,
    pub(super) first_partitions: u32,
}

/// Whether `partition` was there at the first start, going by the metadata committed for other
/// partitions of its topic, which has `partitions` now; and how many there were.
fn first_start(partition: i32, partitions: u32, others: &[String]) -> (bool, u32) {
    let known = others.iter().filter_map(|m| parse(m).0).min();
    let first = known.unwrap_or(partitions);
    let index = u32::try_from(partition).unwrap_or(u32::MAX);
    (index < first, first)
}

/// Resolves the first position of a partition.
pub(super) fn resolve(
    offsets: &Offsets,
    start: InputStart,
    source: &SourceId,
    partitions: u32,
    others: &[String],
    now: Timestamp,
) -> Result<Beginning, RequestError> {
    let (was_there, first_partitions) = first_start(source.partition, partitions, others);
    let start = if was_there {
        start
    } else {
        InputStart::Earliest
    };
    let offset = match start {
        InputStart::Earliest => offsets.bounds(source)?.0,
        InputStart::Latest => offsets.bounds(source)?.1,
        InputStart::At(time) => offsets.at_time(source, time)?,
        InputStart::Ago(time) => offsets.at_time(source, now.minus(time))?,
    };
    Ok(Beginning {
        offset,
        first_partitions,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_partitions_were_there_when_nothing_is_committed() {
        assert_eq!(first_start(3, 4, &[]), (true, 4));
    }

    #[test]
    fn a_partition_beyond_the_first_count_came_later() {
        let others = [metadata(4, "AbC-_"), metadata(4, "")];
        assert_eq!(first_start(4, 6, &others), (false, 4));
        assert_eq!(first_start(3, 6, &others), (true, 4));
    }

    #[test]
    fn metadata_reads_back_and_foreign_metadata_is_left_to_the_task() {
        assert_eq!(parse(&metadata(12, "AbC-_")), (Some(12), "AbC-_"));
        assert_eq!(parse("AbC-_"), (None, "AbC-_"));
        assert_eq!(parse(""), (None, ""));
    }
}
