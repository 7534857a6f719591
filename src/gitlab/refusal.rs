//! GitLab's own reasons for refusing a token, in its words, and what to do about each
//! (`lib/gitlab/auth/`, `lib/api/api_guard.rs`; seen on GitLab 18.9). All of them are about the
//! token or its owner, never about an account.

use serde::Deserialize;

use crate::upstream::{ClaimedScope, Fault, LenientValue, UpstreamResponse};

/// A reason that GitLab gives.
struct KnownRefusal {
    /// How its text begins.
    begins: &'static str,
    /// The text as it is told, without a name or an address in it.
    says: &'static str,
    /// What an operator does about it.
    advice: &'static str,
}

const REASONS: [KnownRefusal; 8] = [
    KnownRefusal {
        begins: "Your account has been blocked.",
        says: "Your account has been blocked.",
        advice: "the token's owner is blocked, banned or locked; ten wrong passwords lock a username for ten minutes, \
                 but never a service account: unblock or unlock it, and give the token to a service account",
    },
    KnownRefusal {
        begins: "Your account has been deactivated by your administrator.",
        says: "Your account has been deactivated by your administrator.",
        advice: "the token's owner is deactivated: activate it",
    },
    KnownRefusal {
        begins: "Your account is pending approval from your administrator",
        says: "Your account is pending approval from your administrator",
        advice: "the token's owner waits for approval: approve it",
    },
    KnownRefusal {
        begins: "Your password expired.",
        says: "Your password expired.",
        advice: "the token's owner has to choose a new password, which a service account never has to",
    },
    KnownRefusal {
        begins: "You (@",
        says: "You must accept the Terms of Service",
        advice: "the token's owner has to accept the Terms of Service, which a service account need not",
    },
    KnownRefusal {
        begins: "This action cannot be performed by internal users",
        says: "This action cannot be performed by internal users",
        advice: "the token's owner is one of GitLab's internal accounts: use an administrator's service account",
    },
    KnownRefusal {
        begins: "Token is expired.",
        says: "Token is expired.",
        advice: "the token has expired: make a new one",
    },
    KnownRefusal {
        begins: "Token was revoked.",
        says: "Token was revoked.",
        advice: "the token was revoked: make a new one",
    },
];

/// What GitLab puts before the text of most reasons.
const PREFIX: &str = "403 Forbidden - ";

/// The body of a refusal: `{"message": …}`, or as OAuth has it (RFC 6750, section 3.1).
#[derive(Deserialize)]
struct Refusal<'a> {
    #[serde(borrow, default)]
    message: LenientValue<'a>,
    #[serde(borrow, default)]
    error: LenientValue<'a>,
    #[serde(borrow, default)]
    error_description: LenientValue<'a>,
    #[serde(borrow, default)]
    scope: LenientValue<'a>,
}

/// `fault` with GitLab's own reason, where `answer` gives one that is known. Nothing else of the
/// body is repeated.
pub(super) fn with_reason(answer: &UpstreamResponse, fault: Fault) -> Fault {
    if !matches!(answer.status.as_u16(), 401 | 403) {
        return fault;
    }
    let Ok(refusal) = answer.body_as_json::<Refusal<'_>>() else {
        return fault;
    };
    if refusal.error.text() == Some("insufficient_scope") {
        let wanted = scopes(refusal.scope.text().unwrap_or_default());
        return fault
            .noting(&format!("insufficient_scope: it takes one of {wanted}"))
            .of(ClaimedScope::Everybody);
    }
    let texts = [&refusal.message, &refusal.error_description];
    let known = texts.into_iter().find_map(|text| reason(text.text()?));
    match known {
        Some(reason) => fault
            .noting(&format!("GitLab says: {}", reason.says))
            .advising(reason.advice)
            .of(ClaimedScope::Everybody),
        None => fault,
    }
}

fn reason(text: &str) -> Option<&'static KnownRefusal> {
    let text = text.strip_prefix(PREFIX).unwrap_or(text);
    REASONS
        .iter()
        .find(|reason| text.starts_with(reason.begins))
}

/// The names of the scopes that would do, as far as they are names.
fn scopes(text: &str) -> String {
    let is_name = |word: &&str| {
        let plain = |byte: u8| byte.is_ascii_lowercase() || byte == b'_';
        word.len() <= 40 && word.bytes().all(plain)
    };
    let names: Vec<&str> = text.split_whitespace().filter(is_name).take(12).collect();
    if names.is_empty() {
        "others".to_owned()
    } else {
        names.join(", ")
    }
}
