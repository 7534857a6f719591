//! The kinds of failure, as far as it matters to everybody who waits.

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
    /// An answer of the directory that is wrong about somebody whose standing is known.
    ControlsWrong,
    /// Not sent: writes are paused, or it is not known whether they are.
    Paused,
}

impl ErrorKind {
    /// Whether the upstream refused who we are or what we may do: nothing works until a person
    /// acts.
    pub const fn is_credentials(self) -> bool {
        matches!(self, Self::Unauthenticated | Self::Forbidden)
    }

    /// Whether nothing works until a person acts, so that one failure is enough.
    pub const fn needs_a_person(self) -> bool {
        self.is_credentials() || matches!(self, Self::ClockSkew | Self::ControlsWrong)
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
            Self::ControlsWrong => "controls_wrong",
            Self::Paused => "paused",
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
            | Self::ClockSkew
            | Self::ControlsWrong
            | Self::Paused => false,
        }
    }

    /// Whether it may lie in one of the things that were asked for, and not in the upstream: others
    /// have to be asked.
    pub(crate) const fn may_lie_in_what_was_asked(self) -> bool {
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
            | Self::ClockSkew
            | Self::ControlsWrong
            | Self::Paused => false,
        }
    }
}
