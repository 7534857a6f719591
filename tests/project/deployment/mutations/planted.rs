//! Mistakes that people make with their heads and not with their hands: a reviewer planted these,
//! and nothing noticed fifteen of them.

use super::operators::Mutant;

/// What it is, its file, what stands there, and what stands there instead.
const PLANTED: [(&str, &str, &str, &str); 16] = [
    (
        "alerts fire below their thresholds",
        "alerts.tf",
        "COMPARISON_GT",
        "COMPARISON_LT",
    ),
    (
        "the scheduler publishes to dead letters",
        "scheduler.tf",
        "google_pubsub_topic.this[\"sync-tick\"]",
        "google_pubsub_topic.dead[\"sync-tick\"]",
    ),
    (
        "GitLab is asked at Lookup's address",
        "environment.tf",
        "= var.gitlab.url",
        "= var.lookup.url",
    ),
    (
        "an unknown field stops the audit",
        "outcomes.tf",
        "drop_unknown_fields = true",
        "drop_unknown_fields = false",
    ),
    (
        "the audit is kept for hours and not for days",
        "outcomes.tf",
        "* 86400000",
        "* 86400",
    ),
    (
        "the tick is never retried",
        "scheduler.tf",
        "retry_count          = 3",
        "retry_count          = 0",
    ),
    (
        "the schedule has no time zone of its own",
        "scheduler.tf",
        "var.tick.time_zone",
        "\"UTC\"",
    ),
    (
        "pages go to those who take tickets",
        "alerts.tf",
        "? var.alerting.ticket : var.alerting.page",
        "? var.alerting.page : var.alerting.ticket",
    ),
    (
        "the objective is a hundred times laxer",
        "objective.tf",
        "0.99",
        "0.01",
    ),
    (
        "the fan-out runs as the worker",
        "worker_pools.tf",
        "google_service_account.stage[each.key].email",
        "google_service_account.stage[\"user-worker\"].email",
    ),
    (
        "every stage is the fan-out",
        "worker_pools.tf",
        "[\"serve\", each.key]",
        "[\"serve\", \"fan-out\"]",
    ),
    (
        "secrets are replicated elsewhere",
        "secrets.tf",
        "location = var.region",
        "location = \"us-central1\"",
    ),
    (
        "errors are counted that are none",
        "log_metrics.tf",
        "\"severity>=ERROR AND NOT",
        "\"severity>=INFO AND NOT",
    ),
    (
        "a block limit is an unblock limit",
        "environment.tf",
        "tostring(var.guard.max_block_percent)",
        "tostring(var.guard.max_unblock_percent)",
    ),
    (
        "the dead letters of one topic are held for another",
        "dead_letters.tf",
        "topic           = google_pubsub_topic.dead[each.key].id",
        "topic           = google_pubsub_topic.dead[\"sync-outcome\"].id",
    ),
    (
        "images are kept for a day",
        "registry.tf",
        "\"2592000s\"",
        "\"86400s\"",
    ),
];

/// They, in these files.
pub fn mutants(files: &[(String, String)]) -> Vec<Mutant> {
    PLANTED
        .into_iter()
        .map(|(what, file, from, to)| {
            let (_, text) = files.iter().find(|(name, _)| name == file).unwrap();
            assert!(text.contains(from), "{file} no longer holds {from}");
            Mutant {
                file: file.to_owned(),
                line: 1 + text.split(from).next().unwrap().matches('\n').count(),
                what: format!("planted: {what}"),
                text: text.replacen(from, to, 1),
            }
        })
        .collect()
}
