# Both pipelines: the namespaces too, with portal, ledger and provisioning API beside the accounts.
module "sync" {
  source = "../.."

  project_id = var.project_id
  region     = "europe-west2"
  image      = var.image
  mode       = "apply"

  gitlab = {
    url                 = "https://gitlab.example.ac.uk"
    requests_per_minute = 600
    read_token          = true
  }

  lookup = {
    url       = "https://api.apps.example.ac.uk/lookup/v1"
    token_url = "https://api.apps.example.ac.uk/oauth2/v1/token"
    client_id = "lookup-gitlab-sync-production"
  }

  vpc = {
    network    = "projects/${var.project_id}/global/networks/sync"
    subnetwork = "sync-europe-west2"
  }

  namespaces = {
    enabled = true
    database = {
      # Cloud SQL's proxy by digest, as the first deployment found it.
      proxy_image = "gcr.io/cloud-sql-connectors/cloud-sql-proxy@sha256:fedcba9876543210fedcba9876543210fedcba9876543210fedcba9876543210"
    }
  }

  operators   = ["group:gitlab-operators@example.ac.uk"]
  runbook_url = "https://gitlab.example.ac.uk/devops/lookup-gitlab-sync/-/blob/main/docs/operations.md"

  alerting = {
    page   = ["projects/${var.project_id}/notificationChannels/1000000000000000001"]
    ticket = ["projects/${var.project_id}/notificationChannels/1000000000000000002"]
  }
}
