# Read while planning, so that the Resource Manager's API is enabled before the first plan (docs/deploy.md).
data "google_project" "this" {
  project_id = var.project_id
}

locals {
  # Pub/Sub acts as this account when it forwards dead letters and writes to BigQuery.
  pubsub_agent = "serviceAccount:service-${data.google_project.this.number}@gcp-sa-pubsub.iam.gserviceaccount.com"
}

resource "google_project_service" "this" {
  for_each = toset(concat(
    [
      "artifactregistry.googleapis.com",
      "bigquery.googleapis.com",
      "cloudresourcemanager.googleapis.com",
      "cloudscheduler.googleapis.com",
      "iam.googleapis.com",
      "logging.googleapis.com",
      "monitoring.googleapis.com",
      "pubsub.googleapis.com",
      "run.googleapis.com",
      "secretmanager.googleapis.com",
    ],
    var.namespaces.enabled && var.namespaces.database.create ? ["sqladmin.googleapis.com"] : [],
    var.budget == null ? [] : ["billingbudgets.googleapis.com"],
  ))

  project            = var.project_id
  service            = each.key
  disable_on_destroy = false
}
