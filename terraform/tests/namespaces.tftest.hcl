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
  vpc         = { network = "projects/sync-test/global/networks/sync", subnetwork = "sync-london" }
  namespaces = {
    enabled    = true
    portal_url = "https://portal.example.ac.uk"
    database   = { proxy_image = "gcr.io/cloud-sql-connectors/cloud-sql-proxy@sha256:fedcba9876543210fedcba9876543210fedcba9876543210fedcba9876543210" }
  }
}

run "the_pipeline_has_topic_dead_letters_and_hold" {
  assert {
    condition     = output.topics["namespace-sync"] == "namespace-sync" && output.subscriptions["namespace-sync"] == "namespace-sync-worker" && output.hold_subscriptions["namespace-sync"] == "namespace-sync-dead-hold"
    error_message = "subscriptions: ${jsonencode(output.subscriptions)}"
  }
}

run "the_worker_posts_to_our_provisioning_api_with_the_signing_key" {
  assert {
    condition     = join(" ", google_cloud_run_v2_worker_pool.stage["namespace-worker"].template[0].containers[0].args) == "serve namespace-worker"
    error_message = "another stage runs there"
  }
  assert {
    condition     = { for env in google_cloud_run_v2_worker_pool.stage["namespace-worker"].template[0].containers[0].env : env.name => env.value }["GITLAB_URL"] == google_cloud_run_v2_service.stage["provisioning-api"].uri
    error_message = "the worker posts elsewhere"
  }
  assert {
    condition     = { for env in google_cloud_run_v2_worker_pool.stage["namespace-worker"].template[0].containers[0].env : env.name => env.value }["LOOKUP_GITLAB_SYNC__NAMESPACES__IDENTITY_AUDIENCE"] == google_cloud_run_v2_service.stage["provisioning-api"].uri
    error_message = "the provisioning API does not let the worker through"
  }
  assert {
    condition     = one([for volume in google_cloud_run_v2_worker_pool.stage["namespace-worker"].template[0].volumes : volume.secret[0].secret if length(volume.secret) == 1]) == "lookup-sync-portal-signing-key"
    error_message = "the signing key is not mounted"
  }
  assert {
    condition     = length([for env in google_cloud_run_v2_worker_pool.stage["namespace-worker"].template[0].containers[0].env : env if env.name == "GITLAB_TOKEN"]) == 0
    error_message = "the namespace worker has no business with the administrator's token"
  }
}

run "portal_and_provisioning_api_are_services" {
  assert {
    condition     = { for stage, it in google_cloud_run_v2_service.stage : stage => join(" ", it.template[0].containers[0].args) } == { portal = "serve portal", provisioning-api = "serve provisioning-api" }
    error_message = "services: ${jsonencode(keys(google_cloud_run_v2_service.stage))}"
  }
  assert {
    condition = alltrue([for service in google_cloud_run_v2_service.stage :
      service.template[0].containers[0].ports[0].container_port == 8080 &&
      service.template[0].containers[0].startup_probe[0].http_get[0].port == 8081 &&
      service.template[0].containers[0].liveness_probe[0].http_get[0].port == 8081 &&
    { for env in service.template[0].containers[0].env : env.name => env.value }["HEALTH_PORT"] == "8081"])
    error_message = "health is asked on the public port"
  }
  assert {
    condition     = { for env in google_cloud_run_v2_service.stage["portal"].template[0].containers[0].env : env.name => env.value }["PORTAL_SIGNING_KEY_FILE"] == "/secrets/portal/signing-key.pem" && contains([for mount in google_cloud_run_v2_service.stage["portal"].template[0].containers[0].volume_mounts : mount.mount_path], "/secrets/portal")
    error_message = "the portal does not find its key"
  }
  assert {
    condition = alltrue([for it in google_cloud_run_v2_service_iam_member.invoker : it.role == "roles/run.invoker"]) && { for it in google_cloud_run_v2_service_iam_member.invoker : it.name => it.member } == {
      lookup-sync-portal           = "allUsers"
      lookup-sync-provisioning-api = "serviceAccount:lookup-sync-namespace-worker@sync-test.iam.gserviceaccount.com"
    }
    error_message = "somebody else may invoke a service: ${jsonencode(google_cloud_run_v2_service_iam_member.invoker)}"
  }
}

run "the_database_is_reached_at_its_private_address_through_the_connector_only" {
  assert {
    condition     = google_sql_database_instance.this[0].settings[0].connector_enforcement == "REQUIRED" && google_sql_database_instance.this[0].settings[0].ip_configuration[0].ssl_mode == "ENCRYPTED_ONLY" && length(google_sql_database_instance.this[0].settings[0].ip_configuration[0].authorized_networks) == 0
    error_message = "the database answers somebody else"
  }
  assert {
    condition     = !google_sql_database_instance.this[0].settings[0].ip_configuration[0].ipv4_enabled && google_sql_database_instance.this[0].settings[0].ip_configuration[0].private_network == "projects/sync-test/global/networks/sync"
    error_message = "the database has a public address"
  }
  assert {
    condition     = { for flag in google_sql_database_instance.this[0].settings[0].database_flags : flag.name => flag.value } == { "cloudsql.iam_authentication" = "on", max_connections = "100" }
    error_message = "accounts cannot sign in"
  }
  assert {
    condition     = { for stage, user in google_sql_user.stage : stage => "${user.type} ${user.name}" } == { for stage in ["namespace-worker", "portal", "provisioning-api"] : stage => "CLOUD_IAM_SERVICE_ACCOUNT lookup-sync-${stage}@sync-test.iam" }
    error_message = "a stage signs in as somebody else"
  }
  assert {
    condition     = !anytrue([for secret in keys(output.secrets) : endswith(secret, "database-url")])
    error_message = "a password is kept that nobody needs"
  }
  assert {
    condition     = google_sql_database_instance.this[0].settings[0].backup_configuration[0].point_in_time_recovery_enabled && google_sql_database_instance.this[0].deletion_protection
    error_message = "the ledger could be lost"
  }
  assert {
    condition     = toset(keys(google_sql_database.this)) == toset(["ledger", "provisioning"])
    error_message = "databases: ${jsonencode(keys(google_sql_database.this))}"
  }
}

run "the_proxy_beside_each_stage_signs_in_as_that_stage" {
  assert {
    condition = alltrue([for containers in [
      google_cloud_run_v2_worker_pool.stage["namespace-worker"].template[0].containers,
      google_cloud_run_v2_service.stage["portal"].template[0].containers,
      google_cloud_run_v2_service.stage["provisioning-api"].template[0].containers,
      ] : length(containers) == 2 && containers[0].depends_on[0] == containers[1].name &&
      alltrue([for flag in ["--auto-iam-authn", "--private-ip", "--health-check", "--port=5432"] : contains(containers[1].args, flag)]) &&
    containers[1].startup_probe[0].http_get[0].port == 9090])
    error_message = "a stage starts without its database, or with a password"
  }
  assert {
    condition     = { for env in google_cloud_run_v2_service.stage["portal"].template[0].containers[0].env : env.name => env.value }["LEDGER_DATABASE_URL"] == "postgres://lookup-sync-portal%40sync-test.iam@127.0.0.1:5432/ledger?sslmode=disable"
    error_message = "the portal asks another database"
  }
  assert {
    condition     = { for env in google_cloud_run_v2_service.stage["provisioning-api"].template[0].containers[0].env : env.name => env.value }["PROVISIONING_DATABASE_URL"] == "postgres://lookup-sync-provisioning-api%40sync-test.iam@127.0.0.1:5432/provisioning?sslmode=disable"
    error_message = "the provisioning API asks another database"
  }
  assert {
    condition     = length(google_cloud_run_v2_worker_pool.stage["user-worker"].template[0].containers) == 1
    error_message = "a stage without a database has a proxy"
  }
}

run "nobody_outside_reaches_a_service" {
  assert {
    condition     = alltrue([for service in google_cloud_run_v2_service.stage : service.ingress == "INGRESS_TRAFFIC_INTERNAL_ONLY" && service.template[0].vpc_access[0].egress == "ALL_TRAFFIC"])
    error_message = "a service is open, or leaves by another way than the network"
  }
}

run "an_open_portal_leaves_the_provisioning_api_closed" {
  variables {
    namespaces = {
      enabled        = true
      portal_ingress = "all"
      database       = { proxy_image = "gcr.io/cloud-sql-connectors/cloud-sql-proxy@sha256:fedcba9876543210fedcba9876543210fedcba9876543210fedcba9876543210" }
    }
  }
  assert {
    condition     = { for stage, service in google_cloud_run_v2_service.stage : stage => service.ingress } == { portal = "INGRESS_TRAFFIC_ALL", provisioning-api = "INGRESS_TRAFFIC_INTERNAL_ONLY" }
    error_message = "the API that writes GitLab's tables is open"
  }
  assert {
    condition     = { for env in google_cloud_run_v2_service.stage["portal"].template[0].containers[0].env : env.name => env.value }["PORTAL_URL"] == "https://lookup-sync-portal-123456789012.europe-west2.run.app"
    error_message = "the portal's address is not the one that Cloud Run gives it"
  }
}

run "more_connections_than_the_database_takes_are_refused" {
  command = plan
  variables {
    namespaces = {
      enabled          = true
      worker_instances = 2
      database         = { proxy_image = "gcr.io/cloud-sql-connectors/cloud-sql-proxy@sha256:fedcba9876543210fedcba9876543210fedcba9876543210fedcba9876543210" }
    }
  }
  expect_failures = [google_sql_database_instance.this]
}

run "a_password_of_somebody_elses_database_is_a_secret" {
  variables {
    namespaces = { enabled = true, database = { create = false } }
  }
  assert {
    condition     = length(setsubtract(["ledger-database-url", "provisioning-database-url"], keys(output.secrets))) == 0 && length(google_sql_user.stage) == 0
    error_message = "the address of a database has no place"
  }
  assert {
    condition     = [for env in google_cloud_run_v2_service.stage["portal"].template[0].containers[0].env : env.value_source[0].secret_key_ref[0].secret if env.name == "LEDGER_DATABASE_URL"] == ["lookup-sync-ledger-database-url"]
    error_message = "the portal does not know the address"
  }
}

run "beside_a_real_gitlab_no_provisioning_api_is_made" {
  variables {
    namespaces = { enabled = true, portal_url = "https://portal.example.ac.uk", provisioning_api = false, database = { create = false } }
  }
  assert {
    condition     = keys(google_cloud_run_v2_service.stage) == ["portal"] && length(google_sql_database_instance.this) == 0 && length(google_project_iam_member.stage_connects) == 0
    error_message = "something was made that nobody asked for"
  }
  assert {
    condition     = { for env in google_cloud_run_v2_worker_pool.stage["namespace-worker"].template[0].containers[0].env : env.name => env.value }["GITLAB_URL"] == "https://gitlab.example.ac.uk"
    error_message = "the worker does not post to GitLab"
  }
  assert {
    condition     = !contains([for env in google_cloud_run_v2_worker_pool.stage["namespace-worker"].template[0].containers[0].env : env.name], "LOOKUP_GITLAB_SYNC__NAMESPACES__IDENTITY_AUDIENCE") && keys(google_cloud_run_v2_service_iam_member.invoker) == ["portal/allUsers"]
    error_message = "GitLab is shown a token that is not for it"
  }
}

run "somebody_elses_cloud_run_service_gets_tokens_for_its_audience" {
  variables {
    namespaces = { enabled = true, provisioning_api = false, provisioning_url = "https://api.example.ac.uk", identity_audience = "their-audience", database = { create = false } }
  }
  assert {
    condition     = { for env in google_cloud_run_v2_worker_pool.stage["namespace-worker"].template[0].containers[0].env : env.name => env.value }["LOOKUP_GITLAB_SYNC__NAMESPACES__IDENTITY_AUDIENCE"] == "their-audience"
    error_message = "the worker shows a token for another audience"
  }
}

run "each_service_has_a_list_of_its_own" {
  variables {
    namespaces = {
      enabled  = true
      invokers = { portal = ["group:recorders@example.ac.uk"], provisioning_api = ["group:operators@example.ac.uk"] }
      database = { proxy_image = "gcr.io/cloud-sql-connectors/cloud-sql-proxy@sha256:fedcba9876543210fedcba9876543210fedcba9876543210fedcba9876543210" }
    }
  }
  assert {
    condition = toset([for it in google_cloud_run_v2_service_iam_member.invoker : "${it.name} ${it.member}"]) == toset([
      "lookup-sync-portal group:recorders@example.ac.uk",
      "lookup-sync-provisioning-api group:operators@example.ac.uk",
      "lookup-sync-provisioning-api serviceAccount:lookup-sync-namespace-worker@sync-test.iam.gserviceaccount.com",
    ])
    error_message = "invokers: ${jsonencode(google_cloud_run_v2_service_iam_member.invoker)}"
  }
}

run "switched_off_it_leaves_nothing" {
  variables {
    namespaces = { enabled = false }
  }
  assert {
    condition     = length(google_cloud_run_v2_service.stage) == 0 && length(google_sql_database_instance.this) == 0 && !contains(keys(output.topics), "namespace-sync") && length(google_service_account.stage) == 2
    error_message = "a piece of the namespace pipeline is made although it is off"
  }
}
