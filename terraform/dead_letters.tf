# No schema here: a copy that the topic refused would keep its original looping for ever.
resource "google_pubsub_topic" "dead" {
  for_each = local.schemas

  project         = var.project_id
  name            = "${each.value.name}-dead"
  labels          = local.labels
  deletion_policy = local.precious

  message_storage_policy {
    allowed_persistence_regions = [var.region]
  }

  depends_on = [google_project_service.this]
}

# Without a subscription a dead-letter topic loses what it is sent.
resource "google_pubsub_subscription" "hold" {
  for_each = local.schemas

  project         = var.project_id
  name            = "${each.value.name}-dead-hold"
  topic           = google_pubsub_topic.dead[each.key].id
  labels          = local.labels
  deletion_policy = local.precious

  ack_deadline_seconds       = 60
  message_retention_duration = "2678400s"
  # So that a seek can bring back what was replayed or discarded by mistake.
  retain_acked_messages = true

  expiration_policy {
    ttl = ""
  }
}

# Pub/Sub forwards only with these two roles, and without them it loops silently.
resource "google_pubsub_topic_iam_member" "agent_forwards" {
  for_each = local.schemas

  project = var.project_id
  topic   = google_pubsub_topic.dead[each.key].name
  role    = "roles/pubsub.publisher"
  member  = local.pubsub_agent
}

resource "google_pubsub_subscription_iam_member" "agent_forwards" {
  for_each = local.subscriptions

  project      = var.project_id
  subscription = each.value
  role         = "roles/pubsub.subscriber"
  member       = local.pubsub_agent

  depends_on = [google_pubsub_subscription.work, google_pubsub_subscription.outcome]
}
