# What people ask of the audit table. A crash may repeat a record, so each is taken once; the span is the table's own.
locals {
  views = {
    changes        = "Accounts that were blocked and unblocked, once each, and what GitLab refused."
    runs           = "Runs by the time they were decided, with what they planned, what was done of it, and why one was refused."
    person_history = "Everything about each person, to be asked with crsid, username or gitlab_user_id. Keeps that follow a keep for the same reason are left out."
  }
}

resource "google_bigquery_table" "view" {
  for_each = local.views

  project             = var.project_id
  dataset_id          = google_bigquery_dataset.outcomes.dataset_id
  table_id            = each.key
  description         = each.value
  labels              = local.labels
  deletion_protection = false

  view {
    query = templatefile("${path.module}/views/${each.key}.sql", {
      outcomes = "${var.project_id}.${google_bigquery_dataset.outcomes.dataset_id}.${google_bigquery_table.outcomes.table_id}"
      arrived  = "_PARTITIONTIME >= TIMESTAMP_SUB(CURRENT_TIMESTAMP(), INTERVAL ${var.outcome_retention_days} DAY)"
    })
    use_legacy_sql = false
  }
}
