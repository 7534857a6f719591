# A developer's own: dry run, four ticks a day and those asked for by hand, no alerts, quick to destroy.
module "sync" {
  source = "../.."

  project_id          = var.project_id
  region              = "europe-west2"
  image               = var.image
  mode                = "dry-run"
  pubsub_prefix       = "dev-"
  name                = "sync-dev"
  deletion_protection = false

  gitlab = { url = "https://gitlab-staging.example.ac.uk" }

  # Direct access with a group's password, as an alternative to the API gateway.
  lookup = {
    url      = "https://www.lookup.example.ac.uk/api/v1"
    username = "gitlab-sync-dev"
  }

  tick = {
    schedule = "30 */6 * * *"
    paused   = true
  }

  # Only accounts that need a write get a message: little to read through.
  settings = { FAN_OUT__MESSAGES = "changes" }

  runbook_url = "https://gitlab.example.ac.uk/devops/lookup-gitlab-sync/-/blob/main/docs/operations.md"
  alerting    = { enabled = false }
}
