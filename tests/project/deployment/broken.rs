//! Copies of the module with one thing broken: each must be refused, by the check that is there for
//! it.

use rstest::rstest;

use super::{
    module_copy::Copy,
    tools::{Tools, Verdict},
};

#[test]
fn what_is_not_formatted_is_refused() {
    let Some(tools) = Tools::find() else { return };
    let copy = Copy::new();
    copy.replace(
        "scheduler.tf",
        "  project     = var.project_id",
        " project = var.project_id",
    );
    assert!(!tools.terraform("fmt", &copy.module(), &[]).good);
}

#[rstest]
#[case::argument_that_is_not_there(
    "pubsub.tf",
    "ack_deadline_seconds  ",
    "ack_deadline_second  ",
    "Unsupported argument"
)]
#[case::value_the_api_refuses(
    "pubsub.tf",
    "= \"604800s\"",
    "= \"60s\"",
    "Value the API would refuse"
)]
#[case::resource_that_is_not_there(
    "scheduler.tf",
    "google_pubsub_topic.this",
    "google_pubsub_topic.that",
    "undeclared resource"
)]
#[case::block_that_is_required("scheduler.tf", "    topic_name =", "    topic =", "topic_name")]
#[case::variable_without_type_of_its_value(
    "variables.tf",
    "default     = \"lookup-sync\"",
    "default     = 7 + \"a\"",
    "Invalid"
)]
fn what_is_not_valid_is_refused(
    #[case] file: &str,
    #[case] from: &str,
    #[case] to: &str,
    #[case] because: &str,
) {
    let Some(tools) = Tools::find() else { return };
    let copy = Copy::new();
    copy.replace(file, from, to);
    refused(&tools.terraform("validate", &copy.module(), &[]), because);
}

#[rstest]
#[case::variable_nobody_uses(
    "variables.tf",
    "variable \"labels\"",
    "variable \"unused\" {\n  type = string\n}\n\nvariable \"labels\"",
    "never used"
)]
#[case::schedule_that_is_none(
    "scheduler.tf",
    "var.tick.schedule",
    "\"hourly\"",
    "is not a unix-cron schedule"
)]
fn what_the_static_check_knows_is_refused(
    #[case] file: &str,
    #[case] from: &str,
    #[case] to: &str,
    #[case] because: &str,
) {
    let Some(tools) = Tools::find() else { return };
    let copy = Copy::new();
    copy.replace(file, from, to);
    refused(&tools.static_check(&copy.module()), because);
}

/// Each takes away one property, and names the run of the module's tests that holds it.
#[rstest]
#[case::no_dead_letter(
    "pubsub.tf",
    "dead_letter_topic     = google_pubsub_topic.dead[each.key].id",
    "dead_letter_topic     = google_pubsub_topic.dead[\"sync-tick\"].id",
    "pubsub",
    "every_subscription_has_a_dead_letter_that_pubsub_may_forward_to"
)]
#[case::the_agent_may_not_publish_dead_letters(
    "dead_letters.tf",
    "role    = \"roles/pubsub.publisher\"",
    "role    = \"roles/pubsub.viewer\"",
    "pubsub",
    "every_subscription_has_a_dead_letter_that_pubsub_may_forward_to"
)]
#[case::the_agent_may_not_take_what_it_forwards(
    "dead_letters.tf",
    "role         = \"roles/pubsub.subscriber\"",
    "role         = \"roles/pubsub.viewer\"",
    "pubsub",
    "every_subscription_has_a_dead_letter_that_pubsub_may_forward_to"
)]
#[case::dead_letters_nobody_holds(
    "dead_letters.tf",
    "resource \"google_pubsub_subscription\" \"hold\" {\n  for_each = local.schemas",
    "resource \"google_pubsub_subscription\" \"hold\" {\n  for_each = { for topic, it in local.schemas : topic => it if topic != \"user-sync\" }",
    "pubsub",
    "every_topic_and_subscription_has_the_name_the_service_uses"
)]
#[case::dead_letters_held_for_a_week(
    "dead_letters.tf",
    "\"2678400s\"",
    "\"604800s\"",
    "pubsub",
    "dead_letters_are_held_for_31_days_and_no_schema_refuses_them"
)]
#[case::a_schema_on_dead_letters(
    "dead_letters.tf",
    "  depends_on = [google_project_service.this]",
    "  schema_settings {\n    schema   = google_pubsub_schema.this[each.key].id\n    encoding = \"JSON\"\n  }",
    "pubsub",
    "dead_letters_are_held_for_31_days_and_no_schema_refuses_them"
)]
#[case::a_subscription_that_expires(
    "pubsub.tf",
    "ttl = \"\"",
    "ttl = \"2678400s\"",
    "pubsub",
    "working_subscriptions_never_expire_and_back_off"
)]
#[case::another_region(
    "pubsub.tf",
    "allowed_persistence_regions = [var.region]",
    "allowed_persistence_regions = [var.region, \"us-central1\"]",
    "pubsub",
    "messages_stay_in_the_region_and_pass_the_schema"
)]
#[case::another_name(
    "locals.tf",
    "${var.pubsub_prefix}user-sync-worker",
    "${var.pubsub_prefix}user-sync-workers",
    "pubsub",
    "every_topic_and_subscription_has_the_name_the_service_uses"
)]
#[case::a_tick_its_schema_does_not_know(
    "scheduler.tf",
    "requested_by = ",
    "requestedby = ",
    "pubsub",
    "the_tick_is_a_constant_that_its_schema_knows"
)]
#[case::a_fan_out_that_may_publish_ticks(
    "locals.tf",
    "[\"user-sync\", \"sync-outcome\"]",
    "[\"user-sync\", \"sync-outcome\", \"sync-tick\"]",
    "permissions",
    "each_stage_may_do_its_work_and_nothing_else"
)]
#[case::a_wider_role(
    "identities.tf",
    "role    = \"roles/pubsub.publisher\"",
    "role    = \"roles/pubsub.editor\"",
    "permissions",
    "each_stage_may_do_its_work_and_nothing_else"
)]
#[case::a_worker_with_every_secret(
    "locals.tf",
    "secrets   = local.password_secrets[\"provisioning\"]",
    "secrets   = [\"gitlab-token\"]",
    "permissions",
    "with_namespaces_each_stage_still_has_only_its_own"
)]
#[case::writing_by_default(
    "variables.tf",
    "default     = \"dry-run\"",
    "default     = \"apply\"",
    "stages",
    "nothing_is_written_unless_it_is_asked_for"
)]
#[case::a_restart_in_every_outage(
    "worker_pools.tf",
    "path = \"/livez\"",
    "path = \"/readyz\"",
    "stages",
    "probes_ask_whether_the_loops_move_and_never_whether_gitlab_is_well"
)]
#[case::a_secret_in_plain(
    "environment.tf",
    "LOG_LEVEL            = \"info\"",
    "GITLAB_TOKEN         = \"glpat-nothing\"",
    "stages",
    "no_secret_is_in_the_environment_that_a_viewer_reads"
)]
#[case::tags_that_move(
    "registry.tf",
    "immutable_tags = true",
    "immutable_tags = false",
    "stages",
    "the_registry_keeps_a_tag_as_it_is"
)]
#[case::a_cache_that_only_the_first_build_can_write(
    "registry.tf",
    "immutable_tags = false",
    "immutable_tags = true",
    "registry",
    "a_build_can_move_the_tag_of_its_cache_and_no_other"
)]
#[case::an_alert_that_leads_nowhere(
    "alerts.tf",
    "url          = \"${var.runbook_url}#${each.key}\"",
    "url          = var.runbook_url",
    "alerts",
    "every_alert_leads_to_its_entry_of_the_runbook"
)]
#[case::a_hold_nobody_watches(
    "alerts.tf",
    "-dead-hold",
    "-dead",
    "alerts",
    "every_dead_letter_and_every_backlog_is_watched"
)]
#[case::a_database_open_to_all(
    "database.tf",
    "\"ENCRYPTED_ONLY\"",
    "\"ALLOW_UNENCRYPTED_AND_ENCRYPTED\"",
    "namespaces",
    "the_database_is_reached_at_its_private_address_through_the_connector_only"
)]
#[case::images_by_tag(
    "variables.tf",
    "@sha256:[0-9a-f]{64}$",
    "(@sha256:[0-9a-f]{64})?$",
    "refuse",
    "refuses_an_image_by_tag"
)]
#[case::a_guard_above_half(
    "variables.tf",
    "var.guard.max_block_percent <= 50",
    "var.guard.max_block_percent <= 100",
    "refuse",
    "refuses_a_block_guard_above_half"
)]
#[case::any_region(
    "variables.tf",
    "^[a-z]+-[a-z]+[0-9]{1,2}$",
    ".*",
    "refuse",
    "refuses_a_region_that_is_empty"
)]
fn what_lost_a_property_is_refused(
    #[case] file: &str,
    #[case] from: &str,
    #[case] to: &str,
    #[case] tests: &str,
    #[case] run: &str,
) {
    let Some(tools) = Tools::find() else { return };
    let copy = Copy::new();
    copy.replace(file, from, to);
    let tests = format!("{tests}.tftest.hcl");
    copy.only(&tests, run);
    let filter = format!("-filter=tests/{tests}");
    refused(
        &tools.terraform("test", &copy.module(), &[&filter]),
        &format!("run \"{run}\"... fail"),
    );
}

#[test]
fn a_deployment_without_a_region_is_refused() {
    let Some(tools) = Tools::find() else { return };
    let copy = Copy::new();
    copy.replace(
        "tests/pubsub.tftest.hcl",
        "  region     = \"europe-west2\"\n",
        "",
    );
    let run = "every_topic_and_subscription_has_the_name_the_service_uses";
    copy.only("pubsub.tftest.hcl", run);
    refused(
        &tools.terraform("test", &copy.module(), &["-filter=tests/pubsub.tftest.hcl"]),
        "No value for required variable\n\n  on variables.tf line 13:\n  13: variable \"region\"",
    );
}

/// The check must fail for the reason it is there for, not for one of its own.
#[track_caller]
fn refused(verdict: &Verdict, because: &str) {
    assert!(!verdict.good, "it was accepted: {}", verdict.said);
    assert!(
        verdict.said.contains(because),
        "not refused because of `{because}`: {}",
        verdict.said
    );
}
