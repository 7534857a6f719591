//! Whether a call is the portal's.

use jsonwebtoken::{Algorithm, Validation, decode, decode_header, errors::ErrorKind};
use serde::Deserialize;

pub use super::portal_keys::KeyLookupError;
use super::portal_keys::{IssuerKey, PortalKeys};
use crate::namespaces::contract::claims::{AUDIENCE, SUBJECT};

/// The longest token read, in bytes; the portal's are well under 1 KiB.
const MAX_BYTES: usize = 8 * 1024;

/// How far the portal's clock may be off, in seconds.
const LEEWAY: u64 = 30;

/// Why a token is refused. All of them look the same from outside.
#[derive(Debug, thiserror::Error)]
pub enum TokenError {
    /// No token, or more than one.
    #[error("no token, or more than one")]
    Missing,
    /// It is longer than any of the portal's.
    #[error("oversized")]
    TooLarge,
    /// It is not a JWT, has no `kid`, or requires extensions.
    #[error("malformed")]
    Malformed,
    /// Signed in another way than RS256, or not at all.
    #[error("not signed with RS256")]
    Algorithm,
    /// No key to verify it with.
    #[error(transparent)]
    Key(#[from] KeyLookupError),
    /// Its signature or a claim is wrong.
    #[error("{0:?}")]
    Wrong(ErrorKind),
}

/// The claims beyond what the library checks: an issuer is one name, although the library would
/// also take a list with the right one in it.
#[derive(Deserialize)]
struct VerifiedClaims {
    #[serde(rename = "iss")]
    _issuer: String,
}

/// Passes a token that the portal signed for this service and that is in force now. Whatever can be
/// judged without the portal is judged before it is asked.
///
/// # Errors
/// [`TokenError`].
pub async fn verify(token: &str, keys: &PortalKeys) -> Result<(), TokenError> {
    if token.len() > MAX_BYTES {
        return Err(TokenError::TooLarge);
    }
    let header = decode_header(token).map_err(|error| match error.kind() {
        // `none` and other names that are no algorithm.
        ErrorKind::InvalidAlgorithmName | ErrorKind::Json(_) => TokenError::Algorithm,
        _ => TokenError::Malformed,
    })?;
    if header.alg != Algorithm::RS256 {
        return Err(TokenError::Algorithm);
    }
    let kid = header
        .kid
        .filter(|_| header.crit.is_none())
        .ok_or(TokenError::Malformed)?;
    let IssuerKey { issuer, key } = keys.key(&kid).await?;
    decode::<VerifiedClaims>(token, &key, &validation(&issuer))
        .map_err(|error| TokenError::Wrong(error.into_kind()))?;
    Ok(())
}

fn validation(issuer: &str) -> Validation {
    let mut validation = Validation::new(Algorithm::RS256);
    validation.leeway = LEEWAY;
    validation.validate_nbf = true;
    validation.set_audience(&[AUDIENCE]);
    validation.set_issuer(&[issuer]);
    validation.sub = Some(SUBJECT.to_owned());
    validation.set_required_spec_claims(&["exp", "iss", "aud", "sub"]);
    validation
}
