use std::path::Path;

use anyhow::{Context as _, Result};
use clap::CommandFactory as _;

use super::args::Cli;
use super::print;

/// Prints the completions of a shell.
pub(crate) fn completions(shell: clap_complete::Shell) -> Result<()> {
    let mut completions = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "esoz", &mut completions);
    print(String::from_utf8(completions).context("generating the completions")?.trim_end())
}

/// Prints the manual page.
pub(crate) fn page() -> Result<()> {
    let mut page = Vec::new();
    clap_mangen::Man::new(Cli::command()).render(&mut page).context("rendering the manual page")?;
    print(String::from_utf8(page).context("rendering the manual page")?.trim_end())
}

/// Writes the manual page of every command into a folder.
pub(crate) fn pages(folder: &Path) -> Result<()> {
    clap_mangen::generate_to(Cli::command(), folder)
        .with_context(|| format!("writing the manual pages into {}", folder.display()))
}
