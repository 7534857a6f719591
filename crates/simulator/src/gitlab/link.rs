//! `Link`, as GitLab writes it: every parameter that the endpoint has, with its value or its
//! default, in order.

use std::collections::BTreeMap;

use axum::{http::HeaderValue, response::Response};
use jiff::tz::TimeZone;
use url::form_urlencoded::Serializer;

use super::{pages::UserPage, parameters::Parameters};

/// The parameters that are off unless set.
const FLAGS: [&str; 14] = [
    "active",
    "admins",
    "auditors",
    "blocked",
    "exclude_active",
    "exclude_external",
    "exclude_humans",
    "exclude_internal",
    "external",
    "humans",
    "skip_ldap",
    "with_custom_attributes",
    "without_project_bots",
    "without_projects",
];

/// What is in no link, wherever it was sent.
const SECRET: [&str; 3] = ["private_token", "access_token", "sudo"];

impl UserPage<'_> {
    /// Puts the headers on `response` that lead on. The `Link` has the host GitLab is configured
    /// with, `url`, whatever host it was asked by.
    pub(super) fn lead(self, mut response: Response, url: &str, asked: &Parameters) -> Response {
        let links: Vec<String> = self
            .links
            .into_iter()
            .map(|(rel, set)| format!("<{}>; rel=\"{rel}\"", address(url, asked, set)))
            .collect();
        let link = (!links.is_empty()).then(|| ("link", links.join(", ")));
        for (name, value) in self.headers.into_iter().chain(link) {
            if let Ok(value) = HeaderValue::from_str(&value) {
                response.headers_mut().insert(name, value);
            }
        }
        response
    }
}

/// The same listing with one parameter set anew.
fn address(url: &str, asked: &Parameters, (name, value): (&str, String)) -> String {
    let defaults = [
        ("order_by", "id"),
        ("page", "1"),
        ("per_page", "20"),
        ("sort", "desc"),
    ];
    let mut all: BTreeMap<String, String> = defaults
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect();
    let given = asked.iter().filter(|(name, _)| !SECRET.contains(name));
    all.extend(given.map(|(name, value)| (name.to_owned(), value.to_owned())));
    for flag in FLAGS {
        let value = asked.flag(flag).unwrap_or_default();
        all.insert(flag.to_owned(), value.to_string());
    }
    for bound in ["created_after", "created_before"] {
        if let Ok(Some(at)) = asked.time(bound) {
            let at = at.to_zoned_datetime(TimeZone::UTC);
            all.insert(
                bound.to_owned(),
                at.strftime("%Y-%m-%dT%H:%M:%S+00:00").to_string(),
            );
        }
    }
    all.insert(name.to_owned(), value);
    let mut query = Serializer::new(String::new());
    query.extend_pairs(&all);
    format!("{url}/api/v4/users?{}", query.finish())
}
