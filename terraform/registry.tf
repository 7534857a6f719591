resource "google_artifact_registry_repository" "images" {
  project         = var.project_id
  location        = var.region
  repository_id   = var.name
  format          = "DOCKER"
  description     = "Images of the synchronisation, one tag a release."
  labels          = local.labels
  deletion_policy = local.precious

  docker_config {
    immutable_tags = true
  }

  cleanup_policies {
    id     = "keep-recent"
    action = "KEEP"
    most_recent_versions {
      keep_count = 20
    }
  }

  # A release is tagged; what never was tagged was an experiment.
  cleanup_policies {
    id     = "delete-untagged"
    action = "DELETE"
    condition {
      tag_state  = "UNTAGGED"
      older_than = "2592000s"
    }
  }

  depends_on = [google_project_service.this]
}

# The layers of earlier builds. Every build moves the tag of its cache, which the repository above refuses, and nothing
# here is a release: an image is never run from it.
resource "google_artifact_registry_repository" "build_cache" {
  project         = var.project_id
  location        = var.region
  repository_id   = "${var.name}-cache"
  format          = "DOCKER"
  description     = "Layers that builds of the image share. May be emptied at any time."
  labels          = local.labels
  deletion_policy = "DELETE"

  docker_config {
    immutable_tags = false
  }

  cleanup_policies {
    id     = "delete-old"
    action = "DELETE"
    condition {
      tag_state  = "ANY"
      older_than = "1209600s"
    }
  }

  depends_on = [google_project_service.this]
}
