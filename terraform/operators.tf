# Operators ask for runs, compare the topology, handle dead letters and pause all writes; they read no secret and take
# no working message. What needs a secret runs as a job (operator_job.tf) under an account that has the same grants.
locals {
  operator_members = setunion(var.operators, [local.operator_member])
}

resource "google_pubsub_topic_iam_member" "operator_publishes" {
  for_each = { for pair in setproduct(local.operator_members, keys(local.topics)) : "${pair[0]}/${pair[1]}" => { member = pair[0], topic = pair[1] } }

  project = var.project_id
  topic   = google_pubsub_topic.this[each.value.topic].name
  role    = "roles/pubsub.publisher"
  member  = each.value.member
}

# A pause is labels of this topic, and no predefined role may set them and nothing else.
resource "google_project_iam_custom_role" "pauses" {
  project     = var.project_id
  role_id     = "${replace(var.name, "-", "_")}_pauses"
  title       = "${var.name}: pause and resume"
  description = "Reads and sets the labels of the outcomes' topic, which are the pause of all writes."
  permissions = ["pubsub.topics.get", "pubsub.topics.update"]

  depends_on = [google_project_service.this]
}

resource "google_pubsub_topic_iam_member" "operator_pauses" {
  for_each = local.operator_members

  project = var.project_id
  topic   = google_pubsub_topic.this["sync-outcome"].name
  role    = local.custom_roles["pauses"]
  member  = each.value
}

resource "google_pubsub_subscription_iam_member" "operator_handles" {
  for_each = { for pair in setproduct(local.operator_members, keys(local.schemas)) : "${pair[0]}/${pair[1]}" => { member = pair[0], topic = pair[1] } }

  project      = var.project_id
  subscription = google_pubsub_subscription.hold[each.value.topic].name
  role         = "roles/pubsub.subscriber"
  member       = each.value.member
}

resource "google_pubsub_subscription_iam_member" "operator_reads_history" {
  for_each = local.operator_members

  project      = var.project_id
  subscription = google_pubsub_subscription.history.name
  role         = "roles/pubsub.subscriber"
  member       = each.value
}

resource "google_pubsub_topic_iam_member" "operator_sees" {
  for_each = { for pair in setproduct(local.operator_members, flatten([for it in local.schemas : [it.name, "${it.name}-dead"]])) : "${pair[0]}/${pair[1]}" => { member = pair[0], topic = pair[1] } }

  project = var.project_id
  topic   = each.value.topic
  role    = "roles/pubsub.viewer"
  member  = each.value.member

  depends_on = [google_pubsub_topic.this, google_pubsub_topic.dead]
}

resource "google_pubsub_subscription_iam_member" "operator_sees" {
  for_each = { for pair in setproduct(local.operator_members, concat(values(local.subscriptions), [local.outcome_history], [for it in local.schemas : "${it.name}-dead-hold"])) : "${pair[0]}/${pair[1]}" => { member = pair[0], subscription = pair[1] } }

  project      = var.project_id
  subscription = each.value.subscription
  role         = "roles/pubsub.viewer"
  member       = each.value.member

  depends_on = [google_pubsub_subscription.work, google_pubsub_subscription.hold, google_pubsub_subscription.outcome, google_pubsub_subscription.history]
}

# What the runbook does on the project as a whole: look at what runs, read its log, see charts and alerts, stop and
# start the schedule, and ask the audit table.
resource "google_project_iam_custom_role" "operates" {
  project     = var.project_id
  role_id     = "${replace(var.name, "-", "_")}_operates"
  title       = "${var.name}: operate"
  description = "What docs/operations.md asks of the project as a whole."
  permissions = [
    "bigquery.jobs.create",
    "cloudscheduler.jobs.enable",
    "cloudscheduler.jobs.get",
    "cloudscheduler.jobs.list",
    "cloudscheduler.jobs.pause",
    "logging.logEntries.list",
    "logging.views.access",
    "monitoring.alertPolicies.get",
    "monitoring.alertPolicies.list",
    "monitoring.dashboards.get",
    "monitoring.dashboards.list",
    "monitoring.timeSeries.list",
    "pubsub.subscriptions.list",
    "pubsub.topics.list",
    "resourcemanager.projects.get",
    "run.executions.get",
    "run.executions.list",
    "run.jobs.get",
    "run.jobs.list",
    "run.operations.get",
    "run.services.get",
    "run.services.list",
    "run.workerpools.get",
    "run.workerpools.list",
  ]

  depends_on = [google_project_service.this]
}

resource "google_project_iam_member" "operator_operates" {
  for_each = var.operators

  project = var.project_id
  role    = local.custom_roles["operates"]
  member  = each.value
}

locals {
  # By their names and not by what the cloud answers, so that a plan shows them.
  custom_roles = { for role, it in {
    pauses   = google_project_iam_custom_role.pauses
    operates = google_project_iam_custom_role.operates
    follows  = google_project_iam_custom_role.follows
  } : role => "projects/${var.project_id}/roles/${it.role_id}" }
}
