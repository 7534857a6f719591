variable "namespaces" {
  description = <<-TEXT
    The namespace pipeline, off unless enabled: topic, worker pool, the portal as a Cloud Run service with its
    ledger, and, unless provisioning_api is false, the provisioning API beside it. provisioning_url is where the
    worker posts; null is our own provisioning API, or GitLab itself where we run none.
  TEXT
  type = object({
    enabled          = optional(bool, false)
    portal_url       = optional(string)
    provisioning_api = optional(bool, true)
    provisioning_url = optional(string)
    invokers         = optional(set(string), ["allUsers"])
    worker_instances = optional(number, 1)
    database = optional(object({
      create            = optional(bool, true)
      tier              = optional(string, "db-custom-1-3840")
      availability_type = optional(string, "ZONAL")
      disk_gb           = optional(number, 10)
    }), {})
  })
  default = {}

  validation {
    condition     = !var.namespaces.enabled || can(regex("^https://[a-z0-9.-]+(:[0-9]+)?$", var.namespaces.portal_url))
    error_message = "namespaces.portal_url is the portal's https address without a path; it is the issuer of its tokens."
  }
  validation {
    condition     = var.namespaces.provisioning_url == null || (can(regex("^https://[a-z0-9.-]+(:[0-9]+)?(/[A-Za-z0-9._/-]*)?$", var.namespaces.provisioning_url)) && !can(regex("/api/v4/?$", var.namespaces.provisioning_url)))
    error_message = "namespaces.provisioning_url is an https address without /api/v4."
  }
  validation {
    condition     = var.namespaces.worker_instances >= 0 && var.namespaces.worker_instances <= 20 && floor(var.namespaces.worker_instances) == var.namespaces.worker_instances
    error_message = "namespaces.worker_instances is a whole number between 0 and 20."
  }
  validation {
    condition     = contains(["ZONAL", "REGIONAL"], var.namespaces.database.availability_type)
    error_message = "namespaces.database.availability_type is ZONAL or REGIONAL."
  }
  validation {
    condition     = can(regex("^db-custom-([1-9]|[1-9][02468])-[1-9][0-9]{3,5}$", var.namespaces.database.tier))
    error_message = "namespaces.database.tier is db-custom-CPUS-MEGABYTES, such as db-custom-1-3840."
  }
  validation {
    condition     = var.namespaces.database.disk_gb >= 10 && var.namespaces.database.disk_gb <= 1000 && floor(var.namespaces.database.disk_gb) == var.namespaces.database.disk_gb
    error_message = "namespaces.database.disk_gb is a whole number between 10 and 1000."
  }
}
