# What alerts and the dashboard need from the service's log lines, so that neither needs a sidecar. Each name below
# is a field that the service writes; tests/project/deployment.rs holds the two together.
locals {
  own_pools    = [for stage in keys(local.stages) : "${var.name}-${stage}" if local.stages[stage].reads != null]
  own_services = [for stage in keys(local.stages) : "${var.name}-${stage}" if local.stages[stage].reads == null]
  # By exact names: two deployments share a project, and the name of one may begin the other's.
  own_logs = join(" OR ", concat(
    ["(resource.type=\"cloud_run_worker_pool\" AND resource.labels.worker_pool_name=(${join(" OR ", [for name in local.own_pools : "\"${name}\""])}))"],
    length(local.own_services) == 0 ? [] : ["(resource.type=\"cloud_run_revision\" AND resource.labels.service_name=(${join(" OR ", [for name in local.own_services : "\"${name}\""])}))"],
  ))
  # What has an alert of its own is no second ticket.
  told_elsewhere = ["gate_closed", "gate_stays_closed", "message_dead_lettered", "process_failed", "publish_refused", "token_expires_soon"]

  log_metrics = {
    messages-done = {
      description = "Messages whose work is done."
      filter      = "jsonPayload.event=\"message_done\""
      labels      = { stage = "stage", kind = "kind", decision = "decision", result = "result" }
    }
    messages-retried = {
      description = "Deliveries given back for another attempt."
      filter      = "jsonPayload.event=\"message_retried\""
      labels      = { stage = "stage" }
    }
    messages-dead-lettered = {
      description = "Messages given up, by reason; what the guard refuses is counted apart."
      filter      = "jsonPayload.event=\"message_dead_lettered\" AND NOT jsonPayload.dead_letter_reason=\"guard_refused\""
      labels      = { stage = "stage", reason = "dead_letter_reason" }
    }
    runs-started = {
      description = "Runs whose sweep went through the guard and was published."
      filter      = "jsonPayload.event=\"message_done\" AND jsonPayload.kind=\"run_started\""
      labels      = {}
    }
    guard-refusals = {
      description = "Runs or resyncs that would have changed more than allowed."
      filter      = "jsonPayload.event=\"message_dead_lettered\" AND jsonPayload.dead_letter_reason=\"guard_refused\""
      labels      = { stage = "stage" }
    }
    gates-closed = {
      description = "An upstream stopped working as a whole. Most gates open again by themselves."
      filter      = "jsonPayload.event=\"gate_closed\""
      labels      = { upstream = "upstream", gate = "gate" }
    }
    gates-staying-closed = {
      description = "A gate has been closed for 15 minutes, or for an hour of maintenance."
      filter      = "jsonPayload.event=\"gate_stays_closed\""
      labels      = { upstream = "upstream", gate = "gate" }
    }
    gates-opened = {
      description = "An upstream works again."
      filter      = "jsonPayload.event=\"gate_opened\""
      labels      = { upstream = "upstream", gate = "gate" }
    }
    publishes-refused = {
      description = "Pub/Sub refuses what a stage publishes."
      filter      = "jsonPayload.event=\"publish_refused\""
      labels      = { topic = "topic" }
    }
    streams-reopened = {
      description = "Streaming pulls that ended and were opened again."
      filter      = "jsonPayload.event=\"stream_reopened\""
      labels      = { stage = "stage" }
    }
    token-warnings = {
      description = "Runs that found GitLab's token near its expiry."
      filter      = "jsonPayload.event=\"token_expires_soon\""
      labels      = {}
    }
    pauses = {
      description = "Processes that began to hold their writes."
      filter      = "jsonPayload.event=\"paused\""
      labels      = {}
    }
    resumptions = {
      description = "Processes that went on."
      filter      = "jsonPayload.event=\"resumed\""
      labels      = {}
    }
    exits = {
      description = "Processes that ended with an error, as they or Cloud Run say it."
      filter      = "(jsonPayload.event=\"process_failed\" OR (textPayload:\"Container called exit(\" AND NOT textPayload:\"exit(0)\"))"
      labels      = {}
    }
    errors = {
      description = "Lines at ERROR or above that have no alert of their own: a person must act."
      filter      = "severity>=ERROR AND NOT jsonPayload.event=(${join(" OR ", [for event in local.told_elsewhere : "\"${event}\""])}) AND NOT textPayload:\"Container called exit(\""
      labels      = { event = "event" }
    }
  }
}

resource "google_logging_metric" "this" {
  for_each = local.log_metrics

  project          = var.project_id
  name             = "${var.name}/${each.key}"
  description      = each.value.description
  filter           = "(${local.own_logs}) AND ${each.value.filter}"
  label_extractors = { for label, field in each.value.labels : label => "EXTRACT(jsonPayload.${field})" }

  metric_descriptor {
    metric_kind = "DELTA"
    value_type  = "INT64"
    unit        = "1"

    dynamic "labels" {
      for_each = each.value.labels
      content {
        key        = labels.key
        value_type = "STRING"
      }
    }
  }

  depends_on = [google_project_service.this]
}

resource "google_logging_metric" "milliseconds" {
  project          = var.project_id
  name             = "${var.name}/milliseconds"
  description      = "How long handling one message took."
  filter           = "(${local.own_logs}) AND jsonPayload.event=\"message_done\""
  value_extractor  = "EXTRACT(jsonPayload.milliseconds)"
  label_extractors = { stage = "EXTRACT(jsonPayload.stage)" }

  metric_descriptor {
    metric_kind = "DELTA"
    value_type  = "DISTRIBUTION"
    unit        = "ms"

    labels {
      key        = "stage"
      value_type = "STRING"
    }
  }

  bucket_options {
    exponential_buckets {
      scale              = 1
      growth_factor      = 2
      num_finite_buckets = 24
    }
  }

  depends_on = [google_project_service.this]
}
