//! Logs go to standard error: one line an event, JSON unless a person reads them. Spans go to a collector, if one is configured.

mod json_lines;

use std::io::{IsTerminal as _, Write as _, stderr};
use std::panic::PanicHookInfo;
use std::time::Duration;

use anyhow::{Context as _, Result, anyhow};
use esoz_otlp::Export;
use opentelemetry::trace::Tracer;
use tracing::level_filters::LevelFilter;
use tracing::{Level, Metadata, Subscriber};
use tracing_subscriber::filter::{FilterExt as _, Targets, filter_fn};
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{Layer, Registry};

use crate::config::Config;
use crate::telemetry::instrumented_ports;
use json_lines::{JsonLines, SpanFields};

/// How long the last spans may hold up the exit.
const LAST_SPANS: Duration = Duration::from_secs(1);

/// What is said of the program's work while it runs.
pub(crate) struct Telling {
    export: Option<Export>,
}

impl Telling {
    /// Starts to log, and to send spans, as configured. Must be called inside a Tokio runtime.
    pub(crate) fn start(config: &Config) -> Result<Self> {
        let export = config.otlp()?.map(|settings| Export::start(&settings)).transpose();
        let export = export.context("`tracing`")?;
        subscriber(config, stderr, stderr().is_terminal(), export.as_ref().map(Export::tracer))?
            .try_init()
            .map_err(|error| anyhow!("logging could not be started: {error}"))?;
        std::panic::set_hook(Box::new(tell_of_panic));
        Ok(Self { export })
    }

    /// Sends the spans that are left.
    pub(crate) async fn stop(self) {
        if let Some(export) = self.export {
            export.stop(LAST_SPANS).await;
        }
    }
}

/// Whoever hears lines and spans, as `esoz serve` has it: lines as configured go to the writer, spans to where the tracer takes them.
///
/// # Errors
/// When `log.level` or `log.format` is impossible.
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
    let spans = tracer.map(|tracer| {
        // Where in the code and on which thread is of no use to whoever looks at a request.
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
    Ok(Registry::default().with(spans).with(lines(config, writer, is_terminal)?))
}

/// Whether it is a span of a request, of its use case or of a store. Lines are not sent: the log has them.
fn is_our_span(metadata: &Metadata<'_>) -> bool {
    let is_ours = metadata.target().starts_with("esoz") || metadata.target() == instrumented_ports::SPANS;
    metadata.is_span() && is_ours && *metadata.level() <= Level::INFO
}

/// What writes the lines.
fn lines<S, W>(config: &Config, writer: W, is_terminal: bool) -> Result<Box<dyn Layer<S> + Send + Sync>>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    let level = LevelFilter::from_level(config.log_level()?);
    // The libraries below us say at `info` what only their authors want to know, and at `trace` what nobody may: some print what they
    // send and receive. No configuration lifts this.
    let heard = Targets::new()
        .with_default(LevelFilter::WARN)
        // What is no HTTP is a stranger's business, and would be an error each time.
        .with_target("actix_http", LevelFilter::OFF)
        .with_target("esoz", level);
    let lines = tracing_subscriber::fmt::layer().with_writer(writer);
    Ok(if config.log_as_json(is_terminal)? {
        // Whatever the level of a line, the spans around it say what it belongs to.
        let ours = filter_fn(|metadata| metadata.is_span() && metadata.target().starts_with("esoz"));
        let heard = heard.or(ours.with_max_level_hint(LevelFilter::INFO));
        lines
            .with_ansi(false)
            .fmt_fields(SpanFields)
            .event_format(JsonLines::new())
            .with_filter(heard)
            .boxed()
    } else {
        // A line for a person is short: without what is around it.
        let heard = heard.and(filter_fn(is_line));
        lines.with_ansi(is_terminal && has_colours()).with_target(false).with_filter(heard).boxed()
    })
}

fn is_line(metadata: &Metadata<'_>) -> bool {
    metadata.is_event()
}

/// Says where, in a line like any other. What a panic says itself may hold what nobody may see, and is not told.
fn tell_of_panic(panic: &PanicHookInfo<'_>) {
    let place = panic.location().map(ToString::to_string);
    tracing::error!(place, "a panic");
}

/// On a terminal, unless its user wants none (no-color.org).
fn has_colours() -> bool {
    std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
}

/// Tells why the command failed, with all causes.
pub(crate) fn complain(error: &anyhow::Error) {
    // Nobody is left to tell when standard error is gone.
    let _ = writeln!(stderr(), "esoz: {error:#}");
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

    /// The lines that are written in that form, at the level `trace`, while something is done.
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
        let lines = lines(&config, move || writer.clone(), false).unwrap();
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
            std::panic::set_hook(Box::new(tell_of_panic));
            let caught = std::panic::catch_unwind(|| panic!("of a patient"));
            std::panic::set_hook(before);
            assert!(caught.is_err());
        });
        let [line] = lines.as_slice() else { panic!("{lines:?}") };
        assert!(
            line.contains("a panic") && line.contains("logging.rs:") && !line.contains("patient"),
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
