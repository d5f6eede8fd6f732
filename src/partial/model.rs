//! The values between the two stages.

use std::fmt;
use std::sync::Arc;

use crate::net::Family;
use crate::rule::Fingerprint;
use crate::time::Timestamp;
use crate::window::Window;

/// The most bytes that one encoded delta holds, before compression.
pub const MAX_CHUNK_BYTES: usize = 512 * 1024;
/// The most partitions of an input topic. Detect keeps something for each that is expected, so a corrupt
/// number must not be believed.
pub const MAX_PARTITIONS: u32 = 1 << 16;

/// An input partition: where counts come from.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SourceId {
    /// Topic name.
    pub topic: Arc<str>,
    /// Partition number.
    pub partition: i32,
}

impl fmt::Display for SourceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.topic, self.partition)
    }
}

/// How the flows behind the leaves of one [`LeavesOf`] were sampled.
///
/// A rate of 0 is an exporter that did not say: it counted as 1, and confidence is low.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Sampling {
    /// Every flow had this rate. Raw bytes are bytes divided by it (by 1 where it is 0).
    Uniform(u32),
    /// Every flow had this rate, above 1, and came with bytes and packets multiplied by it: raw bytes are its bytes.
    Normalized(u32),
    /// By leaf, in leaf order: raw bytes, lowest rate and highest rate.
    ByLeaf {
        /// Bytes before multiplication. Saturating.
        raw_bytes: Vec<u64>,
        /// Lowest rate seen.
        min_rate: Vec<u32>,
        /// Highest rate seen.
        max_rate: Vec<u32>,
    },
}

/// Counts by address, as columns of one length, sorted by address without repeats.
///
/// Columns are u64 and saturate; saturating addition is associative and commutative, so that the
/// order of merging does not matter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeavesOf<A> {
    /// Key addresses, strictly ascending.
    pub addr: Vec<A>,
    /// Bytes, after sampling.
    pub bytes: Vec<u64>,
    /// Packets, after sampling.
    pub packets: Vec<u64>,
    /// Flow records.
    pub flows: Vec<u64>,
    /// Sampling rates and raw bytes.
    pub sampling: Sampling,
}

/// [`LeavesOf`] one family.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Leaves {
    /// IPv4.
    V4(LeavesOf<u32>),
    /// IPv6.
    V6(LeavesOf<u128>),
}

impl Leaves {
    /// The family of the addresses.
    pub const fn family(&self) -> Family {
        match self {
            Self::V4(_) => Family::V4,
            Self::V6(_) => Family::V6,
        }
    }
}

/// Additive counts of one rule, window and family, from one source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delta {
    /// Rule name: the record's key.
    pub rule: Arc<str>,
    /// Fingerprint of the rule's selection.
    pub selection: Fingerprint,
    /// The window.
    pub window: Window,
    /// Late flows that were counted here because this was the oldest open window, or that were
    /// dropped while it was.
    pub late_flows: u64,
    /// The counts. May be empty when only `late_flows` is to be told.
    pub leaves: Leaves,
}

macro_rules! fates {
    ($($field:ident $doc:literal),* $(,)?) => {
        /// What became of records. Each record has exactly one of the first six fates; the others
        /// say what else happened to some of them.
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
        pub struct Fates { $(#[doc = $doc] pub $field: u64),* }

        impl Fates {
            /// The names of all fates, as in metrics.
            pub const NAMES: &[&str] = &[$(stringify!($field)),*];

            /// Name and number of each fate.
            pub fn iter(&self) -> impl Iterator<Item = (&'static str, u64)> + use<> {
                [$((stringify!($field), self.$field)),*].into_iter()
            }

            /// Adds `other`, saturating.
            pub fn add(&mut self, other: &Self) {
                $(self.$field = self.$field.saturating_add(other.$field);)*
            }
        }
    };
}

fates! {
    selected "Counted by at least one rule.",
    not_selected "A flow that no rule wanted.",
    late "Wanted, but every window it belongs to is closed, and every rule that wants it drops such flows.",
    not_ip "No IP key address: another protocol, or an empty address.",
    implausible "Bytes or packets beyond 2^63 − 1 after sampling: a dead letter.",
    undecodable "Not a flow in any known format: a dead letter.",
    late_counted "Selected, and late for at least one rule: counted there in the oldest open window.",
    clamped "Event time out of bounds, replaced by the record's timestamp.",
    clock_ahead "Event and record time capped at the wall clock.",
    dead_letters "Written to the dead-letter topic; the rest of undecodable and implausible is over the cap.",
    unknown_sampling "Counted as sampling rate 1 because nobody said.",
    lost "Offsets skipped because the broker no longer had them.",
}

impl Fates {
    /// Records consumed: the sum of the exclusive fates, saturating.
    pub const fn records(&self) -> u64 {
        self.selected
            .saturating_add(self.not_selected)
            .saturating_add(self.late)
            .saturating_add(self.not_ip)
            .saturating_add(self.implausible)
            .saturating_add(self.undecodable)
    }
}

/// How far one rule's selection has come in one source.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RuleProgress {
    /// Fingerprint of the selection.
    pub selection: Fingerprint,
    /// Windows that start at or after this were counted by this selection from their beginning.
    /// [`Timestamp::MIN`] when it counted from the source's first record on.
    pub counted_from: Timestamp,
    /// No later delta of this selection from this source has a window that ends at or before this.
    pub closed_through: Timestamp,
}

/// A source's progress, written to every partials partition after the last delta of a flush.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Marker {
    /// Whose progress.
    pub source: SourceId,
    /// Next input offset after the records this transaction consumed.
    pub next_offset: i64,
    /// Highest event time seen or committed by an idle advance; `None` before the first record.
    pub stream_time: Option<Timestamp>,
    /// Whether stream time stands or moves by confirmed silence.
    pub idle: bool,
    /// Partitions of the source's topic, as the writer knows.
    pub topic_partitions: u32,
    /// Windows that start before this may lack records (start of reading, or a gap).
    /// [`Timestamp::MIN`] when nothing is missing.
    pub complete_from: Timestamp,
    /// Every selection that the writer counts.
    pub rules: Vec<RuleProgress>,
    /// Fates of exactly the records that this transaction consumed.
    pub fates: Fates,
}

/// A record of `<app>-partials`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Partial {
    /// Counts.
    Delta(Delta),
    /// Progress.
    Marker(Marker),
}
