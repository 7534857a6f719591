# Deployed at every merge. Dry run: it reads a real GitLab and writes nothing.
module "sync" {
  source = "../.."

  project_id = var.project_id
  region     = "europe-west2"
  image      = var.image
  mode       = "dry-run"

  gitlab = {
    url                 = "https://gitlab-staging.example.ac.uk"
    requests_per_minute = 600
  }

  lookup = {
    url       = "https://api.apps.example.ac.uk/lookup/v1"
    token_url = "https://api.apps.example.ac.uk/oauth2/v1/token"
    client_id = "lookup-gitlab-sync-staging"
  }

  operators   = ["group:gitlab-team@example.ac.uk"]
  runbook_url = "https://gitlab.example.ac.uk/devops/lookup-gitlab-sync/-/blob/main/docs/operations.md"

  alerting = {
    ticket = ["projects/${var.project_id}/notificationChannels/1000000000000000003"]
  }
}
