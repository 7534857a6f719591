//! The portal's keys: one signs, all are published.

use std::{path::Path, sync::Arc};

use jiff::Timestamp;
use jsonwebtoken::{
    Algorithm, DecodingKey, EncodingKey, Header, encode,
    jwk::{Jwk, JwkSet, PublicKeyUse, ThumbprintHash},
};
use serde::Serialize;
use url::Url;
use uuid::Uuid;

use crate::config::objection;
use crate::namespaces::contract::claims::{AUDIENCE, LIFETIME, SUBJECT};

/// How far `iat` lies back, in seconds, and why there is no `nbf`: GitLab has no leeway, and refuses a token of a clock that
/// is one second ahead of its own.
const BACKDATED: i64 = 30;

/// Keys that cannot be used. No text holds anything of a key.
#[derive(Debug, thiserror::Error)]
pub enum SigningKeyError {
    /// No such file, or not to be read.
    #[error("the key file {0} cannot be read")]
    File(String, #[source] std::io::Error),
    /// Saved in another encoding.
    #[error("the key file {0} {1}")]
    Encoding(String, &'static str),
    /// Not what it must be.
    #[error("the key file {0} holds no RSA {1} key in PEM form")]
    Form(String, &'static str),
    /// The library refused.
    #[error("the key cannot be used")]
    Unusable(#[source] jsonwebtoken::errors::Error),
}

/// What signs, and what is published. Cheap to clone.
#[derive(Clone)]
pub struct SigningKeys {
    issuer: Arc<str>,
    signing: Arc<(Header, EncodingKey)>,
    published: Arc<JwkSet>,
}

#[derive(Serialize)]
struct SignedClaims<'a> {
    iss: &'a str,
    aud: &'static str,
    sub: &'static str,
    iat: i64,
    exp: i64,
    jti: String,
}

impl SigningKeys {
    /// The keys of the portal at `portal`: the private key in `signing` signs, and it and those in `others` are published.
    ///
    /// # Errors
    /// [`KeyError`].
    pub fn load(
        portal: &Url,
        signing: &Path,
        others: &[impl AsRef<Path>],
    ) -> Result<Self, SigningKeyError> {
        let others = others
            .iter()
            .map(|path| public(path.as_ref(), &read(path.as_ref())?))
            .collect::<Result<Vec<_>, _>>()?;
        Self::of(portal, signing, &read(signing)?, others)
    }

    fn of(
        portal: &Url,
        path: &Path,
        pem: &[u8],
        others: Vec<Jwk>,
    ) -> Result<Self, SigningKeyError> {
        let key = EncodingKey::from_rsa_pem(pem).map_err(|_| form(path, "private"))?;
        let own = named(Jwk::from_encoding_key(&key, Algorithm::RS256))?;
        let mut header = Header::new(Algorithm::RS256);
        header.kid.clone_from(&own.common.key_id);
        let mut keys = vec![own];
        for other in others {
            if keys
                .iter()
                .all(|key| key.common.key_id != other.common.key_id)
            {
                keys.push(other);
            }
        }
        Ok(Self {
            // An issuer is compared as text: without the slash that an address without a path has.
            issuer: portal.as_str().trim_end_matches('/').into(),
            signing: Arc::new((header, key)),
            published: Arc::new(JwkSet { keys }),
        })
    }

    /// `iss`.
    pub fn issuer(&self) -> &str {
        &self.issuer
    }

    /// What the portal publishes.
    pub fn published(&self) -> &JwkSet {
        &self.published
    }

    /// A token for the provisioning API, good for [`LIFETIME`] from `now`.
    ///
    /// # Errors
    /// When the key cannot sign.
    pub fn token(&self, now: Timestamp) -> Result<String, SigningKeyError> {
        let now = now.as_second();
        let claims = SignedClaims {
            iss: &self.issuer,
            aud: AUDIENCE,
            sub: SUBJECT,
            iat: now - BACKDATED,
            exp: now + i64::try_from(LIFETIME.as_secs()).unwrap_or(0),
            jti: Uuid::new_v4().to_string(),
        };
        let (header, key) = &*self.signing;
        encode(header, &claims, key).map_err(SigningKeyError::Unusable)
    }
}

impl std::fmt::Debug for SigningKeys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Keys")
            .field("issuer", &self.issuer)
            .finish_non_exhaustive()
    }
}

fn read(path: &Path) -> Result<Vec<u8>, SigningKeyError> {
    let name = || path.display().to_string();
    let pem = std::fs::read(path).map_err(|error| SigningKeyError::File(name(), error))?;
    match objection(&pem) {
        Some(objection) => Err(SigningKeyError::Encoding(name(), objection)),
        None => Ok(pem),
    }
}

fn form(path: &Path, kind: &'static str) -> SigningKeyError {
    SigningKeyError::Form(path.display().to_string(), kind)
}

/// Of a private key too: the next one to sign is often at hand only as that.
fn public(path: &Path, pem: &[u8]) -> Result<Jwk, SigningKeyError> {
    match EncodingKey::from_rsa_pem(pem) {
        Ok(key) if is_private(pem) => named(Jwk::from_encoding_key(&key, Algorithm::RS256)),
        Ok(_) | Err(_) => {
            let key =
                DecodingKey::from_rsa_pem(pem).map_err(|_| form(path, "private or public"))?;
            named(Jwk::from_decoding_key(&key, Some(Algorithm::RS256)))
        }
    }
}

fn is_private(pem: &[u8]) -> bool {
    let marker = b"PRIVATE KEY";
    pem.windows(marker.len()).any(|window| window == marker)
}

/// Its name is its thumbprint (RFC 7638): the same key has the same name everywhere, and no two have the same.
fn named(key: Result<Jwk, jsonwebtoken::errors::Error>) -> Result<Jwk, SigningKeyError> {
    let mut key = key.map_err(SigningKeyError::Unusable)?;
    let name = key
        .thumbprint(ThumbprintHash::SHA256)
        .map_err(SigningKeyError::Unusable)?;
    key.common.key_id = Some(name);
    key.common.public_key_use = Some(PublicKeyUse::Signature);
    Ok(key)
}
