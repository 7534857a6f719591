# plan, explain, history, replay, adopt and --follow need secrets or rights that no person has. They run here instead:
#   gcloud run jobs execute NAME-operator --region=REGION --wait --args=explain,spqr1
resource "google_service_account" "operator" {
  project      = var.project_id
  account_id   = "${var.name}-operator"
  display_name = "${var.name} operator"
  description  = "Runs the commands of operators."

  depends_on = [google_project_service.this]
}

locals {
  operator_member = "serviceAccount:${google_service_account.operator.account_id}@${var.project_id}.iam.gserviceaccount.com"

  # adopt and replay write; what only looks uses the token that only reads, where there is one.
  operator_secrets = distinct(["gitlab-token", local.reading_token, local.lookup_secret])

  operator_environment = merge(
    local.user_environment,
    var.namespaces.enabled ? local.portal_address : {},
  )
}

resource "google_secret_manager_secret_iam_member" "operator_reads" {
  for_each = toset(local.operator_secrets)

  project   = var.project_id
  secret_id = google_secret_manager_secret.this[each.key].secret_id
  role      = "roles/secretmanager.secretAccessor"
  member    = local.operator_member
}

# --follow makes a subscription of its own, reads it and removes it. The rights count for every subscription of the
# project, since nobody knows its name before: hence for this account and not for people.
resource "google_project_iam_custom_role" "follows" {
  project     = var.project_id
  role_id     = "${replace(var.name, "-", "_")}_follows"
  title       = "${var.name}: follow runs"
  description = "Makes, reads and removes the subscription of --follow."
  permissions = [
    "pubsub.subscriptions.consume",
    "pubsub.subscriptions.create",
    "pubsub.subscriptions.delete",
    "pubsub.subscriptions.get",
  ]

  depends_on = [google_project_service.this]
}

resource "google_project_iam_member" "operator_follows" {
  project = var.project_id
  role    = local.custom_roles["follows"]
  member  = local.operator_member
}

resource "google_pubsub_topic_iam_member" "operator_follows" {
  project = var.project_id
  topic   = google_pubsub_topic.this["sync-outcome"].name
  role    = "roles/pubsub.subscriber"
  member  = local.operator_member
}

resource "google_cloud_run_v2_job" "operator" {
  count = local.running ? 1 : 0

  project             = var.project_id
  location            = var.region
  name                = "${var.name}-operator"
  labels              = local.labels
  deletion_protection = false

  template {
    labels = local.labels

    template {
      service_account = google_service_account.operator.email
      # A command that failed is looked at and not repeated.
      max_retries = 0
      timeout     = "7200s"

      containers {
        name  = "sync"
        image = var.image
        # Changes nothing, where somebody forgets to say what to run.
        args = ["plan"]

        resources {
          limits = {
            cpu    = "1"
            memory = "1Gi"
          }
        }

        dynamic "env" {
          for_each = local.operator_environment
          content {
            name  = env.key
            value = env.value
          }
        }

        dynamic "env" {
          for_each = { for secret in local.operator_secrets : local.secret_environment[secret] => secret }
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
  }

  depends_on = [
    google_project_iam_member.operator_follows,
    google_pubsub_subscription_iam_member.operator_handles,
    google_pubsub_subscription_iam_member.operator_sees,
    google_pubsub_topic_iam_member.operator_follows,
    google_pubsub_topic_iam_member.operator_publishes,
    google_pubsub_topic_iam_member.operator_sees,
    google_secret_manager_secret_iam_member.operator_reads,
  ]
}

# With arguments of their own, which is an override; the image and the account stay as they are.
resource "google_cloud_run_v2_job_iam_member" "operator_runs" {
  for_each = local.running ? var.operators : []

  project  = var.project_id
  location = var.region
  name     = google_cloud_run_v2_job.operator[0].name
  role     = "roles/run.jobsExecutorWithOverrides"
  member   = each.value
}
