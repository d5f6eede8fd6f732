//! Log lines on stderr: stdout belongs to results.

use std::io::IsTerminal as _;

use tracing_subscriber::EnvFilter;

use crate::config::TelemetryConfig;

/// Why there is no log.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// The filter is not one.
    #[error(
        "telemetry.log_filter `{filter}`: {reason}; valid is e.g. `info` or `info,hotprefix=debug`"
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

/// Sends `tracing` events to stderr, as text or as one JSON object per line. Once per process.
pub fn init(config: &TelemetryConfig) -> Result<(), LogError> {
    let filter = EnvFilter::builder()
        .parse(&config.log_filter)
        .map_err(|e| LogError::Filter {
            filter: config.log_filter.clone(),
            reason: e.to_string(),
        })?;
    let lines = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal());
    let result = if config.log_json {
        lines.json().flatten_event(true).try_init()
    } else {
        lines.try_init()
    };
    result.map_err(|e| LogError::Taken(e.to_string()))
}
