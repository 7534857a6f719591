# Where

variable "project_id" {
  description = "Google Cloud project that holds everything made here."
  type        = string

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{4,28}[a-z0-9]$", var.project_id))
    error_message = "project_id is a project id such as gitlab-sync-prod, not a name and not a number."
  }
}

variable "region" {
  description = "Region of every regional resource; Pub/Sub stores messages in no other one."
  type        = string

  validation {
    condition     = can(regex("^[a-z]+-[a-z]+[0-9]{1,2}$", var.region))
    error_message = "region is a region such as europe-west2, not a zone and not empty."
  }
}

variable "name" {
  description = "Start of the names of worker pools, service accounts, secrets and alerts. At most 13 characters: a service account id ends at 30."
  type        = string
  default     = "lookup-sync"

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{1,11}[a-z0-9]$", var.name))
    error_message = "name has 3 to 13 lower-case letters, digits and hyphens, a letter first."
  }
}

variable "pubsub_prefix" {
  description = "Put before every topic, subscription and schema name (`pubsub.prefix` of the service), so that two deployments can share a project. Give each its own `name` too."
  type        = string
  default     = ""

  validation {
    condition     = var.pubsub_prefix == "" || (can(regex("^[a-z][a-z0-9-]{0,30}$", var.pubsub_prefix)) && !startswith(var.pubsub_prefix, "goog"))
    error_message = "pubsub_prefix is empty, or lower-case letters, digits and hyphens, and does not begin with goog."
  }
}

variable "labels" {
  description = "Labels put on everything that takes labels."
  type        = map(string)
  default     = {}

  validation {
    condition     = alltrue([for key, value in var.labels : can(regex("^[a-z][a-z0-9_-]{0,62}$", key)) && can(regex("^[a-z0-9_-]{0,63}$", value))])
    error_message = "labels are keyed by a lower-case letter and then letters, digits, hyphens and underscores, at most 63; values are of the same characters."
  }
  validation {
    condition     = !contains(keys(var.labels), "app")
    error_message = "the label app is the deployment's name."
  }
}

variable "deletion_protection" {
  description = "Whether Terraform refuses to delete what cannot be made again: worker pools, waiting messages, secrets, the audit table, the database."
  type        = bool
  default     = true
}

# What runs

variable "image" {
  description = "Image pinned by digest, `HOST/PROJECT/REPOSITORY/NAME@sha256:…`. Null only for the first apply of an empty project, when registry and secrets are made and nothing can run yet."
  type        = string
  default     = null

  validation {
    condition     = var.image == null || can(regex("^[a-z0-9.-]+(:[0-9]+)?/[a-z0-9._/-]+(:[A-Za-z0-9._-]+)?@sha256:[0-9a-f]{64}$", var.image))
    error_message = "image is pinned by digest: HOST/PROJECT/REPOSITORY/NAME@sha256:<64 hex digits>. A tag alone can change under a running deployment."
  }
}

variable "mode" {
  description = "`dry-run` decides and reports; `apply` writes to GitLab."
  type        = string
  default     = "dry-run"

  validation {
    condition     = contains(["dry-run", "apply"], var.mode)
    error_message = "mode is dry-run or apply."
  }
}

variable "tick" {
  description = "When a run starts: a unix-cron schedule in numbers with its time zone, and the longest time between two of its ticks, from which alerts derive their patience (null: what the schedule says)."
  type = object({
    schedule         = optional(string, "7 * * * *")
    time_zone        = optional(string, "Europe/London")
    interval_seconds = optional(number)
    paused           = optional(bool, false)
  })
  default = {}

  validation {
    condition     = can(regex("^${local.cron_minutes} ${local.cron_hours} \\* \\* \\*$", var.tick.schedule))
    error_message = "tick.schedule is a unix-cron schedule in numbers, such as 7 * * * * or */20 * * * *. Its last three fields are *: what runs on some days leaves cancelled people their access on the others."
  }
  validation {
    condition     = contains(local.time_zones, var.tick.time_zone)
    error_message = "tick.time_zone is a name of the time zone database, such as Europe/London; terraform/time_zones.txt lists them."
  }
  validation {
    condition     = var.tick.interval_seconds == null || try(var.tick.interval_seconds >= 300 && var.tick.interval_seconds <= 21600 && floor(var.tick.interval_seconds) == var.tick.interval_seconds, false)
    error_message = "tick.interval_seconds is between 300 and 21600: Cloud Monitoring cannot notice the absence of anything rarer than four times six hours."
  }
}

variable "guard" {
  description = "How much one day's runs may change, in percent of the accounts concerned, the number of changes always allowed, and the most blocks regardless of the percentage."
  type = object({
    max_block_percent   = optional(number, 5)
    max_unblock_percent = optional(number, 25)
    floor               = optional(number, 10)
    max_blocks          = optional(number, 1000)
  })
  default = {}

  validation {
    condition     = var.guard.max_block_percent >= 0.5 && var.guard.max_block_percent <= 50
    error_message = "guard.max_block_percent is between 0.5 and 50, in percent (5 is one in twenty, and 0.05 would be one in two thousand): a run that would block more is asked for by name, with a tick of its own."
  }
  validation {
    condition     = var.guard.max_unblock_percent >= 0.5 && var.guard.max_unblock_percent <= 50
    error_message = "guard.max_unblock_percent is between 0.5 and 50, in percent (5 is one in twenty, and 0.05 would be one in two thousand): a run that would unblock more is asked for by name, with a tick of its own."
  }
  validation {
    condition     = var.guard.floor >= 0 && var.guard.floor <= 100 && floor(var.guard.floor) == var.guard.floor
    error_message = "guard.floor is a whole number between 0 and 100."
  }
  validation {
    condition     = var.guard.max_blocks >= 1 && var.guard.max_blocks <= 10000 && floor(var.guard.max_blocks) == var.guard.max_blocks
    error_message = "guard.max_blocks is a whole number between 1 and 10000."
  }
}

variable "gitlab" {
  description = "GitLab's address without /api/v4, the calls a minute that one instance may make (null: no bound of our own), and whether a second token that only reads is kept for the fan-out and for what people look at."
  type = object({
    url                 = string
    requests_per_minute = optional(number)
    read_token          = optional(bool, false)
  })

  validation {
    condition     = can(regex("^https://[a-z0-9.-]+(:[0-9]+)?(/[A-Za-z0-9._/-]*)?$", var.gitlab.url)) && !can(regex("/api/v4/?$", var.gitlab.url))
    error_message = "gitlab.url is an https address without /api/v4, such as https://gitlab.example.ac.uk."
  }
  validation {
    condition     = var.gitlab.requests_per_minute == null || try(var.gitlab.requests_per_minute >= 1 && var.gitlab.requests_per_minute <= 60000 && floor(var.gitlab.requests_per_minute) == var.gitlab.requests_per_minute, false)
    error_message = "gitlab.requests_per_minute is a whole number between 1 and 60000, or null."
  }
}

variable "lookup" {
  description = "The Lookup web service: through the API gateway (`token_url`, `client_id`) or directly (`username`, a group's short name). The secret itself goes to Secret Manager."
  type = object({
    url       = string
    token_url = optional(string)
    client_id = optional(string)
    username  = optional(string)
  })

  validation {
    condition     = alltrue([for url in compact([var.lookup.url, var.lookup.token_url]) : can(regex("^https://[a-z0-9.-]+(:[0-9]+)?(/[A-Za-z0-9._~/-]*)?$", url))]) && var.lookup.url != ""
    error_message = "lookup.url and lookup.token_url are https addresses without user, query and fragment."
  }
  validation {
    condition     = var.lookup.username == null ? var.lookup.token_url != null && var.lookup.client_id != null : var.lookup.token_url == null && var.lookup.client_id == null
    error_message = "lookup has either token_url and client_id (API gateway) or username (direct access), and nothing of the other."
  }
}

variable "settings" {
  description = "Further settings of the service as environment, keyed as it names them without its own start: { USERS__INACTIVE_MONTHS = \"24\" }. Never a secret: everybody who may view the project can read them."
  type        = map(string)
  default     = {}

  validation {
    condition     = alltrue([for key in keys(var.settings) : can(regex("^(DIRECTORY|FAN_OUT|GITLAB|LOG|NAMESPACES|SERVE|SWEEP|USERS|WORKER)__[A-Z][A-Z0-9_]*$", key))])
    error_message = "settings are keyed SECTION__KEY in capitals, such as FAN_OUT__MESSAGES. The guard and Pub/Sub have variables of their own, which are checked."
  }
  validation {
    condition     = !anytrue([for key in keys(var.settings) : can(regex("(TOKEN|PASSWORD|SECRET|SIGNING_KEY|DATABASE_URL|PATH)(_FILE)?$", key))])
    error_message = "settings hold no secret and name no file: secrets are versions in Secret Manager, see docs/deploy.md."
  }
  validation {
    condition     = length(setintersection(keys(var.settings), local.owned_settings)) == 0
    error_message = "what a variable of this module or Cloud Run decides is no setting: ${join(", ", local.owned_settings)}."
  }
}

variable "secret_versions" {
  description = "Version of each secret that the instances start with, by the secret's short name: { gitlab-token = \"3\" }. Not named: latest. An instance reads its secrets when it starts."
  type        = map(string)
  default     = {}

  validation {
    condition     = alltrue([for version in values(var.secret_versions) : can(regex("^([1-9][0-9]*|latest)$", version))])
    error_message = "a secret's version is a number or latest."
  }
  validation {
    condition     = length(setsubtract(keys(var.secret_versions), local.secret_names)) == 0
    error_message = "secret_versions are keyed by short names, which are ${join(", ", local.secret_names)}; a full name would rotate nothing."
  }
}

variable "user_worker" {
  description = "Instances of the user worker, and memory of each. GitLab's API limit is the true bound: more instances do not make a limited GitLab faster."
  type = object({
    instances = optional(number, 1)
    memory    = optional(string, "512Mi")
  })
  default = {}

  validation {
    condition     = var.user_worker.instances >= 0 && var.user_worker.instances <= 20 && floor(var.user_worker.instances) == var.user_worker.instances
    error_message = "user_worker.instances is a whole number between 0 and 20."
  }
  validation {
    condition     = can(regex("^(51[2-9]|5[2-9][0-9]|[6-9][0-9]{2}|[1-9][0-9]{3})Mi$|^[1-4]Gi$", var.user_worker.memory))
    error_message = "user_worker.memory is between 512Mi and 4Gi, the least and the most a worker pool of one CPU takes."
  }
}

variable "fan_out" {
  description = "The fan-out: running or stopped (0 or 1 instance: one sweep at a time is enough), and its memory."
  type = object({
    instances = optional(number, 1)
    memory    = optional(string, "512Mi")
  })
  default = {}

  validation {
    condition     = contains([0, 1], var.fan_out.instances)
    error_message = "fan_out.instances is 0 or 1."
  }
  validation {
    condition     = can(regex("^(51[2-9]|5[2-9][0-9]|[6-9][0-9]{2}|[1-9][0-9]{3})Mi$|^[1-4]Gi$", var.fan_out.memory))
    error_message = "fan_out.memory is between 512Mi and 4Gi, the least and the most a worker pool of one CPU takes."
  }
}

variable "vpc" {
  description = "Network and subnetwork through which the instances reach GitLab and Lookup, for a fixed address behind Cloud NAT. Null: straight to the internet."
  type = object({
    network    = string
    subnetwork = string
  })
  default = null

  validation {
    condition     = var.vpc == null || try(alltrue([for name in [var.vpc.network, var.vpc.subnetwork] : can(regex("^[a-z0-9]([a-z0-9/.-]*[a-z0-9])?$", name))]), false)
    error_message = "vpc has a network and a subnetwork, by name or by path (projects/PROJECT/global/networks/NAME)."
  }
}

# What is kept

variable "history_retention_days" {
  description = "Days that the command history sees outcomes for; what Pub/Sub keeps costs a little."
  type        = number
  default     = 7

  validation {
    condition     = var.history_retention_days >= 7 && var.history_retention_days <= 31 && floor(var.history_retention_days) == var.history_retention_days
    error_message = "history_retention_days is between 7 and 31, Pub/Sub's upper bound."
  }
}

variable "outcome_retention_days" {
  description = "Days that the audit table keeps a record."
  type        = number
  default     = 400

  validation {
    condition     = var.outcome_retention_days >= 30 && var.outcome_retention_days <= 3650 && floor(var.outcome_retention_days) == var.outcome_retention_days
    error_message = "outcome_retention_days is a whole number between 30 and 3650."
  }
}

variable "logs" {
  description = "Days that log lines are kept in their bucket in the region, and whether the lines of unchanged accounts are kept at all. Metrics count them either way."
  type = object({
    retention_days = optional(number, 30)
    unchanged      = optional(bool, false)
  })
  default = {}

  validation {
    condition     = var.logs.retention_days >= 7 && var.logs.retention_days <= 400 && floor(var.logs.retention_days) == var.logs.retention_days
    error_message = "logs.retention_days is a whole number between 7 and 400."
  }
}
