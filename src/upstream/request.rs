//! One request to an upstream.

use std::sync::Arc;

use reqwest::{
    Method, Request,
    header::{CONTENT_TYPE, HeaderMap, HeaderValue},
};
use url::Url;

use super::CallError;
use crate::gate::{Gate, GateClosed, Subject};

/// One request, to be sent as often as its kind allows.
#[derive(Clone, Debug)]
pub struct UpstreamRequest {
    /// What is asked, such as `list_users`; a closed set, used as a metric label.
    pub operation: &'static str,
    /// The change that it is a step of, such as `block_user`, or the operation itself: what the
    /// gate learns by.
    pub purpose: &'static str,
    /// The one thing it is about, if it is: its failure may be that thing's own fault.
    pub about: Option<Subject>,
    /// Whether it changes nothing, so that it may be sent during a pause and by who only reads.
    pub is_question: bool,
    /// The method.
    pub method: Method,
    /// The address with its query.
    pub url: Url,
    /// Headers beside the credentials.
    pub headers: HeaderMap,
    /// The body.
    pub body: Option<String>,
}

impl UpstreamRequest {
    /// A GET without further headers.
    pub fn get(operation: &'static str, url: Url) -> Self {
        Self {
            operation,
            purpose: operation,
            about: None,
            is_question: true,
            method: Method::GET,
            url,
            headers: HeaderMap::new(),
            body: None,
        }
    }

    /// A question that is too long for an address: a POST of JSON that changes nothing, such as a
    /// query of GraphQL.
    pub fn question(operation: &'static str, url: Url, body: String) -> Self {
        let json = HeaderValue::from_static("application/json");
        Self {
            method: Method::POST,
            headers: HeaderMap::from_iter([(CONTENT_TYPE, json)]),
            body: Some(body),
            ..Self::get(operation, url)
        }
    }

    /// The same, about one thing.
    #[must_use]
    pub fn about(mut self, subject: Subject) -> Self {
        self.about = Some(subject);
        self
    }

    /// The error of it where `gate` is closed.
    pub(super) fn withheld(&self, gate: &Arc<Gate>, closed: &GateClosed) -> CallError {
        CallError::withheld(self.operation, gate, closed).for_purpose(self.purpose)
    }

    pub(super) fn request(&self) -> Request {
        let mut request = Request::new(self.method.clone(), self.url.clone());
        request.headers_mut().clone_from(&self.headers);
        *request.body_mut() = self.body.clone().map(Into::into);
        request
    }
}
