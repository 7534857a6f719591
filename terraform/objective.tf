# The objective: in 99 % of all five-minute windows no account's message is older than two runs are apart.
resource "google_monitoring_custom_service" "sync" {
  count = local.alerting ? 1 : 0

  project      = var.project_id
  service_id   = var.name
  display_name = var.name
  user_labels  = local.labels

  depends_on = [google_project_service.this]
}

resource "google_monitoring_slo" "freshness" {
  count = local.alerting ? 1 : 0

  project             = var.project_id
  service             = google_monitoring_custom_service.sync[0].service_id
  slo_id              = "freshness"
  display_name        = "Accounts are in step within two runs"
  goal                = 0.99
  rolling_period_days = 28

  windows_based_sli {
    window_period = "300s"
    metric_mean_in_range {
      time_series = "metric.type=\"pubsub.googleapis.com/subscription/oldest_unacked_message_age\" AND resource.type=\"pubsub_subscription\" AND resource.labels.subscription_id=\"${local.topics["user-sync"].subscription}\""
      range {
        max = 2 * local.interval
      }
    }
  }
}

locals {
  # Tickets all: what burns the budget fast has waited long enough for backlog-age, or is an outage, and these page.
  # How fast the month's budget burns, over a long window and, so that the alert ends with its cause, a short one.
  # The longest look back that Cloud Monitoring offers is a day, hence 3x over a day and not 1x over three.
  burns = {
    budget-burns-fast   = { rate = 14.4, long = 3600, short = 300, severity = "WARNING" }
    budget-burns        = { rate = 6, long = 21600, short = 1800, severity = "WARNING" }
    budget-burns-slowly = { rate = 3, long = 86400, short = 7200, severity = "WARNING" }
  }
}

resource "google_monitoring_alert_policy" "burn" {
  for_each = { for burn, it in local.burns : burn => it if local.alerting }

  project               = var.project_id
  display_name          = "${var.name}: ${each.key}"
  combiner              = "AND"
  severity              = each.value.severity
  notification_channels = var.alerting.ticket
  user_labels           = local.labels

  dynamic "conditions" {
    for_each = [each.value.long, each.value.short]
    content {
      display_name = "burn rate over ${conditions.value} s"
      condition_threshold {
        filter          = "select_slo_burn_rate(\"${google_monitoring_slo.freshness[0].name}\", \"${conditions.value}s\")"
        comparison      = "COMPARISON_GT"
        threshold_value = each.value.rate
        duration        = "0s"
      }
    }
  }

  documentation {
    subject   = "${var.name}: ${each.key}"
    mime_type = "text/markdown"
    content   = "Accounts fall out of step faster than the objective allows.\n\nWhat it means, how to look and how to mend it: ${var.runbook_url}#budget-burns"
    links {
      display_name = "Runbook: budget-burns"
      url          = "${var.runbook_url}#budget-burns"
    }
  }
}
