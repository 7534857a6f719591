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
      "serviceAccount:lookup-sync-operator@sync-test.iam.gserviceaccount.com roles/pubsub.publisher sync-tick",
      "group:gitlab-team@example.ac.uk roles/pubsub.publisher user-sync",
      "serviceAccount:lookup-sync-operator@sync-test.iam.gserviceaccount.com roles/pubsub.publisher user-sync",
    ])
    error_message = "operators publish elsewhere"
  }
  assert {
    condition = toset([for it in google_pubsub_subscription_iam_member.operator_handles : "${it.member} ${it.role} ${it.subscription}"]) == toset([
      "group:gitlab-team@example.ac.uk roles/pubsub.subscriber sync-tick-dead-hold",
      "serviceAccount:lookup-sync-operator@sync-test.iam.gserviceaccount.com roles/pubsub.subscriber sync-tick-dead-hold",
      "group:gitlab-team@example.ac.uk roles/pubsub.subscriber user-sync-dead-hold",
      "serviceAccount:lookup-sync-operator@sync-test.iam.gserviceaccount.com roles/pubsub.subscriber user-sync-dead-hold",
      "group:gitlab-team@example.ac.uk roles/pubsub.subscriber sync-outcome-dead-hold",
      "serviceAccount:lookup-sync-operator@sync-test.iam.gserviceaccount.com roles/pubsub.subscriber sync-outcome-dead-hold",
    ])
    error_message = "operators take messages elsewhere than from the dead letters"
  }
  assert {
    condition     = toset([for it in google_pubsub_topic_iam_member.operator_pauses : "${it.member} ${it.role} ${it.topic}"]) == toset([for who in ["group:gitlab-team@example.ac.uk", "serviceAccount:lookup-sync-operator@sync-test.iam.gserviceaccount.com"] : "${who} projects/sync-test/roles/lookup_sync_pauses sync-outcome"]) && google_project_iam_custom_role.pauses.permissions == toset(["pubsub.topics.get", "pubsub.topics.update"])
    error_message = "operators pause by the labels of the outcomes' topic alone"
  }
  assert {
    condition     = toset([for it in google_pubsub_subscription_iam_member.operator_reads_history : "${it.member} ${it.role} ${it.subscription}"]) == toset([for who in ["group:gitlab-team@example.ac.uk", "serviceAccount:lookup-sync-operator@sync-test.iam.gserviceaccount.com"] : "${who} roles/pubsub.subscriber sync-outcome-history"])
    error_message = "operators cannot read the history, or read another subscription"
  }
  assert {
    condition     = alltrue([for it in concat(values(google_pubsub_topic_iam_member.operator_sees), values(google_pubsub_subscription_iam_member.operator_sees)) : it.role == "roles/pubsub.viewer"])
    error_message = "to see is to see"
  }
  assert {
    condition     = [for it in google_project_iam_member.operator_operates : "${it.member} ${it.role}"] == ["group:gitlab-team@example.ac.uk projects/sync-test/roles/lookup_sync_operates"]
    error_message = "somebody else operates, or with another role"
  }
  assert {
    condition     = !anytrue([for permission in google_project_iam_custom_role.operates.permissions : can(regex("[.](create|delete|update|setIamPolicy|consume|publish|access|actAs|run)$", permission)) && !contains(["bigquery.jobs.create", "logging.views.access"], permission)])
    error_message = "operators may change the project: ${jsonencode(google_project_iam_custom_role.operates.permissions)}"
  }
  assert {
    condition     = toset([for it in google_secret_manager_secret_iam_member.operator_reads : "${it.member} ${it.role} ${it.secret_id}"]) == toset([for secret in ["gitlab-token", "lookup-client-secret"] : "serviceAccount:lookup-sync-operator@sync-test.iam.gserviceaccount.com roles/secretmanager.secretAccessor lookup-sync-${secret}"])
    error_message = "the operators' job reads other secrets than it needs"
  }
  assert {
    condition     = google_project_iam_member.operator_follows.member == "serviceAccount:lookup-sync-operator@sync-test.iam.gserviceaccount.com" && google_pubsub_topic_iam_member.operator_follows.role == "roles/pubsub.subscriber" && google_pubsub_topic_iam_member.operator_follows.topic == "sync-outcome"
    error_message = "somebody may read every subscription of the project"
  }
  assert {
    condition     = [for it in google_cloud_run_v2_job_iam_member.operator_runs : "${it.member} ${it.role} ${it.name}"] == ["group:gitlab-team@example.ac.uk roles/run.jobsExecutorWithOverrides lookup-sync-operator"]
    error_message = "operators cannot run their job, or may do more with it"
  }
}

run "with_namespaces_each_stage_still_has_only_its_own" {
  variables {
    vpc = { network = "projects/sync-test/global/networks/sync", subnetwork = "sync-london" }
    namespaces = {
      enabled  = true
      database = { proxy_image = "gcr.io/cloud-sql-connectors/cloud-sql-proxy@sha256:fedcba9876543210fedcba9876543210fedcba9876543210fedcba9876543210" }
    }
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
      "portal@sync-test.iam.gserviceaccount.com lookup-sync-portal-signing-key",
      "portal@sync-test.iam.gserviceaccount.com lookup-sync-portal-token",
    ])
    error_message = "the provisioning API holds no signing key, the portal no GitLab token, the user stages no database"
  }
  assert {
    condition     = toset([for it in google_project_iam_member.stage_connects : "${trimprefix(it.member, "serviceAccount:lookup-sync-")} ${it.role}"]) == toset(flatten([for stage in ["namespace-worker", "portal", "provisioning-api"] : [for role in ["client", "instanceUser"] : "${stage}@sync-test.iam.gserviceaccount.com roles/cloudsql.${role}"]]))
    error_message = "Cloud SQL: a stage may connect that has no database, or has another role on the project"
  }
}

run "with_a_token_that_only_reads_the_fan_out_cannot_write" {
  variables {
    gitlab = { url = "https://gitlab.example.ac.uk", read_token = true }
  }
  assert {
    condition = toset([for it in google_secret_manager_secret_iam_member.stage_reads : "${trimsuffix(trimprefix(it.member, "serviceAccount:lookup-sync-"), "@sync-test.iam.gserviceaccount.com")} ${it.secret_id}"]) == toset([
      "fan-out lookup-sync-gitlab-read-token",
      "fan-out lookup-sync-lookup-client-secret",
      "user-worker lookup-sync-gitlab-token",
      "user-worker lookup-sync-lookup-client-secret",
    ])
    error_message = "the fan-out holds the token that writes"
  }
  assert {
    condition     = [for env in google_cloud_run_v2_worker_pool.stage["fan-out"].template[0].containers[0].env : env.name if can(regex("GITLAB_.*TOKEN", env.name))] == ["GITLAB_READ_TOKEN"]
    error_message = "the fan-out is not given the token that reads"
  }
  assert {
    condition     = toset(keys(output.secret_environment)) == toset(["GITLAB_READ_TOKEN", "GITLAB_TOKEN", "LOOKUP_CLIENT_SECRET"])
    error_message = "operators look with the token that writes"
  }
}
