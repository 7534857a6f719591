# Only the places are made here. Versions are added by hand (docs/deploy.md), so no value ever enters a state file.
resource "google_secret_manager_secret" "this" {
  for_each = toset(flatten([local.operator_secrets, [for stage in local.stages : stage.secrets]]))

  project         = var.project_id
  secret_id       = "${var.name}-${each.key}"
  labels          = local.labels
  deletion_policy = local.precious
  # A version destroyed by mistake can be brought back for a week.
  version_destroy_ttl = "604800s"

  replication {
    user_managed {
      replicas {
        location = var.region
      }
    }
  }

  depends_on = [google_project_service.this]
}
