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

# Budgets that nobody would hear of.
run "refuses_a_billing_account_too_short" {
  command = plan
  variables {
    budget = { billing_account = "012345-6789AB-CDEF0", monthly = 100 }
  }
  expect_failures = [var.budget]
}

run "refuses_a_billing_account_in_small_letters" {
  command = plan
  variables {
    budget = { billing_account = "012345-6789ab-cdef01", monthly = 100 }
  }
  expect_failures = [var.budget]
}

run "refuses_a_billing_account_too_long" {
  command = plan
  variables {
    budget = { billing_account = "0123456-6789AB-CDEF01", monthly = 100 }
  }
  expect_failures = [var.budget]
}

run "refuses_a_billing_account_too_long_behind" {
  command = plan
  variables {
    budget = { billing_account = "012345-6789AB-CDEF012", monthly = 100 }
  }
  expect_failures = [var.budget]
}

run "refuses_a_budget_of_nothing" {
  command = plan
  variables {
    budget = { billing_account = "012345-6789AB-CDEF01", monthly = 0 }
  }
  expect_failures = [var.budget]
}

run "refuses_a_fraction_of_a_pound" {
  command = plan
  variables {
    budget = { billing_account = "012345-6789AB-CDEF01", monthly = 99.5 }
  }
  expect_failures = [var.budget]
}

run "refuses_a_currency_in_small_letters" {
  command = plan
  variables {
    budget = { billing_account = "012345-6789AB-CDEF01", monthly = 100, currency = "gbp" }
  }
  expect_failures = [var.budget]
}

run "refuses_a_currency_of_four_letters" {
  command = plan
  variables {
    budget = { billing_account = "012345-6789AB-CDEF01", monthly = 100, currency = "EURO" }
  }
  expect_failures = [var.budget]
}

run "refuses_a_currency_with_a_blank" {
  command = plan
  variables {
    budget = { billing_account = "012345-6789AB-CDEF01", monthly = 100, currency = "XGB P" }
  }
  expect_failures = [var.budget]
}
