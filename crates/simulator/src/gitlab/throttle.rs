//! GitLab's limits: `Rack::Attack` around everything, and one endpoint's own.

use std::time::Duration;

use jiff::{Timestamp, tz::TimeZone};

use super::{authorization, request::ApiRequest, settings::Conditions, store::GitLabStore};
use crate::control::{Admission, RateLimit, Windows};

/// What was counted, under the limits as they were last set.
#[derive(Debug)]
pub(super) struct ThrottleCounters {
    authenticated: Option<Windows>,
    unauthenticated: Option<Windows>,
    users_get_by_id: Windows,
}

/// A counted request: which throttle, and what it said.
pub(super) type ThrottledRequest = (&'static str, Admission);

impl ThrottleCounters {
    /// Nothing counted yet.
    pub(super) fn new(conditions: &Conditions) -> Self {
        let throttles = &conditions.throttles;
        Self {
            authenticated: throttles.authenticated.map(Windows::new),
            unauthenticated: throttles.unauthenticated.map(Windows::new),
            users_get_by_id: Windows::new(RateLimit {
                requests: conditions.users_get_by_id_limit,
                period: Duration::from_mins(10),
            }),
        }
    }
}

impl GitLabStore {
    /// Counts a request against the throttle it falls under, if that is on: its account's,
    /// whichever token it shows, or everybody's who shows no good one.
    pub(super) fn count(&mut self, call: &ApiRequest, now: Timestamp) -> Option<ThrottledRequest> {
        let today = now.to_zoned_datetime(TimeZone::UTC).date();
        let token = authorization::secret(call).and_then(|secret| self.tokens.get(secret));
        let good = token
            .filter(|token| !token.revoked && token.expires_at.is_none_or(|day| day > today))
            .filter(|token| self.accounts.contains_key(&token.user_id));
        Some(match good {
            Some(token) => (
                "throttle_authenticated_api",
                self.counts
                    .authenticated
                    .as_mut()?
                    .admit(&token.user_id.to_be_bytes(), now),
            ),
            None => (
                "throttle_unauthenticated_api",
                self.counts.unauthenticated.as_mut()?.admit(b"", now),
            ),
        })
    }

    /// Whether an account without administrator's rights may ask for one account once more.
    pub(super) fn may_get_by_id(&mut self, user_id: u64, now: Timestamp) -> bool {
        let windows = &mut self.counts.users_get_by_id;
        windows.admit(&user_id.to_be_bytes(), now).admitted
    }
}
