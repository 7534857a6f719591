resource "google_cloud_scheduler_job" "tick" {
  # The first apply makes a project in which nobody would answer a tick.
  count = local.running ? 1 : 0

  project     = var.project_id
  region      = var.region
  name        = "${var.name}-tick"
  description = "Starts one run over all accounts."
  schedule    = var.tick.schedule
  time_zone   = var.tick.time_zone
  paused      = var.tick.paused

  # Publishing is all it does; a tick too many is coalesced.
  retry_config {
    retry_count          = 3
    min_backoff_duration = "5s"
    max_backoff_duration = "60s"
  }

  pubsub_target {
    topic_name = google_pubsub_topic.this["sync-tick"].id
    data       = base64encode(jsonencode({ requested_by = "cloud-scheduler" }))
  }

  depends_on = [google_project_service.this]
}
