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

# Values that were accepted once and did something else than they said, or nothing.
run "refuses_a_guard_that_was_meant_as_a_share" {
  command = plan
  variables {
    guard = { max_block_percent = 0.05 }
  }
  expect_failures = [var.guard]
}

run "refuses_an_unblock_guard_that_was_meant_as_a_share" {
  command = plan
  variables {
    guard = { max_unblock_percent = 0.25 }
  }
  expect_failures = [var.guard]
}

run "refuses_a_block_guard_just_below_half_a_percent" {
  command = plan
  variables {
    guard = { max_block_percent = 0.49 }
  }
  expect_failures = [var.guard]
}

run "refuses_an_unblock_guard_just_above_half" {
  command = plan
  variables {
    guard = { max_unblock_percent = 50.1 }
  }
  expect_failures = [var.guard]
}

run "refuses_half_an_account" {
  command = plan
  variables {
    guard = { floor = 2.5 }
  }
  expect_failures = [var.guard]
}

run "refuses_a_floor_just_above_a_hundred" {
  command = plan
  variables {
    guard = { floor = 101 }
  }
  expect_failures = [var.guard]
}

run "refuses_no_blocks_at_all" {
  command = plan
  variables {
    guard = { max_blocks = 0 }
  }
  expect_failures = [var.guard]
}

run "refuses_a_bound_of_blocks_that_is_none" {
  command = plan
  variables {
    guard = { max_blocks = 10001 }
  }
  expect_failures = [var.guard]
}

run "refuses_a_fraction_of_a_block" {
  command = plan
  variables {
    guard = { max_blocks = 99.5 }
  }
  expect_failures = [var.guard]
}

run "refuses_gitlab_with_the_api_path_and_a_slash" {
  command = plan
  variables {
    gitlab = { url = "https://gitlab.example.ac.uk/api/v4/" }
  }
  expect_failures = [var.gitlab]
}

run "refuses_gitlab_with_a_query" {
  command = plan
  variables {
    gitlab = { url = "https://gitlab.example.ac.uk?x=1" }
  }
  expect_failures = [var.gitlab]
}

run "refuses_a_fraction_of_a_call" {
  command = plan
  variables {
    gitlab = { url = "https://gitlab.example.ac.uk", requests_per_minute = 0.5 }
  }
  expect_failures = [var.gitlab]
}

run "refuses_one_and_a_half_calls" {
  command = plan
  variables {
    gitlab = { url = "https://gitlab.example.ac.uk", requests_per_minute = 1.5 }
  }
  expect_failures = [var.gitlab]
}

run "refuses_a_rate_that_is_no_bound" {
  command = plan
  variables {
    gitlab = { url = "https://gitlab.example.ac.uk", requests_per_minute = 60001 }
  }
  expect_failures = [var.gitlab]
}

run "refuses_a_token_address_without_tls" {
  command = plan
  variables {
    lookup = { url = "https://l.example.ac.uk", token_url = "http://l.example.ac.uk/token", client_id = "sync" }
  }
  expect_failures = [var.lookup]
}

run "refuses_lookup_with_a_user_in_its_address" {
  command = plan
  variables {
    lookup = { url = "https://sync:hush@l.example.ac.uk", username = "sync" }
  }
  expect_failures = [var.lookup]
}

run "refuses_lookup_with_a_query" {
  command = plan
  variables {
    lookup = { url = "https://l.example.ac.uk/v1?x", username = "sync" }
  }
  expect_failures = [var.lookup]
}

run "refuses_lookup_without_an_address" {
  command = plan
  variables {
    lookup = { url = "", username = "sync" }
  }
  expect_failures = [var.lookup]
}

run "refuses_a_username_beside_a_client" {
  command = plan
  variables {
    lookup = { url = "https://l.example.ac.uk", username = "sync", client_id = "sync" }
  }
  expect_failures = [var.lookup]
}

run "refuses_a_username_beside_a_token_address" {
  command = plan
  variables {
    lookup = { url = "https://l.example.ac.uk", username = "sync", token_url = "https://l.example.ac.uk/t" }
  }
  expect_failures = [var.lookup]
}

run "refuses_a_client_without_a_token_address" {
  command = plan
  variables {
    lookup = { url = "https://l.example.ac.uk", client_id = "sync" }
  }
  expect_failures = [var.lookup]
}

run "refuses_the_setting_gitlab_url" {
  command = plan
  variables {
    settings = { GITLAB__URL = "x" }
  }
  expect_failures = [var.settings]
}

run "refuses_the_setting_directory_url" {
  command = plan
  variables {
    settings = { DIRECTORY__URL = "x" }
  }
  expect_failures = [var.settings]
}

run "refuses_the_setting_gitlab_calls_requests_per_minute" {
  command = plan
  variables {
    settings = { GITLAB__CALLS__REQUESTS_PER_MINUTE = "x" }
  }
  expect_failures = [var.settings]
}

run "refuses_the_setting_serve_port" {
  command = plan
  variables {
    settings = { SERVE__PORT = "x" }
  }
  expect_failures = [var.settings]
}

run "refuses_the_setting_log_format" {
  command = plan
  variables {
    settings = { LOG__FORMAT = "x" }
  }
  expect_failures = [var.settings]
}

run "refuses_the_setting_namespaces_identity_audience" {
  command = plan
  variables {
    settings = { NAMESPACES__IDENTITY_AUDIENCE = "x" }
  }
  expect_failures = [var.settings]
}

run "refuses_the_setting_namespaces_portal_url" {
  command = plan
  variables {
    settings = { NAMESPACES__PORTAL_URL = "x" }
  }
  expect_failures = [var.settings]
}

run "refuses_the_secret_gitlab_token_file" {
  command = plan
  variables {
    settings = { GITLAB__TOKEN_FILE = "x" }
  }
  expect_failures = [var.settings]
}

run "refuses_the_secret_directory_client_secret" {
  command = plan
  variables {
    settings = { DIRECTORY__CLIENT_SECRET = "x" }
  }
  expect_failures = [var.settings]
}

run "refuses_the_secret_directory_password_file" {
  command = plan
  variables {
    settings = { DIRECTORY__PASSWORD_FILE = "x" }
  }
  expect_failures = [var.settings]
}

run "refuses_the_secret_namespaces_signing_key_file" {
  command = plan
  variables {
    settings = { NAMESPACES__SIGNING_KEY_FILE = "x" }
  }
  expect_failures = [var.settings]
}

run "refuses_the_secret_namespaces_ledger_database_url" {
  command = plan
  variables {
    settings = { NAMESPACES__LEDGER_DATABASE_URL = "x" }
  }
  expect_failures = [var.settings]
}

run "refuses_the_secret_directory_path" {
  command = plan
  variables {
    settings = { DIRECTORY__PATH = "x" }
  }
  expect_failures = [var.settings]
}

run "refuses_a_prefix_among_the_settings" {
  command = plan
  variables {
    settings = { PUBSUB__PREFIX = "x" }
  }
  expect_failures = [var.settings]
}

run "refuses_a_section_that_does_not_exist" {
  command = plan
  variables {
    settings = { USER__INACTIVE_MONTHS = "x" }
  }
  expect_failures = [var.settings]
}

run "refuses_a_mode_among_the_settings" {
  command = plan
  variables {
    settings = { MODE = "x" }
  }
  expect_failures = [var.settings]
}

run "refuses_a_section_with_a_letter_too_many" {
  command = plan
  variables {
    settings = { XUSERS__A = "x" }
  }
  expect_failures = [var.settings]
}

run "refuses_a_small_letter_at_the_end" {
  command = plan
  variables {
    settings = { USERS__A_b = "x" }
  }
  expect_failures = [var.settings]
}

run "refuses_a_secrets_full_name" {
  command = plan
  variables {
    secret_versions = { lookup-sync-gitlab-token = "3" }
  }
  expect_failures = [var.secret_versions]
}

run "refuses_a_secret_in_capitals" {
  command = plan
  variables {
    secret_versions = { GITLAB_TOKEN = "3" }
  }
  expect_failures = [var.secret_versions]
}

run "refuses_version_zero" {
  command = plan
  variables {
    secret_versions = { gitlab-token = "0" }
  }
  expect_failures = [var.secret_versions]
}

run "refuses_a_version_with_a_letter" {
  command = plan
  variables {
    secret_versions = { gitlab-token = "3a" }
  }
  expect_failures = [var.secret_versions]
}

run "refuses_a_label_in_capitals" {
  command = plan
  variables {
    labels = { Team = "devops" }
  }
  expect_failures = [var.labels]
}

run "refuses_a_labels_value_with_a_blank" {
  command = plan
  variables {
    labels = { team = "dev ops" }
  }
  expect_failures = [var.labels]
}

run "refuses_a_label_of_64_letters" {
  command = plan
  variables {
    labels = { aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa = "x" }
  }
  expect_failures = [var.labels]
}

run "refuses_another_app" {
  command = plan
  variables {
    labels = { app = "other" }
  }
  expect_failures = [var.labels]
}
