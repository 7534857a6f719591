mock_provider "google" {
  mock_data "google_project" {
    defaults = { number = "123456789012" }
  }
}

variables {
  project_id = "sync-test"
  region     = "europe-west2"
  image      = "europe-west2-docker.pkg.dev/sync-test/lookup-sync/lookup-gitlab-sync@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
  gitlab     = { url = "https://gitlab.example.ac.uk" }
  lookup = {
    url       = "https://api.example.ac.uk/lookup/v1"
    token_url = "https://api.example.ac.uk/oauth2/v1/token"
    client_id = "sync"
  }
  runbook_url = "https://gitlab.example.ac.uk/sync/-/blob/main/docs/operations.md"
}

# Each grant is written out: a role more, or on another resource, fails here.
run "each_stage_may_do_its_work_and_nothing_else" {
  assert {
    condition = toset([for it in google_pubsub_topic_iam_member.stage_publishes : "${it.member} ${it.role} ${it.topic}"]) == toset([
      "serviceAccount:lookup-sync-fan-out@sync-test.iam.gserviceaccount.com roles/pubsub.publisher user-sync",
      "serviceAccount:lookup-sync-fan-out@sync-test.iam.gserviceaccount.com roles/pubsub.publisher sync-outcome",
      "serviceAccount:lookup-sync-user-worker@sync-test.iam.gserviceaccount.com roles/pubsub.publisher sync-outcome",
    ])
    error_message = "publishing: ${jsonencode([for it in google_pubsub_topic_iam_member.stage_publishes : "${it.member} ${it.role} ${it.topic}"])}"
  }
  assert {
    condition = toset([for it in google_pubsub_topic_iam_member.stage_dead_letters : "${it.member} ${it.role} ${it.topic}"]) == toset([
      "serviceAccount:lookup-sync-fan-out@sync-test.iam.gserviceaccount.com roles/pubsub.publisher sync-tick-dead",
      "serviceAccount:lookup-sync-user-worker@sync-test.iam.gserviceaccount.com roles/pubsub.publisher user-sync-dead",
    ])
    error_message = "dead-lettering: ${jsonencode([for it in google_pubsub_topic_iam_member.stage_dead_letters : "${it.member} ${it.role} ${it.topic}"])}"
  }
  assert {
    condition = toset([for it in google_pubsub_subscription_iam_member.stage_consumes : "${trimsuffix(trimprefix(it.member, "serviceAccount:lookup-sync-"), "@sync-test.iam.gserviceaccount.com")} ${it.role} ${it.subscription}"]) == toset([
      "fan-out roles/pubsub.subscriber sync-tick-fan-out",
      "user-worker roles/pubsub.subscriber user-sync-worker",
    ])
    error_message = "a stage takes messages that are not its own"
  }
  assert {
    condition = toset([for it in google_pubsub_subscription_iam_member.stage_sees : "${trimsuffix(trimprefix(it.member, "serviceAccount:lookup-sync-"), "@sync-test.iam.gserviceaccount.com")} ${it.role} ${it.subscription}"]) == toset([
      "fan-out roles/pubsub.viewer sync-tick-fan-out",
      "fan-out roles/pubsub.viewer sync-tick-dead-hold",
      "fan-out roles/pubsub.viewer user-sync-worker",
      "fan-out roles/pubsub.viewer user-sync-dead-hold",
      "user-worker roles/pubsub.viewer user-sync-worker",
      "user-worker roles/pubsub.viewer user-sync-dead-hold",
    ])
    error_message = "a stage sees more, or less, subscriptions than its start asks for"
  }
  assert {
    condition = toset([for it in google_pubsub_topic_iam_member.stage_sees : "${trimsuffix(trimprefix(it.member, "serviceAccount:lookup-sync-"), "@sync-test.iam.gserviceaccount.com")} ${it.role} ${it.topic}"]) == toset([
      "fan-out roles/pubsub.viewer sync-tick",
      "fan-out roles/pubsub.viewer sync-tick-dead",
      "fan-out roles/pubsub.viewer user-sync",
      "fan-out roles/pubsub.viewer user-sync-dead",
      "fan-out roles/pubsub.viewer sync-outcome",
      "user-worker roles/pubsub.viewer user-sync",
      "user-worker roles/pubsub.viewer user-sync-dead",
      "user-worker roles/pubsub.viewer sync-outcome",
    ])
    error_message = "a stage sees more, or less, topics than its start asks for"
  }
  assert {
    condition = toset([for it in google_secret_manager_secret_iam_member.stage_reads : "${it.member} ${it.role} ${it.secret_id}"]) == toset([
      "serviceAccount:lookup-sync-fan-out@sync-test.iam.gserviceaccount.com roles/secretmanager.secretAccessor lookup-sync-gitlab-token",
      "serviceAccount:lookup-sync-fan-out@sync-test.iam.gserviceaccount.com roles/secretmanager.secretAccessor lookup-sync-lookup-client-secret",
      "serviceAccount:lookup-sync-user-worker@sync-test.iam.gserviceaccount.com roles/secretmanager.secretAccessor lookup-sync-gitlab-token",
      "serviceAccount:lookup-sync-user-worker@sync-test.iam.gserviceaccount.com roles/secretmanager.secretAccessor lookup-sync-lookup-client-secret",
    ])
    error_message = "secrets: ${jsonencode([for it in google_secret_manager_secret_iam_member.stage_reads : "${it.member} ${it.role} ${it.secret_id}"])}"
  }
  assert {
    condition     = length(google_project_iam_member.stage_connects) == 0
    error_message = "no stage of the user pipeline has a role on the project"
  }
}

run "only_pubsub_writes_the_audit_table" {
  assert {
    condition     = google_bigquery_table_iam_member.agent_writes.member == "serviceAccount:service-123456789012@gcp-sa-pubsub.iam.gserviceaccount.com" && google_bigquery_table_iam_member.agent_writes.role == "roles/bigquery.dataEditor"
    error_message = "somebody else writes the audit table"
  }
}

run "operators_ask_for_runs_and_handle_dead_letters_and_no_more" {
  variables {
    operators = ["group:gitlab-team@example.ac.uk"]
  }
  assert {
    condition = toset([for it in google_pubsub_topic_iam_member.operator_publishes : "${it.member} ${it.role} ${it.topic}"]) == toset([
      "group:gitlab-team@example.ac.uk roles/pubsub.publisher sync-tick",
      "group:gitlab-team@example.ac.uk roles/pubsub.publisher user-sync",
    ])
    error_message = "operators publish elsewhere"
  }
  assert {
    condition = toset([for it in google_pubsub_subscription_iam_member.operator_handles : "${it.member} ${it.role} ${it.subscription}"]) == toset([
      "group:gitlab-team@example.ac.uk roles/pubsub.subscriber sync-tick-dead-hold",
      "group:gitlab-team@example.ac.uk roles/pubsub.subscriber user-sync-dead-hold",
      "group:gitlab-team@example.ac.uk roles/pubsub.subscriber sync-outcome-dead-hold",
    ])
    error_message = "operators take messages elsewhere than from the dead letters"
  }
  assert {
    condition     = toset([for it in google_pubsub_topic_iam_member.operator_pauses : "${it.member} ${it.role} ${it.topic}"]) == toset(["group:gitlab-team@example.ac.uk roles/pubsub.editor sync-outcome"])
    error_message = "operators pause by the labels of the outcomes' topic alone"
  }
  assert {
    condition     = [for it in google_pubsub_subscription_iam_member.operator_reads_history : "${it.member} ${it.role} ${it.subscription}"] == ["group:gitlab-team@example.ac.uk roles/pubsub.subscriber sync-outcome-history"]
    error_message = "operators cannot read the history, or read another subscription"
  }
  assert {
    condition     = alltrue([for it in concat(values(google_pubsub_topic_iam_member.operator_sees), values(google_pubsub_subscription_iam_member.operator_sees)) : it.role == "roles/pubsub.viewer"])
    error_message = "to see is to see"
  }
}

run "with_namespaces_each_stage_still_has_only_its_own" {
  variables {
    namespaces = { enabled = true, portal_url = "https://portal.example.ac.uk" }
  }
  assert {
    condition = toset([for it in google_pubsub_topic_iam_member.stage_publishes : "${trimprefix(it.member, "serviceAccount:lookup-sync-")} ${it.topic}"]) == toset([
      "fan-out@sync-test.iam.gserviceaccount.com user-sync",
      "fan-out@sync-test.iam.gserviceaccount.com sync-outcome",
      "user-worker@sync-test.iam.gserviceaccount.com sync-outcome",
      "namespace-worker@sync-test.iam.gserviceaccount.com sync-outcome",
      "portal@sync-test.iam.gserviceaccount.com namespace-sync",
    ])
    error_message = "publishing: ${jsonencode([for it in google_pubsub_topic_iam_member.stage_publishes : "${it.member} ${it.topic}"])}"
  }
  assert {
    condition = toset([for it in google_secret_manager_secret_iam_member.stage_reads : "${trimprefix(it.member, "serviceAccount:lookup-sync-")} ${it.secret_id}"]) == toset([
      "fan-out@sync-test.iam.gserviceaccount.com lookup-sync-gitlab-token",
      "fan-out@sync-test.iam.gserviceaccount.com lookup-sync-lookup-client-secret",
      "user-worker@sync-test.iam.gserviceaccount.com lookup-sync-gitlab-token",
      "user-worker@sync-test.iam.gserviceaccount.com lookup-sync-lookup-client-secret",
      "namespace-worker@sync-test.iam.gserviceaccount.com lookup-sync-portal-signing-key",
      "namespace-worker@sync-test.iam.gserviceaccount.com lookup-sync-ledger-database-url",
      "portal@sync-test.iam.gserviceaccount.com lookup-sync-portal-signing-key",
      "portal@sync-test.iam.gserviceaccount.com lookup-sync-portal-token",
      "portal@sync-test.iam.gserviceaccount.com lookup-sync-ledger-database-url",
      "provisioning-api@sync-test.iam.gserviceaccount.com lookup-sync-provisioning-database-url",
    ])
    error_message = "the provisioning API holds no signing key, the portal no GitLab token, the user stages no database"
  }
  assert {
    condition = toset([for it in google_project_iam_member.stage_connects : "${trimprefix(it.member, "serviceAccount:lookup-sync-")} ${it.role}"]) == toset([
      "namespace-worker@sync-test.iam.gserviceaccount.com roles/cloudsql.client",
      "portal@sync-test.iam.gserviceaccount.com roles/cloudsql.client",
      "provisioning-api@sync-test.iam.gserviceaccount.com roles/cloudsql.client",
    ])
    error_message = "Cloud SQL: a stage may connect that has no database, or has another role on the project"
  }
}
