//! Which endpoint a path is, before anybody asks who the caller is.

use axum::http::Method;

use super::{parameters::decoded, states::Action};

/// An endpoint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Route {
    /// `GET /-/health` and its kin.
    Health(&'static str),
    /// `GET /user`
    Current,
    /// `GET /personal_access_tokens/self`
    SimulatedToken,
    /// `POST /personal_access_tokens/self/rotate`
    TokenRotation,
    /// `GET /version`, `GET /metadata`
    Version,
    /// `GET /audit_events`
    AuditEvents,
    /// `GET /users`
    List,
    /// `GET /users/:id`
    Show(PathId),
    /// `PUT /users/:id`
    Change(PathId),
    /// `DELETE /users/:id`
    Delete(PathId),
    /// `POST /users/:id/<action>`
    Act(PathId, Action),
    /// `POST /users/:id/approve` and `…/reject`
    Review(PathId, Review),
    /// `GET /users/:id/custom_attributes`
    Attributes(PathId),
    /// `GET`, `PUT` and `DELETE /users/:id/custom_attributes/:key`
    Attribute(PathId, String, Method),
    /// `POST /api/graphql`
    GraphQl,
    /// A path of the API that is none.
    Unknown,
    /// A path outside the API, which leads to the sign-in page.
    Outside,
    /// `..` in a path.
    Traversal,
}

/// What becomes of a sign-up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Review {
    Approve,
    Reject,
}

/// The digits in a path; a number too large for any account is `None`.
pub(super) type PathId = Option<u64>;

impl Route {
    pub(super) fn of(method: &Method, path: &str) -> Self {
        let traversal = |segment: &str| decoded(segment, false).as_deref() == Some("..");
        if path.split('/').any(traversal) {
            return Self::Traversal;
        }
        if let Some(route) = Self::health(path) {
            return route;
        }
        if path == "/api/graphql" && matches!(*method, Method::GET | Method::POST) {
            return Self::GraphQl;
        }
        let Some(rest) = path.strip_prefix("/api/v4") else {
            return Self::Outside;
        };
        if !rest.is_empty() && !rest.starts_with('/') {
            return Self::Outside;
        }
        let segments: Vec<&str> = rest.split('/').skip(1).collect();
        let read = matches!(*method, Method::GET | Method::HEAD);
        match segments.as_slice() {
            ["user"] if read => Self::Current,
            ["version" | "metadata"] if read => Self::Version,
            ["personal_access_tokens", "self"] if read => Self::SimulatedToken,
            ["personal_access_tokens", "self", "rotate"] if *method == Method::POST => {
                Self::TokenRotation
            }
            ["audit_events"] if read => Self::AuditEvents,
            ["users"] if read => Self::List,
            ["users", id, rest @ ..] => match number(id) {
                Some(id) => Self::user(method, id, rest),
                None => Self::Unknown,
            },
            _ => Self::Unknown,
        }
    }

    fn health(path: &str) -> Option<Self> {
        Some(match path {
            "/-/health" => Self::Health("GitLab OK"),
            "/-/readiness" | "/-/liveness" => Self::Health(r#"{"status":"ok"}"#),
            _ => return None,
        })
    }

    fn user(method: &Method, id: PathId, rest: &[&str]) -> Self {
        let read = matches!(*method, Method::GET | Method::HEAD);
        match (method, rest) {
            (_, []) if read => Self::Show(id),
            (&Method::PUT, []) => Self::Change(id),
            (&Method::DELETE, []) => Self::Delete(id),
            (_, ["custom_attributes"]) if read => Self::Attributes(id),
            (
                &(Method::GET | Method::HEAD | Method::PUT | Method::DELETE),
                ["custom_attributes", key],
            ) => match attribute(key) {
                Some(key) => Self::Attribute(id, key, method.clone()),
                None => Self::Unknown,
            },
            (&Method::POST, ["approve"]) => Self::Review(id, Review::Approve),
            (&Method::POST, ["reject"]) => Self::Review(id, Review::Reject),
            (&Method::POST, [action]) => match Action::named(action) {
                Some(action) => Self::Act(id, action),
                None => Self::Unknown,
            },
            _ => Self::Unknown,
        }
    }
}

/// Digits and nothing else, not even escaped ones: anything else is no path of GitLab's.
fn number(segment: &str) -> Option<PathId> {
    let digits = !segment.is_empty() && segment.bytes().all(|byte| byte.is_ascii_digit());
    digits.then(|| segment.parse().ok())
}

/// What follows a dot is taken for the format of the answer, so that `a.b` is the key `a`.
fn attribute(segment: &str) -> Option<String> {
    let key = segment.split_once('.').map_or(segment, |(key, _)| key);
    decoded(key, false)
}
