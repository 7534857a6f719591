use std::{error::Error, fmt, sync::Arc, time::Duration};

use super::{Settings, obstacle::Obstacle};

/// What kind of failure a call met.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ErrorKind {
    /// 400: the call can never succeed as it is.
    BadRequest,
    /// 401: the credentials are not accepted.
    Unauthenticated,
    /// A bare 403, or an answer that shows less than the credentials must see.
    Forbidden,
    /// 429, or a pause that an earlier 429 asked for.
    Throttled,
    /// No whole answer within the deadline.
    TimedOut,
    /// No connection, or one that broke.
    Unreachable,
    /// 500.
    ServerError,
    /// 408, 502 to 504, and every other 5xx.
    Unavailable,
    /// The upstream says that it is in maintenance and takes no changes.
    Maintenance,
    /// 500 or 403 with a reason of this call's own, such as a record that does not validate.
    Rejected,
    /// A redirect: a login page, or an address that moved.
    Redirected,
    /// A status that this call has no use for.
    UnexpectedStatus,
    /// An answer that is not what was asked for: HTML, cut off, of another shape.
    Unreadable,
    /// An answer larger than the configured maximum.
    TooLarge,
    /// An answer whose time is not ours: nothing that depends on a clock can be decided.
    ClockSkew,
    /// A listing that contradicts itself: it goes round, or ends before its end.
    Inconsistent,
}

impl ErrorKind {
    /// Whether the upstream refused who we are or what we may do: nothing works until a person acts.
    pub const fn is_credentials(self) -> bool {
        matches!(self, Self::Unauthenticated | Self::Forbidden)
    }

    /// Whether nothing works until a person acts, so that one failure is enough.
    pub const fn needs_a_person(self) -> bool {
        self.is_credentials() || matches!(self, Self::ClockSkew)
    }

    /// The name in log lines.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::BadRequest => "bad_request",
            Self::Unauthenticated => "unauthenticated",
            Self::Forbidden => "forbidden",
            Self::Throttled => "throttled",
            Self::TimedOut => "timed_out",
            Self::Unreachable => "unreachable",
            Self::ServerError => "server_error",
            Self::Unavailable => "unavailable",
            Self::Maintenance => "maintenance",
            Self::Rejected => "rejected",
            Self::Redirected => "redirected",
            Self::UnexpectedStatus => "unexpected_status",
            Self::Unreadable => "unreadable",
            Self::TooLarge => "too_large",
            Self::ClockSkew => "clock_skew",
            Self::Inconsistent => "inconsistent",
        }
    }

    /// Whether the same read may well succeed a moment later.
    pub const fn is_transient(self) -> bool {
        match self {
            Self::Throttled
            | Self::TimedOut
            | Self::Unreachable
            | Self::ServerError
            | Self::Unavailable
            | Self::Unreadable
            | Self::Inconsistent => true,
            Self::BadRequest
            | Self::Unauthenticated
            | Self::Forbidden
            | Self::Maintenance
            | Self::Rejected
            | Self::Redirected
            | Self::UnexpectedStatus
            | Self::TooLarge
            | Self::ClockSkew => false,
        }
    }

    /// Whether it may lie in one of the things that were asked for, and not in the upstream: others have to be asked.
    const fn may_lie_in_what_was_asked(self) -> bool {
        match self {
            Self::ServerError
            | Self::Unavailable
            | Self::TimedOut
            | Self::Unreachable
            | Self::Unreadable
            | Self::TooLarge => true,
            Self::BadRequest
            | Self::Unauthenticated
            | Self::Forbidden
            | Self::Throttled
            | Self::Redirected
            | Self::UnexpectedStatus
            | Self::Inconsistent
            | Self::Maintenance
            | Self::Rejected
            | Self::ClockSkew => false,
        }
    }

    /// What an operator does about it.
    pub(super) fn advice(self, settings: &Settings) -> String {
        let Settings {
            url,
            credentials,
            rights,
            authority: _,
        } = settings;
        match self {
            Self::BadRequest => "the call is wrong as it is; repeating it does not help".to_owned(),
            Self::Unauthenticated => {
                format!("check {credentials}: mistyped, expired or revoked?")
            }
            Self::Forbidden => format!("check {credentials}: it needs {rights}"),
            Self::Throttled => "wait, or lower requests_per_minute".to_owned(),
            Self::TimedOut => "is it overloaded, or is the timeout too short?".to_owned(),
            Self::Unreachable => format!("is {url} right, and can this machine reach it?"),
            Self::ServerError | Self::Unavailable => {
                "it is down, overloaded or in maintenance: wait, or ask those who run it".to_owned()
            }
            Self::Maintenance => {
                "wait: changes go on by themselves once its administrators end it".to_owned()
            }
            Self::Rejected => {
                "an administrator sees in the Admin area what is wrong with this one".to_owned()
            }
            Self::Redirected => {
                format!("is {url} right, and does nothing ask for a login before it?")
            }
            Self::UnexpectedStatus => format!("is {url} right, and is this a supported version?"),
            Self::Unreadable => format!("is {url} right, or is it in maintenance?"),
            Self::Inconsistent => {
                "does something before it drop or change the headers of its answers?".to_owned()
            }
            Self::TooLarge => format!("is {url} right, or is max_response_bytes too small?"),
            Self::ClockSkew => {
                "set the clock that is wrong: nothing is decided while they are more than five minutes apart"
                    .to_owned()
            }
        }
    }
}

/// Whose fault an answer tells that it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Whose {
    /// It does not tell: others have to be asked.
    #[default]
    Unknown,
    /// That of what the call was about: GitLab names what is wrong with it.
    Subject,
    /// Nobody's: the answer is the same whatever is asked for.
    Everybody,
}

/// One attempt that failed, before it is known which call and which gate it belongs to.
#[derive(Clone, Debug)]
pub struct Fault {
    pub(super) kind: ErrorKind,
    pub(super) whose: Whose,
    pub(super) what: String,
    pub(super) retry_after: Option<Duration>,
    pub(super) settings: Option<&'static Settings>,
    pub(super) advice: Option<&'static str>,
    pub(super) obstacle: Option<Obstacle>,
    pub(super) source: Option<Arc<dyn Error + Send + Sync>>,
}

impl Fault {
    /// A fault of `kind`. `what` goes on from the upstream's name, such as `answered 503`, and tells no person and no body.
    pub fn new(kind: ErrorKind, what: impl Into<String>) -> Self {
        Self {
            kind,
            whose: if matches!(kind, ErrorKind::Throttled | ErrorKind::ClockSkew) {
                Whose::Everybody
            } else {
                Whose::Unknown
            },
            what: what.into(),
            retry_after: None,
            settings: None,
            advice: None,
            obstacle: None,
            source: None,
        }
    }

    /// What lies under it.
    #[must_use]
    pub fn caused_by(mut self, source: impl Error + Send + Sync + 'static) -> Self {
        self.source = Some(Arc::new(source));
        self
    }

    /// The pause that the answer asked for.
    #[must_use]
    pub fn after(mut self, pause: Option<Duration>) -> Self {
        self.retry_after = pause;
        self
    }

    /// Settings other than the upstream's own that this is about.
    #[must_use]
    pub fn about(mut self, settings: &'static Settings) -> Self {
        self.settings = Some(settings);
        self
    }

    /// What an operator does about it, where the kind alone does not tell.
    #[must_use]
    pub fn advising(mut self, advice: &'static str) -> Self {
        self.advice = Some(advice);
        self
    }

    /// What stands in the way, where that is known: it has advice of its own.
    #[must_use]
    pub(super) fn stopped_by(mut self, obstacle: Option<Obstacle>) -> Self {
        self.obstacle = obstacle;
        self
    }

    /// The same, known to be of another kind.
    #[must_use]
    pub fn of_kind(mut self, kind: ErrorKind) -> Self {
        self.kind = kind;
        self
    }

    /// The same, and whose fault the answer tells that it is.
    #[must_use]
    pub fn of(mut self, whose: Whose) -> Self {
        self.whose = whose;
        self
    }

    /// The same, said of a part of the upstream, such as its token endpoint.
    #[must_use]
    pub fn at(mut self, part: &str) -> Self {
        self.what = format!("{part} {}", self.what);
        self
    }

    /// The same, with a remark in brackets after what happened.
    #[must_use]
    pub fn noting(mut self, remark: &str) -> Self {
        self.what = format!("{} ({remark})", self.what);
        self
    }

    /// Whether it may lie in one of the things that were asked for: it is of such a kind, and not about another part of
    /// the upstream, such as its token endpoint.
    pub fn may_lie_in_what_was_asked(&self) -> bool {
        self.kind.may_lie_in_what_was_asked() && self.settings.is_none()
    }

    /// Whose fault the answer tells that it is.
    pub fn whose(&self) -> Whose {
        self.whose
    }

    /// What kind of failure this is.
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.what)
    }
}
