//! Formats a log line as one flat JSON object: the fields of the event and of the spans around it.

use std::fmt::{self, Debug};

use serde::Serialize;
use tracing::field::{Field, Visit};
use tracing::{Event, Subscriber};
use tracing_subscriber::field::RecordFields;
use tracing_subscriber::fmt::format::{Format, Json, Writer};
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields, FormattedFields};
use tracing_subscriber::registry::LookupSpan;

/// Formats log lines as JSON. Timestamps are RFC 3339, in UTC, with microseconds.
pub(super) struct JsonLines {
    line: Format<Json>,
}

impl JsonLines {
    pub(super) fn new() -> Self {
        Self {
            line: Format::default().json().flatten_event(true).with_current_span(false).with_span_list(false),
        }
    }
}

impl<S> FormatEvent<S, SpanFields> for JsonLines
where
    S: Subscriber + for<'a> LookupSpan<'a>,
{
    fn format_event(
        &self,
        context: &FmtContext<'_, S, SpanFields>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let mut line = String::new();
        self.line.format_event(context, Writer::new(&mut line), event)?;
        let line = line.trim_end();
        writer.write_str(line.strip_suffix('}').unwrap_or(line))?;
        let mut written = Vec::new();
        // Innermost span and latest value first: of fields with one name the event's counts, then that of the inner span, then the latest.
        for span in context.event_scope().into_iter().flatten() {
            let extensions = span.extensions();
            let fields = extensions.get::<FormattedFields<SpanFields>>();
            for (name, field) in
                fields.map(|fields| fields.fields.as_str()).into_iter().flat_map(latest_first)
            {
                if !written.iter().any(|other| other == name)
                    && event.metadata().fields().field(name).is_none()
                {
                    write!(writer, ",{field}")?;
                    written.push(name.to_owned());
                }
            }
        }
        writeln!(writer, "}}")
    }
}

/// Keeps the fields of a span as text, one JSON member per line: a later value is appended, and nothing is parsed again. Leaves out names
/// with a dot, which are for the exported spans only.
pub(super) struct SpanFields;

impl<'writer> FormatFields<'writer> for SpanFields {
    fn format_fields<R: RecordFields>(&self, writer: Writer<'writer>, fields: R) -> fmt::Result {
        let mut written = Written { writer, outcome: Ok(()) };
        fields.record(&mut written);
        written.outcome
    }

    fn add_fields(
        &self,
        current: &'writer mut FormattedFields<Self>,
        fields: &tracing::span::Record<'_>,
    ) -> fmt::Result {
        self.format_fields(current.as_writer(), fields)
    }
}

/// The names and JSON members of the kept fields, the latest first.
fn latest_first(kept: &str) -> impl Iterator<Item = (&str, &str)> {
    kept.lines().rev().filter_map(|field| Some((field.strip_prefix('"')?.split_once('"')?.0, field)))
}

struct Written<'writer> {
    writer: Writer<'writer>,
    outcome: fmt::Result,
}

impl Written<'_> {
    fn write(&mut self, field: &Field, value: &(impl Serialize + ?Sized)) {
        let name = field.name();
        if !name.contains('.') && self.outcome.is_ok() {
            let value = serde_json::to_string(value).map_err(|_| fmt::Error);
            self.outcome = value.and_then(|value| writeln!(self.writer, "\"{name}\":{value}"));
        }
    }
}

impl Visit for Written<'_> {
    fn record_f64(&mut self, field: &Field, value: f64) {
        self.write(field, &value);
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.write(field, &value);
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.write(field, &value);
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.write(field, &value);
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.write(field, value);
    }

    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.write(field, &format_args!("{value:?}"));
    }
}

#[cfg(test)]
mod tests {
    use tracing::field::Empty;
    use tracing::{error, error_span, info_span};

    use super::super::tests::lines_of;

    #[test]
    fn a_line_has_the_fields_of_its_spans_beside_its_own() {
        let lines = lines_of("json", || {
            let request = info_span!(target: "esoz_http", "request", request_id = "r", otel.kind = "server", trace_id = Empty);
            request.record("trace_id", "not yet");
            request.record("trace_id", "t\"{}\n,\"depth\":2");
            let inner =
                error_span!(target: "esoz_http", parent: &request, "use_case", use_case = "stop", depth = 1);
            inner.in_scope(
                || error!(target: "esoz_http", use_case = "mine", nested = "a}}", "it {}", "broke"),
            );
        });
        let [line] = lines.as_slice() else { panic!("{lines:?}") };
        let mut line: serde_json::Value = serde_json::from_str(line).unwrap();
        let timestamp = line["timestamp"].take();
        let time: jiff::Timestamp = timestamp.as_str().unwrap().parse().unwrap();
        assert!(time.as_second() > 0 && timestamp.as_str().unwrap().ends_with('Z'), "{timestamp}");
        let expected = serde_json::json!({
            "timestamp": null, "level": "ERROR", "target": "esoz_http", "message": "it broke",
            "request_id": "r", "trace_id": "t\"{}\n,\"depth\":2", "use_case": "mine", "depth": 1, "nested": "a}}",
        });
        assert_eq!(line, expected);
    }
}
