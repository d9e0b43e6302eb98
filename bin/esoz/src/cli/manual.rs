use std::process::ExitCode;

use anyhow::{Context as _, Result};
use clap::CommandFactory as _;

use super::args::Cli;
use super::print;

/// Prints the completions for a shell.
pub(crate) fn completions(shell: clap_complete::Shell) -> Result<ExitCode> {
    let mut completions = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "esoz", &mut completions);
    print_page(completions)
}

/// Prints the manual page.
pub(crate) fn page() -> Result<ExitCode> {
    let mut page = Vec::new();
    clap_mangen::Man::new(Cli::command()).render(&mut page).context("making the manual page")?;
    print_page(page)
}

fn print_page(page: Vec<u8>) -> Result<ExitCode> {
    print(String::from_utf8(page).context("making the page")?.trim_end())?;
    Ok(ExitCode::SUCCESS)
}
