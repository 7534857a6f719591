resource "google_service_account" "stage" {
  for_each = local.stages

  project      = var.project_id
  account_id   = "${var.name}-${each.key}"
  display_name = "${var.name} ${each.key}"
  description  = "Runs the stage ${each.key} and may do nothing else."

  depends_on = [google_project_service.this]
}

locals {
  stage_members = { for stage, account in google_service_account.stage : stage => "serviceAccount:${account.account_id}@${var.project_id}.iam.gserviceaccount.com" }

  consumers = { for stage, it in local.stages : stage => it.reads if it.reads != null }

  publishers = { for pair in flatten([
    for stage, it in local.stages : [for topic in it.publishes : { stage = stage, topic = topic }]
  ]) : "${pair.stage}/${pair.topic}" => pair }

  seen = flatten([
    for stage, it in local.stages : [for topic in distinct(compact(concat([it.reads], it.publishes))) : { stage = stage, topic = topic }]
  ])
  # Nobody of ours reads the outcomes: their dead letters are not a stage's to look at.
  seen_topics = { for it in flatten([
    for pair in local.seen : [for name in concat([local.schemas[pair.topic].name], contains(keys(local.topics), pair.topic) ? ["${local.schemas[pair.topic].name}-dead"] : []) : { stage = pair.stage, topic = name }]
  ]) : "${it.stage}/${it.topic}" => it }
  seen_subscriptions = { for it in flatten([
    for pair in local.seen : [for name in [local.topics[pair.topic].subscription, "${local.topics[pair.topic].name}-dead-hold"] : { stage = pair.stage, subscription = name }] if contains(keys(local.topics), pair.topic)
  ]) : "${it.stage}/${it.subscription}" => it }

  secret_readers = { for pair in flatten([
    for stage, it in local.stages : [for secret in it.secrets : { stage = stage, secret = secret }]
  ]) : "${pair.stage}/${pair.secret}" => pair }
}

resource "google_pubsub_subscription_iam_member" "stage_consumes" {
  for_each = local.consumers

  project      = var.project_id
  subscription = google_pubsub_subscription.work[each.value].name
  role         = "roles/pubsub.subscriber"
  member       = local.stage_members[each.key]
}

# Readiness looks at the subscription, and a stage refuses to start unless its own dead letters and those of the
# topic it publishes to are held. Seeing is metadata only: no message can be read with it.
resource "google_pubsub_topic_iam_member" "stage_sees" {
  for_each = local.seen_topics

  project = var.project_id
  topic   = each.value.topic
  role    = "roles/pubsub.viewer"
  member  = local.stage_members[each.value.stage]

  depends_on = [google_pubsub_topic.this, google_pubsub_topic.dead]
}

resource "google_pubsub_subscription_iam_member" "stage_sees" {
  for_each = local.seen_subscriptions

  project      = var.project_id
  subscription = each.value.subscription
  role         = "roles/pubsub.viewer"
  member       = local.stage_members[each.value.stage]

  depends_on = [google_pubsub_subscription.work, google_pubsub_subscription.hold]
}

resource "google_pubsub_topic_iam_member" "stage_publishes" {
  for_each = local.publishers

  project = var.project_id
  topic   = google_pubsub_topic.this[each.value.topic].name
  role    = "roles/pubsub.publisher"
  member  = local.stage_members[each.value.stage]
}

resource "google_pubsub_topic_iam_member" "stage_dead_letters" {
  for_each = local.consumers

  project = var.project_id
  topic   = google_pubsub_topic.dead[each.value].name
  role    = "roles/pubsub.publisher"
  member  = local.stage_members[each.key]
}

resource "google_secret_manager_secret_iam_member" "stage_reads" {
  for_each = local.secret_readers

  project   = var.project_id
  secret_id = google_secret_manager_secret.this[each.value.secret].secret_id
  role      = "roles/secretmanager.secretAccessor"
  member    = local.stage_members[each.value.stage]
}
