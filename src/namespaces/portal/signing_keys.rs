//! The portal's keys: one signs, all are published.

use std::{
    fmt,
    path::{Path, PathBuf},
    sync::Arc,
};

use jiff::Timestamp;
use jsonwebtoken::{
    Algorithm, DecodingKey, EncodingKey, Header, encode,
    jwk::{Jwk, JwkSet, PublicKeyUse, ThumbprintHash},
};
use serde::Serialize;
use url::Url;
use uuid::Uuid;

use crate::{
    config::objection,
    namespaces::contract::claims::{AUDIENCE, LIFETIME, SUBJECT},
    telemetry::causes,
    upstream::Reloaded,
};

/// How far `iat` lies back, in seconds, and why there is no `nbf`: GitLab has no leeway, and
/// refuses a token of a clock that is one second ahead of its own.
const BACKDATED: i64 = 30;

/// What the file of the key that signs is called.
const SETTING: &str = "PORTAL_SIGNING_KEY_FILE";

/// Keys that cannot be used. No text contains any part of a key.
#[derive(Debug, thiserror::Error)]
pub enum SigningKeyError {
    /// No such file, or not to be read.
    #[error("the key file {0} cannot be read")]
    File(String, #[source] std::io::Error),
    /// Saved in another encoding.
    #[error("the key file {0} {1}")]
    Encoding(String, &'static str),
    /// Not what it must be.
    #[error("the key file {0} contains no RSA {1} key in PEM form")]
    Form(String, &'static str),
    /// The library refused.
    #[error("the key cannot be used")]
    Unusable(#[source] jsonwebtoken::errors::Error),
}

/// What signs, and what is published. Cheap to clone.
///
/// The files are read again every 30 s, and at once when a token is refused: a key is rotated
/// without a restart.
#[derive(Clone)]
pub struct SigningKeys {
    issuer: Arc<str>,
    keys: Arc<Reloaded<Arc<LoadedKeys>>>,
}

/// Where the keys stand.
#[derive(Debug)]
struct KeyFiles {
    signing: PathBuf,
    published: Vec<PathBuf>,
}

struct LoadedKeys {
    header: Header,
    key: EncodingKey,
    published: JwkSet,
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
    /// The keys of the portal at `portal`: the private key in `signing` signs, and it and those in
    /// `others` are published.
    ///
    /// # Errors
    /// [`SigningKeyError`].
    pub fn load(
        portal: &Url,
        signing: &Path,
        others: &[impl AsRef<Path>],
    ) -> Result<Self, SigningKeyError> {
        let files = KeyFiles {
            signing: signing.to_owned(),
            published: others.iter().map(|path| path.as_ref().to_owned()).collect(),
        };
        let keys = Arc::new(files.read()?);
        let read = move || {
            let keys = files
                .read()
                .map_err(|problem| causes::on_one_line(&problem));
            keys.map(Arc::new)
        };
        Ok(Self {
            // An issuer is compared as text: without the slash that an address without a path has.
            issuer: portal.as_str().trim_end_matches('/').into(),
            keys: Arc::new(Reloaded::new(SETTING, keys, read)),
        })
    }

    /// `iss`.
    pub fn issuer(&self) -> &str {
        &self.issuer
    }

    /// What the portal publishes.
    pub async fn published(&self) -> JwkSet {
        self.keys.value().await.published.clone()
    }

    /// A token for the provisioning API, valid for [`LIFETIME`] from `now`.
    ///
    /// # Errors
    /// When the key cannot sign.
    pub fn token(&self, now: Timestamp) -> Result<String, SigningKeyError> {
        let now = now.as_second();
        let claims = SignedClaims {
            iss: self.issuer(),
            aud: AUDIENCE,
            sub: SUBJECT,
            iat: now - BACKDATED,
            exp: now + i64::try_from(LIFETIME.as_secs()).unwrap_or(0),
            jti: Uuid::new_v4().to_string(),
        };
        let keys = self.keys.last();
        encode(&keys.header, &claims, &keys.key).map_err(SigningKeyError::Unusable)
    }

    /// The name of the key that signs. Reads the files again if that was last done 30 s ago or more.
    pub async fn refresh(&self) -> Option<String> {
        self.keys.value().await.header.kid.clone()
    }

    /// Reads the files again. Files that cannot be used change nothing.
    pub async fn reload(&self) {
        self.keys.reload().await;
    }
}

impl PartialEq for LoadedKeys {
    /// A key's name is made of the key.
    fn eq(&self, other: &Self) -> bool {
        self.header == other.header && self.published == other.published
    }
}

impl fmt::Debug for SigningKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SigningKeys")
            .field("issuer", &self.issuer)
            .finish_non_exhaustive()
    }
}

impl KeyFiles {
    fn read(&self) -> Result<LoadedKeys, SigningKeyError> {
        let pem = read(&self.signing)?;
        let key = EncodingKey::from_rsa_pem(&pem).map_err(|_| form(&self.signing, "private"))?;
        let own = named(Jwk::from_encoding_key(&key, Algorithm::RS256))?;
        let mut header = Header::new(Algorithm::RS256);
        header.kid.clone_from(&own.common.key_id);
        let mut keys = vec![own];
        for path in &self.published {
            let other = public(path, &read(path)?)?;
            let is_other = |key: &Jwk| key.common.key_id != other.common.key_id;
            if keys.iter().all(is_other) {
                keys.push(other);
            }
        }
        Ok(LoadedKeys {
            header,
            key,
            published: JwkSet { keys },
        })
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

/// Its name is its thumbprint (RFC 7638): the same key has the same name everywhere, and no two
/// have the same.
fn named(key: Result<Jwk, jsonwebtoken::errors::Error>) -> Result<Jwk, SigningKeyError> {
    let mut key = key.map_err(SigningKeyError::Unusable)?;
    let name = key
        .thumbprint(ThumbprintHash::SHA256)
        .map_err(SigningKeyError::Unusable)?;
    key.common.key_id = Some(name);
    key.common.public_key_use = Some(PublicKeyUse::Signature);
    Ok(key)
}
