//! What an administrator, or a failing machine, switches on a GitLab: changed with
//! `PUT /simulate/settings`.

use serde::{Deserialize, Serialize};

use crate::control::RateLimit;

/// How the server behaves beside its accounts. The default is a GitLab as it is installed, with
/// everything at work.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Conditions {
    /// Admin Mode: a token without the scope `admin_mode` has no administrator's rights.
    pub admin_mode: bool,
    /// Maintenance Mode, with the administrators' text: reads are answered, writes are not.
    pub maintenance: Option<String>,
    /// Human owners must accept the terms, which none has, before their tokens are good.
    pub enforce_terms: bool,
    /// How many requests of `GET /users/:id` a token without administrator's rights has in ten
    /// minutes.
    pub users_get_by_id_limit: u32,
    /// From how many addresses (`X-Forwarded-For`) an account may come, if that is bounded.
    pub unique_ips_limit: Option<usize>,
    /// GitLab's own limits.
    pub throttles: Throttles,
    /// The database.
    pub database: Health,
    /// Redis, which has no read-only mode here.
    pub redis: Health,
    /// A licence with audit events; without one `GET /audit_events` is a 403.
    pub audit_events: bool,
    /// Milliseconds between GitLab's look at an account and the change of its state. Two changes
    /// that fall into one such time both answer `true`, as was recorded.
    pub state_change_ms: u64,
    /// Fields that GraphQL's schema lacks, as an earlier or a later GitLab's would.
    pub graphql_without: Vec<String>,
}

/// `Rack::Attack`, off unless set.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Throttles {
    /// Of one account, whichever of its tokens is used; administrators are not exempt.
    pub authenticated: Option<RateLimit>,
    /// Of everybody who shows no good token.
    pub unauthenticated: Option<RateLimit>,
    /// What a refusal says; `Retry later` unless set.
    pub text: Option<String>,
}

/// Whether something GitLab stands on is there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Health {
    /// As it should be.
    #[default]
    Up,
    /// Not reachable.
    Gone,
    /// Readable only.
    ReadOnly,
}

/// What GitLab says where the administrators gave no text of their own (inferred; the recordings
/// have one).
pub(super) const MAINTENANCE: &str = "GitLab is undergoing maintenance";

impl Default for Conditions {
    fn default() -> Self {
        Self {
            admin_mode: false,
            maintenance: None,
            enforce_terms: false,
            users_get_by_id_limit: 300,
            unique_ips_limit: None,
            throttles: Throttles::default(),
            database: Health::Up,
            redis: Health::Up,
            audit_events: false,
            state_change_ms: 0,
            graphql_without: Vec::new(),
        }
    }
}
