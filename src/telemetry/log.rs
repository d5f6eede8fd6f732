//! Log lines on stderr, and to a collector where one is named: stdout belongs to results.

use std::io::IsTerminal as _;

use tracing::Metadata;
use tracing_subscriber::filter::{FilterExt as _, FilterFn, LevelFilter, Targets};
use tracing_subscriber::layer::{Filter, SubscriberExt as _};
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{Layer as _, Registry};

use super::otel::{Otel, is_ours, is_told};
use crate::config::TelemetryConfig;

/// Why there is no log.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// The filter is not one.
    #[error(
        "telemetry.log.filter `{filter}`: {reason}; valid is e.g. `info` or `info,hotprefix=debug`"
    )]
    Filter {
        /// As configured.
        filter: String,
        /// What the parser says.
        reason: String,
    },
    /// Something else in the process took the log.
    #[error("the log was set up before: {0}")]
    Taken(String),
}

/// Sends `tracing` events to stderr, as text or as one JSON object per line, and to where `otel` says.
/// Once per process.
pub fn init(config: &TelemetryConfig, otel: &Otel) -> Result<(), LogError> {
    let filter: Targets = config.log_filter.parse().map_err(|e| LogError::Filter {
        filter: config.log_filter.clone(),
        reason: format!("{e}"),
    })?;
    let lines = tracing_subscriber::fmt::layer()
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal());
    let lines = if config.log_json {
        lines.json().flatten_event(true).boxed()
    } else {
        lines.boxed()
    };
    // Without the hint, what no layer wants would be asked for at every level.
    let most = Filter::<Registry>::max_level_hint(&filter).unwrap_or(LevelFilter::TRACE);
    let only = |wanted: fn(&Metadata<'_>) -> bool| FilterFn::new(wanted).with_max_level_hint(most);
    Registry::default()
        .with(lines.with_filter(filter.clone().and(only(is_told))))
        .with(otel.log_layer().map(|layer| {
            let others = only(|event| !is_ours(event.target()));
            layer.with_filter(filter.and(others))
        }))
        .try_init()
        .map_err(|e| LogError::Taken(e.to_string()))
}
