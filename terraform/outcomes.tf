locals {
  # As the Storage Write API takes them: it refuses uint64 for INTEGER.
  bigquery_types = {
    bool   = "BOOLEAN"
    double = "FLOAT"
    int32  = "INTEGER"
    int64  = "INTEGER"
    uint32 = "INTEGER"
    uint64 = "NUMERIC"
    string = "STRING"
  }
  # [[type, field], …] of the topic's schema: a field added there gets its column here. Times stay text.
  outcome_fields = regexall("(?m)^\\s*optional\\s+(\\w+)\\s+(\\w+)\\s*=", file("${path.module}/../schemas/${local.outcome.schema}.proto"))
}

# Who reads what became of people is written here and nowhere else: a viewer of the project is not among them.
locals {
  audit_readers = setunion(var.operators, var.auditors)
}

resource "google_bigquery_dataset" "outcomes" {
  project         = var.project_id
  dataset_id      = replace(var.name, "-", "_")
  location        = var.region
  description     = "What became of each message and run of the synchronisation."
  labels          = local.labels
  deletion_policy = local.precious

  access {
    role          = "OWNER"
    special_group = "projectOwners"
  }

  dynamic "access" {
    for_each = local.audit_readers
    content {
      role           = "READER"
      group_by_email = startswith(access.value, "group:") ? trimprefix(access.value, "group:") : null
      user_by_email  = can(regex("^(user|serviceAccount):", access.value)) ? split(":", access.value)[1] : null
      iam_member     = startswith(access.value, "principal") ? access.value : null
    }
  }

  # Pub/Sub writes one table of it, with a grant on that table (agent_writes).

  depends_on = [google_project_service.this]
}

resource "google_bigquery_table" "outcomes" {
  project             = var.project_id
  dataset_id          = google_bigquery_dataset.outcomes.dataset_id
  table_id            = "outcomes"
  description         = "One row an outcome. A crash may repeat one: count distinct (run, gitlab_user_id)."
  labels              = local.labels
  deletion_protection = var.deletion_protection
  deletion_policy     = local.precious
  # A question without a span of time would read, and pay for, all of it.
  require_partition_filter = true

  # By arrival: the records' own times are text.
  time_partitioning {
    type          = "DAY"
    expiration_ms = var.outcome_retention_days * 86400000
  }

  schema = jsonencode([for field in local.outcome_fields : {
    name = field[1]
    type = local.bigquery_types[field[0]]
    mode = "NULLABLE"
  }])
}

resource "google_bigquery_table_iam_member" "agent_writes" {
  project    = var.project_id
  dataset_id = google_bigquery_dataset.outcomes.dataset_id
  table_id   = google_bigquery_table.outcomes.table_id
  role       = "roles/bigquery.dataEditor"
  member     = local.pubsub_agent
}

resource "google_pubsub_subscription" "outcome" {
  project         = var.project_id
  name            = local.outcome.subscription
  topic           = google_pubsub_topic.this["sync-outcome"].id
  labels          = local.labels
  deletion_policy = local.precious

  ack_deadline_seconds       = 60
  message_retention_duration = "604800s"

  expiration_policy {
    ttl = ""
  }

  retry_policy {
    minimum_backoff = "10s"
    maximum_backoff = "600s"
  }

  dead_letter_policy {
    dead_letter_topic     = google_pubsub_topic.dead["sync-outcome"].id
    max_delivery_attempts = 100
  }

  bigquery_config {
    table            = "${var.project_id}.${google_bigquery_dataset.outcomes.dataset_id}.${google_bigquery_table.outcomes.table_id}"
    use_topic_schema = true
    # A record has a message_id of its own, which the metadata column of that name would collide with.
    write_metadata      = false
    drop_unknown_fields = true
  }

  depends_on = [google_bigquery_table_iam_member.agent_writes, google_pubsub_topic_iam_member.agent_forwards]
}

# What `history` shows: changes, what GitLab refused, and runs that were refused. Everybody reads it without acking,
# so it needs neither a dead letter nor an alert; a filter cannot be changed without making it anew.
resource "google_pubsub_subscription" "history" {
  project         = var.project_id
  name            = local.outcome_history
  topic           = google_pubsub_topic.this["sync-outcome"].id
  labels          = local.labels
  deletion_policy = local.precious

  ack_deadline_seconds       = 60
  message_retention_duration = "${var.history_retention_days * 86400}s"
  filter = join(" OR ", [
    "attributes.result = \"applied\"",
    "attributes.result = \"state_forbids\"",
    "attributes.kind = \"guard_refused\"",
    "attributes.kind = \"directory_implausible\"",
    "attributes.kind = \"too_many_unreadable\"",
  ])

  expiration_policy {
    ttl = ""
  }
}
