# What the checks of the variables compare with, and what follows from the schedule.
locals {
  time_zones = compact(split("\n", file("${path.module}/time_zones.txt")))

  secret_names = [
    "gitlab-read-token",
    "gitlab-token",
    "ledger-database-url",
    "lookup-client-secret",
    "lookup-password",
    "portal-signing-key",
    "portal-token",
    "provisioning-database-url",
  ]

  # A setting here would lose to the variable, or contradict what stands around the container.
  owned_settings = [
    "DIRECTORY__CLIENT_ID",
    "DIRECTORY__TOKEN_URL",
    "DIRECTORY__URL",
    "DIRECTORY__USERNAME",
    "GITLAB__CALLS__REQUESTS_PER_MINUTE",
    "GITLAB__URL",
    "LOG__FORMAT",
    "LOG__LEVEL",
    "NAMESPACES__DATABASE__MAX_CONNECTIONS",
    "NAMESPACES__IDENTITY_AUDIENCE",
    "NAMESPACES__PORTAL_URL",
    "NAMESPACES__PROVISIONING_URL",
    "SERVE__HEALTH_PORT",
    "SERVE__PORT",
  ]

  # One field each: *, or a list of numbers and ranges with their steps.
  cron_minute  = "(\\*|[1-5]?[0-9](-[1-5]?[0-9])?)(/([1-9]|[1-5][0-9]))?"
  cron_hour    = "(\\*|(1?[0-9]|2[0-3])(-(1?[0-9]|2[0-3]))?)(/([1-9]|1[0-9]|2[0-3]))?"
  cron_minutes = "${local.cron_minute}(,${local.cron_minute})*"
  cron_hours   = "${local.cron_hour}(,${local.cron_hour})*"
}

# The longest time between two ticks of a day, as the schedule says it.
locals {
  cron = split(" ", var.tick.schedule)
  cron_values = { for name, it in {
    minute = { items = split(",", local.cron[0]), last = 59 }
    hour   = { items = split(",", local.cron[1]), last = 23 }
    } : name => distinct(flatten([for item in it.items : range(
      startswith(item, "*") ? 0 : tonumber(regex("^[0-9]+", item)),
      1 + (can(regex("-", item)) ? tonumber(regex("-([0-9]+)", item)[0]) : can(regex("^[*]|/", item)) ? it.last : tonumber(item)),
      try(tonumber(regex("/([0-9]+)$", item)[0]), 1),
    )]))
  }
  tick_minutes = [for minute in sort([for at in setproduct(local.cron_values.hour, local.cron_values.minute) : format("%04d", 60 * at[0] + at[1])]) : tonumber(minute)]
  longest_gap  = 60 * max([for index, minute in local.tick_minutes : try(local.tick_minutes[index + 1], local.tick_minutes[0] + 1440) - minute]...)

  # Alerts are as patient as this. Nothing is noticed within five minutes.
  interval = coalesce(var.tick.interval_seconds, max(300, local.longest_gap))
}

output "tick_interval_seconds" {
  description = "Longest time between two ticks; alerts are as patient as that."
  value       = local.interval

  precondition {
    condition     = local.longest_gap <= 21600
    error_message = "tick.schedule leaves ${local.longest_gap} seconds between two ticks. More than 21600 cannot be watched: Cloud Monitoring looks back a day, and an alert waits for four ticks that did not come."
  }
  precondition {
    condition     = var.tick.interval_seconds == null || try(var.tick.interval_seconds >= local.longest_gap, false)
    error_message = "tick.interval_seconds is shorter than the ${local.longest_gap} seconds that tick.schedule leaves between two ticks: it would page every time."
  }
  precondition {
    condition     = var.tick.interval_seconds == null || try(var.tick.interval_seconds <= 4 * max(300, local.longest_gap), false)
    error_message = "tick.interval_seconds is more than four times the ${local.longest_gap} seconds that tick.schedule leaves between two ticks: nobody would notice that they stopped."
  }
}
