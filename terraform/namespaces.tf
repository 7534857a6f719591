locals {
  signing_key_folder = "/secrets/portal"
  signing_key_file   = "signing-key.pem"

  # One entry, or none where the databases are somebody else's.
  database_connections = [for instance in google_sql_database_instance.this : instance.connection_name]

  portal_address = { PORTAL_URL = coalesce(var.namespaces.portal_url, "https://portal.invalid") }
  signing_key    = { PORTAL_SIGNING_KEY_FILE = "${local.signing_key_folder}/${local.signing_key_file}" }

  # The worker posts below GITLAB_URL, be it GitLab or our own provisioning API.
  namespace_worker_environment = merge(local.common_environment, local.portal_address, local.signing_key, {
    GITLAB_URL = coalesce(
      var.namespaces.provisioning_url,
      one([for stage, service in google_cloud_run_v2_service.stage : service.uri if stage == "provisioning-api"]),
      var.gitlab.url,
    )
  })

  # Beside the public port, which says no reasons.
  health_port        = 8081
  health_environment = { HEALTH_PORT = tostring(local.health_port) }

  services = { for stage, it in {
    portal = {
      enabled     = var.namespaces.enabled
      environment = merge(local.common_environment, local.portal_address, local.signing_key, local.health_environment)
      # The provisioning API refuses tokens while it cannot read the portal's keys.
      min_instances = 1
    }
    provisioning-api = {
      enabled       = var.namespaces.enabled && var.namespaces.provisioning_api
      environment   = merge(local.common_environment, local.portal_address, local.health_environment)
      min_instances = 0
    }
  } : stage => it if it.enabled && local.running }
}

# The two stages that are asked over HTTP; a worker pool has no address.
resource "google_cloud_run_v2_service" "stage" {
  for_each = local.services

  project             = var.project_id
  location            = var.region
  name                = "${var.name}-${each.key}"
  description         = "Stage ${each.key}."
  labels              = local.labels
  ingress             = "INGRESS_TRAFFIC_ALL"
  deletion_protection = var.deletion_protection

  template {
    service_account = google_service_account.stage[each.key].email
    labels          = local.labels
    timeout         = "60s"

    scaling {
      min_instance_count = each.value.min_instances
      max_instance_count = 4
    }

    containers {
      name  = "sync"
      image = var.image
      args  = ["serve", each.key]

      ports {
        container_port = 8080
      }

      startup_probe {
        period_seconds    = 2
        timeout_seconds   = 2
        failure_threshold = 30
        http_get {
          path = "/livez"
          port = local.health_port
        }
      }

      liveness_probe {
        period_seconds    = 30
        timeout_seconds   = 5
        failure_threshold = 4
        http_get {
          path = "/livez"
          port = local.health_port
        }
      }

      dynamic "env" {
        for_each = each.value.environment
        content {
          name  = env.key
          value = env.value
        }
      }

      dynamic "env" {
        for_each = { for secret in local.stages[each.key].secrets : local.secret_environment[secret] => secret if contains(keys(local.secret_environment), secret) }
        content {
          name = env.key
          value_source {
            secret_key_ref {
              secret  = google_secret_manager_secret.this[env.value].secret_id
              version = lookup(var.secret_versions, env.value, "latest")
            }
          }
        }
      }

      dynamic "volume_mounts" {
        for_each = contains(local.stages[each.key].secrets, "portal-signing-key") ? ["portal-signing-key"] : []
        content {
          name       = volume_mounts.value
          mount_path = local.signing_key_folder
        }
      }

      dynamic "volume_mounts" {
        for_each = local.database_connections
        content {
          name       = "cloudsql"
          mount_path = "/cloudsql"
        }
      }
    }

    dynamic "volumes" {
      for_each = contains(local.stages[each.key].secrets, "portal-signing-key") ? ["portal-signing-key"] : []
      content {
        name = volumes.value
        secret {
          secret = google_secret_manager_secret.this[volumes.value].secret_id
          items {
            path    = local.signing_key_file
            version = lookup(var.secret_versions, volumes.value, "latest")
          }
        }
      }
    }

    dynamic "volumes" {
      for_each = local.database_connections
      content {
        name = "cloudsql"
        cloud_sql_instance {
          instances = [volumes.value]
        }
      }
    }
  }

  depends_on = [
    google_pubsub_topic_iam_member.stage_publishes,
    google_secret_manager_secret_iam_member.stage_reads,
    google_project_iam_member.stage_connects,
  ]
}

# Both check a token of their own on every call that matters; Cloud Run's check would need a second one beside it.
resource "google_cloud_run_v2_service_iam_member" "invoker" {
  for_each = { for pair in setproduct(keys(local.services), var.namespaces.invokers) : "${pair[0]}/${pair[1]}" => { stage = pair[0], member = pair[1] } }

  project  = var.project_id
  location = var.region
  name     = google_cloud_run_v2_service.stage[each.value.stage].name
  role     = "roles/run.invoker"
  member   = each.value.member
}
