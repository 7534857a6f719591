//! The token of a provisioning call: the header that carries it, and the claims that do not vary.

use std::time::Duration;

/// The header that carries the token.
pub const HEADER: &str = "x-customers-dot-internal-token";

/// `aud` of a token for the provisioning API.
pub const AUDIENCE: &str = "gitlab-subscriptions";

/// `sub` of a token for the provisioning API.
pub const SUBJECT: &str = "customers-dot-internal-api";

/// How long a token is valid.
pub const LIFETIME: Duration = Duration::from_mins(5);

/// How long the provisioning side keeps a key set: a key is published that long before it signs,
/// and after.
pub const KEY_SET_CACHE: Duration = Duration::from_mins(15);
