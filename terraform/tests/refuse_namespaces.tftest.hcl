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
}

# The namespace pipeline.
run "refuses_a_portal_without_tls" {
  command = plan
  variables {
    namespaces = { enabled = true, portal_url = "http://portal.example.ac.uk", database = { proxy_image = "gcr.io/cloud-sql-connectors/cloud-sql-proxy@sha256:fedcba9876543210fedcba9876543210fedcba9876543210fedcba9876543210" } }
  }
  expect_failures = [var.namespaces]
}

run "refuses_a_portal_behind_words" {
  command = plan
  variables {
    namespaces = { enabled = true, portal_url = "at https://portal.example.ac.uk", database = { proxy_image = "gcr.io/cloud-sql-connectors/cloud-sql-proxy@sha256:fedcba9876543210fedcba9876543210fedcba9876543210fedcba9876543210" } }
  }
  expect_failures = [var.namespaces]
}

run "refuses_a_portal_open_to_somebody" {
  command = plan
  variables {
    namespaces = { enabled = true, portal_ingress = "public", database = { proxy_image = "gcr.io/cloud-sql-connectors/cloud-sql-proxy@sha256:fedcba9876543210fedcba9876543210fedcba9876543210fedcba9876543210" } }
  }
  expect_failures = [var.namespaces]
}

run "refuses_a_provisioning_api_with_the_api_path" {
  command = plan
  variables {
    namespaces = { enabled = true, provisioning_api = false, provisioning_url = "https://gitlab.example.ac.uk/api/v4", database = { proxy_image = "gcr.io/cloud-sql-connectors/cloud-sql-proxy@sha256:fedcba9876543210fedcba9876543210fedcba9876543210fedcba9876543210" } }
  }
  expect_failures = [var.namespaces]
}

run "refuses_a_provisioning_api_without_tls" {
  command = plan
  variables {
    namespaces = { enabled = true, provisioning_api = false, provisioning_url = "http://gitlab.example.ac.uk", database = { proxy_image = "gcr.io/cloud-sql-connectors/cloud-sql-proxy@sha256:fedcba9876543210fedcba9876543210fedcba9876543210fedcba9876543210" } }
  }
  expect_failures = [var.namespaces]
}

run "refuses_a_provisioning_api_behind_words" {
  command = plan
  variables {
    namespaces = { enabled = true, provisioning_api = false, provisioning_url = "at https://gitlab.example.ac.uk", database = { proxy_image = "gcr.io/cloud-sql-connectors/cloud-sql-proxy@sha256:fedcba9876543210fedcba9876543210fedcba9876543210fedcba9876543210" } }
  }
  expect_failures = [var.namespaces]
}

run "refuses_a_provisioning_api_with_a_query" {
  command = plan
  variables {
    namespaces = { enabled = true, provisioning_api = false, provisioning_url = "https://gitlab.example.ac.uk?x", database = { proxy_image = "gcr.io/cloud-sql-connectors/cloud-sql-proxy@sha256:fedcba9876543210fedcba9876543210fedcba9876543210fedcba9876543210" } }
  }
  expect_failures = [var.namespaces]
}

run "refuses_two_provisioning_apis" {
  command = plan
  variables {
    namespaces = { enabled = true, provisioning_url = "https://gitlab.example.ac.uk", database = { proxy_image = "gcr.io/cloud-sql-connectors/cloud-sql-proxy@sha256:fedcba9876543210fedcba9876543210fedcba9876543210fedcba9876543210" } }
  }
  expect_failures = [var.namespaces]
}

run "refuses_all_authenticated_users" {
  command = plan
  variables {
    namespaces = { enabled = true, invokers = { portal = ["allAuthenticatedUsers"] }, database = { proxy_image = "gcr.io/cloud-sql-connectors/cloud-sql-proxy@sha256:fedcba9876543210fedcba9876543210fedcba9876543210fedcba9876543210" } }
  }
  expect_failures = [var.namespaces]
}

run "refuses_an_invoker_without_an_address" {
  command = plan
  variables {
    namespaces = { enabled = true, invokers = { portal = ["group:portal"] }, database = { proxy_image = "gcr.io/cloud-sql-connectors/cloud-sql-proxy@sha256:fedcba9876543210fedcba9876543210fedcba9876543210fedcba9876543210" } }
  }
  expect_failures = [var.namespaces]
}

run "refuses_an_invoker_of_no_kind" {
  command = plan
  variables {
    namespaces = { enabled = true, invokers = { portal = ["x@example.ac.uk"] }, database = { proxy_image = "gcr.io/cloud-sql-connectors/cloud-sql-proxy@sha256:fedcba9876543210fedcba9876543210fedcba9876543210fedcba9876543210" } }
  }
  expect_failures = [var.namespaces]
}

run "refuses_a_provisioning_api_open_to_all" {
  command = plan
  variables {
    namespaces = { enabled = true, invokers = { provisioning_api = ["allUsers"] }, database = { proxy_image = "gcr.io/cloud-sql-connectors/cloud-sql-proxy@sha256:fedcba9876543210fedcba9876543210fedcba9876543210fedcba9876543210" } }
  }
  expect_failures = [var.namespaces]
}

run "refuses_an_invoker_of_the_provisioning_api_without_an_address" {
  command = plan
  variables {
    namespaces = { enabled = true, invokers = { provisioning_api = ["group:portal"] }, database = { proxy_image = "gcr.io/cloud-sql-connectors/cloud-sql-proxy@sha256:fedcba9876543210fedcba9876543210fedcba9876543210fedcba9876543210" } }
  }
  expect_failures = [var.namespaces]
}

run "refuses_an_invoker_of_the_provisioning_api_behind_an_address" {
  command = plan
  variables {
    namespaces = { enabled = true, invokers = { provisioning_api = ["group:a@example.ac.uk b"] }, database = { proxy_image = "gcr.io/cloud-sql-connectors/cloud-sql-proxy@sha256:fedcba9876543210fedcba9876543210fedcba9876543210fedcba9876543210" } }
  }
  expect_failures = [var.namespaces]
}

run "refuses_an_audience_of_our_own_provisioning_api" {
  command = plan
  variables {
    namespaces = { enabled = true, identity_audience = "https://api.example.ac.uk", database = { proxy_image = "gcr.io/cloud-sql-connectors/cloud-sql-proxy@sha256:fedcba9876543210fedcba9876543210fedcba9876543210fedcba9876543210" } }
  }
  expect_failures = [var.namespaces]
}

run "refuses_an_audience_with_a_space" {
  command = plan
  variables {
    namespaces = { enabled = true, provisioning_api = false, provisioning_url = "https://api.example.ac.uk", identity_audience = "the api", database = { proxy_image = "gcr.io/cloud-sql-connectors/cloud-sql-proxy@sha256:fedcba9876543210fedcba9876543210fedcba9876543210fedcba9876543210" } }
  }
  expect_failures = [var.namespaces]
}

run "refuses_half_a_worker" {
  command = plan
  variables {
    namespaces = { enabled = true, worker_instances = 0.5, database = { proxy_image = "gcr.io/cloud-sql-connectors/cloud-sql-proxy@sha256:fedcba9876543210fedcba9876543210fedcba9876543210fedcba9876543210" } }
  }
  expect_failures = [var.namespaces]
}

run "refuses_21_workers" {
  command = plan
  variables {
    namespaces = { enabled = true, worker_instances = 21, database = { proxy_image = "gcr.io/cloud-sql-connectors/cloud-sql-proxy@sha256:fedcba9876543210fedcba9876543210fedcba9876543210fedcba9876543210" } }
  }
  expect_failures = [var.namespaces]
}

run "refuses_a_negative_worker" {
  command = plan
  variables {
    namespaces = { enabled = true, worker_instances = -1, database = { proxy_image = "gcr.io/cloud-sql-connectors/cloud-sql-proxy@sha256:fedcba9876543210fedcba9876543210fedcba9876543210fedcba9876543210" } }
  }
  expect_failures = [var.namespaces]
}

run "refuses_a_database_that_is_shared" {
  command = plan
  variables {
    namespaces = { enabled = true, database = { proxy_image = "gcr.io/cloud-sql-connectors/cloud-sql-proxy@sha256:fedcba9876543210fedcba9876543210fedcba9876543210fedcba9876543210", tier = "db-f1-micro" } }
  }
  expect_failures = [var.namespaces]
}

run "refuses_a_database_without_a_cpu" {
  command = plan
  variables {
    namespaces = { enabled = true, database = { proxy_image = "gcr.io/cloud-sql-connectors/cloud-sql-proxy@sha256:fedcba9876543210fedcba9876543210fedcba9876543210fedcba9876543210", tier = "db-custom-0-3840" } }
  }
  expect_failures = [var.namespaces]
}

run "refuses_a_database_with_eleven_cpus" {
  command = plan
  variables {
    namespaces = { enabled = true, database = { proxy_image = "gcr.io/cloud-sql-connectors/cloud-sql-proxy@sha256:fedcba9876543210fedcba9876543210fedcba9876543210fedcba9876543210", tier = "db-custom-11-30720" } }
  }
  expect_failures = [var.namespaces]
}

run "refuses_a_database_of_384_megabytes" {
  command = plan
  variables {
    namespaces = { enabled = true, database = { proxy_image = "gcr.io/cloud-sql-connectors/cloud-sql-proxy@sha256:fedcba9876543210fedcba9876543210fedcba9876543210fedcba9876543210", tier = "db-custom-1-384" } }
  }
  expect_failures = [var.namespaces]
}

run "refuses_a_database_with_a_letter" {
  command = plan
  variables {
    namespaces = { enabled = true, database = { proxy_image = "gcr.io/cloud-sql-connectors/cloud-sql-proxy@sha256:fedcba9876543210fedcba9876543210fedcba9876543210fedcba9876543210", tier = "xdb-custom-1-3840" } }
  }
  expect_failures = [var.namespaces]
}

run "refuses_a_database_with_a_letter_behind" {
  command = plan
  variables {
    namespaces = { enabled = true, database = { proxy_image = "gcr.io/cloud-sql-connectors/cloud-sql-proxy@sha256:fedcba9876543210fedcba9876543210fedcba9876543210fedcba9876543210", tier = "db-custom-1-3840x" } }
  }
  expect_failures = [var.namespaces]
}

run "refuses_a_disk_of_nine_gigabytes" {
  command = plan
  variables {
    namespaces = { enabled = true, database = { proxy_image = "gcr.io/cloud-sql-connectors/cloud-sql-proxy@sha256:fedcba9876543210fedcba9876543210fedcba9876543210fedcba9876543210", disk_gb = 9 } }
  }
  expect_failures = [var.namespaces]
}

run "refuses_a_disk_of_a_terabyte" {
  command = plan
  variables {
    namespaces = { enabled = true, database = { proxy_image = "gcr.io/cloud-sql-connectors/cloud-sql-proxy@sha256:fedcba9876543210fedcba9876543210fedcba9876543210fedcba9876543210", disk_gb = 1001 } }
  }
  expect_failures = [var.namespaces]
}

run "refuses_half_a_gigabyte" {
  command = plan
  variables {
    namespaces = { enabled = true, database = { proxy_image = "gcr.io/cloud-sql-connectors/cloud-sql-proxy@sha256:fedcba9876543210fedcba9876543210fedcba9876543210fedcba9876543210", disk_gb = 10.5 } }
  }
  expect_failures = [var.namespaces]
}

run "refuses_too_few_connections" {
  command = plan
  variables {
    namespaces = { enabled = true, database = { proxy_image = "gcr.io/cloud-sql-connectors/cloud-sql-proxy@sha256:fedcba9876543210fedcba9876543210fedcba9876543210fedcba9876543210", max_connections = 24 } }
  }
  expect_failures = [var.namespaces]
}

run "refuses_too_many_connections" {
  command = plan
  variables {
    namespaces = { enabled = true, database = { proxy_image = "gcr.io/cloud-sql-connectors/cloud-sql-proxy@sha256:fedcba9876543210fedcba9876543210fedcba9876543210fedcba9876543210", max_connections = 1001 } }
  }
  expect_failures = [var.namespaces]
}

run "refuses_half_a_connection" {
  command = plan
  variables {
    namespaces = { enabled = true, database = { proxy_image = "gcr.io/cloud-sql-connectors/cloud-sql-proxy@sha256:fedcba9876543210fedcba9876543210fedcba9876543210fedcba9876543210", max_connections = 100.5 } }
  }
  expect_failures = [var.namespaces]
}

run "refuses_one_connection_an_instance" {
  command = plan
  variables {
    namespaces = { enabled = true, database = { proxy_image = "gcr.io/cloud-sql-connectors/cloud-sql-proxy@sha256:fedcba9876543210fedcba9876543210fedcba9876543210fedcba9876543210", connections_per_instance = 1 } }
  }
  expect_failures = [var.namespaces]
}

run "refuses_51_connections_an_instance" {
  command = plan
  variables {
    namespaces = { enabled = true, database = { proxy_image = "gcr.io/cloud-sql-connectors/cloud-sql-proxy@sha256:fedcba9876543210fedcba9876543210fedcba9876543210fedcba9876543210", connections_per_instance = 51 } }
  }
  expect_failures = [var.namespaces]
}

run "refuses_half_a_connection_an_instance" {
  command = plan
  variables {
    namespaces = { enabled = true, database = { proxy_image = "gcr.io/cloud-sql-connectors/cloud-sql-proxy@sha256:fedcba9876543210fedcba9876543210fedcba9876543210fedcba9876543210", connections_per_instance = 2.5 } }
  }
  expect_failures = [var.namespaces]
}

run "refuses_a_proxy_by_tag" {
  command = plan
  variables {
    namespaces = { enabled = true, database = { proxy_image = "gcr.io/cloud-sql-connectors/cloud-sql-proxy:2" } }
  }
  expect_failures = [var.namespaces]
}

run "refuses_a_proxy_behind_a_scheme" {
  command = plan
  variables {
    namespaces = { enabled = true, database = { proxy_image = "https://gcr.io/cloud-sql-connectors/cloud-sql-proxy@sha256:fedcba9876543210fedcba9876543210fedcba9876543210fedcba9876543210" } }
  }
  expect_failures = [var.namespaces]
}

run "refuses_a_proxy_of_65_digits" {
  command = plan
  variables {
    namespaces = { enabled = true, database = { proxy_image = "gcr.io/cloud-sql-connectors/cloud-sql-proxy@sha256:fedcba9876543210fedcba9876543210fedcba9876543210fedcba98765432100" } }
  }
  expect_failures = [var.namespaces]
}

run "refuses_no_proxy" {
  command = plan
  variables {
    namespaces = { enabled = true }
  }
  expect_failures = [var.namespaces]
}

run "refuses_namespaces_without_a_network" {
  command = plan
  variables {
    vpc        = null
    namespaces = { enabled = true, database = { proxy_image = "gcr.io/cloud-sql-connectors/cloud-sql-proxy@sha256:fedcba9876543210fedcba9876543210fedcba9876543210fedcba9876543210" } }
  }
  expect_failures = [var.namespaces]
}

run "refuses_a_network_by_name_for_the_database" {
  command = plan
  variables {
    vpc        = { network = "sync", subnetwork = "sync" }
    namespaces = { enabled = true, database = { proxy_image = "gcr.io/cloud-sql-connectors/cloud-sql-proxy@sha256:fedcba9876543210fedcba9876543210fedcba9876543210fedcba9876543210" } }
  }
  expect_failures = [var.namespaces]
}

run "refuses_a_network_with_more_behind_it" {
  command = plan
  variables {
    vpc        = { network = "projects/p/global/networks/sync/x", subnetwork = "sync" }
    namespaces = { enabled = true, database = { proxy_image = "gcr.io/cloud-sql-connectors/cloud-sql-proxy@sha256:fedcba9876543210fedcba9876543210fedcba9876543210fedcba9876543210" } }
  }
  expect_failures = [var.namespaces]
}

run "refuses_a_network_with_more_before_it" {
  command = plan
  variables {
    vpc        = { network = "x/projects/p/global/networks/sync", subnetwork = "sync" }
    namespaces = { enabled = true, database = { proxy_image = "gcr.io/cloud-sql-connectors/cloud-sql-proxy@sha256:fedcba9876543210fedcba9876543210fedcba9876543210fedcba9876543210" } }
  }
  expect_failures = [var.namespaces]
}

run "refuses_a_closed_portal_without_a_network" {
  command = plan
  variables {
    vpc        = null
    namespaces = { enabled = true, provisioning_api = false, database = { create = false } }
  }
  expect_failures = [var.namespaces]
}

run "refuses_a_provisioning_api_without_a_network" {
  command = plan
  variables {
    vpc        = null
    namespaces = { enabled = true, portal_ingress = "all", database = { create = false } }
  }
  expect_failures = [var.namespaces]
}
