//! `hotprefix run`

use super::{CliError, RunArgs, StageName};
use crate::service::Service;
use crate::stage::{Stages, Stop};
use crate::telemetry::init_log;

/// Runs the service until a signal or an error ends it.
pub fn run(args: &RunArgs) -> Result<(), CliError> {
    let loaded = args.config.load()?;
    init_log(&loaded.config.telemetry)?;
    for warning in &loaded.warnings {
        tracing::warn!("{warning}");
    }
    let stages = match args.stage {
        None => Stages::Both,
        Some(StageName::Count) => Stages::Count,
        Some(StageName::Detect) => Stages::Detect,
    };
    Service::start(loaded.config, &Stop::default())?.run(stages)?;
    tracing::info!("stopped, everything committed");
    Ok(())
}
