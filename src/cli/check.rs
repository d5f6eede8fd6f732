//! `hotprefix check`

use super::{CheckArgs, CliError, Output, environment};
use crate::kafka::{self, Severity};
use crate::telemetry::{clock, otel};

/// Validates, prints what is effective, and with `--connect` asks the cluster.
pub fn check(args: &CheckArgs) -> Result<(), CliError> {
    let loaded = args.config.load()?;
    otel::check(environment())?;
    if !args.quiet {
        Output::stdout().text(loaded.effective_yaml())?;
    }
    for warning in loaded.warnings_at(clock::now()) {
        eprintln!("warning: {warning}");
    }
    if !args.connect {
        return Ok(());
    }
    let findings = kafka::probe(&loaded.config)?;
    for finding in &findings {
        let severity = match finding.severity {
            Severity::Fine => "ok",
            Severity::Warning => "warning",
            Severity::Error => "error",
        };
        eprintln!("{severity}: {}", finding.text);
    }
    match findings
        .iter()
        .filter(|f| f.severity == Severity::Error)
        .count()
    {
        0 => Ok(()),
        n => Err(CliError::Failed(format!(
            "{n} of {} findings would stop `run`",
            findings.len()
        ))),
    }
}
