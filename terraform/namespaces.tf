locals {
  signing_key_folder = "/secrets/portal"
  signing_key_file   = "signing-key.pem"

  # One entry, or none where the databases are somebody else's.
  database_connections = [for instance in google_sql_database_instance.this : instance.connection_name]

  # Cloud Run gives a service this address, whether it exists yet or not.
  portal_rule    = "https://${var.name}-portal-${data.google_project.this.number}.${var.region}.run.app"
  portal_address = { PORTAL_URL = coalesce(var.namespaces.portal_url, local.portal_rule) }
  signing_key    = { PORTAL_SIGNING_KEY_FILE = "${local.signing_key_folder}/${local.signing_key_file}" }

  our_provisioning_api = one([for stage, service in google_cloud_run_v2_service.stage : service.uri if stage == "provisioning-api"])
  # The worker posts below GITLAB_URL, be it GitLab or our own provisioning API. Cloud Run asks it for an identity token
  # there, and GitLab does not.
  namespace_worker_environment = merge(
    local.common_environment, local.portal_address, local.signing_key, local.database_environment["namespace-worker"],
    { GITLAB_URL = coalesce(var.namespaces.provisioning_url, local.our_provisioning_api, var.gitlab.url) },
    var.namespaces.identity_audience == null ? {} : { LOOKUP_GITLAB_SYNC__NAMESPACES__IDENTITY_AUDIENCE = var.namespaces.identity_audience },
    var.namespaces.provisioning_api ? { LOOKUP_GITLAB_SYNC__NAMESPACES__IDENTITY_AUDIENCE = local.our_provisioning_api } : {},
  )

  # Who may invoke a service at all, beside the token of its own that it checks. The provisioning API is our worker's; the
  # portal's keys are fetched by whoever verifies its tokens, and GitLab shows none.
  invokers = { for name, it in merge(
    { for stage, member in local.stage_members : "provisioning-api/${stage}" => { stage = "provisioning-api", member = member } if stage == "namespace-worker" },
    { for member in var.namespaces.invokers.provisioning_api : "provisioning-api/${member}" => { stage = "provisioning-api", member = member } },
    { for member in var.namespaces.invokers.portal : "portal/${member}" => { stage = "portal", member = member } },
  ) : name => it if contains(keys(local.services), it.stage) }

  # Who reaches a service at all, before anybody asks who they are.
  ingress = {
    internal      = "INGRESS_TRAFFIC_INTERNAL_ONLY"
    load-balancer = "INGRESS_TRAFFIC_INTERNAL_LOAD_BALANCER"
    all           = "INGRESS_TRAFFIC_ALL"
  }
  service_instances = 4

  # Beside the public port, which says no reasons.
  health_port        = 8081
  health_environment = { HEALTH_PORT = tostring(local.health_port) }

  services = { for stage, it in {
    portal = {
      enabled     = var.namespaces.enabled
      environment = merge(local.common_environment, local.portal_address, local.signing_key, local.health_environment, local.database_environment["portal"])
      ingress     = local.ingress[var.namespaces.portal_ingress]
      # The provisioning API refuses tokens while it cannot read the portal's keys.
      min_instances = 1
    }
    provisioning-api = {
      enabled     = var.namespaces.enabled && var.namespaces.provisioning_api
      environment = merge(local.common_environment, local.portal_address, local.health_environment, local.database_environment["provisioning-api"])
      # It writes GitLab's tables, and nobody but our own worker calls it.
      ingress       = local.ingress["internal"]
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
  ingress             = each.value.ingress
  deletion_protection = var.deletion_protection

  template {
    service_account = google_service_account.stage[each.key].email
    labels          = local.labels
    timeout         = "60s"

    scaling {
      min_instance_count = each.value.min_instances
      max_instance_count = local.service_instances
    }

    containers {
      name  = "sync"
      image = var.image
      args  = ["serve", each.key]
      # The database is there before the stage asks for it.
      depends_on = local.stages[each.key].database == null ? [] : [for instance in local.database_connections : "cloud-sql-proxy"]

      ports {
        container_port = 8080
      }

      # Direct VPC egress can take more than a minute to carry the first packet: three, before an instance is given up.
      startup_probe {
        period_seconds    = 5
        timeout_seconds   = 4
        failure_threshold = 36
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

  depends_on = [
    google_pubsub_topic_iam_member.stage_publishes,
    google_secret_manager_secret_iam_member.stage_reads,
    google_project_iam_member.stage_connects,
    google_sql_user.stage,
  ]
}

resource "google_cloud_run_v2_service_iam_member" "invoker" {
  for_each = local.invokers

  project  = var.project_id
  location = var.region
  name     = google_cloud_run_v2_service.stage[each.value.stage].name
  role     = "roles/run.invoker"
  member   = each.value.member
}
