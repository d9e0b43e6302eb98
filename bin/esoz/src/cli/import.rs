use std::fs::{self, File, Metadata};
use std::io::{BufRead, BufReader, Write as _, stderr, stdin};
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result};
use esoz_import::{
    Counts, ImportLimits, ImportPorts, Importer, Progress, PseudonymousLines, Report, UnknownFields,
};
use esoz_kernel::system::SystemClock;
use indicatif::{HumanCount, ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde_json::json;

use super::args::ImportArgs;
use super::print;
use crate::compose::patient_key::PatientKey;
use crate::compose::stores::Stores;
use crate::config::Config;

/// How much of an input is read at once.
const BUFFER_BYTES: usize = 1 << 17;

const CANNOT_BE_OPENED: &str = "cannot be opened";

/// Imports the files in order. Fails if a line is bad.
pub(crate) async fn run(config: &Config, args: ImportArgs) -> Result<ExitCode> {
    let unknown_fields = if args.keep_unknown { UnknownFields::Keep } else { UnknownFields::Refuse };
    let pseudonymous_lines =
        if args.pseudonymous { PseudonymousLines::Accept } else { PseudonymousLines::Refuse };
    let limits = ImportLimits { max_line_bytes: args.max_line_bytes, ..ImportLimits::default() };
    // Before a store is created: an empty one would answer other commands as if nothing were wrong.
    config.pseudonyms()?;
    for file in args.files.iter().filter(|file| !is_stdin(file)) {
        require_readable(file).with_context(|| file.display().to_string())?;
    }
    let stores =
        if args.dry_run { Stores::open(config).await? } else { Stores::open_or_create(config).await? };
    let patient_key = PatientKey::of(config, &stores)?;
    if args.dry_run {
        patient_key.require_unrecorded().await?;
    } else {
        patient_key.require().await?;
    }
    let importer = importer(config, &stores, limits)?
        .with_unknown_fields(unknown_fields)
        .with_pseudonymous_lines(pseudonymous_lines)
        .with_dry_run(args.dry_run);
    let mut bad_lines = 0;
    for file in &args.files {
        bad_lines += import(&importer, file, &args).await.with_context(|| file.display().to_string())?;
    }
    Ok(if bad_lines == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// An importer that writes to these stores.
pub(crate) fn importer(config: &Config, stores: &Stores, limits: ImportLimits) -> Result<Importer> {
    Ok(Importer::new(ports(config, stores)?, limits))
}

/// The ports of an import to these stores, and of an export from them.
pub(crate) fn ports(config: &Config, stores: &Stores) -> Result<ImportPorts> {
    Ok(ImportPorts {
        legal_entities: stores.legal_entity_registry.clone(),
        contracts: stores.contract_registry.clone(),
        registries: stores.registry_records.clone(),
        device_requests: stores.device_requests.clone(),
        dispenses: stores.dispense_registry.clone(),
        pseudonyms: config.pseudonyms()?,
        drfo_digests: config.drfo_digests()?,
        clock: Arc::new(SystemClock),
    })
}

fn is_stdin(path: &Path) -> bool {
    path == Path::new("-")
}

/// Refuses a file that cannot be read. A pipe is left alone: what is read of it is gone, and to open it may mean to wait for its writer.
fn require_readable(path: &Path) -> Result<()> {
    let metadata = fs::metadata(path).context(CANNOT_BE_OPENED)?;
    anyhow::ensure!(!metadata.is_dir(), "is a folder; name the files in it");
    if metadata.is_file() {
        File::open(path).context(CANNOT_BE_OPENED)?;
    }
    Ok(())
}

/// Imports one file. Returns the number of its bad lines.
async fn import(importer: &Importer, path: &Path, args: &ImportArgs) -> Result<u64> {
    let is_stdin = is_stdin(path);
    // The size of a file; `None` for what can pause, such as a pipe.
    let (input, bytes): (Box<dyn BufRead + Send>, Option<u64>) = if is_stdin {
        (Box::new(BufReader::with_capacity(BUFFER_BYTES, stdin())), None)
    } else {
        let file = File::open(path).context(CANNOT_BE_OPENED)?;
        let metadata = file.metadata().ok().filter(Metadata::is_file);
        (Box::new(BufReader::with_capacity(BUFFER_BYTES, file)), metadata.map(|metadata| metadata.len()))
    };
    let name = if is_stdin { "standard input".to_owned() } else { path.display().to_string() };
    let bar = progress_bar(bytes)?;
    let report = importer.run(input, |progress| show(&name, &bar, progress)).await;
    bar.finish_and_clear();
    let report = report?;
    if args.output.json {
        print(&as_json(&name, &report, args.dry_run).to_string())?;
    } else {
        summarize(&name, &report, args.dry_run)?;
    }
    Ok(report.bad_lines)
}

/// A progress bar on a terminal: how far the import is, at which rate, and the time left. Elsewhere it draws nothing.
fn progress_bar(bytes: Option<u64>) -> Result<ProgressBar> {
    let bar = ProgressBar::with_draw_target(bytes, ProgressDrawTarget::stderr());
    let template = match bytes {
        Some(_) => "{bar:40} {bytes}/{total_bytes} {msg}, {eta} left",
        None => "{spinner} {bytes} {msg}",
    };
    bar.set_style(ProgressStyle::with_template(template).context("the progress bar")?);
    Ok(bar)
}

/// The lines so far, and how many a second that is.
fn rate(lines: u64, elapsed: Duration) -> String {
    // Below a millisecond there is no rate to tell.
    let millis = u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX).max(1);
    let per_second = lines.saturating_mul(1_000) / millis;
    format!("{} lines, {}/s", HumanCount(lines), HumanCount(per_second))
}

fn show(name: &str, bar: &ProgressBar, progress: &Progress<'_>) {
    bar.suspend(|| {
        for bad in progress.bad_lines {
            // A closed standard error leaves nowhere to report to.
            let _ = writeln!(stderr(), "{name}, line {}: {}", bad.line, bad.reason);
        }
    });
    bar.set_position(progress.bytes);
    bar.set_message(rate(progress.lines, bar.elapsed()));
}

fn summarize(name: &str, report: &Report, is_dry_run: bool) -> Result<()> {
    let nothing_written = if is_dry_run { "; a dry run, nothing is written" } else { "" };
    print(&format!("{name}: {} lines, {} bad{nothing_written}", report.lines, report.bad_lines))?;
    for (kind, Counts { created, updated, kept, valid }) in &report.totals {
        print(&if is_dry_run {
            format!("  {kind}: {valid} valid")
        } else {
            format!("  {kind}: {created} created, {updated} updated, {kept} kept")
        })?;
    }
    Ok(())
}

fn as_json(name: &str, report: &Report, is_dry_run: bool) -> serde_json::Value {
    let totals = report.totals.iter().map(|(kind, Counts { created, updated, kept, valid })| {
        let counts = if is_dry_run {
            json!({"valid": valid})
        } else {
            json!({"created": created, "updated": updated, "kept": kept})
        };
        (kind.to_string(), counts)
    });
    let bad = report.listed_bad_lines.iter().map(|bad| json!({"line": bad.line, "reason": bad.reason}));
    json!({
        "file": name,
        "dry_run": is_dry_run,
        "lines": report.lines,
        "bad_lines": report.bad_lines,
        "listed_bad_lines": bad.collect::<Vec<_>>(),
        "totals": totals.collect::<serde_json::Map<_, _>>(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rate_is_of_the_whole_time() {
        for (lines, millis, expected) in [
            (0, 0, "0 lines, 0/s"),
            (1_234_567, 10_000, "1,234,567 lines, 123,456/s"),
            (7, 2_000, "7 lines, 3/s"),
        ] {
            assert_eq!(rate(lines, Duration::from_millis(millis)), expected);
        }
    }
}
