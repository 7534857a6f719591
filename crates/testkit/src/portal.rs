//! A portal: its discovery document, its keys, and tokens of every kind.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, SystemTime},
};

use aws_lc_rs::{
    encoding::AsDer,
    rand::SystemRandom,
    rsa::{KeyPair, KeySize},
    signature::{KeyPair as _, RSA_PKCS1_SHA256, RsaEncoding},
};
use axum::{Json, Router, extract::State, http::StatusCode, response::IntoResponse, routing::get};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::{Value, json};
use tokio::net::TcpListener;

/// A key pair with its `kid`.
#[derive(Debug)]
pub struct PortalKey {
    /// Its name in a key set.
    pub kid: String,
    pair: KeyPair,
}

impl PortalKey {
    /// A new pair.
    pub fn new(kid: &str) -> Self {
        Self {
            kid: kid.to_owned(),
            pair: KeyPair::generate(KeySize::Rsa2048).unwrap(),
        }
    }

    /// As it stands in a key set.
    pub fn jwk(&self) -> Value {
        let public = self.pair.public_key();
        let text = |number: &[u8]| URL_SAFE_NO_PAD.encode(number);
        json!({
            "kty": "RSA", "use": "sig", "alg": "RS256", "kid": self.kid,
            "n": text(public.modulus().big_endian_without_leading_zero()),
            "e": text(public.exponent().big_endian_without_leading_zero()),
        })
    }

    /// What an attacker would take for an HMAC secret.
    pub fn public_der(&self) -> Vec<u8> {
        self.pair.public_key().as_der().unwrap().as_ref().to_vec()
    }

    /// A token with any header and claims, signed with RS256 whatever the header says.
    pub fn sign(&self, header: &Value, claims: &Value) -> String {
        self.sign_with(&RSA_PKCS1_SHA256, header, claims)
    }

    /// The same, signed otherwise.
    pub fn sign_with(
        &self,
        encoding: &'static dyn RsaEncoding,
        header: &Value,
        claims: &Value,
    ) -> String {
        let message = unsigned(header, claims);
        let mut signature = vec![0; self.pair.public_modulus_len()];
        let random = SystemRandom::new();
        self.pair
            .sign(encoding, &random, message.as_bytes(), &mut signature)
            .unwrap();
        format!("{message}.{}", URL_SAFE_NO_PAD.encode(signature))
    }

    /// The header of a good token.
    pub fn header(&self) -> Value {
        json!({ "alg": "RS256", "typ": "JWT", "kid": self.kid })
    }
}

/// `header.claims`, without a signature.
pub fn unsigned(header: &Value, claims: &Value) -> String {
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    format!("{}.{}", part(header), part(claims))
}

/// What the portal serves now.
#[derive(Debug, Default)]
pub struct PortalAnswers {
    /// The key set.
    pub keys: Vec<Value>,
    /// Another issuer than its own.
    pub issuer: Option<String>,
    /// Another address of the key set than its own.
    pub key_set: Option<String>,
    /// Answer 503 instead.
    pub down: bool,
    /// Answer the key set this late.
    pub delay: Duration,
}

/// A portal on a port of its own, with one key.
#[derive(Debug)]
pub struct TestPortal {
    /// Where it listens.
    pub address: String,
    /// Its first key.
    pub key: PortalKey,
    /// What it serves.
    pub served: Arc<Mutex<PortalAnswers>>,
    discoveries: Arc<AtomicUsize>,
    fetches: Arc<AtomicUsize>,
}

#[derive(Clone)]
struct PortalServer {
    address: String,
    served: Arc<Mutex<PortalAnswers>>,
    discoveries: Arc<AtomicUsize>,
    fetches: Arc<AtomicUsize>,
}

impl TestPortal {
    /// Starts it; it ends with the test.
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let key = PortalKey::new("first");
        let shared = PortalServer {
            address: address.clone(),
            served: Arc::default(),
            discoveries: Arc::default(),
            fetches: Arc::default(),
        };
        shared.served.lock().unwrap().keys.push(key.jwk());
        let router = Router::new()
            .route("/.well-known/openid-configuration", get(discovery))
            .route("/keys", get(keys))
            .with_state(shared.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        let PortalServer {
            served,
            discoveries,
            fetches,
            ..
        } = shared;
        Self {
            address,
            key,
            served,
            discoveries,
            fetches,
        }
    }

    /// Changes what it serves from now on.
    pub fn serve(&self, change: impl FnOnce(&mut PortalAnswers)) {
        change(&mut self.served.lock().unwrap());
    }

    /// How often the key set was asked for.
    pub fn fetches(&self) -> usize {
        self.fetches.load(Ordering::SeqCst)
    }

    /// How often the discovery document was asked for.
    pub fn discoveries(&self) -> usize {
        self.discoveries.load(Ordering::SeqCst)
    }

    /// The claims of a good token.
    pub fn claims(&self) -> Value {
        let now = now();
        json!({
            "iss": self.address, "aud": "gitlab-subscriptions", "sub": "customers-dot-internal-api",
            "iat": now, "nbf": now, "exp": now + 300,
        })
    }

    /// A good token.
    pub fn token(&self) -> String {
        self.key.sign(&self.key.header(), &self.claims())
    }
}

/// Seconds since 1970.
pub fn now() -> i64 {
    let now = SystemTime::UNIX_EPOCH.elapsed().unwrap().as_secs();
    i64::try_from(now).unwrap()
}

async fn discovery(State(shared): State<PortalServer>) -> axum::response::Response {
    shared.discoveries.fetch_add(1, Ordering::SeqCst);
    let served = shared.served.lock().unwrap();
    if served.down {
        return StatusCode::SERVICE_UNAVAILABLE.into_response();
    }
    let issuer = served.issuer.as_ref().unwrap_or(&shared.address);
    let jwks_uri = served.key_set.clone();
    let jwks_uri = jwks_uri.unwrap_or_else(|| format!("{}/keys", shared.address));
    Json(json!({ "issuer": issuer, "jwks_uri": jwks_uri })).into_response()
}

async fn keys(State(shared): State<PortalServer>) -> axum::response::Response {
    shared.fetches.fetch_add(1, Ordering::SeqCst);
    let (keys, down, delay) = {
        let served = shared.served.lock().unwrap();
        (served.keys.clone(), served.down, served.delay)
    };
    tokio::time::sleep(delay).await;
    if down {
        return StatusCode::SERVICE_UNAVAILABLE.into_response();
    }
    Json(json!({ "keys": keys })).into_response()
}
