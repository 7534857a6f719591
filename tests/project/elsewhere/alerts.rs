//! The alerts of Prometheus ask for metrics that there are, and lead to the runbook.

use std::fs;

use regex::Regex;
use testkit::project;

/// The snapshot of `deployment::outward_names`, which lists every metric.
const METRICS: &str = "tests/project/deployment/snapshots/project__deployment__outward_names__metrics_and_their_labels_keep_their_names.snap";

#[test]
fn every_metric_and_label_of_an_alert_is_one_that_the_service_has() {
    let rules = project::read("deploy/kubernetes/base/monitoring.yaml");
    let metrics = project::read(METRICS);
    let line = |metric: &str| {
        let found = metrics
            .lines()
            .find(|line| line.starts_with(&format!("{metric} [")));
        found.unwrap_or_else(|| panic!("there is no metric {metric}"))
    };
    let expression = Regex::new(r"(?m)^ +expr: (.*)$").unwrap();
    let metric = Regex::new(r"\bsync_\w+").unwrap();
    let grouping = Regex::new(r"by \(([^)]*)\)").unwrap();
    let mut seen = 0;
    for found in expression.captures_iter(&rules) {
        for name in metric.find_iter(&found[1]) {
            let line = line(name.as_str());
            for labels in grouping.captures_iter(&found[1]) {
                for label in labels[1].split(", ") {
                    assert!(line.contains(label), "{line}: no label {label}");
                }
            }
            seen += 1;
        }
    }
    assert!(seen >= 6, "only {seen} metrics were found");
}

#[test]
fn every_alert_leads_to_an_entry_of_a_document() {
    let rules = project::read("deploy/kubernetes/base/monitoring.yaml");
    let runbook = Regex::new(r"(?m)^ +runbook: (\S+)#(\S+)$").unwrap();
    let dropped = Regex::new(r"[^\w\s-]").unwrap();
    let alerts = rules.matches("- alert: ").count();
    let mut seen = 0;
    for found in runbook.captures_iter(&rules) {
        let text = fs::read_to_string(project::path(&found[1])).unwrap();
        let there = text
            .lines()
            .filter(|line| line.starts_with('#'))
            .any(|line| {
                let heading = line.trim_start_matches('#').trim().to_lowercase();
                dropped.replace_all(&heading, "").replace(' ', "-") == found[2]
            });
        assert!(there, "{} has no heading {}", &found[1], &found[2]);
        seen += 1;
    }
    assert!(
        seen > 5 && seen == alerts,
        "{seen} of {alerts} alerts lead somewhere"
    );
}
