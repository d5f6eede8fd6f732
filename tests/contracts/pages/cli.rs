//! `docs/cli.md`: the help of every command.

use std::fmt::Write as _;

use clap::{Command, CommandFactory as _};
use hotprefix::cli::Cli;

use super::{NOTE, compare};

/// Wide enough for the examples, whatever terminal the test runs in.
const WIDTH: usize = 100;

#[test]
fn cli_page_is_what_help_says() {
    compare("cli.md", &page());
}

fn page() -> String {
    // Names in usage lines are known only once the command is built.
    let mut root = Cli::command().term_width(WIDTH);
    root.build();
    let mut text = format!(
        "# Command line\n\n{NOTE}\n\n`hotprefix man --out DIR` writes the same as man pages, `hotprefix completions SHELL` prints what \
         completes it in a shell.\n"
    );
    section(&mut text, "hotprefix", root.clone());
    for command in root.get_subcommands().filter(|c| c.get_name() != "help") {
        section(
            &mut text,
            &format!("hotprefix {}", command.get_name()),
            command.clone(),
        );
    }
    text
}

fn section(text: &mut String, name: &str, command: Command) {
    // The value that a variable has where the test runs is no part of the page.
    let mut command = command
        .term_width(WIDTH)
        .mut_args(|arg| arg.hide_env_values(true));
    let help = command.render_long_help().to_string();
    let help: Vec<_> = help.lines().map(str::trim_end).collect();
    write!(
        text,
        "\n## {name}\n\n```text\n{}\n```\n",
        help.join("\n").trim_end()
    )
    .expect("a String takes everything");
}
