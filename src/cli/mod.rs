//! The commands: what `hotprefix` does with its command line.
//!
//! In: parsed arguments. Out: results on stdout, everything else on stderr, and an exit code (see
//! `hotprefix --help`). A command that only reads never writes to Kafka.

mod args;
mod check;
mod demo;
mod health;
mod inspect;
mod manual;
mod output;
mod replay;
mod reset;
mod run;
mod tail;

pub use args::{
    CheckArgs, Cli, Command, CompletionsArgs, ConfigArgs, DemoArgs, HealthArgs, InspectArgs,
    ManArgs, Override, ReplayArgs, ResetArgs, RunArgs, SchemaArgs, SchemaName, StageName, TailArgs,
};
pub use check::check;
pub use demo::demo;
pub use health::health;
pub use inspect::inspect;
pub use manual::{completions, man};
pub use replay::replay;
pub use reset::reset;
pub use run::run;
pub use tail::tail;

use crate::config::{self, ConfigErrors, Loaded};
use crate::kafka::Fatal;
use crate::replay::ReplayError;
use crate::schema;
use crate::service::ServiceError;
use crate::telemetry::{LogError, OtelErrors};
use output::Output;

/// Why a command ended early.
#[derive(Debug, thiserror::Error)]
pub enum CliError {
    /// The configuration is not valid.
    #[error("the configuration is not valid:\n{0}")]
    Config(#[from] ConfigErrors),
    /// Variables that say how telemetry is exported are not valid.
    #[error("the environment is not valid:\n{0}")]
    Environment(#[from] OtelErrors),
    /// It could not be done.
    #[error("{0}")]
    Failed(String),
    /// Whoever read stdout has left.
    #[error("stdout is closed")]
    Closed,
}

impl CliError {
    /// The process's exit code.
    pub const fn exit_code(&self) -> u8 {
        match self {
            Self::Closed => 0,
            Self::Failed(_) => 1,
            Self::Config(_) | Self::Environment(_) => 2,
        }
    }
}

impl From<Fatal> for CliError {
    fn from(fatal: Fatal) -> Self {
        Self::Failed(fatal.0)
    }
}

impl From<ServiceError> for CliError {
    fn from(error: ServiceError) -> Self {
        Self::Failed(error.to_string())
    }
}

impl From<LogError> for CliError {
    fn from(error: LogError) -> Self {
        Self::Failed(error.to_string())
    }
}

impl From<ReplayError> for CliError {
    fn from(defect: ReplayError) -> Self {
        Self::Failed(defect.to_string())
    }
}

impl ConfigArgs {
    fn overrides(&self) -> Vec<(String, String)> {
        let set = self.overrides.iter().cloned();
        set.map(|Override { key, value }| (key, value)).collect()
    }

    /// Reads files, environment and overrides, one on top of the other.
    pub fn load(&self) -> Result<Loaded, CliError> {
        let overrides = self.overrides();
        Ok(config::load(&self.config, environment(), overrides)?)
    }

    /// The same for commands that count nothing, where no rule is needed.
    pub fn load_without_rules(&self) -> Result<Loaded, CliError> {
        let overrides = self.overrides();
        Ok(config::load_without_rules(
            &self.config,
            environment(),
            overrides,
        )?)
    }
}

/// The process's variables, as far as they are Unicode.
fn environment() -> impl Iterator<Item = (String, String)> {
    std::env::vars_os().filter_map(|(k, v)| Some((k.into_string().ok()?, v.into_string().ok()?)))
}

/// `hotprefix schema`
pub fn print_schema(args: SchemaArgs) -> Result<(), CliError> {
    let schema = match args.name {
        SchemaName::Alert => schema::alert(),
        SchemaName::Window => schema::window(),
        SchemaName::Config => schema::config(),
    };
    Output::stdout().text(schema::text(&schema))
}
