//! The names that people, records and GitLab use, and what follows from a class alone.

use lookup_gitlab_sync::users::{
    account::{AccountId, AccountState, Identity},
    class::Class,
};
use rstest::rstest;

use super::build::{account, class_of, crsid, users};

#[rstest]
#[case(AccountState::Active, "active", true)]
#[case(AccountState::Deactivated, "deactivated", true)]
#[case(AccountState::Blocked, "blocked", false)]
#[case(AccountState::LdapBlocked, "ldap_blocked", false)]
#[case(AccountState::Banned, "banned", false)]
#[case(
    AccountState::BlockedPendingApproval,
    "blocked_pending_approval",
    false
)]
fn a_state_is_spelt_as_gitlab_spells_it(
    #[case] state: AccountState,
    #[case] name: &str,
    #[case] open: bool,
) {
    assert_eq!(AccountState::parse(name), state);
    assert_eq!(state.as_str(), name);
    assert_eq!(state.is_open(), open);
}

#[rstest]
#[case("")]
#[case("Active")]
#[case(" active")]
#[case("archived")]
fn any_other_spelling_is_a_state_that_is_not_known(#[case] name: &str) {
    assert_eq!(AccountState::parse(name), AccountState::Unrecognised);
    assert!(!AccountState::Unrecognised.is_open());
    assert_eq!(AccountState::Unrecognised.as_str(), "unrecognised");
}

#[rstest]
#[case(Class::Exempt, "exempt", false)]
#[case(Class::NotHuman, "not_human", false)]
#[case(Class::Member(crsid("spqr1")), "member", true)]
#[case(Class::External, "external", true)]
#[case(Class::OutOfScope, "out_of_scope", false)]
fn a_class_has_a_name_and_is_in_scope_or_not(
    #[case] class: Class,
    #[case] name: &str,
    #[case] in_scope: bool,
) {
    assert_eq!(class.as_str(), name);
    assert_eq!(class.is_in_scope(), in_scope);
    let person = (name == "member").then(|| crsid("spqr1"));
    assert_eq!(class.crsid(), person.as_ref());
}

#[test]
fn an_account_is_shown_by_its_number() {
    assert_eq!(AccountId(42).to_string(), "42");
}

#[test]
fn identities_that_name_the_same_person_twice_name_that_person() {
    let pattern = |provider: &str| lookup_gitlab_sync::config::IdentityPattern {
        provider: provider.to_owned(),
        extern_uid: r"^(?<crsid>[a-z0-9]+)@example\.ac\.uk$".to_owned(),
        template: None,
    };
    let mut users = users();
    users.identity_patterns = vec![pattern("saml"), pattern("ldap")];
    let mut account = account("somebody.else");
    account.identities = ["saml", "ldap"]
        .map(|provider| Identity {
            provider: provider.to_owned(),
            extern_uid: "spqr1@example.ac.uk".to_owned(),
        })
        .into();
    assert_eq!(class_of(&users, &account), Class::Member(crsid("spqr1")));
}
