//! HTTP Basic: a group's short name and password, or a client's id and secret at the token endpoint.

use base64::{Engine, prelude::BASE64_STANDARD};
use reqwest::header::{AUTHORIZATION, HeaderValue};
use secrecy::{ExposeSecret, SecretString};

use crate::upstream::FixedHeader;

/// The header's value, marked sensitive (RFC 7617).
pub(super) fn header(username: &str, password: &SecretString) -> Option<HeaderValue> {
    let mut value = HeaderValue::from_str(&credentials(username, password)).ok()?;
    value.set_sensitive(true);
    Some(value)
}

/// The header on every request.
pub(super) fn fixed(username: &str, password: &SecretString) -> Option<FixedHeader> {
    FixedHeader::new(AUTHORIZATION, &credentials(username, password))
}

fn credentials(username: &str, password: &SecretString) -> String {
    let pair = SecretString::from(format!("{username}:{}", password.expose_secret()));
    format!("Basic {}", BASE64_STANDARD.encode(pair.expose_secret()))
}
