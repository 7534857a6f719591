//! A whole response, and what it says where it is none of the expected.

use std::{fmt, marker::PhantomData, time::Duration};

use bytes::Bytes;
use reqwest::{
    StatusCode,
    header::{CONTENT_TYPE, HeaderMap, LOCATION},
};
use serde::{Deserialize, de::DeserializeSeed};
use serde_json::error::Category;
use url::Url;

use super::{Fault, retry_after};
use crate::gate::ErrorKind;

/// A whole answer, its body within the configured bound.
#[derive(Clone)]
pub struct UpstreamResponse {
    /// The status.
    pub status: StatusCode,
    /// The headers.
    pub headers: HeaderMap,
    /// The body.
    pub body: Bytes,
}

impl fmt::Debug for UpstreamResponse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Bodies hold people and, from a token endpoint, secrets.
        write!(
            f,
            "UpstreamResponse({}, {} bytes)",
            self.status,
            self.body.len()
        )
    }
}

impl UpstreamResponse {
    /// The body of a successful answer, read as JSON.
    ///
    /// # Errors
    /// Every other answer: what it is instead, told without any of its content.
    pub fn json<'a, T: Deserialize<'a>>(&'a self) -> Result<T, Fault> {
        if self.status.is_success() {
            self.body_as_json()
        } else {
            Err(self.fault())
        }
    }

    /// [`Self::json`] by a reader that knows when to stop: what is kept need not grow with the
    /// body.
    ///
    /// # Errors
    /// As there.
    pub fn json_by<'a, S: DeserializeSeed<'a>>(&'a self, reader: S) -> Result<S::Value, Fault> {
        if self.status.is_success() {
            self.body_by(reader)
        } else {
            Err(self.fault())
        }
    }

    /// The body as JSON, whatever the status.
    ///
    /// # Errors
    /// A body that is not JSON, or not of that shape.
    pub fn body_as_json<'a, T: Deserialize<'a>>(&'a self) -> Result<T, Fault> {
        self.body_by(PhantomData)
    }

    fn body_by<'a, S: DeserializeSeed<'a>>(&'a self, reader: S) -> Result<S::Value, Fault> {
        if !self.is_json() {
            return Err(Fault::new(
                ErrorKind::Unreadable,
                format!("answered with {}", self.looks()),
            ));
        }
        // Checked as a whole, which is quicker than string by string. What is not UTF-8 may stand
        // where nobody reads it.
        let read = match std::str::from_utf8(&self.body) {
            Ok(text) => whole(reader, serde_json::Deserializer::from_str(text)),
            Err(_) => whole(reader, serde_json::Deserializer::from_slice(&self.body)),
        };
        read.map_err(|error| {
            let error = JsonError::from(&error);
            Fault::new(
                ErrorKind::Unreadable,
                format!("answered {} with JSON that {error}", self.status.as_u16()),
            )
            .caused_by(error)
        })
    }

    /// The fault that this answer is, where its status is not one the call has a use for.
    pub fn fault(&self) -> Fault {
        let kind = self.kind();
        let what = match kind {
            ErrorKind::Redirected => format!(
                "answered with a redirect (status {}{}) instead of data",
                self.status.as_u16(),
                self.redirect_host()
                    .map(|host| format!(" to {host}"))
                    .unwrap_or_default()
            ),
            _ if self.is_json() => format!("answered {}", self.status.as_u16()),
            _ => format!("answered with {}", self.looks()),
        };
        Fault::new(kind, what).after(self.retry_after())
    }

    /// Whether the body claims to be JSON.
    pub fn is_json(&self) -> bool {
        self.media_type()
            .is_some_and(|kind| kind == "application/json" || kind.ends_with("+json"))
    }

    /// The pause this answer asks for.
    pub fn retry_after(&self) -> Option<Duration> {
        retry_after::requested_pause(&self.headers)
    }

    fn kind(&self) -> ErrorKind {
        match self.status.as_u16() {
            // A 400 that is not JSON is a proxy's, for reasons of its own: plain HTTP sent to a TLS
            // port, for one.
            400 if self.is_json() => ErrorKind::BadRequest,
            401 => ErrorKind::Unauthenticated,
            403 if self.is_json() => ErrorKind::Forbidden,
            429 => ErrorKind::Throttled,
            500 => ErrorKind::ServerError,
            408 | 501..=599 => ErrorKind::Unavailable,
            300..=399 => ErrorKind::Redirected,
            400 | 200..=299 => ErrorKind::Unreadable,
            _ => ErrorKind::UnexpectedStatus,
        }
    }

    /// What the answer looks like from outside, such as `an HTML page (status 200, text/html)`.
    fn looks(&self) -> String {
        let status = self.status.as_u16();
        match self.media_type() {
            Some(kind) if kind.contains("html") => {
                format!("an HTML page (status {status}, {kind})")
            }
            Some(kind) => format!("something other than JSON (status {status}, {kind})"),
            None => format!("something without a content type (status {status})"),
        }
    }

    fn media_type(&self) -> Option<String> {
        let text = self.headers.get(CONTENT_TYPE)?.to_str().ok()?;
        let kind = text.split(';').next()?.trim().to_ascii_lowercase();
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"/+.-".contains(&byte);
        (!kind.is_empty() && kind.len() <= 60 && kind.bytes().all(plain)).then_some(kind)
    }

    fn redirect_host(&self) -> Option<String> {
        let target = Url::parse(self.headers.get(LOCATION)?.to_str().ok()?).ok()?;
        target.host_str().map(str::to_owned)
    }
}

/// What `reader` makes of the one value that a body is.
fn whole<'a, S: DeserializeSeed<'a>, R: serde_json::de::Read<'a>>(
    reader: S,
    mut body: serde_json::Deserializer<R>,
) -> serde_json::Result<S::Value> {
    let value = reader.deserialize(&mut body)?;
    body.end()?;
    Ok(value)
}

/// Where and how a body is not the JSON it should be. serde's own text would quote the body.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{what} at line {line}, column {column}")]
struct JsonError {
    what: &'static str,
    line: usize,
    column: usize,
}

impl From<&serde_json::Error> for JsonError {
    fn from(error: &serde_json::Error) -> Self {
        let what = match error.classify() {
            Category::Eof => "is cut off",
            Category::Syntax => "is broken",
            Category::Data => "is not of the expected form",
            Category::Io => "could not be read",
        };
        Self {
            what,
            line: error.line(),
            column: error.column(),
        }
    }
}
