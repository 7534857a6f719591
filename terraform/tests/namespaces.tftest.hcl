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
  namespaces  = { enabled = true, portal_url = "https://portal.example.ac.uk" }
}

run "the_pipeline_has_topic_dead_letters_and_hold" {
  assert {
    condition     = output.topics["namespace-sync"] == "namespace-sync" && output.subscriptions["namespace-sync"] == "namespace-sync-worker" && output.hold_subscriptions["namespace-sync"] == "namespace-sync-dead-hold"
    error_message = "subscriptions: ${jsonencode(output.subscriptions)}"
  }
}

run "the_worker_posts_to_our_provisioning_api_with_the_signing_key" {
  assert {
    condition     = join(" ", google_cloud_run_v2_worker_pool.stage["namespace-worker"].template[0].containers[0].args) == "serve namespace-worker"
    error_message = "another stage runs there"
  }
  assert {
    condition     = { for env in google_cloud_run_v2_worker_pool.stage["namespace-worker"].template[0].containers[0].env : env.name => env.value }["GITLAB_URL"] == google_cloud_run_v2_service.stage["provisioning-api"].uri
    error_message = "the worker posts elsewhere"
  }
  assert {
    condition     = one([for volume in google_cloud_run_v2_worker_pool.stage["namespace-worker"].template[0].volumes : volume.secret[0].secret if length(volume.secret) == 1]) == "lookup-sync-portal-signing-key"
    error_message = "the signing key is not mounted"
  }
  assert {
    condition     = length([for env in google_cloud_run_v2_worker_pool.stage["namespace-worker"].template[0].containers[0].env : env if env.name == "GITLAB_TOKEN"]) == 0
    error_message = "the namespace worker has no business with the administrator's token"
  }
}

run "portal_and_provisioning_api_are_services" {
  assert {
    condition     = { for stage, it in google_cloud_run_v2_service.stage : stage => join(" ", it.template[0].containers[0].args) } == { portal = "serve portal", provisioning-api = "serve provisioning-api" }
    error_message = "services: ${jsonencode(keys(google_cloud_run_v2_service.stage))}"
  }
  assert {
    condition = alltrue([for service in google_cloud_run_v2_service.stage :
      service.template[0].containers[0].ports[0].container_port == 8080 &&
      service.template[0].containers[0].startup_probe[0].http_get[0].port == 8081 &&
      service.template[0].containers[0].liveness_probe[0].http_get[0].port == 8081 &&
    { for env in service.template[0].containers[0].env : env.name => env.value }["HEALTH_PORT"] == "8081"])
    error_message = "health is asked on the public port"
  }
  assert {
    condition     = { for env in google_cloud_run_v2_service.stage["portal"].template[0].containers[0].env : env.name => env.value }["PORTAL_SIGNING_KEY_FILE"] == "/secrets/portal/signing-key.pem" && contains([for mount in google_cloud_run_v2_service.stage["portal"].template[0].containers[0].volume_mounts : mount.mount_path], "/secrets/portal")
    error_message = "the portal does not find its key"
  }
  assert {
    condition     = length(google_cloud_run_v2_service_iam_member.invoker) == 2 && alltrue([for it in google_cloud_run_v2_service_iam_member.invoker : it.role == "roles/run.invoker"])
    error_message = "somebody has another role on a service"
  }
}

run "the_database_is_reached_through_the_connector_only" {
  assert {
    condition     = google_sql_database_instance.this[0].settings[0].connector_enforcement == "REQUIRED" && google_sql_database_instance.this[0].settings[0].ip_configuration[0].ssl_mode == "ENCRYPTED_ONLY" && length(google_sql_database_instance.this[0].settings[0].ip_configuration[0].authorized_networks) == 0
    error_message = "the database answers somebody else"
  }
  assert {
    condition     = google_sql_database_instance.this[0].settings[0].backup_configuration[0].point_in_time_recovery_enabled && google_sql_database_instance.this[0].deletion_protection
    error_message = "the ledger could be lost"
  }
  assert {
    condition     = toset(keys(google_sql_database.this)) == toset(["ledger", "provisioning"])
    error_message = "databases: ${jsonencode(keys(google_sql_database.this))}"
  }
}

run "beside_a_real_gitlab_no_provisioning_api_is_made" {
  variables {
    namespaces = { enabled = true, portal_url = "https://portal.example.ac.uk", provisioning_api = false, database = { create = false } }
  }
  assert {
    condition     = keys(google_cloud_run_v2_service.stage) == ["portal"] && length(google_sql_database_instance.this) == 0 && length(google_project_iam_member.stage_connects) == 0
    error_message = "something was made that nobody asked for"
  }
  assert {
    condition     = { for env in google_cloud_run_v2_worker_pool.stage["namespace-worker"].template[0].containers[0].env : env.name => env.value }["GITLAB_URL"] == "https://gitlab.example.ac.uk"
    error_message = "the worker does not post to GitLab"
  }
}

run "switched_off_it_leaves_nothing" {
  variables {
    namespaces = { enabled = false }
  }
  assert {
    condition     = length(google_cloud_run_v2_service.stage) == 0 && length(google_sql_database_instance.this) == 0 && !contains(keys(output.topics), "namespace-sync") && length(google_service_account.stage) == 2
    error_message = "a piece of the namespace pipeline is made although it is off"
  }
}
