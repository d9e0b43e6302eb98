use std::collections::BTreeSet;
use std::io::{BufWriter, ErrorKind, IsTerminal as _, Write as _, stderr, stdout};
use std::process::ExitCode;

use anyhow::{Context as _, Result};
use esoz_import::{ExportCounts, ExportError, ExportProgress, ExportTotals, Exporter, RecordKind};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::args::ExportArgs;
use super::import::ports;
use crate::compose::stores::Stores;
use crate::config::Config;

/// The size of the output buffer in bytes.
const BUFFER_BYTES: usize = 1 << 16;

/// Exports the records of the kinds, or of all kinds. Fails if a record is not exported, or an import would refuse one.
pub(crate) async fn run(config: &Config, args: ExportArgs) -> Result<ExitCode> {
    let kinds: BTreeSet<RecordKind> =
        if args.kinds.is_empty() { RecordKind::ALL.into() } else { args.kinds.into_iter().collect() };
    let stores = Stores::open(config).await?;
    let bar = progress_bar()?;
    let output = BufWriter::with_capacity(BUFFER_BYTES, stdout().lock());
    let exported =
        Exporter::new(ports(config, &stores)?).run(&kinds, output, |progress| show(&bar, progress)).await;
    bar.finish_and_clear();
    match exported {
        // The reader closed the pipe, e.g. `head`. The output is incomplete, so the exit code is 1.
        Err(ExportError::Write(error)) if error.kind() == ErrorKind::BrokenPipe => Ok(ExitCode::FAILURE),
        exported => Ok(summarize(&exported?)),
    }
}

/// A progress indicator on a terminal; elsewhere, and when the records themselves go to the terminal, it draws nothing.
fn progress_bar() -> Result<ProgressBar> {
    let target =
        if stdout().is_terminal() { ProgressDrawTarget::hidden() } else { ProgressDrawTarget::stderr() };
    let style = ProgressStyle::with_template("{spinner} {human_pos} records ({per_sec})");
    let bar = ProgressBar::with_draw_target(None, target);
    bar.set_style(style.context("the progress bar")?);
    Ok(bar)
}

fn show(bar: &ProgressBar, progress: &ExportProgress<'_>) {
    bar.suspend(|| {
        for problem in progress.problems {
            print_error(problem);
        }
    });
    bar.set_position(progress.totals.values().map(|counts| counts.exported).sum());
}

/// Prints how many records of each kind were exported.
fn summarize(totals: &ExportTotals) -> ExitCode {
    for (kind, counts) in totals {
        let exported = format!("{kind}: {} exported", counts.exported);
        print_error(&if counts.is_complete() {
            exported
        } else {
            format!(
                "{exported}, {} of them refused by an import; {} unreadable",
                counts.refused, counts.unreadable
            )
        });
    }
    let is_complete = totals.values().all(ExportCounts::is_complete);
    if is_complete { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Prints a line to standard error, since standard output has the records. A closed standard error leaves nowhere to report to.
fn print_error(line: &str) {
    let _ = writeln!(stderr(), "{line}");
}
