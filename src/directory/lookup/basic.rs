//! HTTP Basic: a group's short name and password, or a client's id and secret at the token
//! endpoint.

use base64::{Engine, prelude::BASE64_STANDARD};
use secrecy::{ExposeSecret, SecretString};

use crate::{
    config::Secret,
    upstream::{Credential, credential_of},
};

/// The header's value, marked sensitive (RFC 7617). `setting` names the password in the log.
pub(super) fn credential(
    setting: &'static str,
    username: &str,
    password: &Secret,
) -> Option<Credential> {
    let username = username.to_owned();
    credential_of(setting, password, move |password| {
        let pair = SecretString::from(format!("{username}:{password}"));
        format!("Basic {}", BASE64_STANDARD.encode(pair.expose_secret()))
    })
}
