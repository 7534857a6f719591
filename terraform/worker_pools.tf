locals {
  worker_pools = { for stage, it in {
    fan-out = {
      enabled     = true
      instances   = var.fan_out.instances
      memory      = var.fan_out.memory
      environment = local.user_environment
    }
    user-worker = {
      enabled     = true
      instances   = var.user_worker.instances
      memory      = var.user_worker.memory
      environment = local.user_environment
    }
    namespace-worker = {
      enabled     = var.namespaces.enabled
      instances   = var.namespaces.worker_instances
      memory      = "512Mi"
      environment = local.namespace_worker_environment
    }
  } : stage => it if it.enabled && local.running }
}

# Streaming pull wants a process that lives; what it waits for is GitLab, so there is nothing for CPU autoscaling to see.
resource "google_cloud_run_v2_worker_pool" "stage" {
  for_each = local.worker_pools

  project             = var.project_id
  location            = var.region
  name                = "${var.name}-${each.key}"
  description         = "Stage ${each.key}."
  labels              = local.labels
  deletion_protection = var.deletion_protection

  scaling {
    manual_instance_count = each.value.instances
  }

  template {
    service_account = google_service_account.stage[each.key].email
    labels          = local.labels

    containers {
      name  = "sync"
      image = var.image
      args  = ["serve", each.key]
      # The database is there before the stage asks for it.
      depends_on = local.stages[each.key].database == null ? [] : [for instance in local.database_connections : "cloud-sql-proxy"]

      resources {
        limits = {
          cpu    = "1"
          memory = each.value.memory
        }
      }

      # Direct VPC egress can take more than a minute to carry the first packet: three, before an instance is given up.
      startup_probe {
        period_seconds    = 5
        timeout_seconds   = 4
        failure_threshold = 36
        http_get {
          path = "/livez"
          port = 8080
        }
      }

      # Not /readyz: a closed gate is an outage elsewhere, and a restart would not mend it.
      liveness_probe {
        period_seconds    = 30
        timeout_seconds   = 5
        failure_threshold = 4
        http_get {
          path = "/livez"
          port = 8080
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

    # Speaks to the database at its private address, as the account of this stage.
    dynamic "containers" {
      for_each = local.stages[each.key].database == null ? [] : local.database_connections
      content {
        name  = "cloud-sql-proxy"
        image = var.namespaces.database.proxy_image
        args = [
          "--auto-iam-authn", "--private-ip", "--structured-logs", "--exit-zero-on-sigterm",
          "--health-check", "--http-address=0.0.0.0", "--http-port=9090", "--port=5432",
          containers.value,
        ]

        resources {
          limits = {
            cpu    = "1"
            memory = "512Mi"
          }
        }

        startup_probe {
          period_seconds    = 5
          timeout_seconds   = 4
          failure_threshold = 36
          http_get {
            path = "/startup"
            port = 9090
          }
        }
      }
    }

    dynamic "vpc_access" {
      for_each = var.vpc == null ? [] : [var.vpc]
      content {
        egress = "ALL_TRAFFIC"
        network_interfaces {
          network    = vpc_access.value.network
          subnetwork = vpc_access.value.subnetwork
        }
      }
    }
  }

  # An instance that starts before its roles would fail its first minutes loudly.
  depends_on = [
    google_pubsub_subscription_iam_member.stage_consumes,
    google_pubsub_subscription_iam_member.stage_sees,
    google_pubsub_topic_iam_member.stage_sees,
    google_pubsub_topic_iam_member.stage_publishes,
    google_pubsub_topic_iam_member.stage_dead_letters,
    google_secret_manager_secret_iam_member.stage_reads,
    google_project_iam_member.stage_connects,
    google_sql_user.stage,
    google_cloud_run_v2_service_iam_member.invoker,
  ]
}
