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

# One mistake each; the variable that makes it is the one that is refused.
run "refuses_an_image_by_tag" {
  command = plan
  variables {
    image = "europe-west2-docker.pkg.dev/sync-test/lookup-sync/lookup-gitlab-sync:1.0.0"
  }
  expect_failures = [var.image]
}

run "refuses_an_image_without_tag" {
  command = plan
  variables {
    image = "lookup-gitlab-sync"
  }
  expect_failures = [var.image]
}

run "refuses_a_region_that_is_empty" {
  command = plan
  variables {
    region = ""
  }
  expect_failures = [var.region]
}

run "refuses_a_zone_for_a_region" {
  command = plan
  variables {
    region = "europe-west2-a"
  }
  expect_failures = [var.region]
}

run "refuses_a_project_number" {
  command = plan
  variables {
    project_id = "123456789012"
  }
  expect_failures = [var.project_id]
}

run "refuses_a_name_too_long_for_accounts" {
  command = plan
  variables {
    name = "lookup-gitlab-sync"
  }
  expect_failures = [var.name]
}

run "refuses_a_prefix_that_pubsub_refuses" {
  command = plan
  variables {
    pubsub_prefix = "google-"
  }
  expect_failures = [var.pubsub_prefix]
}

run "refuses_an_unknown_mode" {
  command = plan
  variables {
    mode = "live"
  }
  expect_failures = [var.mode]
}

run "refuses_a_block_guard_above_half" {
  command = plan
  variables {
    guard = { max_block_percent = 50.5 }
  }
  expect_failures = [var.guard]
}

run "refuses_a_block_guard_of_nothing" {
  command = plan
  variables {
    guard = { max_block_percent = 0 }
  }
  expect_failures = [var.guard]
}

run "refuses_an_unblock_guard_above_half" {
  command = plan
  variables {
    guard = { max_unblock_percent = 100 }
  }
  expect_failures = [var.guard]
}

run "refuses_a_negative_floor" {
  command = plan
  variables {
    guard = { floor = -1 }
  }
  expect_failures = [var.guard]
}

run "refuses_a_floor_that_is_no_guard" {
  command = plan
  variables {
    guard = { floor = 5000 }
  }
  expect_failures = [var.guard]
}

run "refuses_gitlab_without_tls" {
  command = plan
  variables {
    gitlab = { url = "http://gitlab.example.ac.uk" }
  }
  expect_failures = [var.gitlab]
}

run "refuses_gitlab_with_the_api_path" {
  command = plan
  variables {
    gitlab = { url = "https://gitlab.example.ac.uk/api/v4" }
  }
  expect_failures = [var.gitlab]
}

run "refuses_a_rate_of_nothing" {
  command = plan
  variables {
    gitlab = { url = "https://gitlab.example.ac.uk", requests_per_minute = 0 }
  }
  expect_failures = [var.gitlab]
}

run "refuses_lookup_without_tls" {
  command = plan
  variables {
    lookup = { url = "http://lookup.example.ac.uk", username = "sync" }
  }
  expect_failures = [var.lookup]
}

run "refuses_lookup_without_credentials" {
  command = plan
  variables {
    lookup = { url = "https://lookup.example.ac.uk" }
  }
  expect_failures = [var.lookup]
}

run "refuses_lookup_with_two_kinds_of_credentials" {
  command = plan
  variables {
    lookup = { url = "https://l.example.ac.uk", username = "sync", token_url = "https://l.example.ac.uk/token", client_id = "sync" }
  }
  expect_failures = [var.lookup]
}

run "refuses_a_schedule_of_six_fields" {
  command = plan
  variables {
    tick = { schedule = "0 7 * * * *" }
  }
  expect_failures = [var.tick]
}

run "refuses_a_time_zone_by_abbreviation" {
  command = plan
  variables {
    tick = { time_zone = "BST" }
  }
  expect_failures = [var.tick]
}

run "refuses_an_interval_nobody_can_watch" {
  command = plan
  variables {
    tick = { schedule = "0 3 * * *", interval_seconds = 86400 }
  }
  expect_failures = [var.tick]
}

run "refuses_a_secret_among_the_settings" {
  command = plan
  variables {
    settings = { GITLAB__TOKEN = "glpat-nothing" }
  }
  expect_failures = [var.settings]
}

run "refuses_a_guard_among_the_settings" {
  command = plan
  variables {
    settings = { GUARD__MAX_BLOCK_PERCENT = "99" }
  }
  expect_failures = [var.settings]
}

run "refuses_a_setting_in_small_letters" {
  command = plan
  variables {
    settings = { "users.inactive_months" = "24" }
  }
  expect_failures = [var.settings]
}

run "refuses_a_version_that_is_a_name" {
  command = plan
  variables {
    secret_versions = { gitlab-token = "newest" }
  }
  expect_failures = [var.secret_versions]
}

run "refuses_half_an_instance" {
  command = plan
  variables {
    user_worker = { instances = 1.5 }
  }
  expect_failures = [var.user_worker]
}

run "refuses_memory_below_the_platforms_least" {
  command = plan
  variables {
    user_worker = { memory = "256Mi" }
  }
  expect_failures = [var.user_worker]
}

run "refuses_two_fan_outs" {
  command = plan
  variables {
    fan_out = { instances = 2 }
  }
  expect_failures = [var.fan_out]
}

run "refuses_everybody_as_operator" {
  command = plan
  variables {
    operators = ["allUsers"]
  }
  expect_failures = [var.operators]
}

run "refuses_a_channel_by_name" {
  command = plan
  variables {
    alerting = { page = ["on-call"] }
  }
  expect_failures = [var.alerting]
}

run "refuses_a_runbook_without_tls" {
  command = plan
  variables {
    runbook_url = "docs/operations.md"
  }
  expect_failures = [var.runbook_url]
}

run "refuses_an_audit_of_a_week" {
  command = plan
  variables {
    outcome_retention_days = 7
  }
  expect_failures = [var.outcome_retention_days]
}

run "refuses_a_history_that_pubsub_cannot_keep" {
  command = plan
  variables {
    history_retention_days = 32
  }
  expect_failures = [var.history_retention_days]
}

run "refuses_a_portal_with_a_path" {
  command = plan
  variables {
    namespaces = { enabled = true, portal_url = "https://portal.example.ac.uk/path" }
  }
  expect_failures = [var.namespaces]
}

run "refuses_a_database_of_unknown_availability" {
  command = plan
  variables {
    namespaces = { database = { availability_type = "GLOBAL" } }
  }
  expect_failures = [var.namespaces]
}
