//! The table of results as a picture, made from its rows. Light and dark pages both can show it.

use std::fmt::Write as _;

const WIDTH: f64 = 930.0;
/// Where the bars begin and end.
const LEFT: f64 = 340.0;
const RIGHT: f64 = 730.0;
const TOP: f64 = 64.0;
const ROW: f64 = 20.0;
/// The axis is logarithmic: from 10 ms to 10 s.
const FIRST_MS: f64 = 10.0;
const DECADES: f64 = 3.0;

/// A row of the table.
struct Scenario<'a> {
    name: &'a str,
    acknowledged: &'a str,
    /// The longest silence; none where it was not kept.
    silence_ms: Option<f64>,
    /// Whether the checker found nothing.
    is_well: bool,
}

impl<'a> Scenario<'a> {
    /// Reads a row of the table; none for any other line.
    fn of(line: &'a str) -> Option<Self> {
        let columns: Vec<&str> = line.split('|').map(str::trim).collect();
        let [_, told, _, acknowledged, _, _, _, _, silence, found, _, _] = columns[..] else { return None };
        // The head and the rule below it count nothing.
        acknowledged.parse::<u64>().ok()?;
        Some(Self {
            name: told.split(';').next()?,
            acknowledged,
            silence_ms: silence.strip_suffix(" ms").and_then(|number| number.parse().ok()),
            is_well: found == "nothing",
        })
    }
}

/// Draws the rows of a table.
pub(crate) fn drawing(table: &str) -> String {
    let scenarios: Vec<Scenario<'_>> = table.lines().filter_map(Scenario::of).collect();
    let mut svg = String::new();
    // Nothing fails to be written into a text.
    let _ = draw(&mut svg, &scenarios);
    svg
}

fn draw(svg: &mut String, scenarios: &[Scenario<'_>]) -> std::fmt::Result {
    let rows = f64::from(u32::try_from(scenarios.len()).unwrap_or(u32::MAX));
    let bottom = TOP + rows * ROW;
    let title = "The longest time without a clear answer to any client, in each scenario";
    writeln!(
        svg,
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {}\" font-family=\"sans-serif\" font-size=\"11\" fill=\"#777\" \
         role=\"img\">\n<title>{title}</title>\n<text x=\"10\" y=\"20\" font-size=\"14\">{title}</text>",
        bottom + 10.0
    )?;
    writeln!(
        svg,
        "<text x=\"{}\" y=\"{}\" text-anchor=\"end\">changes answered, lost</text>",
        WIDTH - 10.0,
        TOP - 12.0
    )?;
    for (decade, text) in (0_u32..).zip(["10 ms", "100 ms", "1 s", "10 s"]) {
        let x = LEFT + f64::from(decade) / DECADES * (RIGHT - LEFT);
        writeln!(
            svg,
            "<line x1=\"{x:.1}\" x2=\"{x:.1}\" y1=\"{}\" y2=\"{bottom}\" stroke=\"#7774\"/>",
            TOP - 6.0
        )?;
        writeln!(svg, "<text x=\"{x:.1}\" y=\"{}\" text-anchor=\"middle\">{text}</text>", TOP - 12.0)?;
    }
    for (scenario, row) in scenarios.iter().zip(0_u32..) {
        let y = TOP + f64::from(row) * ROW;
        let text = y + 13.0;
        writeln!(
            svg,
            "<text x=\"{}\" y=\"{text}\" text-anchor=\"end\">{}</text>",
            LEFT - 8.0,
            escaped(scenario.name)
        )?;
        let (verdict, colour) =
            if scenario.is_well { ("0 lost", "#2a6fdb") } else { ("see the table", "#d23") };
        if let Some(silence) = scenario.silence_ms {
            let share = ((silence / FIRST_MS).log10() / DECADES).clamp(0.005, 1.0);
            let width = share * (RIGHT - LEFT);
            writeln!(
                svg,
                "<rect x=\"{LEFT}\" y=\"{}\" width=\"{width:.1}\" height=\"12\" fill=\"{colour}\"/>",
                y + 3.0
            )?;
            writeln!(svg, "<text x=\"{:.1}\" y=\"{text}\">{silence} ms</text>", LEFT + width + 5.0)?;
        } else {
            writeln!(svg, "<text x=\"{}\" y=\"{text}\">not kept</text>", LEFT + 5.0)?;
        }
        writeln!(
            svg,
            "<text x=\"{}\" y=\"{text}\" text-anchor=\"end\">{}, {verdict}</text>",
            WIDTH - 10.0,
            scenario.acknowledged
        )?;
    }
    svg.push_str("</svg>\n");
    Ok(())
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_row_of_a_table_has_its_line() {
        let table = "| scenario | operations | acknowledged | … |\n|---|--:|--:|\n\
                     | kill, 1; 6 times | 9 | 7 | 1, 1 | 2 | 3, 0 | 4 | 151 ms | nothing | 2026-11-22 |\n\
                     | soak | 9 | 8 | 0, 0 | 0 | 0, 0 | 0 | not kept | 1 | 2026-11-22 |\n";
        let svg = drawing(table);
        assert_eq!(svg.matches("<rect").count(), 1);
        for text in [">kill, 1<", ">151 ms<", ">7, 0 lost<", ">soak<", ">not kept<", ">8, see the table<"] {
            assert!(svg.contains(text), "{text}: {svg}");
        }
    }
}
