//! hotprefix: exact prefix alerts out of a Kafka topic of network flows, exactly once.
pub mod alert;
pub mod config;
pub mod count;
pub mod demo;
pub mod detect;
pub mod flow;
pub mod kafka;
pub mod net;
pub mod partial;
pub mod proto;
pub mod rule;
pub mod schema;
pub mod stage;
pub mod telemetry;
pub mod time;
pub mod units;
pub mod window;
