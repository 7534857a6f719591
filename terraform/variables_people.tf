# Who may, and who hears of it

variable "operators" {
  description = "Members who may publish ticks and resyncs, handle dead letters, and pause and resume all writes, such as group:gitlab-team@example.ac.uk."
  type        = set(string)
  default     = []

  validation {
    condition     = alltrue([for member in var.operators : can(regex("^(user|group|serviceAccount):[^@ ]+@[a-z0-9.-]+$|^(principal|principalSet)://iam[.]googleapis[.]com/[^ ]+$", member))])
    error_message = "an operator is a member such as group:gitlab-team@example.ac.uk; allUsers and domains are refused."
  }
}

variable "auditors" {
  description = "Members who, beside operators, may read the audit table, such as group:data-protection@example.ac.uk."
  type        = set(string)
  default     = []

  validation {
    condition     = alltrue([for member in var.auditors : can(regex("^(user|group|serviceAccount):[^@ ]+@[a-z0-9.-]+$|^(principal|principalSet)://iam[.]googleapis[.]com/[^ ]+$", member))])
    error_message = "an auditor is a member such as group:data-protection@example.ac.uk; allUsers and domains are refused."
  }
}

variable "audit_logs" {
  description = "Whether Google Cloud logs who published and who read a secret, for the whole project. False where the organisation's own settings say so, or another module does."
  type        = bool
  default     = true
}

variable "alerting" {
  description = "Whether alert policies are made, the notification channels (full resource names) that page and those that open a ticket, and the number of dead letters in 15 minutes that pages."
  type = object({
    enabled           = optional(bool, true)
    page              = optional(list(string), [])
    ticket            = optional(list(string), [])
    dead_letter_burst = optional(number, 50)
  })
  default = {}

  validation {
    condition     = alltrue([for channel in concat(var.alerting.page, var.alerting.ticket) : can(regex("^projects/[^/]+/notificationChannels/[0-9]+$", channel))])
    error_message = "a notification channel is projects/PROJECT/notificationChannels/NUMBER."
  }
  validation {
    condition     = var.alerting.dead_letter_burst >= 1 && floor(var.alerting.dead_letter_burst) == var.alerting.dead_letter_burst
    error_message = "alerting.dead_letter_burst is a whole number of at least 1."
  }
  validation {
    condition     = var.mode != "apply" || !var.alerting.enabled || (length(var.alerting.page) > 0 && length(var.alerting.ticket) > 0)
    error_message = "what writes to GitLab has somebody to wake and somewhere to write to: alerting.page and alerting.ticket name a channel each."
  }
  validation {
    condition     = var.mode != "apply" || var.alerting.enabled
    error_message = "what writes to GitLab is watched: alerting stays enabled in mode apply."
  }
}

variable "runbook_url" {
  description = "Where people read docs/operations.md of the deployed version; every alert links to its entry there."
  type        = string

  validation {
    condition     = can(regex("^https://[^#]+$", var.runbook_url))
    error_message = "runbook_url is an https address without a #fragment."
  }
}

variable "budget" {
  description = "Monthly budget of the project, in whole units of the billing account's currency, which opens tickets at 50, 90 and 100 percent and when 120 are forecast. Null: none is made."
  type = object({
    billing_account = string
    monthly         = number
    currency        = optional(string)
  })
  default = null

  validation {
    condition     = var.budget == null || can(regex("^[0-9A-F]{6}-[0-9A-F]{6}-[0-9A-F]{6}$", var.budget.billing_account))
    error_message = "budget.billing_account is an id such as 012345-6789AB-CDEF01."
  }
  validation {
    condition     = var.budget == null || try(var.budget.monthly >= 1 && floor(var.budget.monthly) == var.budget.monthly, false)
    error_message = "budget.monthly is a whole number of at least 1."
  }
  validation {
    condition     = try(var.budget.currency, null) == null || can(regex("^[A-Z]{3}$", var.budget.currency))
    error_message = "budget.currency has three capitals, such as GBP."
  }
}
