//! What the service costs. One command measures everything and writes `docs/performance.md`:
//!
//! ```sh
//! cargo bench --bench performance                     # everything, about half an hour
//! cargo bench --bench performance -- calls memory     # these alone; the others stay as they were measured last
//! cargo bench --bench performance -- render           # nothing; writes the document from docs/performance.json
//! cargo bench --bench performance -- --quick          # everything small, to see that it runs; writes nothing
//! ```

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::missing_docs_in_private_items,
    missing_docs,
    reason = "a measurement that goes wrong ends with a place, and its figures are for people"
)]

mod baseline;
mod binary;
mod calls;
mod chart;
mod decisions;
mod document;
mod figures;
mod floor;
mod goals;
mod limit;
mod memory;
mod process;
mod servers;
mod service;
mod standing;
mod sweeps;
mod throughput;
mod wall;

use figures::{Figures, Row};
use wall::Comparison;

/// Every measurement, in the order they are taken.
const MEASUREMENTS: [&str; 14] = [
    "wall-20ms",
    "wall-0ms",
    "wall-100ms",
    "bounds",
    "scale",
    "calls",
    "sweeps",
    "sweeps-waited-for",
    "memory",
    "throughput",
    "decisions",
    "ready",
    "idle",
    "limit",
];

#[tokio::main]
async fn main() {
    // Cargo says `--bench` to every benchmark.
    let mut arguments: Vec<String> = std::env::args()
        .skip(1)
        .filter(|word| word != "--bench")
        .collect();
    if let [floor, host, messages] = arguments.as_slice()
        && floor == throughput::FLOOR
    {
        let rate = floor::consume(host, messages.parse().unwrap()).await;
        println!("{rate}");
        // Until it has been looked at.
        std::io::stdin().read_line(&mut String::new()).unwrap();
        return;
    }
    println!("GitLab's answers cost nothing beside the latency, but where `real` is said");
    let quick = arguments.iter().any(|word| word == "--quick");
    arguments.retain(|word| word != "--quick");
    for word in &arguments {
        let known = MEASUREMENTS.contains(&word.as_str()) || word == "render";
        assert!(
            known,
            "{word} is none of {} and render",
            MEASUREMENTS.join(", ")
        );
    }
    binary::service();
    let mut figures = if quick {
        Figures::default()
    } else {
        Figures::read()
    };
    figures.keep = !quick;
    for name in MEASUREMENTS {
        if arguments.is_empty() || arguments.iter().any(|word| word == name) {
            figures.take(name, Box::pin(measure(name, quick))).await;
        }
    }
    if quick {
        println!("{}", document::render(&figures));
    } else {
        document::write(&figures);
    }
}

/// Takes one measurement.
async fn measure(name: &str, quick: bool) -> Vec<Row> {
    let size = |users: usize| if quick { users / 20 } else { users };
    let times = |repetitions: usize| {
        if quick {
            repetitions.min(1)
        } else {
            repetitions
        }
    };
    let compared = |users, latency_ms, [service, lists, one]: [usize; 3]| Comparison {
        users: size(users),
        latency_ms,
        service: times(service),
        lists: times(lists),
        one: times(one),
    };
    match name {
        "wall-20ms" => {
            wall::measure(&[
                compared(1_000, 20, [3, 2, 1]),
                compared(10_000, 20, [3, 1, 0]),
                compared(20_000, 20, [4, 3, 1]),
                compared(100_000, 20, [1, 0, 0]),
            ])
            .await
        }
        "wall-0ms" => wall::measure(&[compared(20_000, 0, [5, 2, 1])]).await,
        "wall-100ms" => wall::measure(&[compared(20_000, 100, [2, 2, 0])]).await,
        "bounds" => {
            let bounds = [(8, 1_000), (16, 1_000), (24, 1_000), (32, 1_000)];
            wall::bounds(size(20_000), &bounds, times(2)).await
        }
        "scale" => {
            wall::measure(&[
                compared(10_000, 0, [5, 0, 0]),
                compared(100_000, 0, [3, 0, 0]),
            ])
            .await
        }
        "calls" => {
            let sizes = [1_000, 10_000, 100_000];
            calls::measure(&sizes.map(|users| if quick { users / 5 } else { users })).await
        }
        "sweeps" => {
            let sizes = [2_000, 20_000, 100_000].map(size);
            sweeps::measure(&sizes, &sizes[..2], "free").await
        }
        "sweeps-waited-for" => {
            let sizes = [size(20_000)];
            sweeps::measure(&sizes, &sizes, "real").await
        }
        "memory" => memory::measure(&[20_000, 60_000, 100_000].map(size), times(3)).await,
        "throughput" => throughput::measure(if quick { 10_000 } else { 60_000 }, times(5)).await,
        "decisions" if quick => Vec::new(),
        "decisions" => decisions::measure(),
        "ready" => standing::ready(times(20)).await,
        "idle" => standing::idle(if quick { 5 } else { 60 }).await,
        "limit" => limit::measure(if quick { 300 } else { 6_000 }).await,
        _ => unreachable!("{name} is no measurement"),
    }
}
