//! Which requests fail, how, and how often.

use std::collections::BTreeMap;

use axum::{
    body::Body,
    http::{HeaderName, HeaderValue, StatusCode, header::CONTENT_TYPE},
    response::Response,
};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// One rule: what becomes of the requests it matches.
///
/// With `status` or `body` the request is answered so and has no effect; with `drop` the connection
/// is cut; with neither, the true answer goes out after `delay_ms` and with `headers` added.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct InjectedFault {
    /// The method, or `*` (the default).
    #[serde(default = "any_method")]
    pub method: String,
    /// The path, in which `*` stands for any run of characters, slashes included. With a `?` in it
    /// the query is matched too; without, whatever the query is.
    pub path: String,
    /// Answer with this status; 200 where only a body is given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    /// Headers of the answer.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub headers: BTreeMap<String, String>,
    /// Body of the answer: a string as it stands, any other value as JSON.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body: Option<Value>,
    /// Milliseconds to wait: before the effect, except with `drop: "after"`, where the effect comes
    /// first.
    #[serde(default)]
    pub delay_ms: u64,
    /// Cut the connection instead of answering.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub drop: Option<Cut>,
    /// How often the rule strikes; 0 (the default) until it is cleared.
    #[serde(default)]
    pub times: u64,
    /// Strike only each `every`th request that matches; 1 (the default) strikes all.
    #[serde(default = "each")]
    pub every: u64,
}

/// When the connection is cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Cut {
    /// The request has no effect.
    Before,
    /// The request took effect; only the answer is lost.
    After,
}

/// A rule that could not be carried out.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidFault {
    /// Not a status of an answer.
    #[error("status {0}: between 200 and 599 is possible")]
    Status(u16),
    /// Not a header.
    #[error("headers: {0:?} is not a header that can be sent")]
    Header(String),
    /// `every` is 0.
    #[error("every: 1 strikes each request; 0 would strike none")]
    Every,
}

fn any_method() -> String {
    "*".to_owned()
}

const fn each() -> u64 {
    1
}

impl InjectedFault {
    /// A rule that matches but changes nothing yet, to be completed with
    /// `InjectedFault { status: …, ..InjectedFault::on(…) }`.
    pub fn on(method: &str, path: &str) -> Self {
        Self {
            method: method.to_owned(),
            path: path.to_owned(),
            status: None,
            headers: BTreeMap::new(),
            body: None,
            delay_ms: 0,
            drop: None,
            times: 0,
            every: 1,
        }
    }

    /// Whether a request of this method and this path with its query is meant.
    pub fn matches(&self, method: &str, path: &str) -> bool {
        let path = if self.path.contains('?') {
            path
        } else {
            path.split('?').next().unwrap_or(path)
        };
        (self.method == "*" || self.method.eq_ignore_ascii_case(method))
            && glob(self.path.as_bytes(), path.as_bytes())
    }

    /// The answer in place of the true one, if the rule has one.
    pub(super) fn response(&self) -> Option<Response> {
        if self.status.is_none() && self.body.is_none() {
            return None;
        }
        let body = match &self.body {
            None => String::new(),
            Some(Value::String(text)) => text.clone(),
            Some(value) => value.to_string(),
        };
        let content_type = content_type(&body);
        let mut response = Response::new(Body::from(body));
        *response.status_mut() = self
            .status
            .and_then(|status| StatusCode::from_u16(status).ok())
            .unwrap_or_default();
        response
            .headers_mut()
            .insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
        Some(self.with_headers(response))
    }

    /// `response` with the rule's headers in place of its own.
    pub(super) fn with_headers(&self, mut response: Response) -> Response {
        for (name, value) in &self.headers {
            if let Some((name, value)) = header(name, value) {
                response.headers_mut().insert(name, value);
            }
        }
        response
    }

    fn check(&self) -> Result<(), InvalidFault> {
        if let Some(status) = self.status.filter(|status| !(200..=599).contains(status)) {
            return Err(InvalidFault::Status(status));
        }
        if let Some((name, _)) = self
            .headers
            .iter()
            .find(|(name, value)| header(name, value).is_none())
        {
            return Err(InvalidFault::Header(name.clone()));
        }
        if self.every == 0 {
            return Err(InvalidFault::Every);
        }
        Ok(())
    }
}

fn header(name: &str, value: &str) -> Option<(HeaderName, HeaderValue)> {
    Some((name.parse().ok()?, value.parse().ok()?))
}

fn content_type(body: &str) -> &'static str {
    if body.trim_start().starts_with('<') {
        "text/html; charset=utf-8"
    } else if serde_json::from_str::<Value>(body).is_ok() {
        "application/json"
    } else {
        "text/plain; charset=utf-8"
    }
}

/// Whether `text` is `pattern` with each `*` replaced by some run of bytes.
fn glob(pattern: &[u8], text: &[u8]) -> bool {
    match pattern.split_first() {
        None => text.is_empty(),
        Some((b'*', rest)) => {
            (0..=text.len()).any(|from| text.get(from..).is_some_and(|text| glob(rest, text)))
        }
        Some((byte, rest)) => text
            .split_first()
            .is_some_and(|(first, text)| first == byte && glob(rest, text)),
    }
}

/// The rules of one server, each with its counts.
#[derive(Debug, Default)]
pub(super) struct Faults {
    rules: Vec<Rule>,
}

/// A rule and what it has done so far.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Rule {
    #[serde(flatten)]
    fault: InjectedFault,
    matched: u64,
    struck: u64,
}

impl Faults {
    /// Adds all, or none if one is invalid.
    pub(super) fn add(&mut self, faults: Vec<InjectedFault>) -> Result<(), InvalidFault> {
        faults.iter().try_for_each(InjectedFault::check)?;
        self.rules.extend(faults.into_iter().map(|fault| Rule {
            fault,
            matched: 0,
            struck: 0,
        }));
        Ok(())
    }

    pub(super) fn clear(&mut self) {
        self.rules.clear();
    }

    pub(super) fn list(&self) -> Vec<Rule> {
        self.rules.clone()
    }

    /// The first rule that strikes this request; rules before it that matched have counted it.
    pub(super) fn strike(&mut self, method: &str, path: &str) -> Option<InjectedFault> {
        self.rules
            .iter_mut()
            .find_map(|rule| rule.strike(method, path))
    }
}

impl Rule {
    fn strike(&mut self, method: &str, path: &str) -> Option<InjectedFault> {
        let spent = self.fault.times != 0 && self.struck >= self.fault.times;
        if spent || !self.fault.matches(method, path) {
            return None;
        }
        self.matched += 1;
        if !self.matched.is_multiple_of(self.fault.every) {
            return None;
        }
        self.struck += 1;
        Some(self.fault.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_stands_for_any_run_of_characters() {
        let fault = InjectedFault::on("*", "/api/v4/users/*/block");
        assert!(fault.matches("POST", "/api/v4/users/42/block"));
        assert!(fault.matches("POST", "/api/v4/users/42/block?x=1"));
        assert!(!fault.matches("POST", "/api/v4/users/42/unblock"));
        assert!(!fault.matches("POST", "/api/v4/users/42/blocked"));
    }

    #[test]
    fn a_pattern_with_a_query_matches_the_query() {
        let fault = InjectedFault::on("get", "/api/v4/users?*cursor=*");
        assert!(fault.matches("GET", "/api/v4/users?per_page=100&cursor=abc"));
        assert!(!fault.matches("GET", "/api/v4/users?per_page=100"));
    }

    #[test]
    fn a_rule_strikes_every_nth_request_until_its_times_are_spent() {
        let mut faults = Faults::default();
        faults
            .add(vec![InjectedFault {
                every: 2,
                times: 2,
                status: Some(503),
                ..InjectedFault::on("*", "*")
            }])
            .unwrap();
        let struck: Vec<bool> = (0..6)
            .map(|_| faults.strike("GET", "/").is_some())
            .collect();
        assert_eq!(struck, [false, true, false, true, false, false]);
    }

    #[test]
    fn an_impossible_rule_is_refused_with_all_that_came_with_it() {
        let mut faults = Faults::default();
        let wrong = InjectedFault {
            status: Some(99),
            ..InjectedFault::on("*", "*")
        };
        assert_eq!(
            faults.add(vec![InjectedFault::on("*", "*"), wrong]),
            Err(InvalidFault::Status(99))
        );
        assert!(faults.list().is_empty());
    }
}
