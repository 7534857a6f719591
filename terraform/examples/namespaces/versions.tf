terraform {
  required_version = ">= 1.9, < 2.0"

  # Named when it is initialised: -backend-config="bucket=…".
  backend "gcs" {
    prefix = "lookup-gitlab-sync/namespaces"
  }

  required_providers {
    google = {
      source  = "hashicorp/google"
      version = ">= 8.0, < 9.0"
    }
  }
}

provider "google" {
  project = var.project_id
  region  = "europe-west2"
}
