//! What a provisioning call shows: the portal's token, and an identity token where one is asked for.

use std::{
    fmt,
    sync::{Mutex, PoisonError},
};

use futures::future::BoxFuture;
use jiff::{SignedDuration, Timestamp};
use reqwest::header::{HeaderName, HeaderValue};

use super::identity_token::IdentityTokens;
use crate::{
    gate::ErrorKind,
    namespaces::{
        contract::claims::{HEADER, LIFETIME},
        portal::signing_keys::SigningKeys,
    },
    upstream::{Authorize, Fault},
};

/// A token, used until half of its life is over.
pub(super) struct PortalToken {
    keys: SigningKeys,
    current: Mutex<Option<SignedToken>>,
    /// For what stands in front of the API.
    identity: Option<IdentityTokens>,
}

#[derive(Clone)]
struct SignedToken {
    value: HeaderValue,
    signed: Timestamp,
    key_id: Option<String>,
}

impl PortalToken {
    /// Signed by `keys`, beside the tokens of `identity`.
    pub(super) fn new(keys: SigningKeys, identity: Option<IdentityTokens>) -> Self {
        Self {
            keys,
            current: Mutex::default(),
            identity,
        }
    }

    /// Of the key of that name.
    fn value(&self, key_id: Option<String>) -> Result<HeaderValue, Fault> {
        let now = Timestamp::now();
        let mut current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        let half = SignedDuration::try_from(LIFETIME / 2).unwrap_or_default();
        if let Some(token) = &*current
            && token.key_id == key_id
            && now.duration_since(token.signed).abs() < half
        {
            return Ok(token.value.clone());
        }
        let refused = |why: &'static str| {
            Fault::new(ErrorKind::Unauthenticated, format!("not called: {why}"))
        };
        let token = self
            .keys
            .token(now)
            .map_err(|error| refused("no token could be signed").caused_by(error))?;
        let mut value =
            HeaderValue::from_str(&token).map_err(|_| refused("the token is no header"))?;
        value.set_sensitive(true);
        *current = Some(SignedToken {
            value: value.clone(),
            signed: now,
            key_id,
        });
        Ok(value)
    }

    /// Forgets `used`; whether it was the token in use.
    fn forget(&self, used: &HeaderValue) -> bool {
        let mut current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        current.take_if(|token| token.value == used).is_some()
    }
}

impl fmt::Debug for PortalToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PortalToken").finish_non_exhaustive()
    }
}

impl Authorize for PortalToken {
    fn header(&self) -> BoxFuture<'_, Result<Option<(HeaderName, HeaderValue)>, Fault>> {
        Box::pin(async move {
            let token = self.value(self.keys.refresh().await)?;
            Ok(Some((HeaderName::from_static(HEADER), token)))
        })
    }

    fn front_header(&self) -> BoxFuture<'_, Result<Option<(HeaderName, HeaderValue)>, Fault>> {
        Box::pin(async move {
            match &self.identity {
                Some(identity) => identity.header().await.map(Some),
                None => Ok(None),
            }
        })
    }

    /// The key may have been replaced in its file, and a fresh token is another one in any case.
    /// Whether the API refused or what stands in front of it is not told.
    fn renew<'a>(&'a self, used: &'a HeaderValue) -> BoxFuture<'a, bool> {
        Box::pin(async move {
            if let Some(identity) = &self.identity {
                identity.forget().await;
            }
            if self.forget(used) {
                self.keys.reload().await;
            }
            true
        })
    }
}
