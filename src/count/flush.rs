//! What one transaction of count carries.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::net::Addr;
use crate::partial::{
    Delta, Fates, Leaves, Marker, RuleProgress, SourceId, encode_delta, encode_marker, partition_of,
};
use crate::time::Timestamp;

use super::dead_letter::DeadLetter;
use super::exporters::ExporterIssues;
use super::lane::{LaneCounts, Served};

/// Everything since the flush before: to be committed as one, or not at all.
#[derive(Debug)]
pub struct Flush {
    /// Whose.
    pub source: SourceId,
    /// The offset to commit.
    pub next_offset: i64,
    /// The metadata to commit with it.
    pub metadata: String,
    /// Records for the dead-letter topic, in order of offset.
    pub dead_letters: Vec<DeadLetter>,
    /// Fates of exactly the records that this commits.
    pub fates: Fates,
    /// Exporters whose flows had to be corrected; `None` is no exporter, or one of too many.
    pub exporters: Vec<(Option<Addr>, ExporterIssues)>,
    /// Highest event time seen or advanced to.
    pub stream_time: Option<Timestamp>,
    /// Whether silence was confirmed.
    pub idle: bool,
    pub(super) complete_from: Timestamp,
    /// The first time known of the source and how far it was then, if this flush is the first to tell.
    pub(super) beginning: Option<(Timestamp, Vec<RuleProgress>)>,
    pub(super) progress: Vec<RuleProgress>,
    pub(super) counts: Vec<LaneCounts>,
}

/// One record for `<app>-partials`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EncodedPartial {
    /// Its partition.
    pub partition: i32,
    /// The rule's name, or the source.
    pub key: Vec<u8>,
    /// An encoded [`crate::partial::Partial`].
    pub payload: Vec<u8>,
}

/// A flush as it is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EncodedFlush {
    /// Deltas, then markers.
    pub records: Vec<EncodedPartial>,
    /// What the deltas of each rule add up to; rules without any are left out.
    pub rules: Vec<(Arc<str>, RuleSums)>,
}

/// What one rule selected. Saturating.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RuleSums {
    /// Flow records.
    pub flows: u64,
    /// Bytes, after sampling.
    pub bytes: u64,
    /// Packets, after sampling.
    pub packets: u64,
    /// Flows that came after their window was closed, counted or dropped.
    pub late_flows: u64,
}

impl RuleSums {
    /// Adds `other`.
    pub const fn add(&mut self, other: &Self) {
        self.flows = self.flows.saturating_add(other.flows);
        self.bytes = self.bytes.saturating_add(other.bytes);
        self.packets = self.packets.saturating_add(other.packets);
        self.late_flows = self.late_flows.saturating_add(other.late_flows);
    }

    fn of(delta: &Delta) -> Self {
        let [flows, bytes, packets] = match &delta.leaves {
            Leaves::V4(leaves) => [&leaves.flows, &leaves.bytes, &leaves.packets],
            Leaves::V6(leaves) => [&leaves.flows, &leaves.bytes, &leaves.packets],
        }
        .map(|column| column.iter().copied().fold(0, u64::saturating_add));
        Self {
            flows,
            bytes,
            packets,
            late_flows: delta.late_flows,
        }
    }
}

impl Flush {
    /// Sorts and encodes: deltas first, then a marker for each of `partials_partitions`. The first flush with a
    /// time begins with such a marker, too: it says where the source's windows begin, and nothing else.
    /// `topic_partitions` is how many partitions the source's topic has.
    pub fn encode(self, partials_partitions: u32, topic_partitions: u32) -> EncodedFlush {
        let key = self.source.to_string().into_bytes();
        let mark = |marker: Marker| {
            let payload = encode_marker(&marker);
            let key = key.clone();
            (0..partials_partitions).map(move |partition| EncodedPartial {
                partition: partition as i32,
                key: key.clone(),
                payload: payload.clone(),
            })
        };
        let marker = Marker {
            source: self.source.clone(),
            next_offset: self.next_offset,
            stream_time: self.stream_time,
            idle: self.idle,
            topic_partitions,
            complete_from: self.complete_from,
            rules: self.progress,
            fates: self.fates,
        };
        let mut records = Vec::new();
        if let Some((first, progress)) = self.beginning {
            records.extend(mark(Marker {
                stream_time: Some(first),
                idle: false,
                rules: progress,
                fates: Fates::default(),
                ..marker.clone()
            }));
        }
        let mut sums = BTreeMap::<Arc<str>, RuleSums>::new();
        for mut counts in self.counts {
            let served = std::mem::take(&mut counts.served);
            for mut delta in counts.into_deltas() {
                let of_delta = RuleSums::of(&delta);
                for Served { rule, is_replaced } in &served {
                    if !is_replaced {
                        sums.entry(Arc::clone(&rule.name))
                            .or_default()
                            .add(&of_delta);
                    }
                    delta.rule = Arc::clone(&rule.name);
                    delta.selection = rule.selection;
                    let partition = partition_of(rule.home(), partials_partitions);
                    let chunks = encode_delta(&delta).into_iter();
                    records.extend(chunks.map(|payload| EncodedPartial {
                        partition,
                        key: rule.name.as_bytes().to_vec(),
                        payload,
                    }));
                }
            }
        }
        sums.retain(|_, sums| *sums != RuleSums::default());
        records.extend(mark(marker));
        EncodedFlush {
            records,
            rules: sums.into_iter().collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_of_a_rule_add_up_and_stop_at_the_highest_number() {
        let sums = |flows, bytes, packets, late_flows| RuleSums {
            flows,
            bytes,
            packets,
            late_flows,
        };
        let mut sum = sums(1, 20, 300, 4_000);
        sum.add(&sums(5, 60, 700, 8_000));
        assert_eq!(sum, sums(6, 80, 1_000, 12_000));
        sum.add(&sums(u64::MAX, 0, u64::MAX, 0));
        assert_eq!(sum, sums(u64::MAX, 80, u64::MAX, 12_000));
    }
}
