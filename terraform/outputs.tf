output "topics" {
  description = "Topics by the names that the design gives them."
  value       = { for topic, it in google_pubsub_topic.this : topic => it.name }
}

output "subscriptions" {
  description = "Working subscription of each topic."
  value       = merge({ for topic, it in google_pubsub_subscription.work : topic => it.name }, { sync-outcome = google_pubsub_subscription.outcome.name })
}

output "dead_letter_topics" {
  description = "Dead-letter topic of each topic."
  value       = { for topic, it in google_pubsub_topic.dead : topic => it.name }
}

output "hold_subscriptions" {
  description = "Where the dead letters of each topic wait."
  value       = { for topic, it in google_pubsub_subscription.hold : topic => it.name }
}

output "image_repository" {
  description = "Where images of this deployment are pushed."
  value       = "${var.region}-docker.pkg.dev/${var.project_id}/${google_artifact_registry_repository.images.repository_id}"
}

output "secrets" {
  description = "Secrets that need a version before anything can run, by short name."
  value       = { for secret, it in google_secret_manager_secret.this : secret => it.secret_id }
}

output "service_accounts" {
  description = "Account that each stage runs as."
  value       = { for stage, it in google_service_account.stage : stage => "${it.account_id}@${var.project_id}.iam.gserviceaccount.com" }
}

output "worker_pools" {
  description = "Worker pool of each stage that consumes; empty until an image is named."
  value       = { for stage, it in google_cloud_run_v2_worker_pool.stage : stage => it.name }
}

output "service_urls" {
  description = "Addresses of portal and provisioning API, where the namespace pipeline is enabled."
  value       = { for stage, it in google_cloud_run_v2_service.stage : stage => it.uri }
}

output "outcome_table" {
  description = "Audit table in BigQuery."
  value       = "${var.project_id}.${google_bigquery_dataset.outcomes.dataset_id}.${google_bigquery_table.outcomes.table_id}"
}

output "operator_job" {
  description = "Cloud Run job that runs the commands of operators; null until an image is named."
  value       = one(google_cloud_run_v2_job.operator[*].name)
}

output "operator_environment" {
  description = "The whole environment of the operator's commands but for the secrets, whose places secret_environment names."
  value       = local.operator_environment
}

output "secret_environment" {
  description = "Variables of the operator's commands that are secrets, and the secret that holds each."
  value       = { for secret in local.operator_secrets : local.secret_environment[secret] => google_secret_manager_secret.this[secret].secret_id }
}
