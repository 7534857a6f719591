//! The families of requests that this server does not answer, each with its reason. None is sent by
//! the service.
//!
//! Each is a 501 that says so, never something made up.

use super::request::ApiRequest;

/// Why this request is left out; `None` where it is answered.
pub(super) fn reason(call: &ApiRequest) -> Option<&'static str> {
    let path = call.path.as_str();
    if call.method == axum::http::Method::OPTIONS {
        return Some("OPTIONS: browsers send it, no client of the API does");
    }
    if path.starts_with("//") {
        return Some("a path with an empty segment: a client's mistake, which GitLab forgives");
    }
    if path.starts_with("/api/v3/") {
        return Some("version 3 of the API: GitLab answers it as version 4");
    }
    if path.starts_with("/api/v4/") && path.len() > "/api/v4/".len() && path.ends_with('/') {
        return Some("a slash at the end of a path: a client's mistake, which GitLab forgives");
    }
    let attribute = path.contains("/custom_attributes/");
    let suffixed = [".json", ".xml"]
        .into_iter()
        .any(|suffix| path.ends_with(suffix));
    if !attribute && suffixed {
        return Some("the format at the end of a path: GitLab answers JSON whatever it is");
    }
    let host = call.header("host").unwrap_or_default();
    let name = host.split(':').next().unwrap_or_default();
    if name.ends_with(".example") && name != "gitlab.example" {
        return Some("a host that GitLab is not configured with: a check of its development mode");
    }
    ["skip_ldap", "without_projects"]
        .into_iter()
        .any(|name| call.parameters.flag(name) == Ok(true))
        .then_some(
            "the filters skip_ldap and without_projects: they ask for what no account here has",
        )
}
