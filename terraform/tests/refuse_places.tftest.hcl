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

# Names and places that cloud or design would refuse, each by one step too far.
run "refuses_an_image_of_63_digits" {
  command = plan
  variables {
    image = "example.ac.uk/sync@sha256:000000000000000000000000000000000000000000000000000000000000000"
  }
  expect_failures = [var.image]
}

run "refuses_an_image_of_65_digits" {
  command = plan
  variables {
    image = "example.ac.uk/sync@sha256:00000000000000000000000000000000000000000000000000000000000000000"
  }
  expect_failures = [var.image]
}

run "refuses_an_image_with_a_scheme" {
  command = plan
  variables {
    image = "https://example.ac.uk/sync@sha256:0000000000000000000000000000000000000000000000000000000000000000"
  }
  expect_failures = [var.image]
}

run "refuses_a_project_in_capitals" {
  command = plan
  variables {
    project_id = "Sync"
  }
  expect_failures = [var.project_id]
}

run "refuses_a_project_of_four_letters" {
  command = plan
  variables {
    project_id = "sync"
  }
  expect_failures = [var.project_id]
}

run "refuses_a_project_that_ends_in_a_hyphen" {
  command = plan
  variables {
    project_id = "sync-test-"
  }
  expect_failures = [var.project_id]
}

run "refuses_a_project_of_31_letters" {
  command = plan
  variables {
    project_id = "syyyyyyyyyyyyyyyyyyyyyyyyyyyyyy"
  }
  expect_failures = [var.project_id]
}

run "refuses_a_project_that_begins_with_a_digit" {
  command = plan
  variables {
    project_id = "1sync-test"
  }
  expect_failures = [var.project_id]
}

run "refuses_a_name_of_two_letters" {
  command = plan
  variables {
    name = "sy"
  }
  expect_failures = [var.name]
}

run "refuses_a_name_of_14_letters" {
  command = plan
  variables {
    name = "syyyyyyyyyyyyy"
  }
  expect_failures = [var.name]
}

run "refuses_a_name_that_ends_in_a_hyphen" {
  command = plan
  variables {
    name = "sync-"
  }
  expect_failures = [var.name]
}

run "refuses_a_name_that_begins_with_a_digit" {
  command = plan
  variables {
    name = "1sync"
  }
  expect_failures = [var.name]
}

run "refuses_a_name_with_an_underscore" {
  command = plan
  variables {
    name = "sync_test"
  }
  expect_failures = [var.name]
}

run "refuses_a_prefix_in_capitals" {
  command = plan
  variables {
    pubsub_prefix = "Dev-"
  }
  expect_failures = [var.pubsub_prefix]
}

run "refuses_a_prefix_that_begins_with_a_digit" {
  command = plan
  variables {
    pubsub_prefix = "1dev-"
  }
  expect_failures = [var.pubsub_prefix]
}

run "refuses_a_prefix_of_32_letters" {
  command = plan
  variables {
    pubsub_prefix = "dddddddddddddddddddddddddddddddd"
  }
  expect_failures = [var.pubsub_prefix]
}

run "refuses_a_prefix_with_an_underscore" {
  command = plan
  variables {
    pubsub_prefix = "dev_"
  }
  expect_failures = [var.pubsub_prefix]
}

run "refuses_a_region_with_more_before_it" {
  command = plan
  variables {
    region = "1europe-west2"
  }
  expect_failures = [var.region]
}

run "refuses_a_region_of_three_digits" {
  command = plan
  variables {
    region = "europe-west222"
  }
  expect_failures = [var.region]
}
