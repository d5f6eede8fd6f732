//! What a task remembers between restarts, as the metadata string of its committed offset.
//!
//! Invariant: at most [`MAX_METADATA_BYTES`] long for up to [`MAX_RULES`] rules, so that it fits under
//! the broker's default limit.

use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use prost::Message;

use crate::proto::v1;
use crate::rule::Fingerprint;
use crate::time::Timestamp;

/// The broker's default for `offset.metadata.max.bytes`, less what the stage may write in front.
pub const MAX_METADATA_BYTES: usize = 4096 - 16;
/// How many rules fit into it.
pub const MAX_RULES: usize = 256;
/// Different beginnings that fit into it beside that many selections.
const MAX_BEGINNINGS: usize = 64;
const VERSION: u32 = 1;
/// Bytes of a fingerprint that are kept: among 256 rules, 48 bits collide once in 2^33 edits.
const KEPT: usize = 6;

/// Why the metadata of a committed offset cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum CorruptMetadata {
    /// Not base64.
    #[error("offset metadata is not base64: {0}")]
    Base64(#[from] base64::DecodeError),
    /// Not a protobuf message of the right shape.
    #[error("offset metadata is not readable: {0}")]
    Envelope(#[from] prost::DecodeError),
    /// Written by another version of hotprefix.
    #[error("offset metadata has version {0}, this program reads version {VERSION}")]
    Version(u32),
    /// Fields that this version does not write.
    #[error("offset metadata has {found} bytes, its known fields make {known}")]
    Unknown {
        /// Its length, decoded.
        found: usize,
        /// Length of what was understood.
        known: usize,
    },
    /// Fingerprints are not a whole number.
    #[error("offset metadata has {0} bytes of fingerprints, not a multiple of {KEPT}")]
    Selections(usize),
    /// A number that cannot be.
    #[error("offset metadata has dead letter block {0}, valid is at most 2^63 − 1")]
    Block(u64),
}

/// How far a task was when it committed an offset.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// Highest event time seen, or advanced to in silence; `None` before the first record.
    pub stream_time: Option<Timestamp>,
    /// Whether silence was confirmed after the last record.
    pub idle: bool,
}

impl Progress {
    /// Of the metadata of a committed offset; empty where another tool committed it.
    pub fn of(metadata: &str) -> Result<Self, CorruptMetadata> {
        let memory = if metadata.is_empty() {
            Memory::new(false)
        } else {
            Memory::decode(metadata)?
        };
        Ok(Self {
            stream_time: memory.stream_time,
            idle: memory.idle,
        })
    }
}

/// A fingerprint as far as it is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct ShortFingerprint([u8; KEPT]);

impl From<Fingerprint> for ShortFingerprint {
    fn from(whole: Fingerprint) -> Self {
        let [_, _, kept @ ..] = whole.0.to_be_bytes();
        Self(kept)
    }
}

/// A task's memory, apart from its position.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Memory {
    /// Highest event time seen, or advanced to in silence.
    pub(super) stream_time: Option<Timestamp>,
    /// Whether silence was confirmed after the last record.
    pub(super) idle: bool,
    /// Windows that start before this may lack records.
    pub(super) complete_from: Timestamp,
    /// Records may be missing right before the next one.
    pub(super) missing_before_next: bool,
    /// Selections that are counted, and from when on.
    pub(super) known: BTreeMap<ShortFingerprint, Timestamp>,
    /// The block of the last dead letter.
    pub(super) dead_letter_block: i64,
    /// Dead letters written of that block.
    pub(super) dead_letters: u32,
}

impl Memory {
    /// Before any record.
    pub(super) const fn new(missing_before_next: bool) -> Self {
        Self {
            stream_time: None,
            idle: false,
            complete_from: Timestamp::MIN,
            missing_before_next,
            known: BTreeMap::new(),
            dead_letter_block: 0,
            dead_letters: 0,
        }
    }

    /// Reads what [`Self::encode`] wrote.
    pub(super) fn decode(metadata: &str) -> Result<Self, CorruptMetadata> {
        let bytes = URL_SAFE_NO_PAD.decode(metadata)?;
        let state = v1::SourceState::decode(&*bytes)?;
        if state.version != VERSION {
            return Err(CorruptMetadata::Version(state.version));
        }
        if state.encoded_len() != bytes.len() {
            return Err(CorruptMetadata::Unknown {
                found: bytes.len(),
                known: state.encoded_len(),
            });
        }
        let mut known = BTreeMap::new();
        for group in &state.known {
            let (selections, rest) = group.selections.as_chunks::<KEPT>();
            if !rest.is_empty() {
                return Err(CorruptMetadata::Selections(group.selections.len()));
            }
            let from = time_or_min(group.counted_from_ms);
            known.extend(selections.iter().map(|s| (ShortFingerprint(*s), from)));
        }
        Ok(Self {
            stream_time: state.stream_time_ms.map(Timestamp::from_millis),
            idle: state.idle,
            complete_from: time_or_min(state.complete_from_ms),
            missing_before_next: state.missing_before_next,
            known,
            dead_letter_block: i64::try_from(state.dead_letter_block)
                .map_err(|_| CorruptMetadata::Block(state.dead_letter_block))?,
            dead_letters: state.dead_letters,
        })
    }

    /// As the metadata string of an offset.
    pub(super) fn encode(&self) -> String {
        let mut groups = BTreeMap::<Timestamp, Vec<u8>>::new();
        for (selection, from) in &self.known {
            groups.entry(*from).or_default().extend(selection.0);
        }
        let known = groups
            .into_iter()
            .map(|(from, selections)| v1::KnownSelections {
                counted_from_ms: millis_unless_min(from),
                selections,
            })
            .collect();
        let state = v1::SourceState {
            version: VERSION,
            stream_time_ms: self.stream_time.map(Timestamp::as_millis),
            idle: self.idle,
            complete_from_ms: millis_unless_min(self.complete_from),
            missing_before_next: self.missing_before_next,
            known,
            dead_letter_block: self.dead_letter_block as u64,
            dead_letters: self.dead_letters,
        };
        URL_SAFE_NO_PAD.encode(state.encode_to_vec())
    }

    /// Takes over the selections of a plan: those not known yet count from `stream_time` + 1 ms on,
    /// or from the first record on if there was none. Says whether that changed anything.
    ///
    /// With very many different beginnings the oldest are moved up to the next one, which claims
    /// less than is true, so that the metadata stays short.
    pub(super) fn adopt(&mut self, selections: impl Iterator<Item = Fingerprint>) -> bool {
        let begins = self.stream_time.map_or(Timestamp::MIN, |at| {
            at.plus(std::time::Duration::from_millis(1))
        });
        let mut adopted: BTreeMap<_, _> = selections
            .map(ShortFingerprint::from)
            .map(|s| (s, self.known.get(&s).copied().unwrap_or(begins)))
            .collect();
        let mut beginnings: Vec<Timestamp> = adopted.values().copied().collect();
        beginnings.sort_unstable();
        beginnings.dedup();
        let excess = beginnings.len().saturating_sub(MAX_BEGINNINGS);
        for from in adopted.values_mut() {
            *from = (*from).max(beginnings.get(excess).copied().unwrap_or(*from));
        }
        let changed = adopted != self.known;
        self.known = adopted;
        changed
    }
}

fn millis_unless_min(at: Timestamp) -> Option<i64> {
    (at != Timestamp::MIN).then(|| at.as_millis())
}

fn time_or_min(ms: Option<i64>) -> Timestamp {
    ms.map_or(Timestamp::MIN, Timestamp::from_millis)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn any_memory() -> impl Strategy<Value = Memory> {
        let time = || any::<i64>().prop_map(Timestamp::from_millis);
        let selections = prop::collection::btree_map(any::<[u8; KEPT]>(), time(), 0..20);
        let flags = any::<(bool, bool, u32)>();
        (
            prop::option::of(time()),
            time(),
            selections,
            flags,
            0..i64::MAX,
        )
            .prop_map(
                |(
                    stream_time,
                    complete_from,
                    known,
                    (idle, missing_before_next, letters),
                    block,
                )| {
                    Memory {
                        stream_time,
                        idle,
                        complete_from,
                        missing_before_next,
                        known: known
                            .into_iter()
                            .map(|(s, at)| (ShortFingerprint(s), at))
                            .collect(),
                        dead_letter_block: block,
                        dead_letters: letters,
                    }
                },
            )
    }

    proptest! {
        #[test]
        fn memory_reads_back(memory in any_memory()) {
            prop_assert_eq!(Memory::decode(&memory.encode()).unwrap(), memory);
        }

        #[test]
        fn junk_is_refused_without_panic(junk in "[A-Za-z0-9_-]{1,60}") {
            if let Ok(read) = Memory::decode(&junk) {
                prop_assert_eq!(Memory::decode(&read.encode()).unwrap(), read);
            }
        }
    }

    const _: () = assert!(MAX_METADATA_BYTES + 16 <= 4096, "the broker's default");

    #[test]
    fn the_most_rules_fit_however_they_came() {
        let rule = |i: u64| Fingerprint(i.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        let mut memory = Memory {
            stream_time: Some(Timestamp::MAX),
            idle: true,
            complete_from: Timestamp::MAX,
            missing_before_next: true,
            known: BTreeMap::new(),
            dead_letter_block: i64::MAX,
            dead_letters: u32::MAX,
        };
        // One rule more at each restart, at ever later and ever longer times.
        for n in 1..=MAX_RULES as u64 {
            memory.stream_time = Some(Timestamp::from_millis(i64::MAX - 1000 + n as i64));
            assert!(memory.adopt((0..n).map(rule)));
            assert!(memory.encode().len() <= MAX_METADATA_BYTES);
            memory = Memory::decode(&memory.encode()).unwrap();
            assert!(
                !memory.adopt((0..n).map(rule)),
                "adopting again changes nothing"
            );
        }
        assert_eq!(memory.known.len(), MAX_RULES);
    }

    #[test]
    fn a_new_selection_counts_after_what_was_seen_and_a_known_one_from_before() {
        let mut memory = Memory::new(false);
        assert!(memory.adopt([Fingerprint(1)].into_iter()));
        memory.stream_time = Some(Timestamp::from_millis(500));
        assert!(memory.adopt([Fingerprint(1), Fingerprint(2)].into_iter()));
        let from = |f| memory.known[&ShortFingerprint::from(Fingerprint(f))];
        assert_eq!(from(1), Timestamp::MIN);
        assert_eq!(from(2), Timestamp::from_millis(501));
        // What was dropped and comes back begins anew.
        assert!(memory.adopt([Fingerprint(2)].into_iter()));
        assert!(memory.adopt([Fingerprint(1), Fingerprint(2)].into_iter()));
        let from = |f| memory.known[&ShortFingerprint::from(Fingerprint(f))];
        assert_eq!(from(1), Timestamp::from_millis(501));
    }

    #[test]
    fn what_is_wrong_is_named() {
        let message = |metadata: &str| Memory::decode(metadata).unwrap_err().to_string();
        assert!(message("a b").starts_with("offset metadata is not base64"));
        assert_eq!(
            message(&URL_SAFE_NO_PAD.encode([8, 2])),
            "offset metadata has version 2, this program reads version 1"
        );
        assert_eq!(
            message(&URL_SAFE_NO_PAD.encode([8, 1, 0x50, 1])),
            "offset metadata has 4 bytes, its known fields make 2"
        );
        assert_eq!(
            message(&URL_SAFE_NO_PAD.encode([8, 1, 0x32, 3, 0x12, 1, 9])),
            "offset metadata has 1 bytes of fingerprints, not a multiple of 6"
        );
    }
}
