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

# Sizes, people and spans that cloud or design would refuse, each by one step too far.
run "refuses_a_negative_number_of_workers" {
  command = plan
  variables {
    user_worker = { instances = -1 }
  }
  expect_failures = [var.user_worker]
}

run "refuses_more_workers_than_gitlab_takes" {
  command = plan
  variables {
    user_worker = { instances = 21 }
  }
  expect_failures = [var.user_worker]
}

run "refuses_a_workers_memory_just_below" {
  command = plan
  variables {
    user_worker = { memory = "511Mi" }
  }
  expect_failures = [var.user_worker]
}

run "refuses_a_fan_outs_memory_just_below" {
  command = plan
  variables {
    fan_out = { memory = "511Mi" }
  }
  expect_failures = [var.fan_out]
}

run "refuses_a_workers_memory_above" {
  command = plan
  variables {
    user_worker = { memory = "5Gi" }
  }
  expect_failures = [var.user_worker]
}

run "refuses_a_fan_outs_memory_above" {
  command = plan
  variables {
    fan_out = { memory = "5Gi" }
  }
  expect_failures = [var.fan_out]
}

run "refuses_a_workers_memory_of_nothing" {
  command = plan
  variables {
    user_worker = { memory = "0Gi" }
  }
  expect_failures = [var.user_worker]
}

run "refuses_a_fan_outs_memory_of_nothing" {
  command = plan
  variables {
    fan_out = { memory = "0Gi" }
  }
  expect_failures = [var.fan_out]
}

run "refuses_a_workers_memory_without_unit" {
  command = plan
  variables {
    user_worker = { memory = "512" }
  }
  expect_failures = [var.user_worker]
}

run "refuses_a_fan_outs_memory_without_unit" {
  command = plan
  variables {
    fan_out = { memory = "512" }
  }
  expect_failures = [var.fan_out]
}

run "refuses_a_workers_memory_in_another_unit" {
  command = plan
  variables {
    user_worker = { memory = "512MiB" }
  }
  expect_failures = [var.user_worker]
}

run "refuses_a_fan_outs_memory_in_another_unit" {
  command = plan
  variables {
    fan_out = { memory = "512MiB" }
  }
  expect_failures = [var.fan_out]
}

run "refuses_a_workers_memory_with_a_letter" {
  command = plan
  variables {
    user_worker = { memory = "x512Mi" }
  }
  expect_failures = [var.user_worker]
}

run "refuses_a_fan_outs_memory_with_a_letter" {
  command = plan
  variables {
    fan_out = { memory = "x512Mi" }
  }
  expect_failures = [var.fan_out]
}

run "refuses_a_workers_memory_with_a_letter_and_gib" {
  command = plan
  variables {
    user_worker = { memory = "x1Gi" }
  }
  expect_failures = [var.user_worker]
}

run "refuses_a_fan_outs_memory_with_a_letter_and_gib" {
  command = plan
  variables {
    fan_out = { memory = "x1Gi" }
  }
  expect_failures = [var.fan_out]
}

run "refuses_a_network_of_no_name" {
  command = plan
  variables {
    vpc = { network = "", subnetwork = "sync" }
  }
  expect_failures = [var.vpc]
}

run "refuses_a_network_in_capitals" {
  command = plan
  variables {
    vpc = { network = "Sync", subnetwork = "sync" }
  }
  expect_failures = [var.vpc]
}

run "refuses_a_subnetwork_of_no_name" {
  command = plan
  variables {
    vpc = { network = "sync", subnetwork = "" }
  }
  expect_failures = [var.vpc]
}

run "refuses_a_network_with_a_slash_at_its_end" {
  command = plan
  variables {
    vpc = { network = "sync/", subnetwork = "sync" }
  }
  expect_failures = [var.vpc]
}

run "refuses_an_operator_without_an_address" {
  command = plan
  variables {
    operators = ["group:gitlab-team"]
  }
  expect_failures = [var.operators]
}

run "refuses_an_operator_of_no_kind" {
  command = plan
  variables {
    operators = ["gitlab-team@example.ac.uk"]
  }
  expect_failures = [var.operators]
}

run "refuses_a_domain_as_operator" {
  command = plan
  variables {
    operators = ["domain:example.ac.uk"]
  }
  expect_failures = [var.operators]
}

run "refuses_two_operators_in_one" {
  command = plan
  variables {
    operators = ["user:a@example.ac.uk user:b@example.ac.uk"]
  }
  expect_failures = [var.operators]
}

run "refuses_a_principal_of_somewhere_else" {
  command = plan
  variables {
    operators = ["principal://example.ac.uk/x"]
  }
  expect_failures = [var.operators]
}

run "refuses_a_channel_with_more_behind_it" {
  command = plan
  variables {
    alerting = { ticket = ["projects/p/notificationChannels/1/x"] }
  }
  expect_failures = [var.alerting]
}

run "refuses_a_channel_of_something_else" {
  command = plan
  variables {
    alerting = { ticket = ["x/projects/p/notificationChannels/1"] }
  }
  expect_failures = [var.alerting]
}

run "refuses_half_a_dead_letter" {
  command = plan
  variables {
    alerting = { dead_letter_burst = 50.5 }
  }
  expect_failures = [var.alerting]
}

run "refuses_a_burst_of_nothing" {
  command = plan
  variables {
    alerting = { dead_letter_burst = 0 }
  }
  expect_failures = [var.alerting]
}

run "refuses_to_write_with_nobody_to_wake" {
  command = plan
  variables {
    mode     = "apply"
    alerting = { ticket = ["projects/sync-test/notificationChannels/2"] }
  }
  expect_failures = [var.alerting]
}

run "refuses_to_write_with_nowhere_to_write_to" {
  command = plan
  variables {
    mode     = "apply"
    alerting = { page = ["projects/sync-test/notificationChannels/2"] }
  }
  expect_failures = [var.alerting]
}

run "refuses_to_write_unwatched" {
  command = plan
  variables {
    mode     = "apply"
    alerting = { enabled = false }
  }
  expect_failures = [var.alerting]
}

run "refuses_a_runbook_with_a_fragment" {
  command = plan
  variables {
    runbook_url = "https://gitlab.example.ac.uk/operations.md#x"
  }
  expect_failures = [var.runbook_url]
}

run "refuses_a_runbook_behind_words" {
  command = plan
  variables {
    runbook_url = "see https://gitlab.example.ac.uk/operations.md"
  }
  expect_failures = [var.runbook_url]
}

run "refuses_a_history_of_half_a_day" {
  command = plan
  variables {
    history_retention_days = 7.5
  }
  expect_failures = [var.history_retention_days]
}

run "refuses_a_history_of_six_days" {
  command = plan
  variables {
    history_retention_days = 6
  }
  expect_failures = [var.history_retention_days]
}

run "refuses_an_audit_of_29_days" {
  command = plan
  variables {
    outcome_retention_days = 29
  }
  expect_failures = [var.outcome_retention_days]
}

run "refuses_an_audit_of_half_a_day" {
  command = plan
  variables {
    outcome_retention_days = 400.5
  }
  expect_failures = [var.outcome_retention_days]
}

run "refuses_an_audit_of_more_than_ten_years" {
  command = plan
  variables {
    outcome_retention_days = 3651
  }
  expect_failures = [var.outcome_retention_days]
}

run "refuses_a_log_of_six_days" {
  command = plan
  variables {
    logs = { retention_days = 6 }
  }
  expect_failures = [var.logs]
}

run "refuses_a_log_of_more_than_400_days" {
  command = plan
  variables {
    logs = { retention_days = 401 }
  }
  expect_failures = [var.logs]
}

run "refuses_a_log_of_half_a_day" {
  command = plan
  variables {
    logs = { retention_days = 30.5 }
  }
  expect_failures = [var.logs]
}

run "refuses_everybody_as_auditor" {
  command = plan
  variables {
    auditors = ["allUsers"]
  }
  expect_failures = [var.auditors]
}

run "refuses_an_auditor_without_an_address" {
  command = plan
  variables {
    auditors = ["group:dpo"]
  }
  expect_failures = [var.auditors]
}

run "refuses_two_auditors_in_one" {
  command = plan
  variables {
    auditors = ["user:a@example.ac.uk b"]
  }
  expect_failures = [var.auditors]
}

run "refuses_an_auditor_of_somewhere_else" {
  command = plan
  variables {
    auditors = ["principal://example.ac.uk/x"]
  }
  expect_failures = [var.auditors]
}
