//! Who may come in: the token, what it may be used for, and whether its owner is let in, in
//! GitLab's order.

use axum::http::StatusCode;
use jiff::{Timestamp, tz::TimeZone};

use super::{
    account::SimulatedUser,
    answers::{self, ErrorResponse},
    graphql::refusal,
    kinds::{Kind, UserState},
    request::ApiRequest,
    store::GitLabStore,
};

/// The caller of one request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Caller {
    pub(super) user_id: u64,
    /// Whether it has administrator's rights in this request.
    pub(super) admin: bool,
}

/// What an endpoint asks of a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum RequiredScope {
    /// One of the scopes that may read accounts.
    ToRead,
    /// `api`
    ToWrite,
    /// One of the scopes that GraphQL takes.
    ToQuery,
    /// One of the scopes with which a token may replace itself.
    ToRotate,
    /// The token itself is all that is asked about.
    Nothing,
}

/// Scopes with which accounts may be read.
const READING: [&str; 4] = ["api", "read_api", "read_user", "ai_workflows"];

impl RequiredScope {
    fn are_met_by(self, scopes: &[String]) -> bool {
        let has = |scope: &str| scopes.iter().any(|known| known == scope);
        match self {
            Self::ToRead => READING.into_iter().any(has),
            Self::ToWrite => has("api"),
            Self::ToQuery => has("api") || has("read_api"),
            Self::ToRotate => has("api") || has("self_rotate"),
            Self::Nothing => true,
        }
    }
}

/// Why GitLab does not let an account in (`lib/gitlab/auth/user_access_denied_reason.rb`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum AccessDenial {
    Internal,
    Pending,
    Blocked,
    Locked,
    Terms,
    Deactivated,
    PasswordExpired,
}

/// A token that is good for what is asked, and whose it is.
struct AcceptedToken {
    user_id: u64,
    rights: bool,
    sudo: bool,
}

impl GitLabStore {
    /// The caller, or nobody where no token was sent, or the answer that turns the request away.
    pub(super) fn enter(
        &mut self,
        call: &ApiRequest,
        needs: RequiredScope,
        url: &str,
        now: Timestamp,
    ) -> Result<Option<Caller>, ErrorResponse> {
        let Some(secret) = secret(call) else {
            return Ok(None);
        };
        let token = self.accept(secret, needs, now)?;
        let owner = self
            .accounts
            .get(&token.user_id)
            .ok_or_else(answers::unauthorized)?;
        if let Some(denial) = self.denial(owner) {
            return Err(answers::denied(&denial.text(owner, url)).into());
        }
        let caller = Caller {
            user_id: token.user_id,
            admin: token.rights && owner.is_admin,
        };
        self.bound_addresses(token.user_id, call)?;
        self.note(token.user_id, now);
        self.sudo(caller, token.sudo, call).map(Some)
    }

    /// The same for GraphQL, which tells less, and lets in whom a wrong password has locked out.
    pub(super) fn enter_graphql(
        &mut self,
        call: &ApiRequest,
        now: Timestamp,
    ) -> Result<Option<Caller>, ErrorResponse> {
        let Some(secret) = secret(call) else {
            return Ok(None);
        };
        let invalid = || ErrorResponse::from(refusal(StatusCode::UNAUTHORIZED, "Invalid token"));
        let token = self
            .accept(secret, RequiredScope::ToQuery, now)
            .map_err(|_| invalid())?;
        let owner = self.accounts.get(&token.user_id).ok_or_else(invalid)?;
        match self.denial(owner) {
            Some(AccessDenial::Terms | AccessDenial::Deactivated) => {
                let said = "API not accessible for user";
                return Err(refusal(StatusCode::FORBIDDEN, said).into());
            }
            Some(
                AccessDenial::Internal
                | AccessDenial::Pending
                | AccessDenial::Blocked
                | AccessDenial::PasswordExpired,
            ) => return Err(invalid()),
            Some(AccessDenial::Locked) | None => {}
        }
        let caller = Caller {
            user_id: token.user_id,
            admin: token.rights && owner.is_admin,
        };
        self.bound_addresses(token.user_id, call)?;
        self.note(token.user_id, now);
        Ok(Some(caller))
    }

    fn note(&mut self, user_id: u64, now: Timestamp) {
        if let Some(owner) = self.accounts.get(&user_id) {
            self.activity.note(owner, now);
        }
    }

    /// The token, if it is good for this.
    fn accept(
        &mut self,
        secret: &str,
        needs: RequiredScope,
        now: Timestamp,
    ) -> Result<AcceptedToken, ErrorResponse> {
        let today = now.to_zoned_datetime(TimeZone::UTC).date();
        let token = self
            .tokens
            .get_mut(secret)
            .ok_or_else(answers::unauthorized)?;
        if token.expires_at.is_some_and(|day| day <= today) {
            return Err(answers::invalid_token(
                "Token is expired. You can either do re-authorization or token refresh.",
            )
            .into());
        }
        if token.revoked {
            return Err(answers::invalid_token(
                "Token was revoked. You have to re-authorize from the user.",
            )
            .into());
        }
        if !needs.are_met_by(&token.scopes) {
            return Err(answers::insufficient_scope().into());
        }
        let has = |wanted: &str| token.scopes.iter().any(|scope| scope == wanted);
        let (admin_mode, sudo) = (has("admin_mode"), has("sudo"));
        let rights = token.spend();
        Ok(AcceptedToken {
            user_id: token.user_id,
            rights: rights && (admin_mode || !self.conditions.admin_mode),
            sudo,
        })
    }

    /// Whether the owner is one whom GitLab does not let in.
    fn denial(&self, owner: &SimulatedUser) -> Option<AccessDenial> {
        let locked = owner
            .others
            .get("locked")
            .is_some_and(|locked| *locked == true);
        Some(match &owner.state {
            _ if owner.kind.is_internal() => AccessDenial::Internal,
            UserState::BlockedPendingApproval => AccessDenial::Pending,
            state if state.is_some_block() => AccessDenial::Blocked,
            _ if locked => AccessDenial::Locked,
            _ if self.conditions.enforce_terms && owner.kind == Kind::Human => AccessDenial::Terms,
            UserState::Deactivated => AccessDenial::Deactivated,
            _ if owner.hidden.password_expired => AccessDenial::PasswordExpired,
            _ => return None,
        })
    }

    /// Counts the addresses an account comes from, where that is bounded.
    fn bound_addresses(&mut self, user_id: u64, call: &ApiRequest) -> Result<(), ErrorResponse> {
        let Some(limit) = self.conditions.unique_ips_limit else {
            self.addresses.clear();
            return Ok(());
        };
        let address = call.header("x-forwarded-for").unwrap_or("127.0.0.1");
        let known = self.addresses.entry(user_id).or_default();
        if !known.iter().any(|known| known == address) {
            if known.len() >= limit {
                return Err(answers::forbidden().into());
            }
            known.push(address.to_owned());
        }
        Ok(())
    }

    /// `Sudo`: an administrator acts as somebody else.
    fn sudo(
        &self,
        caller: Caller,
        allowed: bool,
        call: &ApiRequest,
    ) -> Result<Caller, ErrorResponse> {
        let Some(name) = call.header("sudo").or_else(|| call.parameters.get("sudo")) else {
            return Ok(caller);
        };
        if !allowed || !caller.admin {
            return Err(answers::not_simulated(
                "Sudo without the scope sudo or without administrator's rights",
            )
            .into());
        }
        let id = name.parse().ok();
        let other = self
            .accounts
            .values()
            .find(|account| Some(account.id) == id || account.username == name)
            .ok_or_else(|| answers::no_sudo(name))?;
        Ok(Caller {
            user_id: other.id,
            admin: other.is_admin,
        })
    }
}

impl AccessDenial {
    /// What the REST API says.
    fn text(self, owner: &SimulatedUser, url: &str) -> String {
        match self {
            Self::Internal => "This action cannot be performed by internal users".to_owned(),
            Self::Pending => {
                "Your account is pending approval from your administrator and hence blocked."
                    .to_owned()
            }
            Self::Blocked | Self::Locked => "Your account has been blocked.".to_owned(),
            Self::Terms => format!(
                "You (@{}) must accept the Terms of Service in order to perform this action. To accept these terms, \
                 please access GitLab from a web browser at {url}.",
                owner.username
            ),
            Self::Deactivated => format!(
                "Your account has been deactivated by your administrator. Please log back in from a web browser to \
                 reactivate your account at {url}"
            ),
            Self::PasswordExpired => {
                "Your password expired. Please access GitLab from a web browser to update your password."
                    .to_owned()
            }
        }
    }
}

/// `PRIVATE-TOKEN` before everything else, then the query, then `Authorization: Bearer`.
pub(super) fn secret(call: &ApiRequest) -> Option<&str> {
    let bearer = || {
        let (kind, secret) = call.header("authorization")?.split_once(' ')?;
        kind.eq_ignore_ascii_case("bearer").then_some(secret)
    };
    call.header("private-token")
        .or_else(|| call.parameters.get("private_token"))
        .or_else(bearer)
        .or_else(|| call.parameters.get("access_token"))
        .filter(|secret| !secret.is_empty())
}
