//! What has no time on record, and what tells it.

use super::*;
use crate::gitlab::Identity;

#[rstest]
#[case(
    AccountState::Banned,
    "not recorded banned by nobody on record, run -: gitlab"
)]
#[case(
    AccountState::LdapBlocked,
    "not recorded blocked by LDAP, SAML or SCIM, run -: gitlab"
)]
#[case(
    AccountState::Deactivated,
    "not recorded deactivated by nobody on record, run -: gitlab"
)]
#[case(
    AccountState::Blocked,
    "not recorded blocked by nobody on record, run -: gitlab"
)]
fn of_what_gitlab_keeps_no_time_none_is_told(#[case] state: AccountState, #[case] expected: &str) {
    assert_eq!(history(&account(state), Vec::new()), [expected]);
}

#[test]
fn a_ban_has_the_time_of_its_audit_event() {
    let ban = told(
        HistoryEvent::Banned,
        "03:00:00",
        &root(),
        HistorySource::Audit,
    );
    assert_eq!(
        history(&account(AccountState::Banned), vec![ban]),
        ["03:00:00 banned by root (1), run -: gitlab+audit"]
    );
    // An earlier ban that was lifted since is another one.
    let ban = told(
        HistoryEvent::Banned,
        "03:00:00",
        &root(),
        HistorySource::Audit,
    );
    let lifted = told(
        HistoryEvent::Unbanned,
        "04:00:00",
        &root(),
        HistorySource::Audit,
    );
    assert_eq!(
        history(&account(AccountState::Banned), vec![ban, lifted]).len(),
        3
    );
}

#[test]
fn a_block_that_was_lifted_in_silence_ends_after_it_began() {
    let lifted = Account {
        marker: Some(marker("02:00:00", "r1")),
        blocked_by: record("svc/9", "02:00:03"),
        identities: vec![Identity {
            provider: "saml".to_owned(),
            extern_uid: "ab42".to_owned(),
        }],
        ..account(AccountState::Active)
    };
    assert_eq!(
        history(&lifted, Vec::new()),
        [
            "after 02:00:03 unblocked by LDAP, SAML or SCIM, run -: gitlab",
            "02:00:03 blocked by this service, run r1: gitlab",
        ]
    );
}

#[test]
fn of_a_block_and_an_unblock_in_one_second_nothing_is_concluded() {
    let same = Account {
        marker: Some(marker("02:00:00", "r1")),
        blocked_by: record("svc/9", "02:00:03"),
        unblocked_by: record("root/1", "02:00:03"),
        ..account(AccountState::Blocked)
    };
    let lines = history(&same, Vec::new());
    assert_eq!(lines.len(), 3);
    assert_eq!(
        lines[0],
        "after 02:00:03 blocked by nobody on record, run -: gitlab"
    );
}
