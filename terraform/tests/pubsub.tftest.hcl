mock_provider "google" {
  mock_data "google_project" {
    defaults = { number = "123456789012" }
  }
}

variables {
  project_id = "sync-test"
  region     = "europe-west2"
  image      = "europe-west2-docker.pkg.dev/sync-test/lookup-sync/lookup-gitlab-sync@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
  gitlab     = { url = "https://gitlab.example.ac.uk" }
  lookup = {
    url       = "https://api.example.ac.uk/lookup/v1"
    token_url = "https://api.example.ac.uk/oauth2/v1/token"
    client_id = "sync"
  }
  runbook_url = "https://gitlab.example.ac.uk/sync/-/blob/main/docs/operations.md"
}

run "every_topic_and_subscription_has_the_name_the_service_uses" {
  assert {
    condition     = output.topics == { sync-tick = "sync-tick", user-sync = "user-sync", sync-outcome = "sync-outcome" }
    error_message = "topics: ${jsonencode(output.topics)}"
  }
  assert {
    condition     = output.subscriptions == { sync-tick = "sync-tick-fan-out", user-sync = "user-sync-worker", sync-outcome = "sync-outcome-bigquery" }
    error_message = "subscriptions: ${jsonencode(output.subscriptions)}"
  }
  assert {
    condition     = output.dead_letter_topics == { sync-tick = "sync-tick-dead", user-sync = "user-sync-dead", sync-outcome = "sync-outcome-dead" }
    error_message = "dead-letter topics: ${jsonencode(output.dead_letter_topics)}"
  }
  assert {
    condition     = output.hold_subscriptions == { sync-tick = "sync-tick-dead-hold", user-sync = "user-sync-dead-hold", sync-outcome = "sync-outcome-dead-hold" }
    error_message = "hold subscriptions: ${jsonencode(output.hold_subscriptions)}"
  }
}

run "a_prefix_stands_before_every_name" {
  variables {
    pubsub_prefix = "dev-"
  }
  assert {
    condition = alltrue([for name in concat(
      values(output.topics), values(output.subscriptions), values(output.dead_letter_topics), values(output.hold_subscriptions),
      [for it in google_pubsub_schema.this : it.name],
    ) : startswith(name, "dev-")])
    error_message = "some name lacks the prefix"
  }
  assert {
    condition = alltrue([for pool in google_cloud_run_v2_worker_pool.stage :
    { for env in pool.template[0].containers[0].env : env.name => env.value }["LOOKUP_GITLAB_SYNC__PUBSUB__PREFIX"] == "dev-"])
    error_message = "some stage does not know the prefix"
  }
}

run "every_subscription_has_a_dead_letter_that_pubsub_may_forward_to" {
  assert {
    condition = alltrue([for topic, name in output.subscriptions :
    (topic == "sync-outcome" ? google_pubsub_subscription.outcome : google_pubsub_subscription.work[topic]).dead_letter_policy[0].dead_letter_topic == google_pubsub_topic.dead[topic].id])
    error_message = "a subscription forwards to another topic's dead letters, or nowhere"
  }
  assert {
    condition = alltrue([for it in concat(values(google_pubsub_subscription.work), [google_pubsub_subscription.outcome]) :
    it.dead_letter_policy[0].max_delivery_attempts == 100])
    error_message = "Pub/Sub's own net must be the last: restarts count there too"
  }
  assert {
    condition = alltrue([for topic, name in output.subscriptions :
      google_pubsub_topic_iam_member.agent_forwards[topic].topic == "${google_pubsub_topic.this[topic].name}-dead" &&
      google_pubsub_topic_iam_member.agent_forwards[topic].role == "roles/pubsub.publisher" &&
    google_pubsub_topic_iam_member.agent_forwards[topic].member == "serviceAccount:service-123456789012@gcp-sa-pubsub.iam.gserviceaccount.com"])
    error_message = "Pub/Sub's agent may not publish to every dead-letter topic: messages would loop"
  }
  assert {
    condition = alltrue([for topic, name in output.subscriptions :
      google_pubsub_subscription_iam_member.agent_forwards[topic].subscription == name &&
      google_pubsub_subscription_iam_member.agent_forwards[topic].role == "roles/pubsub.subscriber" &&
    google_pubsub_subscription_iam_member.agent_forwards[topic].member == "serviceAccount:service-123456789012@gcp-sa-pubsub.iam.gserviceaccount.com"])
    error_message = "Pub/Sub's agent may not take messages from every subscription: messages would loop"
  }
}

run "dead_letters_are_held_for_31_days_and_no_schema_refuses_them" {
  assert {
    condition = alltrue([for topic, name in output.subscriptions :
    google_pubsub_subscription.hold[topic].topic == google_pubsub_topic.dead[topic].id])
    error_message = "a dead-letter topic without its hold subscription loses messages"
  }
  assert {
    condition = alltrue([for it in google_pubsub_subscription.hold :
    it.message_retention_duration == "2678400s" && it.expiration_policy[0].ttl == "" && it.retain_acked_messages && it.ack_deadline_seconds == 60 && length(it.dead_letter_policy) == 0])
    error_message = "a hold subscription expires, forgets early, or has dead letters of its own"
  }
  assert {
    condition     = alltrue([for it in google_pubsub_topic.dead : length(it.schema_settings) == 0])
    error_message = "a dead-letter topic with a schema can refuse the copy, and the original loops"
  }
}

run "working_subscriptions_never_expire_and_back_off" {
  assert {
    condition = alltrue([for it in concat(values(google_pubsub_subscription.work), [google_pubsub_subscription.outcome]) :
      it.expiration_policy[0].ttl == "" && it.message_retention_duration == "604800s" && it.ack_deadline_seconds == 60 &&
    it.retry_policy[0].minimum_backoff == "10s" && it.retry_policy[0].maximum_backoff == "600s"])
    error_message = "a subscription differs from the design: 7 days, 60 s, 10 s to 600 s, no expiry"
  }
  assert {
    condition     = alltrue([for it in google_pubsub_subscription.work : !it.enable_message_ordering && !it.enable_exactly_once_delivery])
    error_message = "handlers are idempotent and read facts anew; ordering holds back a whole key"
  }
}

run "what_history_shows_is_held_for_seven_days_and_nobody_takes_it_away" {
  assert {
    condition     = google_pubsub_subscription.history.name == "sync-outcome-history" && google_pubsub_subscription.history.topic == google_pubsub_topic.this["sync-outcome"].id
    error_message = "history reads another subscription, or this one another topic"
  }
  assert {
    condition     = google_pubsub_subscription.history.message_retention_duration == "604800s" && google_pubsub_subscription.history.expiration_policy[0].ttl == "" && google_pubsub_subscription.history.ack_deadline_seconds == 60 && length(google_pubsub_subscription.history.dead_letter_policy) == 0
    error_message = "the subscription expires, forgets early, or gives away what was read often"
  }
  assert {
    condition     = google_pubsub_subscription.history.filter == "attributes.result = \"applied\" OR attributes.result = \"state_forbids\" OR attributes.kind = \"guard_refused\" OR attributes.kind = \"directory_implausible\" OR attributes.kind = \"too_many_unreadable\""
    error_message = "the filter is not the service's: ${google_pubsub_subscription.history.filter}"
  }
}

run "history_can_be_kept_for_31_days" {
  variables {
    history_retention_days = 31
  }
  assert {
    condition     = google_pubsub_subscription.history.message_retention_duration == "2678400s"
    error_message = "31 days are ${google_pubsub_subscription.history.message_retention_duration}"
  }
}

run "messages_stay_in_the_region_and_pass_the_schema" {
  assert {
    condition = alltrue([for it in concat(values(google_pubsub_topic.this), values(google_pubsub_topic.dead)) :
    one(it.message_storage_policy[0].allowed_persistence_regions) == "europe-west2"])
    error_message = "a topic may store messages outside the region"
  }
  assert {
    condition = alltrue([for topic, it in google_pubsub_topic.this :
    it.schema_settings[0].encoding == "JSON" && it.schema_settings[0].schema == google_pubsub_schema.this[topic].id])
    error_message = "a topic does not check its own schema as JSON"
  }
  assert {
    condition = alltrue([for topic, it in google_pubsub_schema.this :
    it.type == "PROTOCOL_BUFFER" && it.definition == file("../schemas/${replace(topic, "-", "_")}.proto")])
    error_message = "a schema is not the file of its topic"
  }
}

run "the_tick_is_a_constant_that_its_schema_knows" {
  assert {
    condition     = alltrue([for field in keys(jsondecode(base64decode(google_cloud_scheduler_job.tick[0].pubsub_target[0].data))) : strcontains(google_pubsub_schema.this["sync-tick"].definition, "optional string ${field} =")])
    error_message = "the scheduler's body has a field that sync_tick.proto does not: ${base64decode(google_cloud_scheduler_job.tick[0].pubsub_target[0].data)}"
  }
  assert {
    condition     = google_cloud_scheduler_job.tick[0].time_zone == "Europe/London" && google_cloud_scheduler_job.tick[0].region == "europe-west2"
    error_message = "the schedule has no time zone of its own, or runs elsewhere"
  }
}

run "each_outcome_field_has_a_column" {
  assert {
    condition     = [for column in jsondecode(google_bigquery_table.outcomes.schema) : column.name] == [for line in split("\n", google_pubsub_schema.this["sync-outcome"].definition) : split(" ", trimspace(line))[2] if startswith(trimspace(line), "optional ")]
    error_message = "columns: ${google_bigquery_table.outcomes.schema}"
  }
  assert {
    condition     = { for column in jsondecode(google_bigquery_table.outcomes.schema) : column.name => column.type }["gitlab_user_id"] == "NUMERIC"
    error_message = "BigQuery takes an unsigned 64-bit number as NUMERIC only"
  }
  assert {
    condition     = google_pubsub_subscription.outcome.bigquery_config[0].table == "sync-test.lookup_sync.outcomes" && google_pubsub_subscription.outcome.bigquery_config[0].use_topic_schema && !google_pubsub_subscription.outcome.bigquery_config[0].write_metadata
    error_message = "the audit sink writes elsewhere, or its message_id collides with Pub/Sub's"
  }
}
