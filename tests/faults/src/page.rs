//! The table of results in the book.

use std::fmt::Write as _;
use std::path::Path;

use anyhow::{Context as _, Result};
use esoz_kernel::Clock as _;
use esoz_kernel::system::SystemClock;

use crate::report::Report;

/// The page.
const PAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/explanation/faults.md");
const BEGIN: &str = "<!-- results: written by `cargo xtask faults --write` -->";
const END: &str = "<!-- end of results -->";

/// Puts the results of a run in the place of those that are there.
///
/// # Errors
/// When the page cannot be written, or has no place for them.
pub fn write(reports: &[Report], run: &str) -> Result<()> {
    let path = Path::new(PAGE);
    let page = std::fs::read_to_string(path).with_context(|| format!("reading {}", path.display()))?;
    let (before, rest) = page.split_once(BEGIN).context("the page has no place where results begin")?;
    let (_, after) = rest.split_once(END).context("the page has no place where results end")?;
    let page = format!("{before}{BEGIN}\n{}\n{END}{after}", table(reports, run)?);
    std::fs::write(path, page).with_context(|| format!("writing {}", path.display()))
}

fn table(reports: &[Report], run: &str) -> Result<String> {
    let today = SystemClock.now().to_string();
    let today = today.split('T').next().unwrap_or_default();
    let mut text = format!("\n{today}: {run}.\n\n");
    text += "| scenario | operations | acknowledged | unanswered, resolved | kills | events, repeated | audit rows | longest silence | found |\n";
    text += "|---|--:|--:|--:|--:|--:|--:|--:|---|\n";
    for report in reports {
        let found = if report.passed() { String::from("nothing") } else { report.findings.len().to_string() };
        let mut name = report.name.clone();
        for note in &report.notes {
            write!(name, "; {note}")?;
        }
        writeln!(
            text,
            "| {name} | {} | {} | {}, {} | {} | {}, {} | {} | {} ms | {found} |",
            report.operations,
            report.acknowledged,
            report.unanswered,
            report.resolved,
            report.kills,
            report.events,
            report.repeated,
            report.audited,
            report.longest_silence.as_millis(),
        )?;
    }
    Ok(text)
}

/// The machine, as far as it matters: cores and memory.
pub fn machine() -> String {
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let memory = std::fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let kilobytes = memory.split_whitespace().nth(1).and_then(|number| number.parse::<u64>().ok());
    format!(
        "{cores} cores, {} GB of memory, clients and stores on the same machine",
        kilobytes.unwrap_or_default() / 1_000_000
    )
}
