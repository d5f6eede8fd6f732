//! Records that are no flow, kept whole for the dead-letter topic, up to a cap.

use crate::flow::{Rejected, Undecodable};
use crate::time::Timestamp;

/// The cap holds for this many offsets at a time, so that it depends on positions alone.
pub const BLOCK: i64 = 10_000;

/// Why a record is a dead letter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeadLetterKind {
    /// Not a flow in any known format.
    Undecodable,
    /// Bytes or packets beyond 2^63 − 1 after sampling.
    Implausible,
    /// It states no sampling rate, and the configuration rejects such flows.
    NoSamplingRate,
}

impl DeadLetterKind {
    /// Snake-case name, as in headers and metrics.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Undecodable => "undecodable",
            Self::Implausible => "implausible",
            Self::NoSamplingRate => "no_sampling_rate",
        }
    }
}

/// Why a record is a dead letter, in full.
#[derive(Debug, thiserror::Error)]
pub(super) enum Refused {
    /// Its value is null or empty.
    #[error("the record has no value")]
    NoValue,
    /// No flow in it.
    #[error(transparent)]
    Undecodable(#[from] Undecodable),
    /// No time to count it at.
    #[error("neither the flow nor its record nor any record before it states a time")]
    NoTime,
    /// Counts that cannot be.
    #[error("bytes or packets are above 2^63 − 1 after sampling, or the rate is above 2^32 − 1")]
    Implausible,
    /// Sampled at nobody knows what rate.
    #[error("the flow states no sampling rate, and sampling.default is reject")]
    NoSamplingRate,
}

impl From<Rejected> for Refused {
    fn from(why: Rejected) -> Self {
        match why {
            Rejected::Implausible => Self::Implausible,
            Rejected::Rejected => Self::NoSamplingRate,
        }
    }
}

impl Refused {
    pub(super) const fn kind(&self) -> DeadLetterKind {
        match self {
            Self::NoValue | Self::Undecodable(_) | Self::NoTime => DeadLetterKind::Undecodable,
            Self::Implausible => DeadLetterKind::Implausible,
            Self::NoSamplingRate => DeadLetterKind::NoSamplingRate,
        }
    }
}

/// A record for the dead-letter topic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeadLetter {
    /// Its offset in the input partition.
    pub offset: i64,
    /// Its timestamp.
    pub timestamp: Option<Timestamp>,
    /// The class of the reason.
    pub kind: DeadLetterKind,
    /// The reason, for people.
    pub reason: String,
    /// Its value, whole; `None` if it had none.
    pub payload: Option<Vec<u8>>,
    /// Its key, whole; `None` if it had none.
    pub key: Option<Vec<u8>>,
}

/// Dead letters since the last flush, and how many their block may still have.
#[derive(Debug)]
pub(super) struct DeadLetters {
    per_block: u32,
    block: i64,
    in_block: u32,
    kept: Vec<DeadLetter>,
    bytes: usize,
}

impl DeadLetters {
    pub(super) const fn new(per_block: u32, block: i64, in_block: u32) -> Self {
        Self {
            per_block,
            block,
            in_block,
            kept: Vec::new(),
            bytes: 0,
        }
    }

    /// Whether the record at `offset` still fits under the cap; if so it takes a place.
    pub(super) const fn admit(&mut self, offset: i64) -> bool {
        let block = offset.div_euclid(BLOCK);
        if block != self.block {
            self.block = block;
            self.in_block = 0;
        }
        let admitted = self.in_block < self.per_block;
        self.in_block += admitted as u32;
        admitted
    }

    pub(super) fn keep(&mut self, letter: DeadLetter) {
        let length = |bytes: &Option<Vec<u8>>| bytes.as_ref().map_or(0, Vec::len);
        self.bytes += letter.reason.len() + length(&letter.payload) + length(&letter.key);
        self.kept.push(letter);
    }

    /// Bytes held.
    pub(super) const fn bytes(&self) -> usize {
        self.bytes
    }

    /// The last block and how many letters it had.
    pub(super) const fn block(&self) -> (i64, u32) {
        (self.block, self.in_block)
    }

    pub(super) fn take(&mut self) -> Vec<DeadLetter> {
        self.bytes = 0;
        std::mem::take(&mut self.kept)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_those_of_reasons_values_and_keys_until_they_are_taken() {
        let mut letters = DeadLetters::new(3, 0, 0);
        for (payload, key, held) in [
            (Some(5), Some(7), 15),
            (None, Some(1), 19),
            (None, None, 22),
        ] {
            letters.keep(DeadLetter {
                offset: 0,
                timestamp: None,
                kind: DeadLetterKind::Undecodable,
                reason: "why".to_owned(),
                payload: payload.map(|n| vec![0; n]),
                key: key.map(|n| vec![0; n]),
            });
            assert_eq!(letters.bytes(), held);
        }
        assert_eq!(letters.take().len(), 3);
        assert_eq!(letters.bytes(), 0);
    }
}
