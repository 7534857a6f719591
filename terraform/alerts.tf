# Every policy leads to its entry of docs/operations.md, whose heading is the policy's key.
locals {
  # Alerts on log-based metrics can be made only some minutes after the metrics themselves: hence not in the first apply.
  alerting = var.alerting.enabled && local.running

  work_filter = "resource.type=\"pubsub_subscription\" AND resource.labels.subscription_id=monitoring.regex.full_match(\"${join("|", values(local.subscriptions))}\")"
  hold_filter = "resource.type=\"pubsub_subscription\" AND resource.labels.subscription_id=monitoring.regex.full_match(\"${join("|", [for it in local.schemas : "${it.name}-dead-hold"])}\")"
  tick_filter = "resource.type=\"pubsub_topic\" AND resource.labels.topic_id=\"${local.topics["sync-tick"].name}\""
  send_filter = "resource.type=\"pubsub_topic\" AND resource.labels.topic_id=monitoring.regex.full_match(\"${join("|", [for it in local.schemas : it.name])}\")"
  logged = {
    for metric in keys(local.log_metrics) :
    metric => "metric.type=\"logging.googleapis.com/user/${google_logging_metric.this[metric].name}\" AND resource.type=\"cloud_run_worker_pool\""
  }

  # kind: above (the aligned value is over the threshold for the duration) or absent (nothing arrives for it).
  alerts = {
    dead-letters = {
      severity = "WARNING"
      summary  = "Messages were given up and wait in a hold subscription."
      conditions = [
        { name = "dead-lettered by the service", kind = "above", filter = local.logged["messages-dead-lettered"], aligner = "ALIGN_DELTA", period = 300, threshold = 0, duration = 0 },
        { name = "forwarded by Pub/Sub", kind = "above", filter = "metric.type=\"pubsub.googleapis.com/subscription/dead_letter_message_count\" AND ${local.work_filter}", aligner = "ALIGN_DELTA", period = 300, threshold = 0, duration = 0 },
      ]
    }
    dead-letter-burst = {
      severity = "CRITICAL"
      summary  = "Many messages were given up at once."
      conditions = [
        { name = "dead-lettered by the service", kind = "above", filter = local.logged["messages-dead-lettered"], aligner = "ALIGN_DELTA", period = 900, threshold = var.alerting.dead_letter_burst, duration = 0 },
        { name = "forwarded by Pub/Sub", kind = "above", filter = "metric.type=\"pubsub.googleapis.com/subscription/dead_letter_message_count\" AND ${local.work_filter}", aligner = "ALIGN_DELTA", period = 900, threshold = var.alerting.dead_letter_burst, duration = 0 },
      ]
    }
    dead-letters-forgotten = {
      severity = "WARNING"
      summary  = "A dead letter has waited for more than a week; after 31 days it is gone."
      conditions = [
        { name = "oldest held message", kind = "above", filter = "metric.type=\"pubsub.googleapis.com/subscription/oldest_unacked_message_age\" AND ${local.hold_filter}", aligner = "ALIGN_MAX", period = 300, threshold = 604800, duration = 300 },
      ]
    }
    backlog-age = {
      severity = "CRITICAL"
      summary  = "Messages have waited longer than two runs are apart."
      conditions = [
        { name = "oldest waiting message", kind = "above", filter = "metric.type=\"pubsub.googleapis.com/subscription/oldest_unacked_message_age\" AND ${local.work_filter}", aligner = "ALIGN_MAX", period = 60, threshold = 2 * local.interval, duration = 300 },
      ]
    }
    publish-refused = {
      severity = "ERROR"
      summary  = "A topic refused a message because its schema does; such a message is dead-lettered nowhere."
      conditions = [
        { name = "invalid_argument", kind = "above", filter = "metric.type=\"pubsub.googleapis.com/topic/send_request_count\" AND metric.labels.response_code=\"invalid_argument\" AND ${local.send_filter}", aligner = "ALIGN_DELTA", period = 300, threshold = 0, duration = 0 },
      ]
    }
    tick-missing = {
      severity = "CRITICAL"
      summary  = "Nobody has published a tick for four intervals: the schedule stopped, or is paused."
      conditions = [
        { name = "no tick", kind = "absent", filter = "metric.type=\"pubsub.googleapis.com/topic/send_request_count\" AND metric.labels.response_class=\"success\" AND ${local.tick_filter}", aligner = "ALIGN_DELTA", period = 300, threshold = null, duration = min(4 * local.interval, 84600) },
      ]
    }
    run-missing = {
      severity = "CRITICAL"
      summary  = "No run has got through its sweep and the guard for four intervals."
      conditions = [
        { name = "no run", kind = "absent", filter = local.logged["runs-started"], aligner = "ALIGN_DELTA", period = 300, threshold = null, duration = min(4 * local.interval, 84600) },
      ]
    }
    guard-refused = {
      severity = "ERROR"
      summary  = "A run would have changed more accounts than allowed; it changed nothing."
      conditions = [
        { name = "refused", kind = "above", filter = local.logged["guard-refusals"], aligner = "ALIGN_DELTA", period = 300, threshold = 0, duration = 0 },
      ]
    }
    gate-closed = {
      severity = "ERROR"
      summary  = "GitLab or Lookup does not work as a whole, or refuses our credentials; messages are held."
      conditions = [
        { name = "closed", kind = "above", filter = local.logged["gates-closed"], aligner = "ALIGN_DELTA", period = 300, threshold = 0, duration = 0 },
      ]
    }
    stream-unstable = {
      severity = "WARNING"
      summary  = "A streaming pull is opened again and again."
      conditions = [
        { name = "reopened", kind = "above", filter = local.logged["streams-reopened"], aligner = "ALIGN_DELTA", period = 900, threshold = 10, duration = 0 },
      ]
    }
    leases-lapse = {
      severity = "WARNING"
      summary  = "Leases lapse while messages are being worked on: work is done twice."
      conditions = [
        { name = "expired ack deadlines", kind = "above", filter = "metric.type=\"pubsub.googleapis.com/subscription/expired_ack_deadlines_count\" AND ${local.work_filter}", aligner = "ALIGN_DELTA", period = 900, threshold = 20, duration = 900 },
      ]
    }
    token-expires = {
      severity = "WARNING"
      summary  = "GitLab's token expires soon; with it everything stops."
      conditions = [
        { name = "near its expiry", kind = "above", filter = local.logged["token-warnings"], aligner = "ALIGN_DELTA", period = 300, threshold = 0, duration = 0 },
      ]
    }
    errors-logged = {
      severity = "WARNING"
      summary  = "The service logged something that a person must act on."
      conditions = [for it in [
        { type = "cloud_run_worker_pool", watched = true },
        { type = "cloud_run_revision", watched = var.namespaces.enabled },
        ] :
        { name = "lines at ERROR, ${it.type}", kind = "above", filter = "metric.type=\"logging.googleapis.com/user/${google_logging_metric.this["errors"].name}\" AND resource.type=\"${it.type}\"", aligner = "ALIGN_DELTA", period = 300, threshold = 0, duration = 0 }
      if it.watched]
    }
  }
}

resource "google_monitoring_alert_policy" "this" {
  for_each = { for alert, it in local.alerts : alert => it if local.alerting }

  project               = var.project_id
  display_name          = "${var.name}: ${each.key}"
  combiner              = "OR"
  severity              = each.value.severity
  notification_channels = each.value.severity == "WARNING" ? var.alerting.ticket : var.alerting.page
  user_labels           = local.labels

  dynamic "conditions" {
    for_each = each.value.conditions
    content {
      display_name = conditions.value.name

      dynamic "condition_threshold" {
        for_each = conditions.value.kind == "above" ? [conditions.value] : []
        content {
          filter          = condition_threshold.value.filter
          comparison      = "COMPARISON_GT"
          threshold_value = condition_threshold.value.threshold
          duration        = "${condition_threshold.value.duration}s"
          aggregations {
            alignment_period     = "${condition_threshold.value.period}s"
            per_series_aligner   = condition_threshold.value.aligner
            cross_series_reducer = condition_threshold.value.aligner == "ALIGN_DELTA" ? "REDUCE_SUM" : "REDUCE_MAX"
            group_by_fields      = strcontains(condition_threshold.value.filter, "pubsub_subscription") ? ["resource.labels.subscription_id"] : []
          }
        }
      }

      dynamic "condition_absent" {
        for_each = conditions.value.kind == "absent" ? [conditions.value] : []
        content {
          filter   = condition_absent.value.filter
          duration = "${condition_absent.value.duration}s"
          aggregations {
            alignment_period     = "${condition_absent.value.period}s"
            per_series_aligner   = condition_absent.value.aligner
            cross_series_reducer = "REDUCE_SUM"
          }
        }
      }
    }
  }

  alert_strategy {
    # Events, mostly, and not states: what nobody repeats within a day is over.
    auto_close = "86400s"
  }

  documentation {
    subject   = "${var.name}: ${each.key}"
    mime_type = "text/markdown"
    content   = "${each.value.summary}\n\nWhat it means, how to look and how to mend it: ${var.runbook_url}#${each.key}"
    links {
      display_name = "Runbook: ${each.key}"
      url          = "${var.runbook_url}#${each.key}"
    }
  }
}
