//! hotprefix: exact prefix alerts out of a Kafka topic of network flows, exactly once.
pub mod alert;
pub mod config;
pub mod count;
pub mod detect;
pub mod flow;
pub mod net;
pub mod partial;
pub mod proto;
pub mod rule;
pub mod schema;
pub mod telemetry;
pub mod time;
pub mod units;
pub mod window;
