//! The goals, and whether they are met.

use crate::{
    document::{self, decimal},
    figures::{Figures, Row},
};

/// A goal that is measured: what was found, and whether that is good enough.
struct Verdict {
    found: String,
    met: bool,
}

/// The goals with their verdicts.
pub fn table(figures: &Figures) -> String {
    let goals: [(&str, &str, Option<Verdict>); 13] = [
        (
            "GitLab calls",
            "exactly the floor at every size",
            gitlab_calls(figures),
        ),
        (
            "Lookup calls",
            "at most the sweep's floor plus the changes",
            lookup_calls(figures),
        ),
        (
            "wall time beside one request a person",
            "at least 50 times faster",
            faster(figures, "one", 50.0),
        ),
        (
            "wall time beside lists of 200",
            "at least 3 times faster",
            faster(figures, "lists", 3.0),
        ),
        (
            "worker throughput",
            "at least 80 % of the floor consumer",
            throughput(figures),
        ),
        (
            "reading what a sweep is answered",
            "within 2 times of reading into nothing",
            reading(figures),
        ),
        ("peak memory at 20,000 accounts", "64 MiB", memory(figures)),
        ("each further account", "at most 400 bytes", slope(figures)),
        ("start to ready", "under 200 ms", ready(figures)),
        ("idle", "under 0.5 % of one core", idle(figures)),
        (
            "100,000 accounts over 10,000",
            "at most 10.5 times",
            scale(figures),
        ),
        (
            "under a rate limit",
            "within 5 % of requests ÷ limit",
            limit(figures),
        ),
        ("avoidable 429s", "none", refusals(figures)),
    ];
    let rows = goals.into_iter().map(|(measure, goal, verdict)| {
        let (found, met) = match verdict {
            Some(Verdict { found, met: true }) => (found, "yes"),
            Some(Verdict { found, met: false }) => (found, "**no**"),
            None => ("–".to_owned(), "not measured"),
        };
        vec![measure.to_owned(), goal.to_owned(), found, met.to_owned()]
    });
    document::table(&["measure", "goal", "measured", "met"], rows)
}

fn rows<'a>(figures: &'a Figures, name: &str) -> Option<&'a [Row]> {
    figures
        .measurements
        .get(name)
        .map(|measurement| measurement.rows.as_slice())
}

fn gitlab_calls(figures: &Figures) -> Option<Verdict> {
    let rows = rows(figures, "calls")?;
    let over: Vec<f64> = rows
        .iter()
        .map(|row| median(row, "gitlab calls") - median(row, "gitlab floor"))
        .collect();
    let met = over.iter().all(|calls| *calls == 0.0);
    let most = over.into_iter().fold(0.0, f64::max);
    let found = if met {
        "the floor, each time".to_owned()
    } else {
        format!("up to {most} more")
    };
    Some(Verdict { found, met })
}

fn lookup_calls(figures: &Figures) -> Option<Verdict> {
    let rows = rows(figures, "calls")?;
    let beyond = |row: &Row| median(row, "lookup calls") - median(row, "lookup floor");
    let met = rows.iter().all(|row| beyond(row) <= median(row, "changes"));
    let (most, of) = rows
        .iter()
        .map(|row| (beyond(row), median(row, "changes")))
        .fold((0.0, 0.0), |a, b| if b.0 > a.0 { b } else { a });
    let found = format!("at most {most} beyond the floor, with {of} changes");
    Some(Verdict { found, met })
}

fn faster(figures: &Figures, baseline: &str, goal: f64) -> Option<Verdict> {
    let of = |subject: &str| {
        let row = figures.row("wall-20ms", subject, Some(20_000), Some(20))?;
        Some(median(row, "seconds"))
    };
    let times = of(baseline)? / of("service")?;
    Some(Verdict {
        found: format!("{} times, at 20 ms and 20,000 accounts", decimal(times, 1)),
        met: times >= goal,
    })
}

fn throughput(figures: &Figures) -> Option<Verdict> {
    let of = |subject| {
        let row = figures.row("throughput", subject, None, None)?;
        Some(median(row, "messages a second"))
    };
    let share = 100.0 * of("worker")? / of("floor")?;
    Some(Verdict {
        found: format!("{} %", decimal(share, 0)),
        met: share >= 80.0,
    })
}

/// All that a sweep reads: GitLab's pages and Lookup's lists about the same accounts.
fn reading(figures: &Figures) -> Option<Verdict> {
    let of = |subject: &str| {
        let row = figures.row("decisions", subject, None, None)?;
        Some(median(row, "nanoseconds"))
    };
    let (pages, pages_floor) = (of("gitlab pages/service")?, of("gitlab pages/nothing")?);
    let (lists, lists_floor) = (of("lookup lists/service")?, of("lookup lists/nothing")?);
    let times = (pages + lists) / (pages_floor + lists_floor);
    Some(Verdict {
        found: format!(
            "{} times: GitLab's pages {}, Lookup's lists {}",
            decimal(times, 2),
            decimal(pages / pages_floor, 2),
            decimal(lists / lists_floor, 2)
        ),
        met: times <= 2.0,
    })
}

fn memory(figures: &Figures) -> Option<Verdict> {
    let peak = median(
        figures.row("memory", "service", Some(20_000), None)?,
        "MiB at most",
    );
    Some(Verdict {
        found: format!("{} MiB", decimal(peak, 1)),
        met: peak <= 64.0,
    })
}

fn slope(figures: &Figures) -> Option<Verdict> {
    let of = |users| {
        let row = figures.row("memory", "service", Some(users), None)?;
        Some(median(row, "MiB at most"))
    };
    let bytes = (of(100_000)? - of(20_000)?) * 1024.0 * 1024.0 / 80_000.0;
    Some(Verdict {
        found: format!("{} bytes, from 20,000 to 100,000", decimal(bytes, 0)),
        met: bytes <= 400.0,
    })
}

fn ready(figures: &Figures) -> Option<Verdict> {
    let milliseconds = median(rows(figures, "ready")?.first()?, "milliseconds");
    Some(Verdict {
        found: format!("{} ms", decimal(milliseconds, 0)),
        met: milliseconds < 200.0,
    })
}

fn idle(figures: &Figures) -> Option<Verdict> {
    let shares = rows(figures, "idle")?
        .iter()
        .map(|row| median(row, "percent of one core"));
    let most = shares.fold(0.0, f64::max);
    Some(Verdict {
        found: format!("{} %", decimal(most, 2)),
        met: most < 0.5,
    })
}

fn scale(figures: &Figures) -> Option<Verdict> {
    let of = |users| {
        Some(median(
            figures.row("scale", "service", Some(users), Some(0))?,
            "seconds",
        ))
    };
    let times = of(100_000)? / of(10_000)?;
    Some(Verdict {
        found: format!("{} times, without latency", decimal(times, 1)),
        met: times <= 10.5,
    })
}

fn limit(figures: &Figures) -> Option<Verdict> {
    let share = |row: &Row| 100.0 * median(row, "seconds") / median(row, "seconds at the limit");
    let shares: Vec<f64> = rows(figures, "limit")?.iter().map(share).collect();
    let most = shares.iter().copied().fold(0.0, f64::max);
    let found: Vec<String> = shares
        .iter()
        .map(|share| format!("{} %", decimal(*share, 0)))
        .collect();
    Some(Verdict {
        found: format!("{} of it, configured and learned", found.join(" and ")),
        met: most <= 105.0,
    })
}

fn refusals(figures: &Figures) -> Option<Verdict> {
    let refused: f64 = rows(figures, "limit")?
        .iter()
        .map(|row| median(row, "429s"))
        .sum();
    Some(Verdict {
        found: decimal(refused, 0),
        met: refused == 0.0,
    })
}

fn median(row: &Row, figure: &str) -> f64 {
    row.get(figure).unwrap().median()
}
