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

run "a_build_can_move_the_tag_of_its_cache_and_no_other" {
  assert {
    condition     = !google_artifact_registry_repository.build_cache.docker_config[0].immutable_tags
    error_message = "the second build could not write its cache"
  }
  assert {
    condition     = google_artifact_registry_repository.images.docker_config[0].immutable_tags
    error_message = "a release's tag could be moved"
  }
  assert {
    condition     = google_artifact_registry_repository.build_cache.repository_id == "lookup-sync-cache"
    error_message = "docs/release.md and the pipelines name the cache"
  }
}

run "the_cache_forgets_and_the_images_do_not" {
  assert {
    condition     = [for policy in google_artifact_registry_repository.build_cache.cleanup_policies : policy.condition[0].tag_state] == ["ANY"]
    error_message = "the cache grows for ever"
  }
  assert {
    condition     = alltrue([for policy in google_artifact_registry_repository.images.cleanup_policies : policy.condition[0].tag_state == "UNTAGGED" if policy.action == "DELETE"])
    error_message = "a tagged image could be deleted"
  }
}
