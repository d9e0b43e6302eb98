//! Bars side by side, as SVG. Light and dark pages both can show it.

use std::fmt::Write as _;

/// Groups of bars over a common axis that begins at zero.
pub(super) struct Bars {
    /// What is shown.
    pub(super) title: String,
    /// What each bar in a group stands for.
    pub(super) legend: Vec<&'static str>,
    /// A label for each group and its bars, in the order of the legend; none where nothing was measured.
    pub(super) groups: Vec<(String, Vec<Option<f64>>)>,
}

const COLOURS: [&str; 4] = ["#8a8f98", "#c9a227", "#2a6fdb", "#3b9c5a"];
const WIDTH: f64 = 640.0;
const HEIGHT: f64 = 300.0;
const LEFT: f64 = 64.0;
const TOP: f64 = 56.0;
const BOTTOM: f64 = 260.0;
const TICKS: u32 = 4;

impl Bars {
    /// The picture.
    pub(super) fn svg(&self) -> String {
        let mut svg = format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" font-family=\"sans-serif\" \
             font-size=\"12\" fill=\"#777\" role=\"img\">\n<title>{}</title>\n\
             <text x=\"{LEFT}\" y=\"18\" font-size=\"14\">{}</text>\n",
            self.title, self.title
        );
        // Nothing fails to be written into a text.
        let _ = self.legend(&mut svg).and_then(|()| self.axis(&mut svg)).and_then(|()| self.bars(&mut svg));
        svg.push_str("</svg>\n");
        svg
    }

    fn legend(&self, svg: &mut String) -> std::fmt::Result {
        let mut x = LEFT;
        for (name, colour) in self.legend.iter().zip(COLOURS) {
            writeln!(svg, "<rect x=\"{x}\" y=\"30\" width=\"10\" height=\"10\" fill=\"{colour}\"/>")?;
            writeln!(svg, "<text x=\"{}\" y=\"39\">{name}</text>", x + 14.0)?;
            x += 80.0;
        }
        Ok(())
    }

    fn axis(&self, svg: &mut String) -> std::fmt::Result {
        for tick in 0..=TICKS {
            let share = f64::from(tick) / f64::from(TICKS);
            let (y, value) = (BOTTOM - share * (BOTTOM - TOP), share * self.top());
            writeln!(
                svg,
                "<line x1=\"{LEFT}\" x2=\"{WIDTH}\" y1=\"{y:.1}\" y2=\"{y:.1}\" stroke=\"#7774\"/>"
            )?;
            let x = LEFT - 6.0;
            writeln!(
                svg,
                "<text x=\"{x}\" y=\"{:.1}\" text-anchor=\"end\">{}</text>",
                y + 4.0,
                short(value)
            )?;
        }
        Ok(())
    }

    fn bars(&self, svg: &mut String) -> std::fmt::Result {
        let count = |count: usize| f64::from(u32::try_from(count).unwrap_or(u32::MAX).max(1));
        let room = (WIDTH - LEFT) / count(self.groups.len());
        let bar = room * 0.8 / count(self.legend.len());
        let mut left = LEFT;
        for (label, values) in &self.groups {
            let mut x = left + room * 0.1;
            for (value, colour) in values.iter().zip(COLOURS) {
                if let Some(value) = value {
                    let height = value / self.top() * (BOTTOM - TOP);
                    let y = BOTTOM - height;
                    let wide = bar * 0.9;
                    writeln!(
                        svg,
                        "<rect x=\"{x:.1}\" y=\"{y:.1}\" width=\"{wide:.1}\" height=\"{height:.1}\" fill=\"{colour}\"/>"
                    )?;
                    let (middle, above) = (x + wide / 2.0, y - 4.0);
                    writeln!(
                        svg,
                        "<text x=\"{middle:.1}\" y=\"{above:.1}\" text-anchor=\"middle\" font-size=\"10\">{}</text>",
                        short(*value)
                    )?;
                }
                x += bar;
            }
            let (middle, below) = (left + room / 2.0, BOTTOM + 18.0);
            writeln!(svg, "<text x=\"{middle:.1}\" y=\"{below}\" text-anchor=\"middle\">{label}</text>")?;
            left += room;
        }
        Ok(())
    }

    /// A round number that no bar is higher than.
    fn top(&self) -> f64 {
        let highest =
            self.groups.iter().flat_map(|(_, values)| values).flatten().copied().fold(0.0, f64::max);
        if highest <= 0.0 {
            return 1.0;
        }
        let power = 10_f64.powf(highest.log10().floor());
        let steps = [1.0, 2.0, 4.0, 5.0, 8.0, 10.0];
        steps.into_iter().map(|step| step * power).find(|top| *top >= highest).unwrap_or(highest)
    }
}

fn short(value: f64) -> String {
    if value >= 100.0 || value == 0.0 { format!("{value:.0}") } else { format!("{value:.1}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_value_has_its_bar_and_none_is_higher_than_the_axis() {
        let groups = vec![
            ("1 at once".to_owned(), vec![Some(1_200.0), None, Some(900.0)]),
            ("32 at once".to_owned(), vec![Some(2_400.0), Some(9_100.0), Some(3_000.0)]),
        ];
        let bars = Bars { title: "stops a second".to_owned(), legend: vec!["L1", "L2", "esoz"], groups };
        let svg = bars.svg();
        assert_eq!(svg.matches("height=\"10\"").count(), 3, "the legend");
        assert_eq!(svg.matches("<rect").count(), 3 + 5);
        assert!(bars.top() >= 9_100.0);
        assert!(svg.contains(">9100</text>") && svg.contains(">32 at once</text>"));
        assert!(svg.starts_with("<svg ") && svg.ends_with("</svg>\n"));
    }

    #[test]
    fn an_axis_ends_at_a_round_number() {
        let top = |value| {
            Bars { title: String::new(), legend: vec!["x"], groups: vec![(String::new(), vec![Some(value)])] }
                .top()
        };
        assert_eq!(
            [top(9_100.0), top(4_100.0), top(0.3), top(0.0)].map(short),
            ["10000", "5000", "0.4", "1.0"]
        );
    }
}
