//! (h) What criterion measured of the code alone; see `benches/decisions.rs`.

use std::fs;

use serde_json::Value;

use crate::{binary, figures::Row};

/// Runs criterion and reads what it wrote.
pub fn measure() -> Vec<Row> {
    binary::cargo(&["bench", "--locked", "--bench", "decisions"]);
    let folder = binary::target().join("criterion");
    let mut rows = Vec::new();
    for group in ["decide", "gitlab pages", "lookup lists", "sweep"] {
        let Ok(entries) = fs::read_dir(folder.join(group)) else {
            continue;
        };
        for entry in entries.map(|entry| entry.unwrap().path()) {
            let Ok(text) = fs::read_to_string(entry.join("new/estimates.json")) else {
                continue;
            };
            let estimates: Value = serde_json::from_str(&text).unwrap();
            let benchmark = fs::read_to_string(entry.join("new/benchmark.json")).unwrap();
            let benchmark: Value = serde_json::from_str(&benchmark).unwrap();
            let subject = format!("{group}/{}", benchmark["function_id"].as_str().unwrap());
            let median = &estimates["median"];
            let mut row = Row::of(&subject);
            for bound in ["lower_bound", "upper_bound"] {
                row.add(
                    "nanoseconds",
                    median["confidence_interval"][bound].as_f64().unwrap(),
                );
            }
            row.add("nanoseconds", median["point_estimate"].as_f64().unwrap());
            for (unit, key) in [("bytes", "Bytes"), ("elements", "Elements")] {
                if let Some(amount) = benchmark["throughput"][key].as_f64() {
                    row.add(unit, amount);
                }
            }
            rows.push(row);
        }
    }
    assert!(
        !rows.is_empty(),
        "criterion wrote nothing to {}",
        folder.display()
    );
    rows.sort_by(|a, b| a.subject.cmp(&b.subject));
    rows
}
