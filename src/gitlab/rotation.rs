//! The call by which a token replaces itself, and which must never be made twice.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use jiff::civil::Date;
use reqwest::{
    Method, StatusCode,
    header::{CONTENT_TYPE, HeaderMap, HeaderValue},
};
use serde_json::json;

use super::{Client, WritePermit, blame::refused};
use crate::{
    config::Secret,
    gate::ErrorKind,
    upstream::{CallError, Fault, LenientValue, UpstreamRequest, UpstreamResponse},
};

/// An answer that is not waited for is a token that is lost.
const PATIENCE: Duration = Duration::from_mins(1);

/// No token of GitLab's is as long.
const LONGEST: usize = 512;

/// What a token was rotated into.
#[derive(Debug)]
pub struct RotatedToken {
    /// The new token.
    pub secret: Secret,
    /// The first day on which it is refused, as GitLab has it.
    pub expires_at: Option<Date>,
}

/// A rotation that brought no token.
#[derive(Clone, Debug, thiserror::Error)]
pub enum RotationError {
    /// GitLab refused, or was never asked: the token is what it was before.
    #[error(transparent)]
    Refused(CallError),
    /// The token is dead: it had been rotated or revoked before the call.
    #[error(transparent)]
    Dead(CallError),
    /// It may have been rotated, and nobody knows into what.
    #[error(transparent)]
    Lost(CallError),
}

impl Client {
    /// `POST /personal_access_tokens/self/rotate`. GitLab revokes the old token in the same moment,
    /// and takes a second call with it for a thief's: then it revokes the new one, too. So it is
    /// called once, whatever comes of it. A client whose token is read from a file would call again
    /// with what the file holds by then: give this one a token that stands in none.
    ///
    /// # Errors
    /// See [`RotationError`].
    pub async fn rotate_token(
        &self,
        _permit: &WritePermit,
        expires_at: Date,
    ) -> Result<RotatedToken, RotationError> {
        let operation = "rotate_token";
        let json = HeaderValue::from_static("application/json");
        let call = UpstreamRequest {
            operation,
            purpose: operation,
            about: None,
            is_question: false,
            method: Method::POST,
            url: self.url(&["personal_access_tokens", "self", "rotate"], &[]),
            headers: HeaderMap::from_iter([(CONTENT_TYPE, json)]),
            body: Some(json!({ "expires_at": expires_at }).to_string()),
        };
        let is_refused = Arc::new(AtomicBool::new(false));
        let judge = |answer: &UpstreamResponse| {
            if answer.status.is_success() {
                return token_of(answer);
            }
            is_refused.store(is_clear_refusal(answer), Ordering::Relaxed);
            Err(refused(answer, &self.base))
        };
        let patient = self.upstream.allowing(PATIENCE);
        patient.write(&call, judge).await.map_err(|error| {
            if error.was_sent() && !is_refused.load(Ordering::Relaxed) {
                RotationError::Lost(error)
            } else if error.was_sent() && error.kind() == ErrorKind::Unauthenticated {
                RotationError::Dead(error)
            } else {
                RotationError::Refused(error)
            }
        })
    }
}

/// Whether GitLab itself says that it did nothing. What stands before GitLab may refuse an answer
/// as well as a question, and does not speak JSON. GitLab's throttle, which asks before anything is
/// done, does not either.
fn is_clear_refusal(answer: &UpstreamResponse) -> bool {
    match answer.status {
        StatusCode::TOO_MANY_REQUESTS => true,
        StatusCode::REQUEST_TIMEOUT => false,
        status => status.is_client_error() && answer.is_json(),
    }
}

fn token_of(answer: &UpstreamResponse) -> Result<RotatedToken, Fault> {
    #[derive(serde::Deserialize)]
    struct RotatedRow<'a> {
        #[serde(borrow, default)]
        token: LenientValue<'a>,
        #[serde(borrow, default)]
        expires_at: LenientValue<'a>,
    }
    let row: RotatedRow<'_> = answer.json()?;
    let is_token = |text: &&str| {
        let is_plain = |byte: u8| byte.is_ascii_graphic();
        !text.is_empty() && text.len() <= LONGEST && text.bytes().all(is_plain)
    };
    let token = row.token.text().filter(is_token).ok_or_else(|| {
        Fault::new(
            ErrorKind::Unreadable,
            "answered the rotation without a usable token",
        )
    })?;
    Ok(RotatedToken {
        secret: token.into(),
        expires_at: row.expires_at.text().and_then(|day| day.parse().ok()),
    })
}
