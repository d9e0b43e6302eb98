//! The log goes to standard error, one line per event: text on a terminal, JSON elsewhere. Spans are exported to a collector, if one is
//! configured.

mod json_lines;
mod level;
mod line_writer;

use std::fs::File;
use std::io::{self, IsTerminal as _, Write as _, stderr};
use std::os::fd::AsFd as _;
use std::panic::PanicHookInfo;
use std::time::Duration;

use anyhow::{Context as _, Result, anyhow};
use opentelemetry::trace::Tracer;
use tracing::level_filters::LevelFilter;
use tracing::{Level, Metadata, Subscriber};
use tracing_subscriber::filter::{FilterExt as _, filter_fn};
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{Layer, Registry};

use crate::config::Config;
use crate::telemetry::instrumented_ports::SPANS;
use crate::telemetry::span_export::{self, Export};
use json_lines::{JsonLines, SpanFields};
use line_writer::LineWriter;

pub(crate) use level::LogLevel;
pub(crate) use line_writer::dropped_lines;

/// How long the exit waits for the last spans to be exported, and for the last log lines to be written.
const FLUSH_TIMEOUT: Duration = Duration::from_secs(1);

/// Log output and export of spans. Writes the last lines when it is dropped.
pub(crate) struct Logging {
    lines: LineWriter,
    level: LogLevel,
    export: Option<Export>,
}

impl Logging {
    /// Installs the configured subscriber, and a hook that logs panics. Must be called inside a Tokio runtime.
    pub(crate) fn start(config: &Config) -> Result<Self> {
        let export = span_export::start(config)?;
        let lines = stderr_lines().context("starting the log")?;
        let writer = lines.clone();
        let tracer = export.as_ref().map(Export::tracer);
        let (subscriber, level) = reloadable(config, move || writer.clone(), stderr().is_terminal(), tracer)?;
        subscriber.try_init().map_err(|error| anyhow!("starting the log: {error}"))?;
        std::panic::set_hook(Box::new(log_panic));
        Ok(Self { lines, level, export })
    }

    /// The level of the log, to be changed.
    pub(crate) fn level(&self) -> LogLevel {
        self.level.clone()
    }

    /// Exports the spans that are left.
    pub(crate) async fn stop_export(&mut self) {
        if let Some(export) = self.export.take() {
            export.stop(FLUSH_TIMEOUT).await;
        }
    }
}

impl Drop for Logging {
    fn drop(&mut self) {
        self.lines.close(FLUSH_TIMEOUT);
    }
}

/// Prints the error that ends the program to standard error. Gives up after [`FLUSH_TIMEOUT`]: a full pipe would block the exit.
pub(crate) fn print_error(error: &anyhow::Error) {
    // A closed standard error leaves nowhere to report to.
    if let Ok(mut lines) = stderr_lines() {
        let _ = lines.write_all(format!("esoz: {error:#}\n").as_bytes());
        lines.close(FLUSH_TIMEOUT);
    }
}

/// Lines to standard error. Around the lock of the standard library, which a write that blocks would hold.
fn stderr_lines() -> io::Result<LineWriter> {
    LineWriter::start(File::from(stderr().as_fd().try_clone_to_owned()?), log_dropped)
}

fn log_dropped(lines: u64) {
    tracing::error!(lines, "log lines were dropped, because standard error was not read in time");
}

/// The subscriber of `esoz serve`: log lines as configured go to the writer, spans to the tracer.
///
/// # Errors
/// When `log.level` or `log.format` is invalid.
pub fn subscriber<W, T>(
    config: &Config,
    writer: W,
    is_terminal: bool,
    tracer: Option<T>,
) -> Result<impl Subscriber + Send + Sync + use<W, T>>
where
    W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
    T: Tracer + Send + Sync + 'static,
    T::Span: Send + Sync,
{
    Ok(reloadable(config, writer, is_terminal, tracer)?.0)
}

fn reloadable<W, T>(
    config: &Config,
    writer: W,
    is_terminal: bool,
    tracer: Option<T>,
) -> Result<(impl Subscriber + Send + Sync + use<W, T>, LogLevel)>
where
    W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
    T: Tracer + Send + Sync + 'static,
    T::Span: Send + Sync,
{
    let spans = tracer.map(|tracer| {
        // The place in the code and the thread say nothing about a request.
        let layer = tracing_opentelemetry::layer()
            .with_tracer(tracer)
            .with_location(false)
            .with_threads(false)
            .with_target(false)
            .with_level(false)
            .with_tracked_inactivity(false)
            .with_context_activation(false);
        layer.with_filter(filter_fn(is_our_span).with_max_level_hint(LevelFilter::INFO))
    });
    let (lines, level) = lines(config, writer, is_terminal)?;
    Ok((Registry::default().with(spans).with(lines), level))
}

/// Whether it is a span of a request, a use case or a store. Events are not exported: the log has them.
fn is_our_span(metadata: &Metadata<'_>) -> bool {
    let is_ours = metadata.target().starts_with("esoz") || metadata.target() == SPANS;
    metadata.is_span() && is_ours && *metadata.level() <= Level::INFO
}

type Lines<S> = Box<dyn Layer<S> + Send + Sync>;

/// The layer that writes log lines, and its level.
fn lines<S, W>(config: &Config, writer: W, is_terminal: bool) -> Result<(Lines<S>, LogLevel)>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    let level = config.log_level()?;
    let (targets, level) = LogLevel::filter(level);
    let lines = tracing_subscriber::fmt::layer().with_writer(writer);
    let lines = if config.log_as_json(is_terminal)? {
        // Spans are enabled at every log level, so that each line has the fields of its request.
        let ours = filter_fn(|metadata| metadata.is_span() && metadata.target().starts_with("esoz"));
        let targets = targets.or(ours.with_max_level_hint(LevelFilter::INFO));
        lines
            .with_ansi(false)
            .fmt_fields(SpanFields)
            .event_format(JsonLines::new())
            .with_filter(targets)
            .boxed()
    } else {
        // On a terminal a line is short: without spans.
        let targets = targets.and(filter_fn(is_event));
        lines.with_ansi(is_terminal && has_colours()).with_target(false).with_filter(targets).boxed()
    };
    Ok((lines, level))
}

fn is_event(metadata: &Metadata<'_>) -> bool {
    metadata.is_event()
}

/// Logs the location of a panic. Its message is left out: it may hold personal data.
fn log_panic(panic: &PanicHookInfo<'_>) {
    let place = panic.location().map(ToString::to_string);
    tracing::error!(place, "the program panicked");
}

/// Whether colours are allowed (no-color.org).
fn has_colours() -> bool {
    std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::sync::{Arc, Mutex};

    use tracing::{info, info_span, trace, warn};

    use super::*;

    #[derive(Clone, Default)]
    struct Written(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Written {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    /// Captures the log lines of `work` in this format, at level `trace`.
    pub(super) fn lines_of(format: &str, work: impl FnOnce()) -> Vec<String> {
        let variables = [
            ("ESOZ_PATIENT__KEY", "sixteen bytes and more"),
            ("ESOZ_LOG__LEVEL", "trace"),
            ("ESOZ_LOG__FORMAT", format),
        ];
        let environment = variables.map(|(name, value)| (name.into(), value.into()));
        let config = Config::from_sources(None, environment.into_iter()).unwrap();
        let written = Written::default();
        let writer = written.clone();
        let (lines, _) = lines(&config, move || writer.clone(), false).unwrap();
        tracing::subscriber::with_default(Registry::default().with(lines), work);
        let text = String::from_utf8(written.0.lock().unwrap().clone()).unwrap();
        text.lines().map(str::to_owned).collect()
    }

    #[test]
    fn at_every_level_others_are_heard_from_warnings_on() {
        for format in ["json", "text"] {
            let lines = lines_of(format, || {
                trace!(target: "esoz_http", "ours");
                info!(target: "mongodb", "a body");
                trace!(target: "hyper::proto", "a header");
                warn!(target: "mongodb", "theirs");
            });
            let [ours, theirs] = lines.as_slice() else { panic!("{lines:?}") };
            assert!(ours.contains("ours") && theirs.contains("theirs"), "{lines:?}");
        }
    }

    #[test]
    fn a_panic_is_told_by_its_place_alone() {
        let lines = lines_of("json", || {
            let before = std::panic::take_hook();
            std::panic::set_hook(Box::new(log_panic));
            let caught = std::panic::catch_unwind(|| panic!("of a patient"));
            std::panic::set_hook(before);
            assert!(caught.is_err());
        });
        let [line] = lines.as_slice() else { panic!("{lines:?}") };
        assert!(
            line.contains("the program panicked")
                && line.contains("logging.rs:")
                && !line.contains("patient"),
            "{line}"
        );
    }

    #[test]
    fn a_line_for_a_person_says_what_it_says_itself() {
        let lines = lines_of("text", || {
            info_span!(target: "esoz_http", "request", around = "x")
                .in_scope(|| info!(target: "esoz_http", own = 1, "done"));
        });
        let [line] = lines.as_slice() else { panic!("{lines:?}") };
        assert!(line.ends_with("INFO done own=1"), "{line}");
    }
}
