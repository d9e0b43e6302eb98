//! The sequence diagrams of the writing methods: who asks whom in which order, and where a kill is survived.

use std::fmt::Write as _;

use anyhow::{Context as _, Result};

use self::Step::{Ask, Kill, Reply, Within};

/// The distance between two participants, and between two steps.
const COLUMN: usize = 200;
const ROW: usize = 34;
const LEFT: usize = 95;
const TOP: usize = 30;

/// One row of a diagram.
enum Step {
    /// One asks another, named by their places.
    Ask(usize, usize, &'static str),
    /// The answer to the one who began.
    Reply(usize, usize, &'static str),
    /// One does something by itself.
    Within(usize, &'static str),
    /// A kill here is survived; the page says how.
    Kill(&'static str),
}

struct Sequence {
    file: &'static str,
    title: &'static str,
    participants: &'static [&'static str],
    steps: &'static [Step],
}

const SEQUENCES: [Sequence; 6] = [
    Sequence {
        file: "explanation/sequence-whole.svg",
        title: "From the request to the event log",
        participants: &["client", "esoz", "MongoDB", "relay", "Kafka", "event log"],
        steps: &[
            Ask(0, 1, "stop a dispense"),
            Kill("A"),
            Ask(1, 2, "one write: status, event, key"),
            Kill("C"),
            Reply(1, 0, "200"),
            Within(2, "the event is in the outbox"),
            Ask(3, 2, "claim, by lease"),
            Kill("F"),
            Ask(3, 4, "publish, acks=all"),
            Kill("G"),
            Ask(3, 2, "remove from the outbox"),
            Ask(5, 4, "read"),
            Within(5, "store, by its id"),
            Kill("H"),
            Ask(5, 4, "commit the offset"),
        ],
    },
    Sequence {
        file: "explanation/sequence-create.svg",
        title: "Create a dispense",
        participants: &["client", "esoz", "PostgreSQL", "MongoDB"],
        steps: &[
            Ask(0, 1, "POST …/device_dispenses"),
            Ask(1, 2, "token; legal entity"),
            Ask(1, 2, "person, employee, devices, …"),
            Ask(1, 3, "device request, its other dispenses (at the same time)"),
            Within(1, "decide on these facts"),
            Kill("A"),
            Ask(1, 3, "begin; mark the request, if it is as it was read"),
            Ask(1, 3, "look for active dispenses again"),
            Ask(1, 3, "insert the dispense with its event and its key"),
            Kill("B"),
            Ask(1, 3, "commit (majority, journal)"),
            Kill("C"),
            Reply(1, 0, "201"),
        ],
    },
    Sequence {
        file: "explanation/sequence-signed.svg",
        title: "Complete a dispense; mark one in error",
        participants: &["client", "esoz", "PostgreSQL", "media storage", "MongoDB"],
        steps: &[
            Ask(0, 1, "PATCH …, signed_data"),
            Ask(1, 2, "token"),
            Within(1, "verify the container: one signer, JSON"),
            Ask(1, 2, "tax id of the user; legal entity"),
            Ask(1, 4, "dispense and device request"),
            Within(1, "decide on these facts; if refused, nothing is kept"),
            Kill("A"),
            Ask(1, 3, "keep the container"),
            Kill("D"),
            Ask(1, 4, "read and decide once more"),
            Ask(1, 4, "update, if it is as it was read: record, history, link, event, key"),
            Kill("B"),
            Ask(1, 4, "commit (majority, journal)"),
            Kill("C"),
            Reply(1, 0, "200"),
        ],
    },
    Sequence {
        file: "explanation/sequence-stop.svg",
        title: "Stop a dispense; expire one",
        participants: &["client", "esoz", "PostgreSQL", "MongoDB"],
        steps: &[
            Ask(0, 1, "PATCH …/actions/stop"),
            Ask(1, 2, "token; legal entity"),
            Kill("A"),
            Ask(1, 3, "update, if in_progress and the caller's: status, event, key"),
            Kill("C"),
            Reply(1, 0, "200"),
            Ask(1, 3, "else: read, and say why it is refused"),
            Reply(1, 0, "404, 409"),
        ],
    },
    Sequence {
        file: "explanation/sequence-contract-division.svg",
        title: "Create, update, delete a contract division",
        participants: &["client", "esoz", "PostgreSQL"],
        steps: &[
            Ask(0, 1, "POST, PUT or DELETE"),
            Ask(1, 2, "api key; token"),
            Kill("A"),
            Ask(1, 2, "begin; lock and read"),
            Within(1, "decide, under the locks"),
            Kill("E"),
            Ask(1, 2, "row, audit row, key; commit"),
            Kill("C"),
            Reply(1, 0, "201, 200"),
        ],
    },
    Sequence {
        file: "explanation/sequence-event.svg",
        title: "From the outbox to the topic, and into the event log",
        participants: &["MongoDB", "relay", "Kafka", "consumer", "PostgreSQL"],
        steps: &[
            Ask(1, 0, "claim entities with events"),
            Kill("F"),
            Ask(1, 2, "publish, acks=all"),
            Kill("G"),
            Ask(1, 0, "remove from the outbox"),
            Ask(3, 2, "read"),
            Ask(3, 4, "store, its id is the key"),
            Kill("H"),
            Ask(3, 2, "commit the offset"),
        ],
    },
];

/// Draws every diagram: its path under `docs/`, and its text.
pub(crate) fn drawings() -> Result<Vec<(&'static str, String)>> {
    SEQUENCES.iter().map(|sequence| Ok((sequence.file, drawing(sequence)?))).collect()
}

fn drawing(sequence: &Sequence) -> Result<String> {
    let Sequence { title, participants, steps, .. } = sequence;
    let last = participants.len().checked_sub(1).context("a diagram without participants")?;
    let (width, height) = (last * COLUMN + 2 * LEFT, steps.len() * ROW + TOP + 40);
    let mut svg = format!(
        r##"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" font-family="sans-serif" font-size="12" fill="#7a7a7a" role="img">
<title>{title}</title>
<defs><marker id="a" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" orient="auto-start-reverse"><path d="M0,0 L8,4 L0,8 z" fill="#2a6fdb"/></marker></defs>
"##
    );
    let x = |participant: usize| LEFT + participant * COLUMN;
    for (number, name) in participants.iter().enumerate() {
        let x = x(number);
        writeln!(svg, r#"<text x="{x}" y="18" text-anchor="middle" font-weight="bold">{name}</text>"#)?;
        writeln!(svg, r##"<line x1="{x}" y1="26" x2="{x}" y2="{}" stroke="#7775"/>"##, height - 10)?;
    }
    for (number, step) in steps.iter().enumerate() {
        let y = TOP + number * ROW + 26;
        match *step {
            Ask(from, to, text) | Reply(from, to, text) => {
                let dashes = if matches!(step, Reply(..)) { r#" stroke-dasharray="4 3""# } else { "" };
                writeln!(
                    svg,
                    r##"<line x1="{}" y1="{y}" x2="{}" y2="{y}" stroke="#2a6fdb" stroke-width="1.5"{dashes} marker-end="url(#a)"/>"##,
                    x(from),
                    x(to)
                )?;
                writeln!(svg, r#"<text x="{}" y="{}">{text}</text>"#, x(from.min(to)) + 8, y - 7)?;
            }
            Within(at, text) => {
                let x = x(at);
                writeln!(
                    svg,
                    r##"<rect x="{}" y="{}" width="8" height="16" fill="#7773" stroke="#777"/>"##,
                    x - 4,
                    y - 14
                )?;
                writeln!(svg, r#"<text x="{}" y="{}">{text}</text>"#, x + 10, y - 2)?;
            }
            Kill(letter) => {
                let right = x(last);
                writeln!(
                    svg,
                    r##"<line x1="{LEFT}" y1="{y}" x2="{right}" y2="{y}" stroke="#d23" stroke-dasharray="2 5"/>"##
                )?;
                writeln!(
                    svg,
                    r##"<text x="{}" y="{}" fill="#d23" font-weight="bold">kill {letter}</text>"##,
                    LEFT - 48,
                    y + 4
                )?;
            }
        }
    }
    svg.push_str("</svg>\n");
    Ok(svg)
}
