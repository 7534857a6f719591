//! An attempt to send a sync, told on one line.

use crate::namespaces::ledger::history::SyncAttempt;

/// Such as `7: retrying (503): it is down`. Its detail is text from elsewhere; who prints it makes
/// it safe.
pub(in crate::cli) fn told(attempt: &SyncAttempt) -> String {
    let status = attempt.http_status.map(|status| format!(" ({status})"));
    let detail = attempt.detail.as_ref().map(|detail| format!(": {detail}"));
    format!(
        "{}: {}{}{}",
        attempt.id,
        state(attempt),
        status.unwrap_or_default(),
        detail.unwrap_or_default()
    )
}

/// Its state, and whether its worker must be gone.
pub(in crate::cli) fn state(attempt: &SyncAttempt) -> String {
    if attempt.overdue {
        format!("{} (overdue)", attempt.state)
    } else {
        attempt.state.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::namespaces::ledger::attempt_state::AttemptState;

    fn attempt() -> SyncAttempt {
        SyncAttempt {
            id: 7,
            state: AttemptState::Started,
            overdue: false,
            http_status: None,
            parts: None,
            detail: None,
            started_at: "2026-11-01T02:00:03Z".parse().unwrap(),
            finished_at: None,
        }
    }

    #[test]
    fn it_says_what_is_known_and_no_more() {
        assert_eq!(told(&attempt()), "7: started");
        let overdue = SyncAttempt {
            overdue: true,
            ..attempt()
        };
        assert_eq!(told(&overdue), "7: started (overdue)");
        let refused = SyncAttempt {
            state: AttemptState::Retrying,
            http_status: Some(503),
            detail: Some("it is down".to_owned()),
            ..attempt()
        };
        assert_eq!(told(&refused), "7: retrying (503): it is down");
    }
}
