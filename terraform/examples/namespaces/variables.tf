variable "project_id" {
  description = "Project of this environment."
  type        = string
}

variable "image" {
  description = "Image by digest; null for the first apply."
  type        = string
  default     = null
}
