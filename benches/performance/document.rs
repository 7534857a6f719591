//! Writes `docs/performance.md`: the prose of `document.md`, and tables in place of its `{{…}}`.

use std::fs;

use crate::{
    binary, chart,
    figures::{Figures, Row, Samples},
    goals,
};

const PROSE: &str = "benches/performance/document.md";

pub fn write(figures: &Figures) {
    fs::write(binary::project("docs/performance.md"), render(figures)).unwrap();
    fs::write(
        binary::project("docs/performance.svg"),
        chart::draw(figures),
    )
    .unwrap();
}

pub fn render(figures: &Figures) -> String {
    let machine = format!("{}; {}", figures.machine, figures.rustc);
    let parts = [
        ("machine", machine),
        ("goals", goals::table(figures)),
        ("wall", wall(figures)),
        ("bounds", bounds(figures)),
        ("calls", calls(figures)),
        ("sweeps", sweeps(figures)),
        ("memory", memory(figures)),
        ("throughput", throughput(figures)),
        ("decisions", decisions(figures)),
        ("standing", standing(figures)),
        ("limit", limit(figures)),
        ("taken", taken(figures)),
    ];
    let mut text = fs::read_to_string(binary::project(PROSE)).unwrap();
    for (name, part) in parts {
        text = text.replace(&format!("{{{{{name}}}}}"), part.trim_end());
    }
    text
}

/// A table of Markdown.
pub fn table(heads: &[&str], rows: impl IntoIterator<Item = Vec<String>>) -> String {
    let line = |cells: &[String]| format!("| {} |\n", cells.join(" | "));
    let heads: Vec<String> = heads.iter().map(|head| (*head).to_owned()).collect();
    let rule: Vec<String> = heads.iter().map(|_| "---".to_owned()).collect();
    let body: String = rows.into_iter().map(|row| line(&row)).collect();
    if body.is_empty() {
        return "Not measured yet.\n".to_owned();
    }
    line(&heads) + &line(&rule) + &body
}

/// The median, with the least and the most where there are several.
fn spread(samples: Option<&Samples>, digits: usize) -> String {
    let Some(samples) = samples else {
        return "–".to_owned();
    };
    let median = decimal(samples.median(), digits);
    if samples.0.len() == 1 {
        return median;
    }
    let (least, most) = (
        decimal(samples.least(), digits),
        decimal(samples.most(), digits),
    );
    format!("{median} ({least} – {most})")
}

/// With commas between thousands.
pub fn decimal(value: f64, digits: usize) -> String {
    let text = format!("{value:.digits$}");
    let (whole, rest) = text
        .split_once('.')
        .map_or((text.as_str(), None), |(whole, rest)| (whole, Some(rest)));
    let mut grouped = String::new();
    for (position, digit) in whole.chars().enumerate() {
        if position > 0 && (whole.len() - position).is_multiple_of(3) && !grouped.ends_with('-') {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    rest.map_or(grouped.clone(), |rest| format!("{grouped}.{rest}"))
}

fn rows<'a>(figures: &'a Figures, name: &str) -> &'a [Row] {
    figures
        .measurements
        .get(name)
        .map_or(&[], |measurement| &measurement.rows)
}

fn users(row: &Row) -> String {
    row.users
        .map_or_else(String::new, |users| decimal(crate::calls::number(users), 0))
}

fn wall(figures: &Figures) -> String {
    let comparisons = ["wall-0ms", "wall-20ms", "wall-100ms", "scale"];
    let all = comparisons.iter().flat_map(|name| rows(figures, name));
    table(
        &[
            "accounts",
            "latency",
            "what",
            "seconds",
            "its sweep",
            "last write",
            "calls",
            "times",
        ],
        all.map(|row| {
            let times = row.samples.values().map(|samples| samples.0.len()).max();
            vec![
                users(row),
                format!("{} ms", row.latency_ms.unwrap_or_default()),
                subject(&row.subject),
                spread(row.get("seconds"), 1),
                spread(row.get("sweep"), 2),
                spread(row.get("last write"), 1),
                row.get("calls")
                    .map_or_else(|| "–".to_owned(), |calls| decimal(calls.median(), 0)),
                times.unwrap_or_default().to_string(),
            ]
        }),
    )
}

fn bounds(figures: &Figures) -> String {
    table(
        &["at once", "seconds", "its sweep", "last write"],
        rows(figures, "bounds").iter().map(|row| {
            vec![
                row.subject.clone(),
                spread(row.get("seconds"), 2),
                spread(row.get("sweep"), 2),
                spread(row.get("last write"), 2),
            ]
        }),
    )
}

/// What a row is called in the tables.
fn subject(name: &str) -> String {
    match name {
        "lists" => "baseline, lists of 200".to_owned(),
        "one" => "baseline, one request a person".to_owned(),
        "calls alone" => "the sweep's calls alone".to_owned(),
        other => other.to_owned(),
    }
}

fn calls(figures: &Figures) -> String {
    let cell = |row: &Row, figure: &str| decimal(row.get(figure).unwrap().median(), 0);
    table(
        &[
            "accounts",
            "changes",
            "GitLab calls",
            "floor",
            "Lookup calls",
            "floor",
        ],
        rows(figures, "calls").iter().map(|row| {
            vec![
                users(row),
                format!("{} ({})", row.subject, cell(row, "changes")),
                cell(row, "gitlab calls"),
                cell(row, "gitlab floor"),
                cell(row, "lookup calls"),
                cell(row, "lookup floor"),
            ]
        }),
    )
}

fn sweeps(figures: &Figures) -> String {
    let free = rows(figures, "sweeps").iter();
    let waited = rows(figures, "sweeps-waited-for");
    let seconds = |row: &Row| {
        let same = |other: &&Row| other.subject == row.subject && other.users == row.users;
        spread(
            waited.iter().find(same).and_then(|row| row.get("seconds")),
            0,
        )
    };
    table(
        &["accounts", "run", "s of GitLab", "GitLab calls", "s waited"],
        free.map(|row| {
            vec![
                users(row),
                row.subject.clone(),
                spread(row.get("gitlab seconds"), 1),
                spread(row.get("gitlab calls"), 0),
                seconds(row),
            ]
        }),
    )
}

fn memory(figures: &Figures) -> String {
    table(
        &[
            "accounts",
            "MiB when ready",
            "after a full run",
            "after a light one",
        ],
        rows(figures, "memory").iter().map(|row| {
            vec![
                users(row),
                spread(row.get("MiB at start"), 1),
                spread(row.get("MiB at most"), 1),
                spread(row.get("MiB after a light run"), 1),
            ]
        }),
    )
}

fn throughput(figures: &Figures) -> String {
    table(
        &[
            "consumer",
            "messages a second",
            "processor µs a message",
            "times",
        ],
        rows(figures, "throughput").iter().map(|row| {
            let rates = row.get("messages a second");
            vec![
                row.subject.clone(),
                spread(rates, 0),
                spread(row.get("processor µs a message"), 0),
                rates.map_or(0, |rates| rates.0.len()).to_string(),
            ]
        }),
    )
}

fn decisions(figures: &Figures) -> String {
    table(
        &["what", "median", "confidence interval", "rate"],
        rows(figures, "decisions").iter().map(|row| {
            let nanoseconds = row.get("nanoseconds").unwrap();
            let milliseconds = |value: f64| decimal(value / 1e6, 2);
            let seconds = nanoseconds.median() / 1e9;
            let rate = match (row.get("bytes"), row.get("elements")) {
                (Some(bytes), _) => format!("{} MB/s", decimal(bytes.median() / 1e6 / seconds, 0)),
                (None, Some(elements)) => {
                    format!(
                        "{} ns an account",
                        decimal(nanoseconds.median() / elements.median(), 0)
                    )
                }
                (None, None) => String::new(),
            };
            vec![
                row.subject.clone(),
                format!("{} ms", milliseconds(nanoseconds.median())),
                format!(
                    "{} – {}",
                    milliseconds(nanoseconds.least()),
                    milliseconds(nanoseconds.most())
                ),
                rate,
            ]
        }),
    )
}

fn standing(figures: &Figures) -> String {
    let ready = rows(figures, "ready").iter().map(|row| {
        let times = row.get("milliseconds").map_or(0, |samples| samples.0.len());
        vec![
            format!("start to ready, {times} times"),
            format!("{} ms", spread(row.get("milliseconds"), 0)),
        ]
    });
    let idle = rows(figures, "idle").iter().map(|row| {
        vec![
            format!("idle for a minute, {}", row.subject),
            format!(
                "{} % of one core",
                spread(row.get("percent of one core"), 2)
            ),
        ]
    });
    table(&["what", "measured"], ready.chain(idle))
}

fn limit(figures: &Figures) -> String {
    table(
        &[
            "limit",
            "accounts",
            "requests",
            "seconds",
            "requests ÷ limit",
            "429s",
        ],
        rows(figures, "limit").iter().map(|row| {
            let cell = |figure: &str, digits| spread(row.get(figure), digits);
            vec![
                row.subject.clone(),
                users(row),
                cell("requests", 0),
                cell("seconds", 1),
                cell("seconds at the limit", 1),
                cell("429s", 0),
            ]
        }),
    )
}

fn taken(figures: &Figures) -> String {
    table(
        &[
            "measurement",
            "taken (UTC)",
            "took",
            "load average at its start",
        ],
        figures.measurements.iter().map(|(name, measurement)| {
            vec![
                name.clone(),
                measurement.taken.strftime("%Y-%m-%d %H:%M").to_string(),
                format!("{} s", decimal(measurement.seconds, 0)),
                decimal(measurement.load_before, 2),
            ]
        }),
    )
}
