//! The portal's public keys: its discovery document and the key set that it names.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, PoisonError, RwLock},
    time::Duration,
};

use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD as URL_SAFE_NO_PAD};
use jsonwebtoken::{DecodingKey, jwk::Jwk};
use serde::{
    Deserialize, Deserializer,
    de::{DeserializeOwned, Error as _},
};
use serde_json::Value;
use tokio::{sync::Mutex, time::Instant};
use url::Url;

use crate::{
    config::CertificateAuthority,
    upstream::{self, BuildError},
};

/// The largest discovery document or key set read, in bytes.
const MAX_BYTES: usize = 256 * 1024;

/// The most that is told of a key's name, in characters.
const LONGEST_KID: usize = 100;

/// How long what was fetched is good, and how often it may be fetched.
#[derive(Clone, Copy, Debug)]
pub struct KeyTiming {
    /// The discovery document. A day.
    pub discovery: Duration,
    /// The key set. 15 minutes.
    pub key_set: Duration,
    /// From a fetch to the next one that a token with an unknown `kid` may cause. 30 s.
    pub refetch_pause: Duration,
    /// From a failed fetch to the next one. 1 s.
    pub failure_pause: Duration,
    /// One fetch, at most. 5 s.
    pub deadline: Duration,
}

impl Default for KeyTiming {
    fn default() -> Self {
        Self {
            discovery: Duration::from_hours(24),
            key_set: Duration::from_mins(15),
            refetch_pause: Duration::from_secs(30),
            failure_pause: Duration::from_secs(1),
            deadline: Duration::from_secs(5),
        }
    }
}

/// Why there is no key for a token.
#[derive(Clone, Debug, thiserror::Error)]
pub enum KeyLookupError {
    /// The portal has no key of this name, as far as was asked.
    #[error("unknown kid")]
    Unknown,
    /// The portal could not be asked, or answered what cannot be used.
    #[error("the portal cannot be asked for its keys: {0}")]
    Portal(String),
}

/// A key with the issuer that may use it.
#[derive(Clone, Debug)]
pub struct IssuerKey {
    /// `iss` of the portal, exactly.
    pub issuer: Arc<str>,
    /// Verifies its signatures.
    pub key: DecodingKey,
}

/// Fetches, keeps and renews the portal's keys.
///
/// Readers of known keys never wait for a fetch. Fetches go one at a time; whoever comes meanwhile
/// looks at the result of that one first. So tokens with made-up `kid`s cost one fetch in
/// [`KeyTiming::refetch_pause`] however many they are, and since that fetch replaces the whole set,
/// they bring in a rotated key rather than keep it out. A failed fetch is never kept and replaces
/// nothing.
#[derive(Debug)]
pub struct PortalKeys {
    client: reqwest::Client,
    portal: Url,
    timing: KeyTiming,
    set: RwLock<Option<Arc<KeySet>>>,
    fetch: Mutex<FetchState>,
}

#[derive(Debug)]
struct KeySet {
    issuer: Arc<str>,
    keys: HashMap<String, DecodingKey>,
    good_until: Instant,
    /// When a missing `kid` may cause the next fetch.
    refetch_from: Instant,
}

/// What only the one who fetches needs.
#[derive(Debug, Default)]
struct FetchState {
    discovery: Option<(DiscoveryDocument, Instant)>,
    failed: Option<(KeyLookupError, Instant)>,
    /// Keys of the last set that could not be used, and why.
    unusable: BTreeMap<String, &'static str>,
}

#[derive(Clone, Debug, Deserialize)]
struct DiscoveryDocument {
    issuer: Arc<str>,
    #[serde(deserialize_with = "address")]
    jwks_uri: Url,
}

fn address<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Url, D::Error> {
    let text = String::deserialize(deserializer)?;
    Url::parse(&text).map_err(|_| D::Error::custom("not an address"))
}

#[derive(Deserialize)]
struct PublishedKeys {
    keys: Vec<Value>,
}

impl PortalKeys {
    /// For the portal at `portal`, which is its issuer too; `authority` may have signed its
    /// certificate. Nothing is fetched yet.
    ///
    /// # Errors
    /// When TLS cannot be set up, or a variable names an invalid proxy.
    pub fn new(
        portal: Url,
        authority: Option<&CertificateAuthority>,
        timing: KeyTiming,
    ) -> Result<Self, BuildError> {
        let client = upstream::client_builder(authority)?
            .timeout(timing.deadline)
            .build()
            .map_err(BuildError::Client)?;
        Ok(Self {
            client,
            portal,
            timing,
            set: RwLock::default(),
            fetch: Mutex::default(),
        })
    }

    /// The key named `kid`.
    ///
    /// # Errors
    /// [`KeyLookupError`].
    pub async fn key(&self, kid: &str) -> Result<IssuerKey, KeyLookupError> {
        match self.kept() {
            Some(set) if set.keys.contains_key(kid) || Instant::now() < set.refetch_from => {
                set.key(kid)
            }
            Some(_) | None => self.fetched(kid).await,
        }
    }

    fn kept(&self) -> Option<Arc<KeySet>> {
        let set = self.set.read().unwrap_or_else(PoisonError::into_inner);
        set.clone().filter(|set| Instant::now() < set.good_until)
    }

    async fn fetched(&self, kid: &str) -> Result<IssuerKey, KeyLookupError> {
        let mut fetch = self.fetch.lock().await;
        // Somebody else may have fetched, or failed to, while this one waited.
        let kept = self.kept();
        if let Some(set) = &kept
            && (set.keys.contains_key(kid) || Instant::now() < set.refetch_from)
        {
            return set.key(kid);
        }
        if let Some((failure, until)) = &fetch.failed
            && Instant::now() < *until
        {
            return Err(if kept.is_some() {
                KeyLookupError::Unknown
            } else {
                failure.clone()
            });
        }
        match self.fetch_set(&mut fetch).await {
            Ok(set) => {
                fetch.failed = None;
                let set = Arc::new(set);
                *self.set.write().unwrap_or_else(PoisonError::into_inner) = Some(Arc::clone(&set));
                set.key(kid)
            }
            Err(failure) => {
                fetch.failed = Some((failure.clone(), Instant::now() + self.timing.failure_pause));
                Err(failure)
            }
        }
    }

    /// On a failure the discovery document is forgotten too: the key set may have moved.
    async fn fetch_set(&self, fetch: &mut FetchState) -> Result<KeySet, KeyLookupError> {
        let discovery = match fetch.discovery.take() {
            Some((discovery, until)) if Instant::now() < until => (discovery, until),
            Some(_) | None => (
                self.discover().await?,
                Instant::now() + self.timing.discovery,
            ),
        };
        let keys: PublishedKeys = self.get(discovery.0.jwks_uri.clone()).await?;
        let (keys, unusable) = sorted(keys.keys);
        tell_unusable(&unusable, &fetch.unusable);
        fetch.unusable = unusable;
        let now = Instant::now();
        let set = KeySet {
            issuer: Arc::clone(&discovery.0.issuer),
            keys,
            good_until: now + self.timing.key_set,
            refetch_from: now + self.timing.refetch_pause,
        };
        fetch.discovery = Some(discovery);
        Ok(set)
    }

    /// The document must be the portal's own. It must not lead from TLS to plain text, nor in plain
    /// text to another host than the configured one.
    async fn discover(&self) -> Result<DiscoveryDocument, KeyLookupError> {
        let mut address = self.portal.clone();
        let path = format!(
            "{}/.well-known/openid-configuration",
            self.portal.path().trim_end_matches('/')
        );
        address.set_path(&path);
        let discovery: DiscoveryDocument = self.get(address).await?;
        let bare = |text: &str| text.trim_end_matches('/').to_owned();
        if bare(&discovery.issuer) != bare(self.portal.as_str()) {
            return Err(KeyLookupError::Portal(
                "its discovery document names another issuer".to_owned(),
            ));
        }
        if discovery.jwks_uri.scheme() != "https" {
            if self.portal.scheme() == "https" {
                return Err(KeyLookupError::Portal(
                    "its keys are not on https".to_owned(),
                ));
            }
            if self.portal.host() != discovery.jwks_uri.host() {
                return Err(KeyLookupError::Portal(
                    "its keys are in plain text on another host".to_owned(),
                ));
            }
        }
        Ok(discovery)
    }

    async fn get<T: DeserializeOwned>(&self, address: Url) -> Result<T, KeyLookupError> {
        let failed = |error: reqwest::Error| {
            KeyLookupError::Portal(upstream::innermost(&error.without_url()))
        };
        let mut response = self.client.get(address).send().await.map_err(failed)?;
        if !response.status().is_success() {
            return Err(KeyLookupError::Portal(format!(
                "it answered {}",
                response.status()
            )));
        }
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(failed)? {
            if body.len() + chunk.len() > MAX_BYTES {
                return Err(KeyLookupError::Portal("its answer is too large".to_owned()));
            }
            body.extend_from_slice(&chunk);
        }
        serde_json::from_slice(&body)
            .map_err(|_| KeyLookupError::Portal("its response is not valid".to_owned()))
    }
}

impl KeySet {
    fn key(&self, kid: &str) -> Result<IssuerKey, KeyLookupError> {
        let key = self.keys.get(kid).ok_or(KeyLookupError::Unknown)?;
        Ok(IssuerKey {
            issuer: Arc::clone(&self.issuer),
            key: key.clone(),
        })
    }
}

/// The keys that verify, by their names, and what is wrong with those that were meant to.
///
/// Keys of other kinds and uses stand in the same set; they are nobody's mistake and none of ours.
fn sorted(keys: Vec<Value>) -> (HashMap<String, DecodingKey>, BTreeMap<String, &'static str>) {
    let (mut usable, mut unusable) = (HashMap::new(), BTreeMap::new());
    for key in keys.into_iter().filter(is_meant) {
        let kid = key.get("kid").and_then(Value::as_str);
        let Some(kid) = kid.map(str::to_owned) else {
            unusable.insert(String::new(), "it has no kid");
            continue;
        };
        match verifying(key) {
            Ok(key) => {
                if usable.insert(kid.clone(), key).is_some() {
                    unusable.insert(kid, "two keys have this name; the last one counts");
                }
            }
            Err(why) => {
                unusable.insert(kid, why);
            }
        }
    }
    (usable, unusable)
}

/// The library takes a key whose modulus begins with a zero (against RFC 7518, 6.3.1.1), and no
/// signature with it.
fn verifying(key: Value) -> Result<DecodingKey, &'static str> {
    const FORM: &str = "its numbers are not base64url without padding";
    let modulus = key.get("n").and_then(Value::as_str);
    match modulus.and_then(|modulus| URL_SAFE_NO_PAD.decode(modulus).ok()) {
        Some(bytes) if bytes.first() == Some(&0) => return Err("its modulus begins with a zero"),
        Some(_) => {}
        None => return Err(FORM),
    }
    let jwk: Jwk = serde_json::from_value(key).map_err(|_| FORM)?;
    DecodingKey::from_jwk(&jwk).map_err(|_| FORM)
}

/// Whether it is to verify what this service reads.
fn is_meant(key: &Value) -> bool {
    let is = |name: &str, wanted: &str| key.get(name).is_none_or(|value| value == wanted);
    key.get("kty").is_some_and(|kind| kind == "RSA") && is("alg", "RS256") && is("use", "sig")
}

/// Once a key, as long as it stays as it is.
fn tell_unusable(unusable: &BTreeMap<String, &'static str>, told: &BTreeMap<String, &'static str>) {
    for (kid, why) in unusable.iter().filter(|(kid, _)| !told.contains_key(*kid)) {
        let kid: String = kid.chars().take(LONGEST_KID).collect();
        tracing::warn!(
            event = "portal_key_unusable",
            kid,
            why,
            "the portal publishes a key that cannot be used: {why}"
        );
    }
}
