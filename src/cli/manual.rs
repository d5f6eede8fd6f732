//! `hotprefix completions` and `hotprefix man`: the command line as shells and man read it.

use std::fs;

use clap::{Command, CommandFactory as _};
use clap_mangen::Man;

use super::{Cli, CliError, CompletionsArgs, ManArgs, Output};

/// Prints a shell's completions.
pub fn completions(args: CompletionsArgs) -> Result<(), CliError> {
    // Into memory first: clap_complete panics where stdout is closed.
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "hotprefix", &mut script);
    Output::stdout().text(script)
}

/// Prints `hotprefix(1)`, or writes it and a page for each command.
pub fn man(args: &ManArgs) -> Result<(), CliError> {
    let Some(folder) = &args.out else {
        let mut page = Vec::new();
        Man::new(documented())
            .render(&mut page)
            .map_err(|e| CliError::Failed(format!("man page: {e}")))?;
        return Output::stdout().text(page);
    };
    fs::create_dir_all(folder)
        .and_then(|()| clap_mangen::generate_to(documented(), folder))
        .map_err(|e| CliError::Failed(format!("{}: {e}", folder.display())))
}

/// Without the values that variables happen to have here, and without a page for `help`.
fn documented() -> Command {
    Cli::command()
        .disable_help_subcommand(true)
        .mut_subcommands(|c| c.mut_args(|arg| arg.hide_env_values(true)))
}
