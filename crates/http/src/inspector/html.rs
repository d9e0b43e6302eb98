//! The page and its rows. The stream sends the same rows, so that each is written once.

use std::fmt::{self, Display, Formatter, Write as _};

use esoz_events::LoggedEvent;
use esoz_kernel::time::rfc3339_millis;
use esoz_kernel::{SecretString, Timestamp};

use super::request_log::{CAPACITY, LoggedRequest};
use super::samples::{SampleCall, Samples};

/// The page.
pub(crate) const PAGE: &str = "/";
/// The style sheet and the script of the page.
pub(crate) const STYLE: &str = "/inspector/page.css";
pub(crate) const SCRIPT: &str = "/inspector/page.js";
/// The server-sent events of what is new.
pub(crate) const STREAM: &str = "/inspector/stream";

/// Text between tags or in quotes, which cannot end them.
struct Text<T>(T);

impl<T: Display> Display for Text<T> {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
        for char in self.0.to_string().chars() {
            match char {
                '&' => formatter.write_str("&amp;"),
                '<' => formatter.write_str("&lt;"),
                '>' => formatter.write_str("&gt;"),
                '"' => formatter.write_str("&quot;"),
                '\'' => formatter.write_str("&#39;"),
                other => formatter.write_char(other),
            }?;
        }
        Ok(())
    }
}

/// A time of day, with the date for who points at it.
struct Time(Timestamp);

impl Display for Time {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
        let whole = rfc3339_millis(self.0);
        let (_, time) = whole.split_once('T').unwrap_or_default();
        let time = time.trim_end_matches('Z');
        write!(formatter, r#"<time datetime="{whole}" title="{whole}">{time}</time>"#)
    }
}

/// A part of the page; nothing where there is nothing to show.
struct Part<T>(Option<T>);

impl<T: Display> Display for Part<T> {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|part| part.fmt(formatter))
    }
}

/// The row of a request.
pub(crate) fn request_row(LoggedRequest { began_at, request, .. }: &LoggedRequest) -> String {
    let class = match request.status {
        ..400 => "ok",
        400..500 => "refused",
        _ => "failed",
    };
    let record =
        Part(request.record.map(|id| format!(r#"<div class="note">record <code>{id}</code></div>"#)));
    let word = request.outcome.filter(|word| request.message.as_deref() != Some(*word));
    let outcome = Part(word.map(|word| format!("<b>{}</b> ", word.replace('_', "_<wbr>"))));
    let reason = Part(
        request
            .reason
            .map(|reason| format!(r#"<div class="note">reason <code>{}</code></div>"#, Text(reason))),
    );
    let message = Part(request.message.as_deref().map(Text));
    let faults = request
        .faults
        .iter()
        .map(|(entry, text)| format!("<li><code>{}</code> {}</li>", Text(entry), Text(text)));
    let faults: String = faults.collect();
    let faults = Part((!faults.is_empty()).then(|| format!("<ul>{faults}</ul>")));
    // Where a line may break.
    let route = Text(&request.route).to_string().replace('/', "/<wbr>");
    let micros = request.elapsed.as_micros();
    format!(
        r#"<tr class="{class}"><td>{time}</td><td><b>{status}</b></td><td><span class="method">{method}</span> <code>{route}</code>{record}<div class="note">request <code>{request_id}</code></div></td><td>{outcome}{message}{faults}{reason}</td><td>{whole}.{tenth} ms</td></tr>"#,
        time = Time(*began_at),
        status = request.status,
        method = request.method,
        whole = micros / 1_000,
        tenth = micros % 1_000 / 100,
        request_id = Text(&request.request_id),
    )
}

/// The rows of events, in their order; `None` where they cannot be read.
pub(super) fn event_rows(events: Option<&[LoggedEvent]>) -> String {
    let note = match events {
        None => "The event log cannot be read now.",
        Some([]) => "No event yet. A request that changes a status makes one.",
        Some(events) => return events.iter().map(event_row).collect(),
    };
    format!(r#"<tr class="empty"><td colspan="4">{note}</td></tr>"#)
}

fn event_row(event: &LoggedEvent) -> String {
    let changes = event.properties.attributes().into_iter().map(|(name, value)| {
        let value = Part(value.map(|value| format!(" → <code>{}</code>", Text(value))));
        format!("<div>{}{value}</div>", Text(name))
    });
    format!(
        "<tr><td>{}</td><td>{} <code>{}</code></td><td>{}</td><td><code>{}</code></td></tr>",
        Time(event.event_time),
        Text(&event.entity_type),
        event.entity_id,
        changes.collect::<String>(),
        event.id,
    )
}

/// The whole page, with the requests oldest first and the rows of the events, if the event log is served.
pub(crate) fn page(
    requests: &[LoggedRequest],
    events: Option<&str>,
    samples: Option<&Samples>,
    now: Timestamp,
) -> String {
    let newest = requests.last().map_or(0, |logged| logged.sequence);
    let rows = if requests.is_empty() {
        r#"<tr class="empty"><td colspan="5">No request yet. Send one, and it appears here.</td></tr>"#
            .to_owned()
    } else {
        requests.iter().rev().map(request_row).collect()
    };
    let events = Part(events.map(|rows| {
        format!(
            r#"<section>
<h2>Events</h2>
<p>What was published, newest first, as <code>GET /api/events</code> shows it. An event follows its request within a second or two.</p>
<table id="events">
<thead><tr><th>Time (UTC)</th><th>Record</th><th>Change</th><th>Event id</th></tr></thead>
<tbody>{rows}</tbody>
</table>
</section>"#
        )
    }));
    let docs = if cfg!(feature = "swagger") { r#"<a href="/docs">Try the API</a>"# } else { "" };
    format!(
        r#"<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>esoz: requests and events</title>
<link rel="icon" href="data:,">
<link rel="stylesheet" href="{STYLE}">
<script src="{SCRIPT}" defer></script>
<noscript><meta http-equiv="refresh" content="10"></noscript>
</head>
<body>
<header>
<h1>esoz</h1>
<nav>{docs}<a href="/openapi.json">OpenAPI</a><a href="/health/ready">Health</a>{to_samples}</nav>
<p id="state"><noscript><span>As of {now} UTC; without JavaScript the page reloads every 10 seconds.</span></noscript></p>
</header>
<main>
<div class="log">
<section>
<h2>Requests</h2>
<p>The last {CAPACITY} requests to the API, newest first. A refusal tells the rule that refused it. Bodies and headers are not kept. A path is shown as its route, one that is not found as the log has it.</p>
<table id="requests" data-newest="{newest}" data-capacity="{CAPACITY}" data-stream="{STREAM}">
<thead><tr><th>Began (UTC)</th><th>Status</th><th>Request</th><th>Outcome</th><th>Took</th></tr></thead>
<tbody>{rows}</tbody>
</table>
</section>
{events}
</div>
{samples}
</main>
<footer>The book is in the folder <code>docs</code> of the source; start with <code>docs/tutorial.md</code>.</footer>
</body>
</html>
"#,
        to_samples = Part(samples.map(|_| r##"<a href="#samples">Samples to try</a>"##)),
        now = Time(now),
        samples = Part(samples.map(aside)),
    )
}

/// What a visitor may try, and may copy.
fn aside(Samples { callers, records, calls }: &Samples) -> String {
    let titled = calls.iter().filter_map(|call| Some((call.title?, call)));
    let calls: String = titled.map(|(title, call)| call_link(title, call)).collect();
    let calls = if cfg!(feature = "swagger") {
        format!(
            "<h2>Try it</h2><p>Each opens with its ids and tokens filled in: press <i>Execute</i>.</p><ul>{calls}</ul>"
        )
    } else {
        String::new()
    };
    let records: String = records.iter().map(|record| copyable(record.name, &record.id)).collect();
    let tokens = callers.iter().map(|caller| {
        let shown = |what: &str, secret: &SecretString| {
            (!secret.is_empty()).then(|| copyable(&format!("{}: {what}", caller.name), secret.expose()))
        };
        format!("{}{}", Part(shown("token", &caller.token)), Part(shown("api key", &caller.api_key)))
    });
    let tokens: String = tokens.collect();
    format!(
        r#"<aside id="samples">
{calls}
<h2>Ids and tokens</h2>
<p>Of invented data, valid for this server alone. Each start of the demo makes new ones to try.</p>
<dl>{records}{tokens}</dl>
</aside>"#
    )
}

fn call_link(title: &str, SampleCall { operation, group, .. }: &SampleCall) -> String {
    let group = group.replace(' ', "%20");
    format!("<li><a href=\"/docs#/{group}/{operation}\">{}</a></li>", Text(title))
}

fn copyable(name: &str, value: &str) -> String {
    format!("<div><dt>{}</dt><dd><code>{}</code></dd></div>", Text(name), Text(value))
}

#[cfg(test)]
mod tests {
    use esoz_events::Properties;
    use esoz_kernel::{EventId, UserId, Uuid};

    use super::super::request_log::EndedRequest;
    use super::super::request_log::tests::{log, refused};
    use super::*;

    const HOSTILE: &str = "<script>alert('1')</script>\" onclick=\"x&y";

    fn row(request: EndedRequest) -> String {
        let log = log();
        log.record(request);
        log.after(0).iter().map(request_row).collect()
    }

    #[test]
    fn a_refusal_is_shown_with_its_rule_its_record_and_its_text() {
        let row = row(EndedRequest { faults: vec![("$.id".into(), "is unknown".into())], ..refused() });
        for part in [
            r#"<tr class="refused"><td><time datetime="2026-01-31T12:00:00.121Z""#,
            ">12:00:00.121</time></td><td><b>409</b></td>",
            r#"<span class="method">PATCH</span> <code>/<wbr>api/<wbr>patients/<wbr>{patient_id}/"#,
            "record <code>00000000-0000-0000-0000-000000000007</code>",
            "<b>not_<wbr>in_<wbr>progress</b> It is stopped",
            "<li><code>$.id</code> is unknown</li>",
            r#"<div class="note">request <code>request</code></div></td>"#,
            "<td>1.2 ms</td></tr>",
        ] {
            assert!(row.contains(part), "{part} is not in {row}");
        }
    }

    #[test]
    fn no_text_becomes_markup() {
        let hostile = || HOSTILE.to_owned();
        let request = EndedRequest {
            route: hostile(),
            message: Some(hostile()),
            faults: vec![(hostile(), hostile())],
            request_id: hostile(),
            ..refused()
        };
        let event = LoggedEvent {
            id: EventId::new(Uuid::nil()),
            event_type: hostile(),
            entity_type: hostile(),
            entity_id: Uuid::nil(),
            properties: Properties::parse(&serde_json::json!({HOSTILE: {"new_value": HOSTILE}}).to_string())
                .unwrap(),
            event_time: Timestamp::UNIX_EPOCH,
            changed_by: UserId::new(Uuid::nil()),
        };
        let log = log();
        log.record(request);
        let page = page(&log.after(0), Some(&event_rows(Some(&[event]))), None, Timestamp::UNIX_EPOCH);
        assert!(!page.contains("<script>alert") && !page.contains("</script>\" onclick"), "{page}");
        let escaped = "&lt;script&gt;alert(&#39;1&#39;)&lt;/";
        // In the path a line may break after a slash.
        assert_eq!(page.matches(escaped).count(), 8, "{page}");
        assert!(page.contains(r#"data-newest="1""#), "{page}");
    }

    #[test]
    fn a_page_without_requests_events_and_samples_says_so() {
        let page = page(&[], Some(&event_rows(Some(&[]))), None, Timestamp::UNIX_EPOCH);
        assert!(page.contains("No request yet") && page.contains("No event yet"), "{page}");
        assert!(!page.contains("Ids and tokens"), "{page}");
    }
}
