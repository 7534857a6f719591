variable "namespaces" {
  description = <<-TEXT
    The namespace pipeline, off unless enabled: topic, worker pool, the portal as a Cloud Run service with its
    ledger, and, unless provisioning_api is false, the provisioning API beside it. portal_url is the portal's address
    and the issuer of its tokens; null is the one that Cloud Run gives by rule. portal_ingress says who reaches the
    portal: internal (the network alone), load-balancer, or all. provisioning_url is where the worker posts; null is
    our own provisioning API, or GitLab itself where we run none; identity_audience is for a Cloud Run service at
    provisioning_url that asks its callers for an identity token. invokers are those whom Cloud Run lets through to a
    service: to the provisioning API nobody but our worker and these, to the portal everybody who reaches it. The database is reached at a private address of
    vpc.network, through Cloud SQL's proxy, whose image is pinned by digest.
  TEXT
  type = object({
    enabled           = optional(bool, false)
    portal_url        = optional(string)
    portal_ingress    = optional(string, "internal")
    provisioning_api  = optional(bool, true)
    provisioning_url  = optional(string)
    identity_audience = optional(string)
    invokers = optional(object({
      portal           = optional(set(string), ["allUsers"])
      provisioning_api = optional(set(string), [])
    }), {})
    worker_instances = optional(number, 1)
    database = optional(object({
      create                   = optional(bool, true)
      proxy_image              = optional(string)
      tier                     = optional(string, "db-custom-1-3840")
      availability_type        = optional(string, "ZONAL")
      disk_gb                  = optional(number, 10)
      max_connections          = optional(number, 100)
      connections_per_instance = optional(number, 10)
    }), {})
  })
  default = {}

  validation {
    condition     = var.namespaces.portal_url == null || can(regex("^https://[a-z0-9.-]+(:[0-9]+)?$", var.namespaces.portal_url))
    error_message = "namespaces.portal_url is the portal's https address without a path, or null; it is the issuer of its tokens."
  }
  validation {
    condition     = contains(["internal", "load-balancer", "all"], var.namespaces.portal_ingress)
    error_message = "namespaces.portal_ingress is internal, load-balancer or all."
  }
  validation {
    condition     = !var.namespaces.enabled || var.vpc != null || (!var.namespaces.provisioning_api && !var.namespaces.database.create && var.namespaces.portal_ingress == "all")
    error_message = "the provisioning API, a portal that is not open to all, and the database are reached through the network alone: set vpc."
  }
  validation {
    condition     = var.namespaces.provisioning_url == null || (can(regex("^https://[a-z0-9.-]+(:[0-9]+)?(/[A-Za-z0-9._/-]*)?$", var.namespaces.provisioning_url)) && !can(regex("/api/v4/?$", var.namespaces.provisioning_url)))
    error_message = "namespaces.provisioning_url is an https address without /api/v4."
  }
  validation {
    condition     = var.namespaces.provisioning_url == null || !var.namespaces.provisioning_api
    error_message = "namespaces.provisioning_url is where somebody else's API is: set provisioning_api = false."
  }
  validation {
    condition     = alltrue([for member in var.namespaces.invokers.portal : can(regex("^(user|group|serviceAccount):[^@ ]+@[a-z0-9.-]+$|^allUsers$", member))])
    error_message = "an invoker of the portal is a member such as group:portal-users@example.ac.uk, or allUsers."
  }
  validation {
    condition     = alltrue([for member in var.namespaces.invokers.provisioning_api : can(regex("^(user|group|serviceAccount):[^@ ]+@[a-z0-9.-]+$", member))])
    error_message = "an invoker of the provisioning API is a member such as group:operators@example.ac.uk; it writes GitLab's tables, so allUsers is refused."
  }
  validation {
    condition     = var.namespaces.identity_audience == null || can(regex("^[!-~]{1,500}$", var.namespaces.identity_audience))
    error_message = "namespaces.identity_audience is the address of a Cloud Run service or a custom audience of it, without spaces."
  }
  validation {
    condition     = var.namespaces.identity_audience == null || var.namespaces.provisioning_url != null
    error_message = "namespaces.identity_audience is for a provisioning API of somebody else's, at provisioning_url; our own knows its audience."
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
  validation {
    condition     = var.namespaces.database.max_connections >= 25 && var.namespaces.database.max_connections <= 1000 && floor(var.namespaces.database.max_connections) == var.namespaces.database.max_connections
    error_message = "namespaces.database.max_connections is a whole number between 25 and 1000."
  }
  validation {
    condition     = var.namespaces.database.connections_per_instance >= 2 && var.namespaces.database.connections_per_instance <= 50 && floor(var.namespaces.database.connections_per_instance) == var.namespaces.database.connections_per_instance
    error_message = "namespaces.database.connections_per_instance is a whole number between 2 and 50."
  }
  validation {
    condition     = !var.namespaces.enabled || !var.namespaces.database.create || can(regex("^[a-z0-9.-]+(:[0-9]+)?/[a-z0-9._/-]+(:[A-Za-z0-9._-]+)?@sha256:[0-9a-f]{64}$", var.namespaces.database.proxy_image))
    error_message = "namespaces.database.proxy_image is gcr.io/cloud-sql-connectors/cloud-sql-proxy by digest; docs/deploy.md says how to find it."
  }
  validation {
    condition     = !var.namespaces.enabled || !var.namespaces.database.create || can(regex("^projects/[^/]+/global/networks/[^/]+$", var.vpc.network))
    error_message = "Cloud SQL takes the network by its path: vpc.network is projects/PROJECT/global/networks/NAME."
  }
}
