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

run "every_alert_leads_to_its_entry_of_the_runbook" {
  assert {
    condition = alltrue([for alert, it in google_monitoring_alert_policy.this :
      it.documentation[0].links[0].url == "https://gitlab.example.ac.uk/sync/-/blob/main/docs/operations.md#${alert}" &&
    strcontains(it.documentation[0].content, "docs/operations.md#${alert}")])
    error_message = "an alert leads nowhere"
  }
  assert {
    condition     = alltrue([for it in google_monitoring_alert_policy.burn : endswith(it.documentation[0].links[0].url, "#budget-burns")])
    error_message = "a burn alert leads nowhere"
  }
}

run "urgent_alerts_page_and_the_others_open_a_ticket" {
  variables {
    alerting = { page = ["projects/sync-test/notificationChannels/1"], ticket = ["projects/sync-test/notificationChannels/2"] }
  }
  assert {
    condition = alltrue([for it in concat(values(google_monitoring_alert_policy.this), values(google_monitoring_alert_policy.burn)) :
    one(it.notification_channels) == (it.severity == "WARNING" ? "projects/sync-test/notificationChannels/2" : "projects/sync-test/notificationChannels/1")])
    error_message = "an alert goes to the wrong people"
  }
  assert {
    condition = { for alert, it in google_monitoring_alert_policy.this : alert => it.severity } == {
      backlog-age            = "CRITICAL"
      dead-letter-burst      = "CRITICAL"
      dead-letters           = "WARNING"
      dead-letters-forgotten = "WARNING"
      errors-logged          = "WARNING"
      gate-closed            = "ERROR"
      guard-refused          = "WARNING"
      leases-lapse           = "WARNING"
      paused-long            = "WARNING"
      publish-refused        = "WARNING"
      run-missing            = "CRITICAL"
      stage-missing          = "CRITICAL"
      stream-unstable        = "WARNING"
      tick-missing           = "CRITICAL"
      token-expires          = "WARNING"
    }
    error_message = "alerts: ${jsonencode({ for alert, it in google_monitoring_alert_policy.this : alert => it.severity })}"
  }
}

run "patience_follows_the_schedule" {
  variables {
    tick = { schedule = "*/15 * * * *", interval_seconds = 900 }
  }
  assert {
    condition     = startswith(google_monitoring_alert_policy.this["backlog-age"].conditions[0].condition_prometheus_query_language[0].query, "max by (subscription_id) (pubsub_googleapis_com:subscription_oldest_unacked_message_age{") && strcontains(google_monitoring_alert_policy.this["backlog-age"].conditions[0].condition_prometheus_query_language[0].query, "}) > 1800 unless on() ")
    error_message = "the backlog may age for two intervals: ${google_monitoring_alert_policy.this["backlog-age"].conditions[0].condition_prometheus_query_language[0].query}"
  }
  assert {
    condition = alltrue([for alert in ["tick-missing", "run-missing"] :
      google_monitoring_alert_policy.this[alert].conditions[0].condition_prometheus_query_language[0].duration == "1800s" &&
    strcontains(google_monitoring_alert_policy.this[alert].conditions[0].condition_prometheus_query_language[0].query, "[1800s])) or vector(0)) < 0.5")])
    error_message = "a tick or a run may be absent for four intervals, and what never came is absent too"
  }
  assert {
    condition     = alltrue([for alert in ["tick-missing", "run-missing", "stage-missing", "backlog-age"] : google_monitoring_alert_policy.this[alert].alert_strategy[0].auto_close == "604800s"])
    error_message = "an absence is forgotten while it lasts"
  }
  assert {
    condition     = google_monitoring_slo.freshness[0].windows_based_sli[0].metric_mean_in_range[0].range[0].max == 1800
    error_message = "the objective is two intervals"
  }
}

run "every_dead_letter_and_every_backlog_is_watched" {
  assert {
    condition = alltrue([for name in values(output.subscriptions) :
    strcontains(google_monitoring_alert_policy.this["backlog-age"].conditions[0].condition_prometheus_query_language[0].query, name)])
    error_message = "a subscription's backlog is not watched"
  }
  assert {
    condition = alltrue([for name in values(output.hold_subscriptions) :
    strcontains(google_monitoring_alert_policy.this["dead-letters-forgotten"].conditions[0].condition_threshold[0].filter, name)])
    error_message = "a hold subscription is not watched"
  }
  assert {
    condition     = length(google_monitoring_alert_policy.this["dead-letters"].conditions) == 2
    error_message = "dead letters come from the service and from Pub/Sub; both count"
  }
}

run "log_metrics_read_only_our_own_lines" {
  assert {
    condition     = alltrue([for it in concat(values(google_logging_metric.this), [google_logging_metric.milliseconds]) : startswith(it.filter, "((resource.type=\"cloud_run_worker_pool\" AND resource.labels.worker_pool_name=(\"lookup-sync-fan-out\" OR \"lookup-sync-user-worker\"))) AND ")])
    error_message = "a metric counts somebody else's lines: ${google_logging_metric.milliseconds.filter}"
  }
  assert {
    condition     = alltrue(flatten([for it in google_logging_metric.this : [for label in it.metric_descriptor[0].labels : can(it.label_extractors[label.key])]]))
    error_message = "a label has no extractor"
  }
}

run "the_dashboard_is_whole" {
  assert {
    condition     = length(jsondecode(google_monitoring_dashboard.this[0].dashboard_json).mosaicLayout.tiles) == 12
    error_message = "the dashboard lost a chart"
  }
}

run "without_alerting_there_is_nothing_to_page_anybody" {
  variables {
    alerting = { enabled = false }
  }
  assert {
    condition     = length(google_monitoring_alert_policy.this) + length(google_monitoring_alert_policy.burn) + length(google_monitoring_slo.freshness) == 0
    error_message = "an alert remains"
  }
}

run "one_cause_pages_once" {
  assert {
    condition     = alltrue([for alert in ["backlog-age", "run-missing"] : strcontains(google_monitoring_alert_policy.this[alert].conditions[0].condition_prometheus_query_language[0].query, "unless on() (sum(increase(logging_googleapis_com:user_lookup_sync_gates_closed{")])
    error_message = "an outage of GitLab pages three times"
  }
  assert {
    condition     = strcontains(google_monitoring_alert_policy.this["run-missing"].conditions[0].condition_prometheus_query_language[0].query, "unless on() (sum(increase(logging_googleapis_com:user_lookup_sync_guard_refusals{")
    error_message = "a refusal is a ticket and a page"
  }
  assert {
    condition     = alltrue([for it in google_monitoring_alert_policy.burn : it.severity == "WARNING"])
    error_message = "the budget pages for what paged already"
  }
  assert {
    condition     = strcontains(google_logging_metric.this["errors"].filter, "NOT jsonPayload.event=(\"gate_closed\" OR \"gate_stays_closed\" OR \"message_dead_lettered\"") && strcontains(google_logging_metric.this["messages-dead-lettered"].filter, "AND NOT jsonPayload.dead_letter_reason=\"guard_refused\"")
    error_message = "a line is a second ticket"
  }
}

run "every_instance_that_has_to_be_there_is_missed" {
  variables {
    fan_out    = { instances = 0 }
    vpc        = { network = "projects/sync-test/global/networks/sync", subnetwork = "sync-london" }
    namespaces = { enabled = true, database = { create = false } }
  }
  assert {
    condition     = toset([for it in google_monitoring_alert_policy.this["stage-missing"].conditions : it.display_name]) == toset(["no instance of user-worker", "no instance of namespace-worker", "no instance of portal", "ended with an error"])
    error_message = "conditions: ${jsonencode([for it in google_monitoring_alert_policy.this["stage-missing"].conditions : it.display_name])}"
  }
  assert {
    condition     = length(google_monitoring_alert_policy.this["service-fails"].conditions) == 2 && length(google_monitoring_alert_policy.this["errors-logged"].conditions) == 2
    error_message = "a service is not watched"
  }
  assert {
    condition     = strcontains(google_logging_metric.this["errors"].filter, "resource.labels.service_name=(\"lookup-sync-portal\" OR \"lookup-sync-provisioning-api\")")
    error_message = "a service's log is not read"
  }
}

# docs/operations.md reckons with these numbers.
run "there_are_as_many_conditions_as_the_estimate_says" {
  variables {
    alerting = { enabled = true }
  }
  assert {
    condition     = length(google_monitoring_alert_policy.this) + length(google_monitoring_alert_policy.burn) == 18 && sum([for it in concat(values(google_monitoring_alert_policy.this), values(google_monitoring_alert_policy.burn)) : length(it.conditions)]) == 25
    error_message = "the estimate reckons with 18 policies and 25 conditions"
  }
}
