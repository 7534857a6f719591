//! The way from a client to a server in memory: what goes wrong on it, and who judges each write as
//! it takes effect.

use std::{fmt, sync::Arc, time::Duration};

use axum::{Router, body::Body};
use futures::{FutureExt, future::BoxFuture};
use lookup_gitlab_sync::upstream::{Transport, TransportError, UpstreamResponse};
use rand::Rng;
use reqwest::{Method, Request, StatusCode, header::HeaderMap};
use simulator::gitlab::UserState;
use tokio::time::{Instant, sleep};
use tower::ServiceExt;

use super::{
    anything::Odd,
    conditions::{Fate, Side},
    ledger::{Action, is_open},
    seconds::give_its_own_second,
    upstreams::Upstreams,
};

/// How old a look may be when a write is sent.
const LOOK: Duration = Duration::from_secs(5);

/// To one of the upstreams.
#[derive(Clone)]
pub struct Way {
    upstreams: Arc<Upstreams>,
    side: Side,
    router: Router,
}

impl Way {
    pub fn to_gitlab(upstreams: &Arc<Upstreams>) -> Arc<Self> {
        Self::new(upstreams, Side::GitLab, upstreams.gitlab.router())
    }

    pub fn to_lookup(upstreams: &Arc<Upstreams>) -> Arc<Self> {
        Self::new(upstreams, Side::Lookup, upstreams.lookup.router())
    }

    fn new(upstreams: &Arc<Upstreams>, side: Side, router: Router) -> Arc<Self> {
        Arc::new(Self {
            upstreams: Arc::clone(upstreams),
            side,
            router,
        })
    }

    async fn go(self, request: Request) -> Result<UpstreamResponse, TransportError> {
        let sent = Instant::now();
        let target = target(&request);
        if let Some(odd) = self.odd(&request, target) {
            return odd.await;
        }
        let fate = self.fate(&request);
        self.meddle(target);
        match fate {
            Fate::Answered(before, after) => {
                let answer = self.arrives(request, sent, before).await;
                self.meddle(target);
                sleep(after).await;
                Ok(answer)
            }
            Fate::NoConnection => Err(TransportError::Connect("refused".into())),
            Fate::AnswerLost(before) => {
                self.arrives(request, sent, before).await;
                self.meddle(target);
                Err(TransportError::Broken("cut".into()))
            }
            Fate::EffectThen(status) => {
                self.arrives(request, sent, Duration::ZERO).await;
                Ok(answer(status, None, "{}", "application/json"))
            }
            Fate::Instead(status, pause) => {
                // GitLab's own words: another text of a 500 is about the record.
                let body = match status {
                    500 => r#"{"message":"500 Internal Server Error"}"#,
                    _ => r#"{"message":"no"}"#,
                };
                Ok(answer(status, pause, body, "application/json"))
            }
            Fate::Page(status) => Ok(answer(status, None, "<html></html>", "text/html")),
            Fate::Late(pause) => Ok(self.arrives(request, sent, pause).await),
        }
    }

    /// What the calls about an odd account meet.
    fn odd(
        &self,
        request: &Request,
        target: Option<u64>,
    ) -> Option<impl Future<Output = Result<UpstreamResponse, TransportError>> + Send + use<>> {
        let odd = self.upstreams.lock().odd.get(&target?).cloned()?;
        odd.strikes(request.method()).then_some(async move {
            sleep(Duration::from_millis(10)).await;
            match odd.answer {
                Odd::Answers {
                    status,
                    pause,
                    body,
                    kind,
                } => Ok(answer(status, pause, body, kind)),
                Odd::NoConnection => Err(TransportError::Connect("refused".into())),
                Odd::Cut => Err(TransportError::Broken("cut".into())),
                Odd::Hangs => std::future::pending().await,
            }
        })
    }

    fn fate(&self, request: &Request) -> Fate {
        let fate = {
            let mut inner = self.upstreams.lock();
            let inner = &mut *inner;
            let fate = inner.conditions.fate(self.side, request, &mut inner.rng);
            inner.figures.requests += 1;
            inner.figures.light_pages += u64::from(request.url().path() == "/api/graphql");
            inner.asked.push((Instant::now(), self.side));
            inner.figures.faults += u64::from(!matches!(fate, Fate::Answered(..)));
            fate
        };
        let (method, path) = (request.method(), request.url().path());
        self.upstreams.trace(format!("{method} {path} {fate:?}"));
        fate
    }

    /// The request reaches the server after `pause`, even if nobody waits for it any more.
    async fn arrives(&self, request: Request, sent: Instant, pause: Duration) -> UpstreamResponse {
        let way = self.clone();
        let arriving = tokio::spawn(async move {
            sleep(pause).await;
            way.takes_effect(&request, sent)
        });
        arriving.await.expect("the server answers")
    }

    fn takes_effect(&self, request: &Request, sent: Instant) -> UpstreamResponse {
        let write = write_of(request);
        let before = write.and_then(|(id, _)| self.upstreams.gitlab.account(id));
        let answer = self.ask(request);
        let Some((id, call)) = write else {
            return answer;
        };
        let Some(before) = before else { return answer };
        let changed = self
            .upstreams
            .gitlab
            .account(id)
            .expect("still there")
            .state
            != before.state;
        let action = match call {
            Write::Marker if answer.status.is_success() => Action::Block,
            Write::Block if changed => Action::Block,
            Write::Unblock if changed => Action::Unblock,
            Write::Marker | Write::Block | Write::Unblock => return answer,
        };
        self.judge(id, call, action, &before.state, sent);
        match call {
            Write::Marker => self.upstreams.note_of_service(id, false),
            Write::Block => {
                give_its_own_second(&self.upstreams.gitlab, id, "blocked_by");
                self.upstreams.note_of_service(id, true);
            }
            Write::Unblock => {
                give_its_own_second(&self.upstreams.gitlab, id, "unblocked_by");
                self.upstreams.note(id);
            }
        }
        answer
    }

    /// A write took effect: was it called for when it was looked at, and was it planned?
    fn judge(&self, id: u64, call: Write, action: Action, before: &UserState, sent: Instant) {
        let since = sent - LOOK;
        let (right, now_right, planned) = {
            let inner = self.upstreams.lock();
            (
                inner.ledger.was_right(id, action, since),
                inner.ledger.was_right(id, action, Instant::now()),
                inner.planned.contains(&(id, action)),
            )
        };
        self.upstreams
            .trace(format!("account {id} {call:?} took effect on {before:?}"));
        if !right {
            let owner = self.upstreams.lock().ledger.owners.get(&id).cloned();
            let said = format!(
                "{call:?} of account {id} ({owner:?}) in state {before:?} was never called for"
            );
            self.upstreams.wrong(said);
        }
        if !planned {
            self.upstreams
                .wrong(format!("{call:?} of account {id} is in nobody's plan"));
        }
        let mut inner = self.upstreams.lock();
        if call != Write::Marker {
            inner.figures.changes += 1;
            inner.figures.raced += u64::from(!now_right);
            inner.figures.raced_unblocks +=
                u64::from(!now_right && action == Action::Unblock && !is_open(before));
        }
    }

    fn ask(&self, request: &Request) -> UpstreamResponse {
        let path = request.url()[url::Position::BeforePath..url::Position::AfterQuery].to_owned();
        let mut asked = axum::http::Request::builder()
            .method(request.method().clone())
            .uri(path);
        *asked.headers_mut().unwrap() = request.headers().clone();
        let body = request.body().and_then(|body| body.as_bytes());
        let body = Body::from(body.unwrap_or_default().to_vec());
        let router = self.router.clone();
        let answered = async move {
            let answer = router.oneshot(asked.body(body).unwrap()).await.unwrap();
            let (head, body) = answer.into_parts();
            let body = axum::body::to_bytes(body, usize::MAX).await.unwrap();
            UpstreamResponse {
                status: head.status,
                headers: head.headers,
                body,
            }
        };
        let answer = answered
            .now_or_never()
            .expect("a server in memory answers at once");
        self.deceive(answer)
    }

    fn deceive(&self, answer: UpstreamResponse) -> UpstreamResponse {
        let lies = self.upstreams.lock().lies.clone();
        if lies.is_empty() {
            return answer;
        }
        let mut text = String::from_utf8(answer.body.to_vec()).unwrap();
        for (truth, lie) in lies {
            text = text.replace(truth, lie);
        }
        UpstreamResponse {
            body: text.into(),
            ..answer
        }
    }

    /// Perhaps somebody else is at work on the same account just now.
    fn meddle(&self, target: Option<u64>) {
        let meddles = {
            let mut inner = self.upstreams.lock();
            let share = inner.meddling;
            share > 0.0 && inner.rng.random_bool(share)
        };
        match target {
            Some(id) if meddles => self.upstreams.meddle(id),
            None if meddles => self.upstreams.meddle_somewhere(),
            Some(_) | None => {}
        }
    }
}

impl Transport for Way {
    fn send(&self, request: Request) -> BoxFuture<'_, Result<UpstreamResponse, TransportError>> {
        self.clone().go(request).boxed()
    }
}

impl fmt::Debug for Way {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Way")
    }
}

/// A request that changes an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Write {
    Marker,
    Block,
    Unblock,
}

fn write_of(request: &Request) -> Option<(u64, Write)> {
    let last = request.url().path_segments()?.next_back()?;
    let write = match (request.method(), last) {
        (&Method::PUT, "lookup_gitlab_sync") => Write::Marker,
        (&Method::POST, "block") => Write::Block,
        (&Method::POST, "unblock") => Write::Unblock,
        _ => return None,
    };
    Some((target(request)?, write))
}

/// The account that a path names.
fn target(request: &Request) -> Option<u64> {
    let mut segments = request.url().path_segments()?;
    segments.find(|segment| *segment == "users")?;
    segments.next()?.parse().ok()
}

fn answer(
    status: u16,
    pause: Option<u64>,
    body: &'static str,
    kind: &'static str,
) -> UpstreamResponse {
    let mut headers = HeaderMap::new();
    headers.insert("content-type", kind.parse().unwrap());
    if let Some(seconds) = pause {
        headers.insert("retry-after", seconds.into());
    }
    UpstreamResponse {
        status: StatusCode::from_u16(status).unwrap(),
        headers,
        body: body.into(),
    }
}
