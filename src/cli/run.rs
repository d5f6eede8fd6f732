//! `hotprefix run`

use std::time::Duration;

use super::{CliError, RunArgs, StageName, environment};
use crate::kafka::Identity;
use crate::service::Service;
use crate::stage::{Stages, Stop};
use crate::telemetry::{Otel, clock, init_log, otel};

/// How long after the first signal the process is gone, whoever does not answer.
const GONE: Duration = Duration::from_millis(4_900);

/// Runs the service until a signal or an error ends it.
pub fn run(args: &RunArgs) -> Result<(), CliError> {
    let loaded = args.config.load()?;
    let config = &loaded.config;
    let identity = Identity::of_process(config.instance_id.as_deref(), &config.application_id)?;
    let mut otel = Otel::start(environment(), &identity.name)?;
    init_log(&config.telemetry, &otel)?;
    for warning in loaded.warnings_at(clock::now()) {
        tracing::warn!("{warning}");
    }
    let stages = match args.stage {
        None => Stages::Both,
        Some(StageName::Count) => Stages::Count,
        Some(StageName::Detect) => Stages::Detect,
    };
    let stop = Stop::default();
    let result = Service::start(loaded.config, identity, &stop, &otel).and_then(|s| s.run(stages));
    match &result {
        Ok(()) => tracing::info!("stopped, everything committed"),
        // On stderr once, by whoever called; a collector is told here.
        Err(error) => tracing::error!(target: otel::COLLECTOR_ONLY, "{error}"),
    }
    let left = stop.requested_for().map(|since| GONE.saturating_sub(since));
    otel.shutdown(left.unwrap_or(otel::SHUTDOWN).min(otel::SHUTDOWN));
    Ok(result?)
}
