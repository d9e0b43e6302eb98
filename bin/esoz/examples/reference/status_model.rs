//! The status model of a dispense as a page and as a drawing, from the table that the rules use.

use std::fmt::Write as _;

use anyhow::Result;
use esoz_device_dispense::{DispenseStatus, TRANSITIONS, TransitionRule, Trigger};

const BOX: (f64, f64) = (140.0, 30.0);
/// Where a new dispense comes from.
const NEW: (f64, f64) = (20.0, 150.0);
/// Half the width of a letter, by which a line leaves room for its label.
const HALF_LETTER: f64 = 3.1;
/// The same of a line of text.
const HALF_LINE: f64 = 10.0;

type Point = (f64, f64);

/// The upper left corner of a status in the drawing.
const fn place(status: DispenseStatus) -> Point {
    match status {
        DispenseStatus::Preparation => (220.0, 60.0),
        DispenseStatus::InProgress => (220.0, 200.0),
        DispenseStatus::Cancelled => (540.0, 20.0),
        DispenseStatus::Completed => (540.0, 110.0),
        DispenseStatus::Stopped => (540.0, 200.0),
        DispenseStatus::Unknown => (540.0, 290.0),
        DispenseStatus::Declined => (540.0, 380.0),
        DispenseStatus::EnteredInError => (800.0, 200.0),
    }
}

/// The height at which a line passes between the statuses of the middle, if it goes beyond them.
fn gap(rule: TransitionRule) -> Option<f64> {
    match (rule.from?, rule.to) {
        (DispenseStatus::Preparation, DispenseStatus::EnteredInError) => Some(80.0),
        (DispenseStatus::InProgress, DispenseStatus::EnteredInError) => Some(170.0),
        _ => None,
    }
}

const fn words(by: Trigger) -> &'static str {
    match by {
        Trigger::Create => "create",
        Trigger::EncounterPackage => "encounter package",
        Trigger::SocialPolicyChannel => "social-policy channel",
        Trigger::Complete => "complete",
        Trigger::Stop => "stop",
        Trigger::AutoExpire => "expire",
        Trigger::MarkInError => "mark in error",
    }
}

/// Writes the page: the drawing, and the table in words.
pub(crate) fn page() -> Result<String> {
    let mut page = String::from(
        "# Status model of a device dispense\n\n\
         The allowed transitions. Any other transition is refused with 409, and nothing changes. The message names the current status, unless an earlier rule of the method fails first: a second complete is refused because its device request is no longer active. From `completed` and `entered_in_error` nothing leads on.\n\n\
         ![The status model: the table below as a drawing](status-model.svg)\n\n\
         | from | to | by |\n|---|---|---|\n",
    );
    for TransitionRule { from, to, by } in TRANSITIONS {
        let from = from.map_or_else(|| String::from("(new)"), |from| format!("`{from}`"));
        writeln!(page, "| {from} | `{to}` | {} |", words(by))?;
    }
    page.push_str(
        "\nesoz records dispenses as `in_progress` (create), completes, stops, expires and marks them in error: [errors](errors.md) has what each method refuses. The transitions by the encounter package and \
         by the social-policy channel, and a create with the status `completed`, are made by other systems that write to the same collection. esoz shows and lists such dispenses, and applies the same table to them. A status is stored as it \
         stands here; `canceled` is read as `cancelled`.\n",
    );
    Ok(page)
}

/// Draws the table: statuses as boxes, transitions as lines.
pub(crate) fn drawing() -> Result<String> {
    let mut svg = String::from(
        r##"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 950 430" font-family="sans-serif" font-size="12" fill="#7a7a7a" role="img">
<title>The status model of a device dispense</title>
<defs><marker id="a" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" orient="auto-start-reverse"><path d="M0,0 L8,4 L0,8 z" fill="#2a6fdb"/></marker></defs>
"##,
    );
    writeln!(svg, r##"<circle cx="{}" cy="{}" r="6" fill="#777"/>"##, NEW.0, NEW.1)?;
    writeln!(svg, r#"<text x="{}" y="{}">new</text>"#, NEW.0 - 10.0, NEW.1 + 24.0)?;
    for status in DispenseStatus::ALL {
        let (x, y) = place(status);
        let (width, height) = BOX;
        writeln!(
            svg,
            r##"<rect x="{x}" y="{y}" width="{width}" height="{height}" rx="6" fill="#7771" stroke="#777"/>"##
        )?;
        writeln!(
            svg,
            r#"<text x="{}" y="{}" text-anchor="middle" font-weight="bold">{status}</text>"#,
            x + width / 2.0,
            y + 19.0
        )?;
    }
    for (number, rule) in TRANSITIONS.iter().enumerate() {
        let same = |other: &&TransitionRule| (other.from, other.to) == (rule.from, rule.to);
        // One line for all that lead from one status to another.
        if TRANSITIONS.iter().take(number).any(|earlier| same(&earlier)) {
            continue;
        }
        let by: Vec<&str> = TRANSITIONS.iter().filter(same).map(|rule| words(rule.by)).collect();
        line(&mut svg, *rule, &by.join(", "))?;
    }
    let (x, y) = (750.0, 400.0);
    writeln!(
        svg,
        r##"<polyline points="{x},{y} {},{y}" fill="none" stroke="#2a6fdb" stroke-width="1.5" stroke-dasharray="4 3"/>"##,
        x + 40.0
    )?;
    writeln!(svg, r#"<text x="{}" y="{}">{}</text>"#, x + 50.0, y + 4.0, words(Trigger::MarkInError))?;
    svg.push_str("</svg>\n");
    Ok(svg)
}

/// Draws one line with its label. What is marked in error is dashed instead: six lines would have the same label.
fn line(svg: &mut String, rule: TransitionRule, label: &str) -> Result<()> {
    let (width, height) = BOX;
    let from =
        rule.from.map_or((NEW.0 + 6.0, NEW.1), |from| (place(from).0 + width, place(from).1 + height / 2.0));
    let to = (place(rule.to).0, place(rule.to).1 + height / 2.0);
    if rule.by == Trigger::MarkInError {
        let middle = gap(rule).map(|y| {
            format!(
                " {},{y} {},{y}",
                place(DispenseStatus::Completed).0 - 10.0,
                place(DispenseStatus::Completed).0 + width + 10.0
            )
        });
        return Ok(writeln!(
            svg,
            r##"<polyline points="{},{}{} {},{}" fill="none" stroke="#2a6fdb" stroke-width="1.5" stroke-dasharray="4 3" marker-end="url(#a)"/>"##,
            from.0,
            from.1,
            middle.unwrap_or_default(),
            to.0,
            to.1
        )?);
    }
    let at = |part: f64| (from.0 + (to.0 - from.0) * part, from.1 + (to.1 - from.1) * part);
    // Nearer to the end, where lines that begin together are apart.
    let middle = 0.55;
    let half_width = f64::from(u32::try_from(label.len())?) * HALF_LETTER + 4.0;
    let room = (half_width / (to.0 - from.0).abs()).min(HALF_LINE / (to.1 - from.1).abs());
    let (before, after) = (at(middle - room), at(middle + room));
    for ((from, to), marker) in [((from, before), ""), ((after, to), r#" marker-end="url(#a)""#)] {
        writeln!(
            svg,
            r##"<polyline points="{:.0},{:.0} {:.0},{:.0}" fill="none" stroke="#2a6fdb" stroke-width="1.5"{marker}/>"##,
            from.0, from.1, to.0, to.1
        )?;
    }
    let (x, y) = at(middle);
    Ok(writeln!(svg, r#"<text x="{x:.0}" y="{:.0}" text-anchor="middle">{label}</text>"#, y + 4.0)?)
}
