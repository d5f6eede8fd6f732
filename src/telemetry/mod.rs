//! What people and machines see of a running process: log, metrics, health.
//!
//! In: the settings, and a [`Watch`]: a function that says where the stages stand. Out: log lines on
//! stderr, `/metrics`, `/livez` and `/readyz` over HTTP, and what a collector is sent. Nothing here decides anything about
//! records; a scrape reads one [`Snapshot`], so that its numbers belong together. On failure to listen
//! the process does not start; a scrape that fails costs a scrape.

mod announce;
mod clients;
pub mod clock;
mod health;
mod http;
mod log;
pub mod metrics;
pub mod otel;
mod snapshot;

pub(crate) use announce::announce;
pub use clients::{BrokerState, ClientState, ClientStatistics};
pub use health::{Readiness, readiness};
pub use http::{HttpError, Server, serve};
pub use log::{LogError, init as init_log};
pub use metrics::{Metrics, MetricsError, Recorder};
pub use otel::{Otel, OtelErrors, Span, Tracing};
pub use snapshot::{
    CountStatus, DetectStatus, Reloads, Snapshot, SourceStatus, Watch, Work, WrongFormat,
};
