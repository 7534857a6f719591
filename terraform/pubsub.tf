resource "google_pubsub_schema" "this" {
  for_each = local.schemas

  project    = var.project_id
  name       = each.value.name
  type       = "PROTOCOL_BUFFER"
  definition = file("${path.module}/../schemas/${each.value.schema}.proto")

  depends_on = [google_project_service.this]
}

resource "google_pubsub_topic" "this" {
  for_each = local.schemas

  project         = var.project_id
  name            = each.value.name
  labels          = local.labels
  deletion_policy = local.precious

  schema_settings {
    schema   = google_pubsub_schema.this[each.key].id
    encoding = "JSON"
  }

  message_storage_policy {
    allowed_persistence_regions = [var.region]
  }
}

resource "google_pubsub_subscription" "work" {
  for_each = local.topics

  project         = var.project_id
  name            = each.value.subscription
  topic           = google_pubsub_topic.this[each.key].id
  labels          = local.labels
  deletion_policy = local.precious

  # The client extends the lease of what it holds; this is only what a killed instance costs.
  ack_deadline_seconds         = 60
  message_retention_duration   = "604800s"
  enable_exactly_once_delivery = false
  enable_message_ordering      = false

  expiration_policy {
    ttl = ""
  }

  retry_policy {
    minimum_backoff = "10s"
    maximum_backoff = "600s"
  }

  # A last net: restarts and lapsed leases count too, and the service itself gives up at the tenth attempt.
  dead_letter_policy {
    dead_letter_topic     = google_pubsub_topic.dead[each.key].id
    max_delivery_attempts = 100
  }

  depends_on = [google_pubsub_topic_iam_member.agent_forwards]
}
