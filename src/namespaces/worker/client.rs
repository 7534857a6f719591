//! The provisioning call, as the portal side makes it.

use std::{
    error::Error,
    sync::{
        Arc,
        atomic::{AtomicU16, Ordering},
    },
};

use reqwest::{
    Method,
    header::{CONTENT_TYPE, HeaderMap, HeaderValue},
};
use serde::Deserialize;
use url::Url;

use super::{identity_token::IdentityTokens, portal_token::PortalToken};
use crate::namespaces::{
    contract::{
        document::Document,
        response::{PartResults, ProvisionResponse},
    },
    portal::signing_keys::SigningKeys,
};
use crate::{
    config::CallsConfig,
    gate::{CallKind, Gate, Subject, UpstreamId},
    pause::WriteSwitch,
    upstream::{
        BuildError, CallError, ClaimedScope, Exchange, Fault, HttpTransport, TransportError,
        Upstream, UpstreamRequest, UpstreamResponse, UpstreamSettings,
    },
};

static SETTINGS: UpstreamSettings = UpstreamSettings {
    url: "namespaces.provisioning_url",
    credentials: "PORTAL_URL and PORTAL_SIGNING_KEY_FILE",
    rights: "a key that the portal publishes",
    authority: "namespaces.ca_file",
};

/// The API that provisions: GitLab's own, or ours. Cheap to clone.
#[derive(Clone, Debug)]
pub struct ProvisioningClient {
    upstream: Upstream,
    base: Url,
    writes_when: WriteSwitch,
}

/// What the API made of a document.
#[derive(Clone, Debug)]
pub enum ProvisionOutcome {
    /// Every part was applied.
    Applied(Option<PartResults>),
    /// A rule was broken by some of it, the rest was applied.
    Partly(Option<PartResults>, Option<String>),
    /// It can never be applied, or there is no such namespace.
    Refused(String),
    /// The database of the provisioning side refuses it, and would refuse it again: the fault of
    /// this sync alone.
    Broken(String),
}

/// A call, and the status of its last answer.
#[derive(Debug)]
pub struct ProvisionCall {
    /// `None` where there was none.
    pub status: Option<u16>,
    /// What came of it.
    pub result: Result<ProvisionOutcome, CallError>,
}

impl ProvisioningClient {
    /// The API at `base`, called with the tokens of `keys` as `writes_when` allows; and with those of
    /// `identity`, where something in front of it asks for them.
    ///
    /// # Errors
    /// When the client cannot be set up, or nothing can be put under the address.
    pub fn new(
        base: &Url,
        calls: &CallsConfig,
        keys: SigningKeys,
        identity: Option<IdentityTokens>,
        writes_when: WriteSwitch,
    ) -> Result<Self, BuildError> {
        if base.cannot_be_a_base() {
            return Err(BuildError::Address("namespaces.provisioning_url"));
        }
        let line = Exchange::new(
            UpstreamId::Provisioning,
            Arc::new(HttpTransport::new(calls)?),
            calls.timeout,
        );
        let authorize = Box::new(PortalToken::new(keys, identity));
        Ok(Self {
            upstream: Upstream::new(line, calls, &SETTINGS, authorize, Some(writes_when.clone())),
            base: base.clone(),
            writes_when,
        })
    }

    /// What holds calls back now, if anything does.
    pub fn held_by(&self) -> Option<WriteSwitch> {
        self.writes_when.if_held()
    }

    /// Sends `document` for `namespace_id`, once.
    pub async fn provision(&self, namespace_id: i64, document: &Document) -> ProvisionCall {
        let call = self
            .call("provision", namespace_id, document)
            .about(Subject::namespace(namespace_id));
        let status = AtomicU16::new(0);
        let result = self
            .upstream
            .write(&call, |answer| {
                status.store(answer.status.as_u16(), Ordering::Relaxed);
                judge(answer)
            })
            .await;
        let status = status.into_inner();
        ProvisionCall {
            status: (status > 0).then_some(status),
            result,
        }
    }

    /// Whether a JSON API answers there at all, even if it refuses.
    ///
    /// # Errors
    /// When not.
    pub async fn probe(&self) -> Result<(), CallError> {
        let call = UpstreamRequest::get("probe", self.under(&["api", "v4", "version"]));
        let judge = |answer: &UpstreamResponse| {
            if answer.is_json() && answer.status.as_u16() < 500 && answer.status.as_u16() != 429 {
                Ok(())
            } else {
                Err(fault_of(answer))
            }
        };
        self.upstream.read(&call, judge).await
    }

    /// Whether our tokens are verified there, which takes our keys: asked for a namespace that
    /// cannot exist, which is looked for after the token and before anything else. GitLab answers
    /// 500 to every call while it cannot fetch the keys.
    ///
    /// # Errors
    /// When not.
    pub async fn verifies_tokens(&self) -> Result<(), CallError> {
        let call = self.call("probe_token", NO_NAMESPACE, &Document::default());
        let judge = |answer: &UpstreamResponse| match answer.status.as_u16() {
            404 if ErrorBody::of(answer).is_some_and(|said| said.contains("Namespace")) => Ok(()),
            500 => Err(answer.fault().advising(UNVERIFIED)),
            _ => Err(fault_of(answer)),
        };
        self.upstream.read(&call, judge).await
    }

    fn call(
        &self,
        operation: &'static str,
        namespace_id: i64,
        document: &Document,
    ) -> UpstreamRequest {
        let id = namespace_id.to_string();
        let path = [
            "api",
            "v4",
            "internal",
            "gitlab_subscriptions",
            "namespaces",
            &id,
            "provision",
        ];
        let json = HeaderValue::from_static("application/json");
        UpstreamRequest {
            operation,
            purpose: operation,
            about: None,
            is_question: false,
            method: Method::POST,
            url: self.under(&path),
            headers: HeaderMap::from_iter([(CONTENT_TYPE, json)]),
            body: Some(document.sent_json()),
        }
    }

    /// The gates of both kinds of calls.
    pub fn gates(&self) -> [Arc<Gate>; 2] {
        [
            self.upstream.gate(CallKind::Read),
            self.upstream.gate(CallKind::Write),
        ]
    }

    fn under(&self, path: &[&str]) -> Url {
        let mut url = self.base.clone();
        // The constructor has seen that it can be a base.
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.pop_if_empty().extend(path);
        }
        url
    }
}

impl ProvisionCall {
    /// Whether the call may still be running at the provisioning side: it was sent, and no response
    /// says how it ended.
    pub fn is_in_doubt(&self) -> bool {
        let Err(error) = &self.result else {
            return false;
        };
        let connected = !matches!(
            error
                .source()
                .and_then(|source| source.downcast_ref::<TransportError>()),
            Some(TransportError::Connect(_))
        );
        error.was_sent() && connected && matches!(self.status, None | Some(408 | 502 | 504))
    }
}

/// No namespace has it: GitLab's ids begin at 1.
const NO_NAMESPACE: i64 = 0;

/// What an operator does about a 500 to a call for no namespace at all.
const UNVERIFIED: &str = "can it fetch PORTAL_URL/.well-known/openid-configuration and the keys named there? It answers 500 \
                          to every call while it cannot; else it is down: ask those who run it";

/// What an operator does about a refusal that is not the API's own.
const REFUSED_IN_FRONT: &str = "something in front of the API refused: on Cloud Run, may the account of this process invoke the \
                                service, and does namespaces.identity_audience name it?";

#[derive(Deserialize)]
struct ErrorBody {
    message: Option<String>,
    error: Option<String>,
    /// Our API's: what its database said is no passing trouble.
    sqlstate_class: Option<String>,
}

impl ErrorBody {
    /// What the body says in one text, if anything.
    fn of(answer: &UpstreamResponse) -> Option<String> {
        let said: Self = answer.body_as_json().ok()?;
        said.message.or(said.error)
    }
}

/// The API says in JSON why it refuses; Cloud Run answers with a page.
fn fault_of(answer: &UpstreamResponse) -> Fault {
    let fault = answer.fault();
    if matches!(answer.status.as_u16(), 401 | 403) && !answer.is_json() {
        fault.advising(REFUSED_IN_FRONT)
    } else {
        fault
    }
}

/// A 404 with another text comes from a wrong address, a proxy or a GitLab without this endpoint:
/// not the message's fault.
fn judge(answer: &UpstreamResponse) -> Result<ProvisionOutcome, Fault> {
    match answer.status.as_u16() {
        200 if answer.body.trim_ascii().is_empty() => Ok(ProvisionOutcome::Applied(None)),
        200 => answer
            .json::<ProvisionResponse>()
            .map(|answer| ProvisionOutcome::Applied(Some(answer.payload))),
        422 if answer.is_json() => Ok(answer.body_as_json::<ProvisionResponse>().map_or_else(
            |_| ProvisionOutcome::Partly(None, ErrorBody::of(answer)),
            |answer| ProvisionOutcome::Partly(Some(answer.payload), answer.message),
        )),
        400 if answer.is_json() => Ok(ProvisionOutcome::Refused(
            ErrorBody::of(answer).unwrap_or_else(|| "400 without a reason".to_owned()),
        )),
        500 => match answer.body_as_json::<ErrorBody>() {
            Ok(ErrorBody {
                message,
                sqlstate_class: Some(class),
                ..
            }) => Ok(ProvisionOutcome::Broken(message.unwrap_or_else(|| {
                format!("500: the database refuses it, SQLSTATE class {class}")
            }))),
            Ok(_) | Err(_) => Err(fault_of(answer)),
        },
        404 => match ErrorBody::of(answer).filter(|said| said.contains("Namespace")) {
            Some(said) => Ok(ProvisionOutcome::Refused(said)),
            None => Err(fault_of(answer).of(ClaimedScope::Everybody)),
        },
        _ => Err(fault_of(answer).of(ClaimedScope::Everybody)),
    }
}
