locals {
  with_database = var.namespaces.enabled && var.namespaces.database.create

  database_users = { for stage, it in local.stages : stage => it.database if it.database != null && local.with_database }

  # Where the proxy beside the stage listens. It knows the account, so no password exists.
  database_environment = { for stage in ["namespace-worker", "portal", "provisioning-api"] : stage => merge(
    { LOOKUP_GITLAB_SYNC__NAMESPACES__DATABASE__MAX_CONNECTIONS = tostring(var.namespaces.database.connections_per_instance) },
    { for user, database in local.database_users :
      upper("${database}_DATABASE_URL") => "postgres://${replace(local.database_user_names[user], "@", "%40")}@127.0.0.1:5432/${database}?sslmode=disable" if user == stage
    },
  ) }
  database_user_names = { for stage, database in local.database_users : stage => "${var.name}-${stage}@${var.project_id}.iam" }

  # Every instance that may run at once, with every connection it may open.
  most_connections = var.namespaces.database.connections_per_instance * sum(concat([0], [
    for stage in keys(local.database_users) : stage == "namespace-worker" ? var.namespaces.worker_instances : local.service_instances
  ]))
  # For people, backups and what Cloud SQL keeps for itself.
  reserved_connections = 10
}

# At a private address alone, through Cloud SQL's own proxy, by accounts and not by passwords.
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
      ipv4_enabled    = false
      private_network = try(var.vpc.network, null)
      ssl_mode        = "ENCRYPTED_ONLY"
    }

    database_flags {
      name  = "cloudsql.iam_authentication"
      value = "on"
    }

    database_flags {
      name  = "max_connections"
      value = tostring(var.namespaces.database.max_connections)
    }

    backup_configuration {
      enabled                        = true
      start_time                     = "02:00"
      location                       = var.region
      point_in_time_recovery_enabled = true
    }
  }

  lifecycle {
    precondition {
      condition     = local.most_connections + local.reserved_connections <= var.namespaces.database.max_connections
      error_message = "the stages may open ${local.most_connections} connections at once, and ${local.reserved_connections} are kept for people and backups: namespaces.database.max_connections is ${var.namespaces.database.max_connections}. Raise it (and the tier's memory), or lower connections_per_instance or worker_instances."
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

# What each may do inside its database is granted by hand, once (docs/deploy.md).
resource "google_sql_user" "stage" {
  for_each = local.database_user_names

  project  = var.project_id
  instance = google_sql_database_instance.this[0].name
  name     = each.value
  type     = "CLOUD_IAM_SERVICE_ACCOUNT"

  depends_on = [google_service_account.stage]
}

# One to be let through, one to sign in.
resource "google_project_iam_member" "stage_connects" {
  for_each = { for pair in setproduct(keys(local.database_users), ["roles/cloudsql.client", "roles/cloudsql.instanceUser"]) : "${pair[0]}/${pair[1]}" => { stage = pair[0], role = pair[1] } }

  project = var.project_id
  role    = each.value.role
  member  = local.stage_members[each.value.stage]
}
