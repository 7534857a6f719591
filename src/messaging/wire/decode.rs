//! Strict decoding: what a person, a scheduler or another version published becomes a checked value
//! or a clear error.

use jiff::Timestamp;
use serde::Serialize;

use super::{
    Cause, NamespaceRequest, OneLine, Planned, SyncTick, UserRequest, UserSync, Who, fields::Fields,
};
use crate::{
    directory::Crsid,
    messaging::{DeadLetter, DeadLetterReason, Disposition, line::one_line},
};

/// The most that is told of a field's name, in bytes.
const MAX_NAME: usize = 64;

/// Why a body is not a request. The details name the field and what was expected, and never echo a
/// value.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// It will never be one.
    #[error("{reason}: {detail}")]
    Permanent {
        /// For the dead letter.
        reason: DeadLetterReason,
        /// One line.
        detail: String,
    },
    /// A fan-out newer than this worker may have written it: during an upgrade another worker will
    /// know the field.
    #[error("{detail}")]
    NewerPublisher {
        /// One line.
        detail: String,
    },
}

impl From<DecodeError> for Disposition {
    fn from(error: DecodeError) -> Self {
        match error {
            DecodeError::Permanent { reason, detail } => Self::DeadLetter(DeadLetter {
                reason,
                detail,
                record: None,
            }),
            DecodeError::NewerPublisher { detail } => Self::Retry(detail),
        }
    }
}

impl SyncTick {
    /// The tick in `body`.
    ///
    /// # Errors
    /// When it is not a JSON object of this schema, or a percentage is outside 0 to 100.
    pub fn decode(body: &[u8]) -> Result<Self, DecodeError> {
        let mut fields = Fields::read(body, &SYNC_TICK_FIELDS)?;
        if let Some(name) = fields.unknown(&SYNC_TICK_FIELDS) {
            return Err(invalid(name, "a field of SyncTick"));
        }
        Ok(Self {
            dry_run: fields.flag("dry_run")?,
            max_block_percent: fields.percent("max_block_percent")?,
            max_unblock_percent: fields.percent("max_unblock_percent")?,
            reason: fields.line("reason", OneLine::NOTE)?,
            requested_by: fields.line("requested_by", OneLine::NOTE)?,
        })
    }
}

impl SyncTick {
    /// Whether the stage that reads it will take it, asked of the very code that reads it.
    ///
    /// # Errors
    /// As [`SyncTick::decode`].
    pub fn check(&self) -> Result<(), DecodeError> {
        Self::decode(&encoded(self)?).map(drop)
    }
}

impl UserSync {
    /// Whether the stage that reads it will take it, asked of the very code that reads it.
    ///
    /// # Errors
    /// As [`UserRequest::decode`].
    pub fn check(&self) -> Result<(), DecodeError> {
        UserRequest::decode(&encoded(self)?).map(drop)
    }
}

impl UserRequest {
    /// The request in `body`.
    ///
    /// # Errors
    /// When it is not a JSON object of [`UserSync`]'s schema, names no user or two, or contradicts
    /// itself.
    pub fn decode(body: &[u8]) -> Result<Self, DecodeError> {
        let mut fields = Fields::read(body, &USER_SYNC_FIELDS)?;
        let of_a_tick = fields.peek("cause") == Some("tick");
        if let Some(name) = fields.unknown(&USER_SYNC_FIELDS) {
            return Err(unknown_user_field(name, of_a_tick));
        }
        let wire = user_sync(&mut fields)?;
        Ok(Self {
            who: who(&wire)?,
            cause: cause(&wire)?,
            dry_run: wire.dry_run.unwrap_or(false),
            requested_by: wire.requested_by,
            reason: wire.reason,
        })
    }
}

impl NamespaceRequest {
    /// The request in `body`.
    ///
    /// # Errors
    /// When it is not a JSON object of [`super::NamespaceSync`]'s schema, or names no namespace.
    pub fn decode(body: &[u8]) -> Result<Self, DecodeError> {
        let mut fields = Fields::read(body, &NAMESPACE_SYNC_FIELDS)?;
        if let Some(name) = fields.unknown(&NAMESPACE_SYNC_FIELDS) {
            return Err(invalid(name, "a field of NamespaceSync"));
        }
        let id = fields
            .id("namespace_id")?
            .ok_or_else(|| DecodeError::Permanent {
                reason: DeadLetterReason::NoIdentifier,
                detail: "expected namespace_id; found none".to_owned(),
            })?;
        Ok(Self {
            namespace_id: i64::try_from(id)
                .map_err(|_| invalid("namespace_id", "a whole number below 2^63"))?,
            requested_by: fields.line("requested_by", OneLine::NOTE)?,
        })
    }
}

const SYNC_TICK_FIELDS: [&str; 5] = [
    "dry_run",
    "max_block_percent",
    "max_unblock_percent",
    "reason",
    "requested_by",
];

const NAMESPACE_SYNC_FIELDS: [&str; 2] = ["namespace_id", "requested_by"];

const USER_SYNC_FIELDS: [&str; 10] = [
    "gitlab_user_id",
    "username",
    "crsid",
    "cause",
    "dry_run",
    "planned",
    "planned_reason",
    "planned_at",
    "requested_by",
    "reason",
];

fn user_sync(fields: &mut Fields) -> Result<UserSync, DecodeError> {
    Ok(UserSync {
        gitlab_user_id: fields.id("gitlab_user_id")?,
        username: fields.line("username", OneLine::USERNAME)?,
        crsid: fields.line("crsid", OneLine::WORD)?,
        cause: fields.line("cause", OneLine::WORD)?,
        dry_run: fields.flag("dry_run")?,
        planned: fields.line("planned", OneLine::WORD)?,
        planned_reason: fields.line("planned_reason", OneLine::WORD)?,
        planned_at: fields.line("planned_at", OneLine::WORD)?,
        requested_by: fields.line("requested_by", OneLine::NOTE)?,
        reason: fields.line("reason", OneLine::NOTE)?,
    })
}

fn who(wire: &UserSync) -> Result<Who, DecodeError> {
    match (wire.gitlab_user_id, &wire.username, &wire.crsid) {
        (Some(id), None, None) => Ok(Who::Account(id)),
        (None, Some(username), None) => Ok(Who::Username(username.clone())),
        (None, None, Some(crsid)) => Crsid::parse(crsid).map(Who::Person).ok_or_else(|| {
            invalid(
                "crsid",
                "a letter and one to seven letters or digits, nothing else",
            )
        }),
        (id, username, crsid) => Err(not_one_identifier([
            ("gitlab_user_id", id.is_some()),
            ("username", username.is_some()),
            ("crsid", crsid.is_some()),
        ])),
    }
}

fn not_one_identifier(identifiers: [(&'static str, bool); 3]) -> DecodeError {
    let set: Vec<_> = identifiers
        .into_iter()
        .filter_map(|(name, is_set)| is_set.then_some(name))
        .collect();
    let found = if set.is_empty() {
        "none".to_owned()
    } else {
        set.join(" and ")
    };
    DecodeError::Permanent {
        reason: DeadLetterReason::NoIdentifier,
        detail: format!("expected exactly one of gitlab_user_id, username, crsid; found {found}"),
    }
}

fn cause(wire: &UserSync) -> Result<Cause, DecodeError> {
    match wire.cause.as_deref() {
        Some("tick") => tick_cause(wire),
        Some("resync") | None => resync_cause(wire),
        Some(_) => Err(invalid("cause", "tick or resync")),
    }
}

fn tick_cause(wire: &UserSync) -> Result<Cause, DecodeError> {
    let planned = wire
        .planned
        .as_deref()
        .and_then(Planned::parse)
        .ok_or_else(|| invalid("planned", "block, unblock or keep in a tick's message"))?;
    let planned_at = wire
        .planned_at
        .as_deref()
        .map(|at| {
            at.parse::<Timestamp>()
                .map_err(|_| invalid("planned_at", "an RFC 3339 time"))
        })
        .transpose()?;
    Ok(Cause::Tick {
        planned,
        planned_reason: wire.planned_reason.clone(),
        planned_at,
    })
}

/// A plan in a message that says it is no tick's would be read as "decide afresh", which its
/// publisher did not mean.
fn resync_cause(wire: &UserSync) -> Result<Cause, DecodeError> {
    let plan = [
        ("planned", &wire.planned),
        ("planned_reason", &wire.planned_reason),
        ("planned_at", &wire.planned_at),
    ];
    match plan.into_iter().find(|(_, value)| value.is_some()) {
        Some((name, _)) => Err(invalid(name, "no such field unless cause is tick")),
        None => Ok(Cause::Resync),
    }
}

fn unknown_user_field(name: &str, of_a_tick: bool) -> DecodeError {
    match invalid(name, "a field of UserSync") {
        DecodeError::Permanent { detail, .. } if of_a_tick => {
            DecodeError::NewerPublisher { detail }
        }
        error => error,
    }
}

fn encoded(body: &impl Serialize) -> Result<Vec<u8>, DecodeError> {
    serde_json::to_vec(body).map_err(|error| undecodable(&format!("body: {error}")))
}

/// `invalid_field`: the field's name may come from the message, so it is cut and cleaned.
pub(super) fn invalid(field: &str, expected: &str) -> DecodeError {
    DecodeError::Permanent {
        reason: DeadLetterReason::InvalidField,
        detail: format!("{}: expected {expected}", one_line(field, MAX_NAME)),
    }
}

/// `undecodable`.
pub(super) fn undecodable(detail: &str) -> DecodeError {
    DecodeError::Permanent {
        reason: DeadLetterReason::Undecodable,
        detail: detail.to_owned(),
    }
}
