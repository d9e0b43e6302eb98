use std::fmt::Write as _;

use anyhow::Result;
use clap::{Command, CommandFactory as _};

use crate::cli::args::Cli;

/// The help of every command, in the order of the program's own.
pub(super) fn page() -> Result<String> {
    let mut page = String::from(
        "# Command line\n\nEvery command with its help, as `esoz … --help` prints it. `esoz completions` makes completions for a shell, `esoz man` a manual page.\n",
    );
    let mut root = Cli::command();
    // Fills in what subcommands have from their parents.
    root.build();
    describe(&root, &mut page)?;
    Ok(page)
}

fn describe(command: &Command, page: &mut String) -> Result<()> {
    let name = command.get_bin_name().unwrap_or_else(|| command.get_name());
    let help = command.clone().render_help();
    writeln!(page, "\n## {name}\n\n```text\n{}\n```", help.to_string().trim_end())?;
    for subcommand in command.get_subcommands().filter(|subcommand| subcommand.get_name() != "help") {
        describe(subcommand, page)?;
    }
    Ok(())
}
