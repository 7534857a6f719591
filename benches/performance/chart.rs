//! One picture: cost against size, both axes by powers of ten.

use std::fmt::Write;

use crate::{document::decimal, figures::Figures};

const WIDTH: f64 = 380.0;
const HEIGHT: f64 = 260.0;
const LEFT: f64 = 60.0;
const TOP: f64 = 50.0;
/// From the left edge of one panel to that of the next.
const STEP: f64 = 480.0;

/// What is drawn, with a colour that people with any sight tell apart (Okabe and Ito) and a dash of
/// its own.
const SUBJECTS: [(&str, &str, &str, &str); 3] = [
    ("service", "this service", "#0072b2", ""),
    ("lists", "baseline, lists of 200", "#e69f00", "6 3"),
    ("one", "baseline, one request a person", "#d55e00", "2 3"),
];

/// A panel: one figure against the number of accounts.
struct Panel {
    title: &'static str,
    figure: &'static str,
    left: f64,
    low: f64,
    high: f64,
}

pub fn draw(figures: &Figures) -> String {
    let panels = [
        Panel {
            title: "calls of one run, 1 % changes",
            figure: "calls",
            left: LEFT,
            low: 1.0,
            high: 5.0,
        },
        Panel {
            title: "seconds of one run, 20 ms a call",
            figure: "seconds",
            left: LEFT + STEP,
            low: -1.0,
            high: 3.0,
        },
    ];
    let mut svg = String::from(
        r##"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 940 400" font-family="sans-serif" font-size="12">
<title>Cost of one run against the number of accounts</title>
<rect width="940" height="400" fill="#ffffff"/>
"##,
    );
    for panel in &panels {
        panel.axes(&mut svg);
        for (subject, _, colour, dash) in SUBJECTS {
            panel.line(
                &mut svg,
                &points(figures, subject, panel.figure),
                colour,
                dash,
            );
        }
    }
    legend(&mut svg);
    svg.push_str("</svg>\n");
    svg
}

/// Accounts and the figure's median, of the comparison at 20 ms.
fn points(figures: &Figures, subject: &str, figure: &str) -> Vec<(f64, f64)> {
    let rows = figures
        .measurements
        .get("wall-20ms")
        .map_or(&[][..], |measurement| &measurement.rows);
    rows.iter()
        .filter(|row| row.subject == subject)
        .filter_map(|row| Some((crate::calls::number(row.users?), row.get(figure)?.median())))
        .collect()
}

impl Panel {
    /// From a thousand to a hundred thousand accounts.
    fn x(&self, accounts: f64) -> f64 {
        self.left + (accounts.log10() - 3.0) / 2.0 * WIDTH
    }

    fn y(&self, value: f64) -> f64 {
        TOP + HEIGHT - (value.log10() - self.low) / (self.high - self.low) * HEIGHT
    }

    fn axes(&self, svg: &mut String) {
        let (left, right, bottom) = (self.left, self.left + WIDTH, TOP + HEIGHT);
        let _ = writeln!(
            svg,
            r#"<text x="{left}" y="30" font-size="14">{}</text>"#,
            self.title
        );
        let mut power = self.low;
        while power <= self.high {
            let (value, y) = (10_f64.powf(power), self.y(10_f64.powf(power)));
            let label = decimal(value, usize::from(value < 1.0));
            let _ = writeln!(
                svg,
                r##"<line x1="{left}" y1="{y:.1}" x2="{right}" y2="{y:.1}" stroke="#dddddd"/>"##
            );
            let _ = writeln!(
                svg,
                r#"<text x="{:.1}" y="{:.1}" text-anchor="end">{label}</text>"#,
                left - 6.0,
                y + 4.0
            );
            power += 1.0;
        }
        for accounts in [1e3, 1e4, 1e5] {
            let x = self.x(accounts);
            let _ = writeln!(
                svg,
                r##"<line x1="{x:.1}" y1="{TOP}" x2="{x:.1}" y2="{bottom}" stroke="#dddddd"/>"##
            );
            let _ = writeln!(
                svg,
                r#"<text x="{x:.1}" y="{:.1}" text-anchor="middle">{}</text>"#,
                bottom + 18.0,
                decimal(accounts, 0)
            );
        }
        let _ = writeln!(
            svg,
            r#"<text x="{:.1}" y="{:.1}" text-anchor="middle">accounts</text>"#,
            left + WIDTH / 2.0,
            bottom + 36.0
        );
    }

    fn line(&self, svg: &mut String, points: &[(f64, f64)], colour: &str, dash: &str) {
        let places: Vec<String> = points
            .iter()
            .map(|(accounts, value)| format!("{:.1},{:.1}", self.x(*accounts), self.y(*value)))
            .collect();
        let _ = writeln!(
            svg,
            r#"<polyline points="{}" fill="none" stroke="{colour}" stroke-width="2" stroke-dasharray="{dash}"/>"#,
            places.join(" ")
        );
        for (accounts, value) in points {
            let (x, y) = (self.x(*accounts), self.y(*value));
            let _ = writeln!(
                svg,
                r#"<circle cx="{x:.1}" cy="{y:.1}" r="3.5" fill="{colour}"/>"#
            );
        }
    }
}

fn legend(svg: &mut String) {
    let mut x = LEFT;
    for (_, label, colour, dash) in SUBJECTS {
        let _ = writeln!(
            svg,
            r#"<line x1="{x}" y1="380" x2="{}" y2="380" stroke="{colour}" stroke-width="2" stroke-dasharray="{dash}"/>"#,
            x + 30.0
        );
        let _ = writeln!(svg, r#"<text x="{}" y="384">{label}</text>"#, x + 38.0);
        x += 240.0;
    }
}
