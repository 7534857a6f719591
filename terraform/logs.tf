locals {
  operator_logs = "(resource.type=\"cloud_run_job\" AND resource.labels.job_name=\"${var.name}-operator\")"
  # One line for every account at every tick, and more than half of the bill of a large university.
  unchanged = "jsonPayload.event=\"message_done\" AND jsonPayload.result=\"unchanged\""
}

# In the region, as long as we say: the project's own bucket is global and keeps 30 days.
resource "google_logging_project_bucket_config" "this" {
  project        = var.project_id
  location       = var.region
  bucket_id      = var.name
  description    = "Log lines of the synchronisation."
  retention_days = var.logs.retention_days

  depends_on = [google_project_service.this]
}

resource "google_logging_project_sink" "this" {
  project                = var.project_id
  name                   = var.name
  description            = "Log lines of the synchronisation go to their own bucket in the region."
  destination            = "logging.googleapis.com/${google_logging_project_bucket_config.this.id}"
  filter                 = "${local.own_logs} OR ${local.operator_logs}"
  unique_writer_identity = true

  # Metrics count what is excluded too, and the audit table has it anyway.
  dynamic "exclusions" {
    for_each = var.logs.unchanged ? [] : [local.unchanged]
    content {
      name        = "unchanged"
      description = "Accounts for which there was nothing to do."
      filter      = exclusions.value
    }
  }
}

# What has a bucket of its own is not kept, and paid for, a second time.
resource "google_logging_project_exclusion" "default" {
  project     = var.project_id
  name        = "${var.name}-has-its-own-bucket"
  description = "Kept in the bucket ${var.name} of ${var.region}."
  filter      = "${local.own_logs} OR ${local.operator_logs}"

  depends_on = [google_logging_project_sink.this]
}

# Who published, took and read a secret: docs/security.md leans on it. Our own accounts publish millions of messages,
# and what they do is in the log already.
resource "google_project_iam_audit_config" "this" {
  for_each = var.audit_logs ? { "pubsub.googleapis.com" = ["DATA_WRITE"], "secretmanager.googleapis.com" = ["DATA_READ"] } : {}

  project = var.project_id
  service = each.key

  dynamic "audit_log_config" {
    for_each = each.value
    content {
      log_type         = audit_log_config.value
      exempted_members = each.key == "pubsub.googleapis.com" ? values(local.stage_members) : null
    }
  }

  depends_on = [google_service_account.stage]
}
