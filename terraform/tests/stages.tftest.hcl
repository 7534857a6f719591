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

run "nothing_is_written_unless_it_is_asked_for" {
  assert {
    condition = alltrue([for pool in google_cloud_run_v2_worker_pool.stage :
    { for env in pool.template[0].containers[0].env : env.name => env.value }["LOOKUP_GITLAB_SYNC__MODE"] == "dry-run"])
    error_message = "the default mode is not a dry run"
  }
}

run "apply_reaches_both_stages" {
  variables {
    mode     = "apply"
    alerting = { page = ["projects/sync-test/notificationChannels/1"], ticket = ["projects/sync-test/notificationChannels/2"] }
  }
  assert {
    condition = alltrue([for pool in google_cloud_run_v2_worker_pool.stage :
    { for env in pool.template[0].containers[0].env : env.name => env.value }["LOOKUP_GITLAB_SYNC__MODE"] == "apply"])
    error_message = "a stage stayed in dry run"
  }
}

run "one_worker_pool_a_stage" {
  assert {
    condition     = { for stage, pool in google_cloud_run_v2_worker_pool.stage : stage => join(" ", pool.template[0].containers[0].args) } == { fan-out = "serve fan-out", user-worker = "serve user-worker" }
    error_message = "stages: ${jsonencode(output.worker_pools)}"
  }
  assert {
    condition     = alltrue([for pool in google_cloud_run_v2_worker_pool.stage : pool.scaling[0].manual_instance_count == 1 && pool.deletion_protection && pool.location == "europe-west2"])
    error_message = "a pool scales otherwise, stands elsewhere, or is not protected"
  }
  assert {
    condition     = alltrue([for pool in google_cloud_run_v2_worker_pool.stage : pool.template[0].containers[0].image == var.image])
    error_message = "a pool runs another image"
  }
  assert {
    condition = alltrue([for stage, pool in google_cloud_run_v2_worker_pool.stage :
    pool.template[0].service_account == google_service_account.stage[stage].email && google_service_account.stage[stage].account_id == "lookup-sync-${stage}"])
    error_message = "a stage runs as another stage's account"
  }
}

run "probes_ask_whether_the_loops_move_and_never_whether_gitlab_is_well" {
  assert {
    condition = alltrue([for pool in google_cloud_run_v2_worker_pool.stage :
      pool.template[0].containers[0].startup_probe[0].http_get[0].path == "/livez" &&
    pool.template[0].containers[0].liveness_probe[0].http_get[0].path == "/livez"])
    error_message = "a probe on /readyz would restart the service in every outage of GitLab"
  }
}

run "no_secret_is_in_the_environment_that_a_viewer_reads" {
  assert {
    condition = alltrue(flatten([for pool in google_cloud_run_v2_worker_pool.stage : [for env in pool.template[0].containers[0].env :
      length(env.value_source) == 1 if can(regex("TOKEN$|PASSWORD|SECRET|DATABASE_URL", env.name))
    ]]))
    error_message = "a secret stands in the environment in plain"
  }
  assert {
    condition = alltrue([for pool in google_cloud_run_v2_worker_pool.stage : toset([
      for env in pool.template[0].containers[0].env : "${env.name} ${env.value_source[0].secret_key_ref[0].secret} ${env.value_source[0].secret_key_ref[0].version}" if length(env.value_source) == 1
      ]) == toset([
      "GITLAB_TOKEN lookup-sync-gitlab-token latest",
      "LOOKUP_CLIENT_SECRET lookup-sync-lookup-client-secret latest",
    ])])
    error_message = "a stage has other secrets than its own"
  }
}

run "direct_access_to_lookup_uses_the_groups_password" {
  variables {
    lookup          = { url = "https://www.lookup.example.ac.uk/api/v1", username = "sync" }
    secret_versions = { lookup-password = "7" }
  }
  assert {
    condition = alltrue([for pool in google_cloud_run_v2_worker_pool.stage : toset([
      for env in pool.template[0].containers[0].env : "${env.name} ${env.value_source[0].secret_key_ref[0].secret} ${env.value_source[0].secret_key_ref[0].version}" if length(env.value_source) == 1
      ]) == toset([
      "GITLAB_TOKEN lookup-sync-gitlab-token latest",
      "LOOKUP_PASSWORD lookup-sync-lookup-password 7",
    ])])
    error_message = "the password is not the secret of the version asked for"
  }
}

run "the_guard_reaches_both_stages" {
  variables {
    guard    = { max_block_percent = 2.5, max_unblock_percent = 10, floor = 3 }
    settings = { USERS__INACTIVE_MONTHS = "36" }
  }
  assert {
    condition = alltrue([for pool in google_cloud_run_v2_worker_pool.stage : length(setsubtract([
      "LOOKUP_GITLAB_SYNC__GUARD__MAX_BLOCK_PERCENT=2.5",
      "LOOKUP_GITLAB_SYNC__GUARD__MAX_UNBLOCK_PERCENT=10",
      "LOOKUP_GITLAB_SYNC__GUARD__FLOOR=3",
      "LOOKUP_GITLAB_SYNC__USERS__INACTIVE_MONTHS=36",
    ], [for env in pool.template[0].containers[0].env : "${env.name}=${env.value}" if env.value != null])) == 0])
    error_message = "a stage has another guard or lacks a setting"
  }
}

run "the_first_apply_makes_the_places_and_runs_nothing" {
  variables {
    image = null
  }
  assert {
    condition     = length(google_cloud_run_v2_worker_pool.stage) == 0 && length(google_cloud_scheduler_job.tick) == 0 && length(google_monitoring_alert_policy.this) == 0
    error_message = "something would run without an image"
  }
  assert {
    condition     = output.image_repository == "europe-west2-docker.pkg.dev/sync-test/lookup-sync" && length(output.secrets) == 2
    error_message = "the places for image and secrets are not made"
  }
}

run "a_fixed_address_goes_through_the_network" {
  variables {
    vpc = { network = "sync", subnetwork = "sync-london" }
  }
  assert {
    condition     = alltrue([for pool in google_cloud_run_v2_worker_pool.stage : pool.template[0].vpc_access[0].egress == "ALL_TRAFFIC" && pool.template[0].vpc_access[0].network_interfaces[0].subnetwork == "sync-london"])
    error_message = "some traffic leaves by another way"
  }
}

run "the_registry_keeps_a_tag_as_it_is" {
  assert {
    condition     = google_artifact_registry_repository.images.docker_config[0].immutable_tags
    error_message = "a release's tag could be moved"
  }
}

run "the_operators_job_is_given_the_whole_environment" {
  assert {
    condition     = { for env in google_cloud_run_v2_job.operator[0].template[0].template[0].containers[0].env : env.name => env.value if length(env.value_source) == 0 } == { for name, value in output.operator_environment : name => value }
    error_message = "the output and the job differ"
  }
  assert {
    condition     = { for env in google_cloud_run_v2_worker_pool.stage["user-worker"].template[0].containers[0].env : env.name => env.value if length(env.value_source) == 0 } == { for name, value in output.operator_environment : name => value }
    error_message = "an operator plans otherwise than the worker decides"
  }
  assert {
    condition     = google_cloud_run_v2_job.operator[0].template[0].template[0].containers[0].args == tolist(["plan"]) && google_cloud_run_v2_job.operator[0].template[0].template[0].max_retries == 0
    error_message = "a job without arguments does something else than look, or is repeated"
  }
}

run "an_instance_is_given_three_minutes_to_start" {
  assert {
    condition     = alltrue([for pool in google_cloud_run_v2_worker_pool.stage : pool.template[0].containers[0].startup_probe[0].period_seconds * pool.template[0].containers[0].startup_probe[0].failure_threshold == 180])
    error_message = "behind a network the first packet can take a minute"
  }
}
