//! The `hotprefix` command.

use std::process::ExitCode;

use clap::Parser as _;
use hotprefix::cli::{self, Cli, CliError, Command};

fn main() -> ExitCode {
    let result = match Cli::parse().command {
        Command::Run(args) => cli::run(&args),
        Command::Demo(args) => cli::demo(args),
        Command::Inspect(args) => cli::inspect(&args),
        Command::Check(args) => cli::check(&args),
        Command::Schema(args) => cli::print_schema(args),
        Command::Tail(args) => cli::tail(&args),
        Command::Replay(args) => cli::replay(&args),
        Command::Health(args) => cli::health(&args),
        Command::Reset(args) => cli::reset(&args),
        Command::Completions(args) => cli::completions(args),
        Command::Man(args) => cli::man(&args),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            if !matches!(error, CliError::Closed) {
                eprintln!("hotprefix: {error}");
            }
            ExitCode::from(error.exit_code())
        }
    }
}
