//! `hotprefix completions` and `hotprefix man`: the command line as shells and man read it.

use std::fs;
use std::io::{self, Write};

use clap::{Command, CommandFactory as _};
use clap_mangen::Man;

use super::{Cli, CliError, CompletionsArgs, ManArgs, Output};

/// Prints a shell's completions.
pub fn completions(args: CompletionsArgs) -> Result<(), CliError> {
    // Into memory first: `clap_complete` panics where stdout is closed.
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "hotprefix", &mut script);
    Output::stdout().text(script)
}

/// Prints `hotprefix(1)`, or writes it and a page for each command.
pub fn man(args: &ManArgs) -> Result<(), CliError> {
    let mut root = Cli::command().disable_help_subcommand(true);
    root.build();
    let Some(folder) = &args.out else {
        let page = page(root).map_err(|e| CliError::Failed(format!("man page: {e}")))?;
        return Output::stdout().text(page);
    };
    let commands: Vec<_> = root
        .get_subcommands()
        .cloned()
        .chain([root.clone()])
        .collect();
    let write = || -> io::Result<()> {
        fs::create_dir_all(folder)?;
        for command in commands {
            let name = command.get_display_name().unwrap_or("hotprefix").to_owned();
            fs::write(folder.join(name + ".1"), page(command)?)?;
        }
        Ok(())
    };
    write().map_err(|e| CliError::Failed(format!("{}: {e}", folder.display())))
}

/// A page in the order of man-pages(7). The text behind the options keeps its lines, which
/// `clap_mangen` would fill: most of it are commands.
fn page(command: Command) -> io::Result<Vec<u8>> {
    let notes = command.get_after_help().map(ToString::to_string);
    let has_commands = command.has_subcommands();
    let version = concat!("hotprefix ", env!("CARGO_PKG_VERSION"));
    let man = Man::new(command).source(version).manual("hotprefix");
    let mut text = Vec::new();
    man.render_title(&mut text)?;
    man.render_name_section(&mut text)?;
    man.render_synopsis_section(&mut text)?;
    man.render_description_section(&mut text)?;
    man.render_options_section(&mut text)?;
    if has_commands {
        man.render_subcommands_section(&mut text)?;
    }
    if let Some(notes) = notes {
        writeln!(text, ".SH NOTES\n.nf\n{}\n.fi", escaped(&notes))?;
    }
    Ok(text)
}

/// Plain text for roff: a backslash would begin a command, as would a dot or quote at the beginning of a
/// line; a bare hyphen would be printed as a dash that nobody can copy.
fn escaped(text: &str) -> String {
    let lines = text.lines().map(|line| {
        let line = line.replace('\\', "\\e").replace('-', "\\-");
        if line.starts_with(['.', '\'']) {
            format!("\\&{line}")
        } else {
            line
        }
    });
    lines.collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_would_be_a_command_to_roff_is_text() {
        assert_eq!(escaped(".TH\n'x\na\\b --c"), "\\&.TH\n\\&'x\na\\eb \\-\\-c");
    }
}
