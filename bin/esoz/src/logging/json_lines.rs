//! A line of the log as one flat JSON object: what the line itself says, and what the spans around it say.

use std::fmt;

use serde_json::{Map, Value};
use tracing::{Event, Subscriber};
use tracing_subscriber::fmt::format::{Format, Json, JsonFields, Writer};
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormattedFields};
use tracing_subscriber::registry::{LookupSpan, Scope};

/// Makes the lines. Times are UTC, as in RFC 3339, in microseconds.
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

impl<S> FormatEvent<S, JsonFields> for JsonLines
where
    S: Subscriber + for<'a> LookupSpan<'a>,
{
    fn format_event(
        &self,
        context: &FmtContext<'_, S, JsonFields>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let mut line = String::new();
        self.line.format_event(context, Writer::new(&mut line), event)?;
        let line = line.trim_end();
        writer.write_str(line.strip_suffix('}').unwrap_or(line))?;
        for (name, value) in around(context) {
            // What the line says itself counts, not what is around it.
            if event.metadata().fields().field(&name).is_none() {
                write!(writer, ",{}:{value}", Value::String(name))?;
            }
        }
        writeln!(writer, "}}")
    }
}

/// The fields of the spans around a line; of two with one name that of the inner span. Those with a dot in their names are for whoever
/// collects spans.
fn around<S>(context: &FmtContext<'_, S, JsonFields>) -> Map<String, Value>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
{
    let mut fields = Map::new();
    for span in context.event_scope().into_iter().flat_map(Scope::from_root) {
        let extensions = span.extensions();
        let text =
            extensions.get::<FormattedFields<JsonFields>>().map_or("", |formatted| formatted.fields.as_str());
        let of_span: Map<String, Value> = serde_json::from_str(text).unwrap_or_default();
        fields.extend(of_span.into_iter().filter(|(name, _)| !name.contains('.')));
    }
    fields
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
            request.record("trace_id", "t\"{}");
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
            "request_id": "r", "trace_id": "t\"{}", "use_case": "mine", "depth": 1, "nested": "a}}",
        });
        assert_eq!(line, expected);
    }
}
