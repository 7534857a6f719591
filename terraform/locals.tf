locals {
  labels = merge({ app = var.name }, var.labels)
  # What holds the only copy of something.
  precious = var.deletion_protection ? "PREVENT" : "DELETE"
  # An empty project has neither an image to run nor versions of the secrets; see docs/deploy.md.
  running = var.image != null

  # One entry a pipeline stage that consumes: the topic it reads and the names the service knows them by.
  topics = { for topic, it in {
    sync-tick = {
      name         = "${var.pubsub_prefix}sync-tick"
      schema       = "sync_tick"
      subscription = "${var.pubsub_prefix}sync-tick-fan-out"
      stage        = "fan-out"
      enabled      = true
    }
    user-sync = {
      name         = "${var.pubsub_prefix}user-sync"
      schema       = "user_sync"
      subscription = "${var.pubsub_prefix}user-sync-worker"
      stage        = "user-worker"
      enabled      = true
    }
    namespace-sync = {
      name         = "${var.pubsub_prefix}namespace-sync"
      schema       = "namespace_sync"
      subscription = "${var.pubsub_prefix}namespace-sync-worker"
      stage        = "namespace-worker"
      enabled      = var.namespaces.enabled
    }
  } : topic => it if it.enabled }

  outcome = {
    name         = "${var.pubsub_prefix}sync-outcome"
    schema       = "sync_outcome"
    subscription = "${var.pubsub_prefix}sync-outcome-bigquery"
  }

  # Nobody acks there: it is read again and again.
  outcome_history = "${var.pubsub_prefix}sync-outcome-history"

  # Every topic with a schema, and every subscription that needs a dead letter.
  schemas = merge(
    { for topic, it in local.topics : topic => { name = it.name, schema = it.schema } },
    { sync-outcome = { name = local.outcome.name, schema = local.outcome.schema } },
  )
  subscriptions = merge(
    { for topic, it in local.topics : topic => it.subscription },
    { sync-outcome = local.outcome.subscription },
  )

  # What each stage may do, and no more. `reads` is a topic of `topics`; a stage that reads also publishes the
  # copies of its dead letters, because it confirms the copy before it acks.
  stages = { for stage, it in {
    fan-out = {
      enabled   = true
      reads     = "sync-tick"
      publishes = ["user-sync", "sync-outcome"]
      database  = null
      secrets   = [local.reading_token, local.lookup_secret]
    }
    user-worker = {
      enabled   = true
      reads     = "user-sync"
      publishes = ["sync-outcome"]
      database  = null
      secrets   = ["gitlab-token", local.lookup_secret]
    }
    namespace-worker = {
      enabled   = var.namespaces.enabled
      reads     = "namespace-sync"
      publishes = ["sync-outcome"]
      secrets   = concat(["portal-signing-key"], local.password_secrets["ledger"])
      database  = "ledger"
    }
    portal = {
      enabled   = var.namespaces.enabled
      reads     = null
      publishes = ["namespace-sync"]
      secrets   = concat(["portal-signing-key", "portal-token"], local.password_secrets["ledger"])
      database  = "ledger"
    }
    provisioning-api = {
      enabled   = var.namespaces.enabled && var.namespaces.provisioning_api
      reads     = null
      publishes = []
      secrets   = local.password_secrets["provisioning"]
      database  = "provisioning"
    }
  } : stage => it if it.enabled }

  lookup_secret = var.lookup.username == null ? "lookup-client-secret" : "lookup-password"
  # With a token of its own that only reads, the fan-out cannot write at all.
  reading_token = var.gitlab.read_token ? "gitlab-read-token" : "gitlab-token"
  # Our own database knows its callers by their accounts; another's address holds a password.
  password_secrets = { for database in ["ledger", "provisioning"] : database => local.with_database ? [] : ["${database}-database-url"] }
}
