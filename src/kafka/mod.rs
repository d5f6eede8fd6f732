//! The only code that knows rdkafka: group membership, transactions, offsets, topics.
//!
//! In and out: bytes, offsets, names. Guarantees: a commit carries offsets only of partitions that this
//! process owns at that moment (`fence`); what a transaction wrote is visible whole or not at all
//! (`producer`); reading begins exactly where the caller says (`group`). Failures are named by what
//! the caller must do: [`RequestError::Retry`], rewind, or [`Fatal`].

mod access;
mod admin;
mod embedded;
mod errors;
pub mod failpoint;
pub(crate) mod fence;
pub(crate) mod group;
mod identity;
pub(crate) mod offsets;
mod probe;
pub(crate) mod producer;
pub(crate) mod queue;
mod reader;
mod rebalance;
mod reset;
pub(crate) mod restore;
mod settings;
mod statistics;
mod token;
pub(crate) mod topics;
mod transaction;
mod unwritable;

pub use embedded::{EmbeddedCluster, PlainProducer};
pub use errors::{ClientLog, ErrorLog, Fatal, RequestError};
pub use identity::Identity;
pub use probe::{Finding, Severity, probe};
pub use reader::{ReadEvent, ReadFrom, ReadRecord, TopicReader};
pub use reset::{Removed, reset};
pub use settings::{ClientSettings, GroupProtocol};
pub use statistics::StatisticsLog;
pub use topics::{TopicFacts, TopicNames, Users, ensure};

/// The version of librdkafka, such as `2.12.1`.
pub fn library_version() -> String {
    rdkafka::util::get_rdkafka_version().1
}
