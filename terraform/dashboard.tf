locals {
  dashboard_charts = [
    { title = "Runs", filter = local.logged["runs-started"], aligner = "ALIGN_DELTA", reducer = "REDUCE_SUM", by = [] },
    { title = "Changes and decisions", filter = local.logged["messages-done"], aligner = "ALIGN_DELTA", reducer = "REDUCE_SUM", by = ["metric.label.decision", "metric.label.result"] },
    { title = "Oldest waiting message, seconds", filter = "metric.type=\"pubsub.googleapis.com/subscription/oldest_unacked_message_age\" AND ${local.work_filter}", aligner = "ALIGN_MAX", reducer = "REDUCE_MAX", by = ["resource.label.subscription_id"] },
    { title = "Messages waiting", filter = "metric.type=\"pubsub.googleapis.com/subscription/num_undelivered_messages\" AND ${local.work_filter}", aligner = "ALIGN_MAX", reducer = "REDUCE_MAX", by = ["resource.label.subscription_id"] },
    { title = "Dead letters held", filter = "metric.type=\"pubsub.googleapis.com/subscription/num_undelivered_messages\" AND ${local.hold_filter}", aligner = "ALIGN_MAX", reducer = "REDUCE_MAX", by = ["resource.label.subscription_id"] },
    { title = "Dead letters by reason", filter = local.logged["messages-dead-lettered"], aligner = "ALIGN_DELTA", reducer = "REDUCE_SUM", by = ["metric.label.reason"] },
    { title = "Retried deliveries", filter = local.logged["messages-retried"], aligner = "ALIGN_DELTA", reducer = "REDUCE_SUM", by = ["metric.label.stage"] },
    { title = "Upstreams: gates closed", filter = local.logged["gates-closed"], aligner = "ALIGN_DELTA", reducer = "REDUCE_SUM", by = ["metric.label.upstream"] },
    { title = "Upstreams: gates opened", filter = local.logged["gates-opened"], aligner = "ALIGN_DELTA", reducer = "REDUCE_SUM", by = ["metric.label.upstream"] },
    { title = "Guard refusals", filter = local.logged["guard-refusals"], aligner = "ALIGN_DELTA", reducer = "REDUCE_SUM", by = [] },
    { title = "Milliseconds a message, 95th percentile", filter = "metric.type=\"logging.googleapis.com/user/${google_logging_metric.milliseconds.name}\" AND resource.type=\"cloud_run_worker_pool\"", aligner = "ALIGN_PERCENTILE_95", reducer = "REDUCE_MAX", by = ["metric.label.stage"] },
    { title = "Memory", filter = "metric.type=\"run.googleapis.com/container/memory/utilizations\" AND resource.type=\"cloud_run_worker_pool\" AND resource.label.worker_pool_name=monitoring.regex.full_match(\"${join("|", local.own_pools)}\")", aligner = "ALIGN_PERCENTILE_99", reducer = "REDUCE_MAX", by = ["resource.label.worker_pool_name"] },
  ]
}

resource "google_monitoring_dashboard" "this" {
  count = local.alerting ? 1 : 0

  project = var.project_id
  dashboard_json = jsonencode({
    displayName = var.name
    mosaicLayout = {
      columns = 12
      tiles = [for index, chart in local.dashboard_charts : {
        xPos   = 6 * (index % 2)
        yPos   = 4 * floor(index / 2)
        width  = 6
        height = 4
        widget = {
          title = chart.title
          xyChart = {
            dataSets = [{
              plotType = "LINE"
              timeSeriesQuery = {
                timeSeriesFilter = {
                  filter = chart.filter
                  aggregation = {
                    alignmentPeriod    = "300s"
                    perSeriesAligner   = chart.aligner
                    crossSeriesReducer = chart.reducer
                    groupByFields      = chart.by
                  }
                }
              }
            }]
          }
        }
      }]
    }
  })
}
