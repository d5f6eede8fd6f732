//! hotprefix: exact prefix alerts out of a Kafka topic of network flows, exactly once.
//!
//! # The map
//!
//! ```text
//!  record bytes ─► flow ─► rule ─► window ─► count ─┐
//!                                                   │ deltas and progress markers: partial
//!  alert and window records ◄─ alert ◄─ detect ◄────┘
//!
//!  main ─► cli ─► service ─► stage ─► { count, detect, kafka, telemetry }
//!             └─► replay, inspect, demo, schema, config
//! ```
//!
//! The modules below stand in the order in which a record meets them. [`flow`] to [`alert`] are
//! *pure*: bytes, times and positions come in as arguments, values go out; they know no Kafka, no
//! clock, no file and no log. [`kafka`] is the only module with librdkafka in it, [`stage`] the two
//! loops that join it to the tasks.
//!
//! # The dependency rule
//!
//! Arrows point one way: `count → {flow, rule, window, partial}`, `detect → {rule, window, partial,
//! alert}`, and nothing pure points to what is not. A test (`tests/contracts/layers.rs`) holds every
//! module to it.
//!
//! # What is guaranteed
//!
//! - What is written is a function of each input partition's records, the committed idle advances
//!   and the rules: not of the number of instances, of flush timing, or of crashes.
//! - Counts, results, state and consumed offsets are committed in Kafka transactions, and only by
//!   whoever still owns the partitions that they are about.
//! - Every record consumed has exactly one fate ([`partial::Fates`]), told in the transaction that
//!   consumed it.
//!
//! `docs/architecture.md` tells how; `docs/decisions` why.

// Words that all modules share.
pub mod net;
pub mod time;
pub mod units;

// The pure core, in the order of the data.
pub mod flow;
pub mod rule;
pub mod window;

pub mod partial;

pub mod count;
pub mod detect;

pub mod alert;

// Formats that others read.
pub mod proto;
pub mod schema;

// The shell.
pub mod config;
pub mod kafka;
pub mod service;
pub mod stage;
pub mod telemetry;

// What an operator runs.
pub mod cli;
pub mod demo;
pub mod inspect;
pub mod replay;
