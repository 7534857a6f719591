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

# Schedules that cannot be, schedules that would page for nothing, and what is made of good ones.
run "refuses_a_minute_that_no_hour_has" {
  command = plan
  variables {
    tick = { schedule = "60 * * * *" }
  }
  expect_failures = [var.tick]
}

run "refuses_an_hour_that_no_day_has" {
  command = plan
  variables {
    tick = { schedule = "7 24 * * *" }
  }
  expect_failures = [var.tick]
}

run "refuses_a_range_beyond_the_hour" {
  command = plan
  variables {
    tick = { schedule = "7-61 * * * *" }
  }
  expect_failures = [var.tick]
}

run "refuses_a_step_of_nothing" {
  command = plan
  variables {
    tick = { schedule = "*/0 * * * *" }
  }
  expect_failures = [var.tick]
}

run "refuses_a_step_of_no_hours" {
  command = plan
  variables {
    tick = { schedule = "7 */0 * * *" }
  }
  expect_failures = [var.tick]
}

run "refuses_a_day_that_no_month_has" {
  command = plan
  variables {
    tick = { schedule = "0 0 31 2 *" }
  }
  expect_failures = [var.tick]
}

run "refuses_one_month_alone" {
  command = plan
  variables {
    tick = { schedule = "7 * * 2 *" }
  }
  expect_failures = [var.tick]
}

run "refuses_weekdays_alone" {
  command = plan
  variables {
    tick = { schedule = "7 * * * 1-5" }
  }
  expect_failures = [var.tick]
}

run "refuses_a_blank_at_the_end" {
  command = plan
  variables {
    tick = { schedule = "7 * * * * " }
  }
  expect_failures = [var.tick]
}

run "refuses_a_blank_at_the_start" {
  command = plan
  variables {
    tick = { schedule = " 7 * * * *" }
  }
  expect_failures = [var.tick]
}

run "refuses_a_schedule_in_words" {
  command = plan
  variables {
    tick = { schedule = "every 1 hours" }
  }
  expect_failures = [var.tick]
}

run "refuses_a_nightly_schedule_that_would_page_daily" {
  command = plan
  variables {
    tick = { schedule = "0 3 * * *" }
  }
  expect_failures = [output.tick_interval_seconds]
}

run "refuses_a_gap_of_seven_hours" {
  command = plan
  variables {
    tick = { schedule = "0 0,6,13,18 * * *" }
  }
  expect_failures = [output.tick_interval_seconds]
}

run "refuses_an_interval_shorter_than_the_schedule" {
  command = plan
  variables {
    tick = { schedule = "0 */2 * * *", interval_seconds = 3600 }
  }
  expect_failures = [output.tick_interval_seconds]
}

run "refuses_an_interval_that_mutes_every_alert" {
  command = plan
  variables {
    tick = { schedule = "*/10 * * * *", interval_seconds = 2401 }
  }
  expect_failures = [output.tick_interval_seconds]
}

run "refuses_a_time_zone_that_does_not_exist" {
  command = plan
  variables {
    tick = { time_zone = "Europe/Cambridge" }
  }
  expect_failures = [var.tick]
}

run "refuses_an_empty_time_zone" {
  command = plan
  variables {
    tick = { time_zone = "" }
  }
  expect_failures = [var.tick]
}

run "refuses_a_time_zone_in_small_letters" {
  command = plan
  variables {
    tick = { time_zone = "europe/london" }
  }
  expect_failures = [var.tick]
}

run "refuses_an_interval_below_five_minutes" {
  command = plan
  variables {
    tick = { interval_seconds = 299 }
  }
  expect_failures = [var.tick]
}

run "refuses_an_interval_above_six_hours" {
  command = plan
  variables {
    tick = { interval_seconds = 21601 }
  }
  expect_failures = [var.tick]
}

run "refuses_half_a_second" {
  command = plan
  variables {
    tick = { interval_seconds = 3600.5 }
  }
  expect_failures = [var.tick]
}

run "an_hourly_schedule_leaves_an_hour" {
  command = plan
  variables {
    tick = { schedule = "7 * * * *" }
  }
  assert {
    condition     = output.tick_interval_seconds == 3600
    error_message = "the interval is ${output.tick_interval_seconds}"
  }
}

run "a_step_of_twenty_minutes_leaves_twenty" {
  command = plan
  variables {
    tick = { schedule = "*/20 * * * *" }
  }
  assert {
    condition     = output.tick_interval_seconds == 1200
    error_message = "the interval is ${output.tick_interval_seconds}"
  }
}

run "a_tick_a_minute_is_watched_every_five" {
  command = plan
  variables {
    tick = { schedule = "* * * * *" }
  }
  assert {
    condition     = output.tick_interval_seconds == 300
    error_message = "the interval is ${output.tick_interval_seconds}"
  }
}

run "a_list_leaves_its_longest_gap" {
  command = plan
  variables {
    tick = { schedule = "0,50 * * * *" }
  }
  assert {
    condition     = output.tick_interval_seconds == 3000
    error_message = "the interval is ${output.tick_interval_seconds}"
  }
}

run "a_range_with_a_step_leaves_its_longest_gap" {
  command = plan
  variables {
    tick = { schedule = "10-20/5 * * * *" }
  }
  assert {
    condition     = output.tick_interval_seconds == 3000
    error_message = "the interval is ${output.tick_interval_seconds}"
  }
}

run "a_start_with_a_step_runs_to_the_hours_end" {
  command = plan
  variables {
    tick = { schedule = "40/10 * * * *" }
  }
  assert {
    condition     = output.tick_interval_seconds == 3000
    error_message = "the interval is ${output.tick_interval_seconds}"
  }
}

run "the_gap_over_midnight_counts" {
  command = plan
  variables {
    tick = { schedule = "59 5-23/6,0 * * *" }
  }
  assert {
    condition     = output.tick_interval_seconds == 21600
    error_message = "the interval is ${output.tick_interval_seconds}"
  }
}

run "six_hours_are_watched" {
  command = plan
  variables {
    tick = { schedule = "0 */6 * * *" }
  }
  assert {
    condition     = output.tick_interval_seconds == 21600
    error_message = "the interval is ${output.tick_interval_seconds}"
  }
}

run "a_gap_of_the_evening_counts" {
  command = plan
  variables {
    tick = { schedule = "0 23,2-20 * * *" }
  }
  assert {
    condition     = output.tick_interval_seconds == 10800
    error_message = "the interval is ${output.tick_interval_seconds}"
  }
}

run "an_interval_of_ones_own_is_taken" {
  command = plan
  variables {
    tick = { schedule = "*/10 * * * *", interval_seconds = 2400 }
  }
  assert {
    condition     = output.tick_interval_seconds == 2400
    error_message = "the interval is ${output.tick_interval_seconds}"
  }
}

run "the_shortest_interval_is_taken" {
  command = plan
  variables {
    tick = { schedule = "*/5 * * * *", interval_seconds = 300 }
  }
  assert {
    condition     = output.tick_interval_seconds == 300
    error_message = "the interval is ${output.tick_interval_seconds}"
  }
}

run "the_longest_interval_is_taken" {
  command = plan
  variables {
    tick = { schedule = "0 */6 * * *", interval_seconds = 21600, time_zone = "UTC" }
  }
  assert {
    condition     = output.tick_interval_seconds == 21600
    error_message = "the interval is ${output.tick_interval_seconds}"
  }
}
