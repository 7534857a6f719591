//! The calls that change an account. Each asks for the permit to write, and none is repeated in
//! process.

use reqwest::{
    Method,
    header::{CONTENT_TYPE, HeaderMap, HeaderValue},
};
use serde_json::json;

use super::{
    Change, Client, WritePermit,
    blame::refused,
    change::{change, is_owner_not_found},
};
use crate::{
    gate::{Completion, ErrorKind, Subject},
    upstream::{CallError, Fault, LenientValue, UpstreamRequest, UpstreamResponse},
};

/// What the marker and the block are steps of: a gate that withholds blocks withholds their markers
/// too.
const BLOCK: &str = "block_user";

impl Client {
    /// `PUT /users/:id/custom_attributes/:key`, the first step of a block. `Ok(false)` when the
    /// account is gone. Repeating it does no harm, but that is for the caller to do, after another
    /// look.
    ///
    /// # Errors
    /// See [`CallError`].
    pub async fn set_custom_attribute(
        &self,
        _permit: &WritePermit,
        id: u64,
        key: &str,
        value: &str,
    ) -> Result<bool, CallError> {
        let call = self.change_of(
            "set_custom_attribute",
            id,
            &["custom_attributes", key],
            &json!({ "value": value }),
        );
        let call = UpstreamRequest {
            purpose: BLOCK,
            method: Method::PUT,
            ..call
        };
        let judge = |answer: &UpstreamResponse| {
            if is_owner_not_found(answer) {
                Ok(false)
            } else if answer.status.is_success() {
                is_stored(answer, key, value).map(|()| true)
            } else {
                Err(refused(answer, &self.base))
            }
        };
        let completion = |stored: &bool| {
            if *stored {
                Completion::Part
            } else {
                Completion::Judged
            }
        };
        self.upstream.change(&call, judge, completion).await
    }

    /// `POST /users/:id/block`. Never repeated in process.
    ///
    /// # Errors
    /// See [`CallError`]: afterwards the account may or may not be blocked; look again.
    pub async fn block(&self, _permit: &WritePermit, id: u64) -> Result<Change, CallError> {
        self.post(BLOCK, id, "block").await
    }

    /// `POST /users/:id/unblock`. Never repeated in process: it would lift a ban set meanwhile.
    ///
    /// # Errors
    /// See [`CallError`]: look again.
    pub async fn unblock(&self, _permit: &WritePermit, id: u64) -> Result<Change, CallError> {
        self.post("unblock_user", id, "unblock").await
    }

    async fn post(
        &self,
        operation: &'static str,
        id: u64,
        action: &str,
    ) -> Result<Change, CallError> {
        let call = self.change_of(operation, id, &[action], &json!({}));
        let judge = |answer: &UpstreamResponse| change(answer, &self.base);
        self.upstream.change(&call, judge, Change::completion).await
    }

    /// A POST under the account. Sent as JSON: in Maintenance Mode GitLab sends whoever sends
    /// anything else to its front page (`lib/gitlab/middleware/read_only/controller.rb`).
    fn change_of(
        &self,
        operation: &'static str,
        id: u64,
        path: &[&str],
        body: &serde_json::Value,
    ) -> UpstreamRequest {
        let id_text = id.to_string();
        let path: Vec<&str> = ["users", &id_text]
            .into_iter()
            .chain(path.iter().copied())
            .collect();
        let json = HeaderValue::from_static("application/json");
        UpstreamRequest {
            operation,
            purpose: operation,
            about: Some(Subject::account(id)),
            is_question: false,
            method: Method::POST,
            url: self.url(&path, &[]),
            headers: HeaderMap::from_iter([(CONTENT_TYPE, json)]),
            body: Some(body.to_string()),
        }
    }
}

/// GitLab answers with the attribute as it now stands.
fn is_stored(answer: &UpstreamResponse, key: &str, value: &str) -> Result<(), Fault> {
    #[derive(serde::Deserialize)]
    struct Stored<'a> {
        #[serde(borrow, default)]
        key: LenientValue<'a>,
        #[serde(borrow, default)]
        value: LenientValue<'a>,
    }
    let stored: Stored<'_> = answer.json()?;
    if stored.key.text() == Some(key) && stored.value.text() == Some(value) {
        return Ok(());
    }
    Err(Fault::new(
        ErrorKind::Unreadable,
        "did not confirm the custom attribute that was set",
    ))
}
