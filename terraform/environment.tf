locals {
  # Plain environment, readable by every viewer of the project: nothing secret.
  common_environment = merge(
    { for key, value in var.settings : "LOOKUP_GITLAB_SYNC__${key}" => value },
    {
      GOOGLE_CLOUD_PROJECT = var.project_id
      LOG_LEVEL            = "info"
    },
    var.pubsub_prefix == "" ? {} : { LOOKUP_GITLAB_SYNC__PUBSUB__PREFIX = var.pubsub_prefix },
  )

  user_environment = merge(
    local.common_environment,
    {
      GITLAB_URL                                     = var.gitlab.url
      LOOKUP_URL                                     = var.lookup.url
      LOOKUP_GITLAB_SYNC__MODE                       = var.mode
      LOOKUP_GITLAB_SYNC__GUARD__MAX_BLOCK_PERCENT   = tostring(var.guard.max_block_percent)
      LOOKUP_GITLAB_SYNC__GUARD__MAX_UNBLOCK_PERCENT = tostring(var.guard.max_unblock_percent)
      LOOKUP_GITLAB_SYNC__GUARD__FLOOR               = tostring(var.guard.floor)
      LOOKUP_GITLAB_SYNC__GUARD__MAX_BLOCKS          = tostring(var.guard.max_blocks)
    },
    var.gitlab.requests_per_minute == null ? {} : { LOOKUP_GITLAB_SYNC__GITLAB__CALLS__REQUESTS_PER_MINUTE = tostring(var.gitlab.requests_per_minute) },
    var.lookup.username != null ? { LOOKUP_USERNAME = var.lookup.username } : {},
    var.lookup.token_url != null ? { LOOKUP_TOKEN_URL = var.lookup.token_url } : {},
    var.lookup.client_id != null ? { LOOKUP_CLIENT_ID = var.lookup.client_id } : {},
  )

  # Variable of the service -> the secret it is filled from when an instance starts. What is not here is mounted as a file.
  secret_environment = {
    gitlab-read-token         = "GITLAB_READ_TOKEN"
    gitlab-token              = "GITLAB_TOKEN"
    lookup-client-secret      = "LOOKUP_CLIENT_SECRET"
    lookup-password           = "LOOKUP_PASSWORD"
    portal-token              = "PORTAL_TOKEN"
    ledger-database-url       = "LEDGER_DATABASE_URL"
    provisioning-database-url = "PROVISIONING_DATABASE_URL"
  }
}
