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

# What the checks must let pass: the outermost values that are right.
run "the_largest_values_are_taken" {
  command = plan
  variables {
    logs                   = { retention_days = 400, unchanged = true }
    auditors               = ["user:a@example.ac.uk", "group:b@example.ac.uk", "serviceAccount:c@p.iam.gserviceaccount.com", "principalSet://iam.googleapis.com/locations/global/workforcePools/p/group/g"]
    audit_logs             = false
    project_id             = "syyyyyyyyyyyyyyyyyyyyyyyyyyyyy"
    name                   = "syyyyyyyyyyyy"
    pubsub_prefix          = "ddddddddddddddddddddddddddddddd"
    region                 = "northamerica-northeast12"
    labels                 = { ttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttt = "vvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvv" }
    image                  = "example.ac.uk:5000/sync/sync:1.0.0@sha256:0000000000000000000000000000000000000000000000000000000000000000"
    guard                  = { max_block_percent = 50, max_unblock_percent = 50, floor = 100, max_blocks = 10000 }
    gitlab                 = { url = "https://gitlab.example.ac.uk:8443/git", requests_per_minute = 60000 }
    settings               = { USERS__INACTIVE_MONTHS = "24", FAN_OUT__MESSAGES = "all", GITLAB__CALLS__TIMEOUT = "5s", DIRECTORY__CALLS__CONCURRENCY = "4", WORKER__MAX_OUTSTANDING = "10", SWEEP__MAX_AGE = "1h", SERVE__GRACE = "8s", NAMESPACES__SETTLE = "2m" }
    secret_versions        = { gitlab-token = "10", lookup-client-secret = "latest" }
    user_worker            = { instances = 20, memory = "4Gi" }
    fan_out                = { instances = 1, memory = "9999Mi" }
    history_retention_days = 31
    outcome_retention_days = 3650
    operators              = ["user:a@example.ac.uk", "group:b@example.ac.uk", "serviceAccount:c@p.iam.gserviceaccount.com", "principalSet://iam.googleapis.com/locations/global/workforcePools/p/group/g"]
    vpc                    = { network = "projects/p/global/networks/sync", subnetwork = "projects/p/regions/europe-west2/subnetworks/sync" }
    mode                   = "apply"
    alerting               = { page = ["projects/sync-test/notificationChannels/1"], ticket = ["projects/sync-test/notificationChannels/2"], dead_letter_burst = 1 }
  }
}

run "the_smallest_values_are_taken" {
  command = plan
  variables {
    logs                   = { retention_days = 7 }
    project_id             = "sync-1"
    name                   = "syn"
    image                  = null
    guard                  = { max_block_percent = 0.5, max_unblock_percent = 0.5, floor = 0, max_blocks = 1 }
    gitlab                 = { url = "https://g", requests_per_minute = 1 }
    lookup                 = { url = "https://l", username = "sync" }
    secret_versions        = { lookup-password = "1", gitlab-read-token = "2", portal-signing-key = "1", portal-token = "1", ledger-database-url = "1", provisioning-database-url = "1" }
    user_worker            = { instances = 0, memory = "512Mi" }
    fan_out                = { instances = 0, memory = "1Gi" }
    history_retention_days = 7
    outcome_retention_days = 30
    labels                 = { t = "" }
  }
}

run "unwatched_dry_runs_are_taken" {
  command = plan
  variables {
    mode     = "dry-run"
    alerting = { enabled = false }
  }
}

run "the_largest_namespaces_are_taken" {
  command = plan
  variables {
    vpc        = { network = "projects/sync-test/global/networks/sync", subnetwork = "sync" }
    budget     = { billing_account = "012345-6789AB-CDEF01", monthly = 1, currency = "GBP" }
    namespaces = { enabled = true, portal_url = "https://portal.example.ac.uk:8443", portal_ingress = "load-balancer", invokers = { portal = ["allUsers", "user:a@example.ac.uk", "group:b@example.ac.uk", "serviceAccount:c@p.iam.gserviceaccount.com"], provisioning_api = ["user:a@example.ac.uk", "group:b@example.ac.uk", "serviceAccount:c@p.iam.gserviceaccount.com"] }, worker_instances = 20, database = { proxy_image = "gcr.io/cloud-sql-connectors/cloud-sql-proxy@sha256:fedcba9876543210fedcba9876543210fedcba9876543210fedcba9876543210", tier = "db-custom-96-638976", availability_type = "REGIONAL", disk_gb = 1000, max_connections = 1000, connections_per_instance = 50 } }
  }
}

run "the_smallest_namespaces_are_taken" {
  command = plan
  variables {
    vpc        = { network = "projects/sync-test/global/networks/sync", subnetwork = "sync" }
    namespaces = { enabled = true, worker_instances = 0, provisioning_api = false, provisioning_url = "https://gitlab.example.ac.uk/git", database = { proxy_image = "gcr.io/cloud-sql-connectors/cloud-sql-proxy@sha256:fedcba9876543210fedcba9876543210fedcba9876543210fedcba9876543210", tier = "db-custom-1-3840", disk_gb = 10, max_connections = 25, connections_per_instance = 2 } }
  }
}

run "an_open_portal_beside_other_databases_needs_no_network" {
  command = plan
  variables {
    namespaces = { enabled = true, portal_ingress = "all", provisioning_api = false, database = { create = false } }
  }
}

run "a_budget_in_the_accounts_own_currency_is_taken" {
  command = plan
  variables {
    budget = { billing_account = "012345-6789AB-CDEF01", monthly = 100 }
  }
}
