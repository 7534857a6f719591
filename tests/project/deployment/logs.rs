//! The log lines that metrics count are the lines that the service writes.

use std::collections::BTreeSet;

use regex::Regex;
use testkit::project;

/// One metric's filter: what the fields must be, and the fields it takes as labels.
struct Metric {
    name: String,
    wanted: Vec<(String, String)>,
    labels: Vec<String>,
}

fn metrics() -> Vec<Metric> {
    let text = project::read("terraform/log_metrics.tf");
    let entry = Regex::new(r"(?s)\n    ([a-z-]+) = \{\n(.*?)\n    \}").unwrap();
    let wanted = Regex::new(r#"jsonPayload\.([a-z_]+)=\\"([a-z_]+)\\""#).unwrap();
    let labels = Regex::new(r#"[a-z]+ = "([a-z_]+)""#).unwrap();
    let mut metrics: Vec<Metric> = entry
        .captures_iter(&text)
        .map(|entry| Metric {
            name: entry[1].to_owned(),
            wanted: wanted
                .captures_iter(&entry[2])
                .map(|it| (it[1].to_owned(), it[2].to_owned()))
                .collect(),
            labels: entry[2]
                .lines()
                .find_map(|line| line.trim().strip_prefix("labels"))
                .map(|line| {
                    labels
                        .captures_iter(line)
                        .map(|it| it[1].to_owned())
                        .collect()
                })
                .unwrap_or_default(),
        })
        .collect();
    metrics.push(Metric {
        name: "milliseconds".to_owned(),
        wanted: vec![("event".to_owned(), "message_done".to_owned())],
        labels: vec!["milliseconds".to_owned(), "stage".to_owned()],
    });
    metrics
}

/// The source without its comments and without its tests.
fn sources() -> Vec<String> {
    project::files("src", ".rs")
        .into_iter()
        .map(|(_, text)| {
            let code = text.split("#[cfg(test)]").next().unwrap_or_default();
            code.lines()
                .filter(|line| !line.trim_start().starts_with("//"))
                .collect::<Vec<_>>()
                .join("\n")
        })
        .collect()
}

#[test]
fn every_metric_counts_lines_that_the_service_writes() {
    let sources = sources();
    let metrics = metrics();
    assert_eq!(metrics.len(), 16, "the metrics were not found");
    for Metric {
        name,
        wanted,
        labels,
    } in &metrics
    {
        for (field, value) in wanted {
            let literal = format!("\"{value}\"");
            assert!(
                sources.iter().any(|source| source.contains(&literal)),
                "{name}: no line of the service has {field} = {value}"
            );
        }
        let event = wanted
            .iter()
            .find(|(field, _)| field == "event")
            .map(|(_, event)| format!("\"{event}\""));
        for field in labels {
            let word = Regex::new(&format!(r"\b{field}\b")).unwrap();
            assert!(
                sources
                    .iter()
                    .filter(|source| event.as_ref().is_none_or(|event| source.contains(event)))
                    .any(|source| word.is_match(source)),
                "{name}: the line has no field {field}"
            );
        }
    }
}

#[test]
fn every_alert_that_reads_the_log_reads_a_metric_that_is_made() {
    let names: BTreeSet<String> = metrics().into_iter().map(|metric| metric.name).collect();
    let used =
        Regex::new(r#"(?:local\.logged|google_logging_metric\.this)\["([a-z-]+)"\]"#).unwrap();
    let text = project::read("terraform/alerts.tf") + &project::read("terraform/dashboard.tf");
    let used: BTreeSet<String> = used
        .captures_iter(&text)
        .map(|it| it[1].to_owned())
        .collect();
    assert!(used.is_subset(&names), "{used:?} against {names:?}");
    assert!(used.len() >= 9, "the alerts were not read: {used:?}");
}
