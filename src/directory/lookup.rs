//! The Lookup web service, by the API gateway or directly.
//!
//! Facts are those of its OpenAPI description and of Cambridge's published clients.

mod basic;
mod changes;
mod envelope;
mod list;
mod people;
mod token;

use std::sync::{Arc, Mutex};

use futures::{StreamExt, TryStreamExt, future::BoxFuture, stream};
use reqwest::header::{ACCEPT, AUTHORIZATION, HeaderValue};
use url::Url;

use self::{people::Batches, token::TokenSource};
use super::{ChangedPeople, ControlPeople, Crsid, Directory, DirectoryMark, Standings};
use crate::{
    config::{self, LookupCredentials},
    gate::{CallKind, Gate, UpstreamId},
    upstream::{
        Authorize, BuildError, CallError, Exchange, HttpTransport, SecretHeader, Transport,
        Upstream, UpstreamRequest, UpstreamSettings, warn_without_clock,
    },
};

static GATEWAY: UpstreamSettings = UpstreamSettings {
    url: "LOOKUP_URL",
    authority: "directory.ca_file",
    credentials: "LOOKUP_CLIENT_ID and LOOKUP_CLIENT_SECRET",
    rights: "a client that is allowed to use the Lookup API",
};

static DIRECT: UpstreamSettings = UpstreamSettings {
    url: "LOOKUP_URL",
    authority: "directory.ca_file",
    credentials: "LOOKUP_USERNAME and LOOKUP_PASSWORD",
    rights: "a group that may read cancelled people",
};

/// Lookup as this process asks it.
#[derive(Clone, Debug)]
pub struct Lookup {
    upstream: Upstream,
    base: Url,
    batch_size: usize,
    in_flight: usize,
    controls: ControlPeople,
    /// Somebody whom it has shown, to be asked for when others cannot be shown.
    shown: Arc<Mutex<Option<Crsid>>>,
}

impl Lookup {
    /// A client for `config`; no call is made yet.
    ///
    /// # Errors
    /// An address or credentials that HTTP cannot carry.
    pub fn new(config: &config::LookupConfig) -> Result<Self, BuildError> {
        Self::over(Arc::new(HttpTransport::new(&config.calls)?), config)
    }

    /// A client over another transport than HTTP.
    ///
    /// # Errors
    /// An address or credentials that HTTP cannot carry.
    pub fn over(
        transport: Arc<dyn Transport>,
        config: &config::LookupConfig,
    ) -> Result<Self, BuildError> {
        if config.url.cannot_be_a_base() {
            return Err(BuildError::Address("LOOKUP_URL"));
        }
        let line = Exchange::new(UpstreamId::Lookup, transport, config.calls.timeout);
        let (settings, authorize) = credentials(&config.credentials, &line)?;
        Ok(Self {
            upstream: Upstream::new(line, &config.calls, settings, authorize, None),
            base: config.url.clone(),
            batch_size: config.batch_size.max(1),
            in_flight: config.calls.concurrency.max(1),
            controls: ControlPeople::default(),
            shown: Arc::default(),
        })
    }

    /// The same, believing no answer that is wrong about `controls`, who are in every question
    /// beside the people it is about.
    #[must_use]
    pub fn controlled_by(self, controls: ControlPeople) -> Self {
        Self { controls, ..self }
    }

    /// `last-transaction`, a number that only rises: the neutral probe.
    ///
    /// # Errors
    /// See [`CallError`].
    pub async fn last_transaction(&self) -> Result<u64, CallError> {
        let call = self.call("last_transaction", &["last-transaction"], None);
        self.upstream.read(&call, envelope::number).await
    }

    /// Requests sent by this client and its clones.
    pub fn calls_made(&self) -> u32 {
        self.upstream.calls_made()
    }

    /// The length of the address of `person/list` with nobody but the controls.
    fn url_without_people(&self) -> usize {
        let controls = self.controls.beside(&[]);
        self.list_call(&controls).url.as_str().len() + people::SEPARATOR
    }

    /// How many people beside the controls are in one call, at most.
    fn people_in_one_call(&self) -> usize {
        self.batch_size.saturating_sub(self.controls.len()).max(1)
    }

    fn call(
        &self,
        operation: &'static str,
        path: &[&str],
        crsids: Option<&str>,
    ) -> UpstreamRequest {
        let mut url = self.base.clone();
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.pop_if_empty().extend(path);
        }
        if let Some(crsids) = crsids {
            url.query_pairs_mut().clear().append_pair("crsids", crsids);
        }
        let mut call = UpstreamRequest::get(operation, url);
        call.headers
            .insert(ACCEPT, HeaderValue::from_static("application/json"));
        call
    }
}

impl Directory for Lookup {
    fn standings<'a>(&'a self, people: &'a [Crsid]) -> BoxFuture<'a, Result<Standings, CallError>> {
        Box::pin(async move {
            let batches: Vec<_> =
                Batches::new(people, self.people_in_one_call(), self.url_without_people())
                    .collect();
            stream::iter(batches)
                .map(|batch| self.list(batch))
                .buffer_unordered(self.in_flight)
                .try_fold(Standings::default(), |mut all, part| async {
                    all.add(part);
                    Ok(all)
                })
                .await
        })
    }

    fn people_in_one_question(&self) -> usize {
        people::surely_in_one(self.people_in_one_call(), self.url_without_people())
    }

    fn mark(&self) -> BoxFuture<'_, Result<Option<DirectoryMark>, CallError>> {
        Box::pin(async { self.last_transaction().await.map(DirectoryMark).map(Some) })
    }

    fn changed_people(
        &self,
        mark: DirectoryMark,
    ) -> BoxFuture<'_, Result<ChangedPeople, CallError>> {
        Box::pin(self.modified_people(mark))
    }

    fn keep_time(&self) {
        self.upstream.keep_time();
        if self.upstream.is_without_clock() {
            warn_without_clock();
        }
    }

    fn gates(&self) -> Vec<Arc<Gate>> {
        vec![self.upstream.gate(CallKind::Read)]
    }
}

fn credentials(
    config: &LookupCredentials,
    line: &Exchange,
) -> Result<(&'static UpstreamSettings, Box<dyn Authorize>), BuildError> {
    Ok(match config {
        LookupCredentials::Gateway {
            token_url,
            client_id,
            client_secret,
            scope,
        } => {
            let client = basic::credential("LOOKUP_CLIENT_SECRET", client_id, client_secret)
                .ok_or(BuildError::Credentials("LOOKUP_CLIENT_SECRET"))?;
            let source =
                TokenSource::new(line.clone(), token_url.clone(), client, scope.as_deref());
            (&GATEWAY, Box::new(source))
        }
        LookupCredentials::Basic { username, password } => {
            let credential = basic::credential("LOOKUP_PASSWORD", username, password)
                .ok_or(BuildError::Credentials("LOOKUP_PASSWORD"))?;
            let header = SecretHeader::new(AUTHORIZATION, credential);
            (&DIRECT, Box::new(header))
        }
    })
}
