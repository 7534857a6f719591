locals {
  with_database = var.namespaces.enabled && var.namespaces.database.create
}

# Reached only through Cloud Run's own connector: no network is authorised, and plain connections are refused.
# Users and passwords are made by hand (docs/deploy.md), so that no state file ever holds one.
resource "google_sql_database_instance" "this" {
  count = local.with_database ? 1 : 0

  project             = var.project_id
  region              = var.region
  name                = var.name
  database_version    = "POSTGRES_17"
  deletion_protection = var.deletion_protection

  settings {
    tier                        = var.namespaces.database.tier
    edition                     = "ENTERPRISE"
    availability_type           = var.namespaces.database.availability_type
    disk_size                   = var.namespaces.database.disk_gb
    disk_autoresize             = true
    connector_enforcement       = "REQUIRED"
    deletion_protection_enabled = var.deletion_protection
    user_labels                 = local.labels

    ip_configuration {
      ipv4_enabled = true
      ssl_mode     = "ENCRYPTED_ONLY"
    }

    backup_configuration {
      enabled                        = true
      start_time                     = "02:00"
      location                       = var.region
      point_in_time_recovery_enabled = true
    }
  }

  depends_on = [google_project_service.this]
}

resource "google_sql_database" "this" {
  for_each = local.with_database ? toset(concat(["ledger"], var.namespaces.provisioning_api ? ["provisioning"] : [])) : []

  project         = var.project_id
  instance        = google_sql_database_instance.this[0].name
  name            = each.key
  deletion_policy = local.precious
}

resource "google_project_iam_member" "stage_connects" {
  for_each = local.with_database ? { for stage, it in local.stages : stage => it if anytrue([for secret in it.secrets : endswith(secret, "database-url")]) } : {}

  project = var.project_id
  role    = "roles/cloudsql.client"
  member  = local.stage_members[each.key]
}
