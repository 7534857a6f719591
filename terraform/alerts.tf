# Every policy leads to its entry of docs/operations.md, whose heading is the policy's key.
locals {
  # Alerts on log-based metrics can be made only some minutes after the metrics themselves: hence not in the first apply.
  alerting = var.alerting.enabled && local.running

  work_filter = "resource.type=\"pubsub_subscription\" AND resource.labels.subscription_id=monitoring.regex.full_match(\"${join("|", values(local.subscriptions))}\")"
  hold_filter = "resource.type=\"pubsub_subscription\" AND resource.labels.subscription_id=monitoring.regex.full_match(\"${join("|", [for it in local.schemas : "${it.name}-dead-hold"])}\")"
  logged = {
    for metric in keys(local.log_metrics) :
    metric => "metric.type=\"logging.googleapis.com/user/${google_logging_metric.this[metric].name}\" AND resource.type=\"cloud_run_worker_pool\""
  }

  # A condition reads the lines of one type of resource.
  watched_types = concat(["cloud_run_worker_pool"], length(local.services) > 0 ? ["cloud_run_revision"] : [])

  # The same metrics by their names in PromQL.
  counted = {
    for metric in keys(local.log_metrics) :
    metric => "logging_googleapis_com:user_${replace(replace(google_logging_metric.this[metric].name, "/", "_"), "-", "_")}{monitored_resource=\"cloud_run_worker_pool\"}"
  }
  waiting = "pubsub_googleapis_com:subscription_oldest_unacked_message_age{monitored_resource=\"pubsub_subscription\",subscription_id=~\"${join("|", values(local.subscriptions))}\"}"
  ticks   = "pubsub_googleapis_com:topic_send_request_count{monitored_resource=\"pubsub_topic\",response_class=\"success\",topic_id=\"${local.topics["sync-tick"].name}\"}"

  # Half of the patience is looked back, the other half must pass with nothing to see: a new deployment has that long
  # until its first tick.
  half = 2 * local.interval

  # An outage has its own alert. For four intervals it explains what waits; after that it is told again.
  no_outage = "unless on() (sum(increase(${local.counted["gates-closed"]}[${2 * local.half}s])) > (sum(increase(${local.counted["gates-opened"]}[${2 * local.half}s])) or vector(0)))"
  # A refusal has its ticket, and comes again with every tick.
  no_refusal = "unless on() (sum(increase(${local.counted["guard-refusals"]}[${2 * local.half}s])) > 0)"

  # One condition an instance that has to be there. A metric that lacks is nought: an absence that never began counts.
  wanted_instances = merge(
    { for stage, it in local.worker_pools : stage => "run_googleapis_com:container_instance_count{monitored_resource=\"cloud_run_worker_pool\",worker_pool_name=\"${var.name}-${stage}\"}" if it.instances > 0 },
    { for stage, it in local.services : stage => "run_googleapis_com:container_instance_count{monitored_resource=\"cloud_run_revision\",service_name=\"${var.name}-${stage}\"}" if it.min_instances > 0 },
  )

  # With a query it is PromQL that must hold for the duration; else the aligned value of a filter is over a threshold.
  # A severity of WARNING is a ticket, all others page.
  alerts = {
    dead-letters = {
      severity = "WARNING"
      summary  = "Messages were given up and wait in a hold subscription."
      conditions = [
        { name = "dead-lettered by the service", query = null, filter = local.logged["messages-dead-lettered"], aligner = "ALIGN_DELTA", period = 300, threshold = 0, duration = 0 },
        { name = "forwarded by Pub/Sub", query = null, filter = "metric.type=\"pubsub.googleapis.com/subscription/dead_letter_message_count\" AND ${local.work_filter}", aligner = "ALIGN_DELTA", period = 300, threshold = 0, duration = 0 },
      ]
    }
    dead-letter-burst = {
      severity = "CRITICAL"
      summary  = "Many messages were given up at once."
      conditions = [
        { name = "dead-lettered by the service", query = null, filter = local.logged["messages-dead-lettered"], aligner = "ALIGN_DELTA", period = 900, threshold = var.alerting.dead_letter_burst, duration = 0 },
        { name = "forwarded by Pub/Sub", query = null, filter = "metric.type=\"pubsub.googleapis.com/subscription/dead_letter_message_count\" AND ${local.work_filter}", aligner = "ALIGN_DELTA", period = 900, threshold = var.alerting.dead_letter_burst, duration = 0 },
      ]
    }
    dead-letters-forgotten = {
      severity = "WARNING"
      summary  = "A dead letter has waited for more than a week; after 31 days it is gone."
      conditions = [
        { name = "oldest held message", query = null, filter = "metric.type=\"pubsub.googleapis.com/subscription/oldest_unacked_message_age\" AND ${local.hold_filter}", aligner = "ALIGN_MAX", period = 300, threshold = 604800, duration = 300 },
      ]
    }
    backlog-age = {
      severity = "CRITICAL"
      summary  = "Messages have waited longer than two runs are apart, and no outage explains it."
      conditions = [
        { name = "oldest waiting message", query = "max by (subscription_id) (${local.waiting}) > ${2 * local.interval} ${local.no_outage}", filter = null, aligner = null, period = null, threshold = null, duration = 300 },
      ]
    }
    publish-refused = {
      severity = "WARNING"
      summary  = "Pub/Sub refuses what a stage publishes: the topic is gone, a right is missing, or the schema is older than the stage."
      conditions = [for it in local.watched_types :
        { name = "refused, ${it}", query = null, filter = "metric.type=\"logging.googleapis.com/user/${google_logging_metric.this["publishes-refused"].name}\" AND resource.type=\"${it}\"", aligner = "ALIGN_DELTA", period = 300, threshold = 0, duration = 0 }
      ]
    }
    tick-missing = {
      severity = "CRITICAL"
      summary  = "Nobody has published a tick for four intervals: the schedule stopped, or is paused."
      conditions = [
        { name = "no tick", query = "(sum(increase(${local.ticks}[${local.half}s])) or vector(0)) < 0.5", filter = null, aligner = null, period = null, threshold = null, duration = local.half },
      ]
    }
    run-missing = {
      severity = "CRITICAL"
      summary  = "No run has got through its sweep for four intervals, and neither an outage nor the guard explains it."
      conditions = [
        { name = "no run", query = "(sum(increase(${local.counted["runs-started"]}[${local.half}s])) or vector(0)) < 0.5 ${local.no_outage} ${local.no_refusal}", filter = null, aligner = null, period = null, threshold = null, duration = local.half },
      ]
    }
    stage-missing = {
      severity = "CRITICAL"
      summary  = "A stage has no instance, or its instances end again and again."
      conditions = concat(
        [for stage, series in local.wanted_instances :
          { name = "no instance of ${stage}", query = "(sum(${series}) or vector(0)) < 1", filter = null, aligner = null, period = null, threshold = null, duration = 900 }
        ],
        [{ name = "ended with an error", query = "(sum(increase(${replace(local.counted["exits"], "{monitored_resource=\"cloud_run_worker_pool\"}", "{monitored_resource=~\"cloud_run_.*\"}")}[1800s])) or vector(0)) > 4", filter = null, aligner = null, period = null, threshold = null, duration = 0 }],
      )
    }
    service-fails = {
      severity = "WARNING"
      summary  = "A service answers callers with errors of its own."
      conditions = [for stage in [for stage in keys(local.services) : stage] :
        { name = "5xx of ${stage}", query = null, filter = "metric.type=\"run.googleapis.com/request_count\" AND metric.labels.response_code_class=\"5xx\" AND resource.type=\"cloud_run_revision\" AND resource.labels.service_name=\"${var.name}-${stage}\"", aligner = "ALIGN_DELTA", period = 300, threshold = 10, duration = 300 }
      ]
    }
    guard-refused = {
      severity = "WARNING"
      summary  = "A run would have changed more accounts than allowed; it changed nothing."
      conditions = [
        { name = "refused", query = null, filter = local.logged["guard-refusals"], aligner = "ALIGN_DELTA", period = 300, threshold = 0, duration = 0 },
      ]
    }
    gate-closed = {
      severity = "ERROR"
      summary  = "GitLab or Lookup has not worked as a whole for 15 minutes, or refuses our credentials; messages are held."
      conditions = [
        { name = "stays closed", query = null, filter = local.logged["gates-staying-closed"], aligner = "ALIGN_DELTA", period = 300, threshold = 0, duration = 0 },
      ]
    }
    paused-long = {
      severity = "WARNING"
      summary  = "Writes have been paused for four hours: cancelled people keep their access."
      conditions = [
        { name = "not resumed", query = "sum(increase(${local.counted["pauses"]}[82800s])) > (sum(increase(${local.counted["resumptions"]}[82800s])) or vector(0)) + 0.5", filter = null, aligner = null, period = null, threshold = null, duration = 14400 },
      ]
    }
    stream-unstable = {
      severity = "WARNING"
      summary  = "A streaming pull is opened again and again."
      conditions = [
        { name = "reopened", query = null, filter = local.logged["streams-reopened"], aligner = "ALIGN_DELTA", period = 900, threshold = 10, duration = 0 },
      ]
    }
    leases-lapse = {
      severity = "WARNING"
      summary  = "Leases lapse while messages are being worked on: work is done twice."
      conditions = [
        { name = "expired ack deadlines", query = null, filter = "metric.type=\"pubsub.googleapis.com/subscription/expired_ack_deadlines_count\" AND ${local.work_filter}", aligner = "ALIGN_DELTA", period = 900, threshold = 20, duration = 900 },
      ]
    }
    token-expires = {
      severity = "WARNING"
      summary  = "GitLab's token expires soon; with it everything stops."
      conditions = [
        { name = "near its expiry", query = null, filter = local.logged["token-warnings"], aligner = "ALIGN_DELTA", period = 300, threshold = 0, duration = 0 },
      ]
    }
    errors-logged = {
      severity = "WARNING"
      summary  = "The service logged something that a person must act on."
      conditions = [for it in local.watched_types :
        { name = "lines at ERROR, ${it}", query = null, filter = "metric.type=\"logging.googleapis.com/user/${google_logging_metric.this["errors"].name}\" AND resource.type=\"${it}\"", aligner = "ALIGN_DELTA", period = 300, threshold = 0, duration = 0 }
      ]
    }
  }
}

resource "google_monitoring_alert_policy" "this" {
  for_each = { for alert, it in local.alerts : alert => it if local.alerting && length(it.conditions) > 0 }

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
        for_each = conditions.value.query == null ? [conditions.value] : []
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

      dynamic "condition_prometheus_query_language" {
        for_each = conditions.value.query == null ? [] : [conditions.value]
        content {
          query               = condition_prometheus_query_language.value.query
          duration            = "${condition_prometheus_query_language.value.duration}s"
          evaluation_interval = "60s"
          # Before the first line is logged Cloud Monitoring does not know the metric, and would refuse the policy.
          disable_metric_validation = true
        }
      }
    }
  }

  alert_strategy {
    # What counts events is over when nobody repeats it within a day. What watches a state ends with the state, and is
    # not forgotten before: a week is the longest that Cloud Monitoring offers.
    auto_close = anytrue([for condition in each.value.conditions : condition.query != null]) ? "604800s" : "86400s"
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
