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

run "log_lines_stay_in_the_region_and_the_unchanged_are_left_out" {
  assert {
    condition     = google_logging_project_bucket_config.this.location == "europe-west2" && google_logging_project_bucket_config.this.retention_days == 30
    error_message = "log lines are kept elsewhere, or for another time"
  }
  assert {
    condition     = one(google_logging_project_sink.this.exclusions).filter == "jsonPayload.event=\"message_done\" AND jsonPayload.result=\"unchanged\""
    error_message = "a line is kept for every account of every tick"
  }
  assert {
    condition     = google_logging_project_exclusion.default.filter == google_logging_project_sink.this.filter && strcontains(google_logging_project_sink.this.filter, "resource.labels.job_name=\"lookup-sync-operator\"")
    error_message = "a line is kept twice, or not at all"
  }
}

run "the_lines_of_unchanged_accounts_can_be_kept" {
  variables {
    logs = { unchanged = true, retention_days = 90 }
  }
  assert {
    condition     = length(google_logging_project_sink.this.exclusions) == 0 && google_logging_project_bucket_config.this.retention_days == 90
    error_message = "they are left out still"
  }
}

run "the_audit_table_is_read_by_named_people_and_by_spans_of_time" {
  variables {
    operators = ["group:gitlab-team@example.ac.uk"]
    auditors  = ["user:dpo@example.ac.uk"]
  }
  assert {
    condition = toset([for it in google_bigquery_dataset.outcomes.access : "${it.role} ${coalesce(it.special_group, it.group_by_email, it.user_by_email)}"]) == toset([
      "OWNER projectOwners",
      "READER dpo@example.ac.uk",
      "READER gitlab-team@example.ac.uk",
    ])
    error_message = "somebody else reads what became of people"
  }
  assert {
    condition     = google_bigquery_table.outcomes.require_partition_filter && google_bigquery_dataset.outcomes.location == "europe-west2"
    error_message = "a question may read the whole table, or the table stands elsewhere"
  }
  assert {
    condition     = toset(keys(google_bigquery_table.view)) == toset(["changes", "runs", "person_history"]) && alltrue([for it in google_bigquery_table.view : strcontains(it.view[0].query, "FROM `sync-test.lookup_sync.outcomes`") && strcontains(it.view[0].query, "WHERE _PARTITIONTIME >= TIMESTAMP_SUB(CURRENT_TIMESTAMP(), INTERVAL 400 DAY)")])
    error_message = "a view reads another table, or cannot be read"
  }
  assert {
    condition = alltrue([for it in google_bigquery_table.view : alltrue([
      for word in distinct(regexall("\\b[a-z]+(?:_[a-z]+)+\\b", it.view[0].query)) :
      contains(concat([for column in jsondecode(google_bigquery_table.outcomes.schema) : column.name], ["decided_at", "planned_blocks", "planned_unblocks", "dead_letters", "lookup_sync", "guard_refused", "run_started", "dead_lettered", "run_reading", "run_held", "state_forbids"]), word)
    ])])
    error_message = "a view asks for a column that the table has not"
  }
}

run "who_publishes_and_who_reads_a_secret_is_on_record" {
  assert {
    condition     = { for service, it in google_project_iam_audit_config.this : service => one(it.audit_log_config).log_type } == { "pubsub.googleapis.com" = "DATA_WRITE", "secretmanager.googleapis.com" = "DATA_READ" }
    error_message = "docs/security.md leans on these logs"
  }
  assert {
    condition     = one(google_project_iam_audit_config.this["pubsub.googleapis.com"].audit_log_config).exempted_members == toset([for stage in ["fan-out", "user-worker"] : "serviceAccount:lookup-sync-${stage}@sync-test.iam.gserviceaccount.com"])
    error_message = "each of our own messages is logged, or somebody else's is not"
  }
}

run "where_the_organisation_logs_it_nothing_is_made" {
  variables {
    audit_logs = false
  }
  assert {
    condition     = length(google_project_iam_audit_config.this) == 0
    error_message = "two places decide what is logged"
  }
}

run "a_budget_opens_tickets" {
  variables {
    budget   = { billing_account = "012345-6789AB-CDEF01", monthly = 100, currency = "GBP" }
    alerting = { ticket = ["projects/sync-test/notificationChannels/2"] }
  }
  assert {
    condition     = [for rule in google_billing_budget.this[0].threshold_rules : rule.threshold_percent] == [0.5, 0.9, 1, 1.2] && google_billing_budget.this[0].amount[0].specified_amount[0].units == "100" && one(google_billing_budget.this[0].all_updates_rule[0].monitoring_notification_channels) == "projects/sync-test/notificationChannels/2"
    error_message = "nobody hears of the bill"
  }
}
