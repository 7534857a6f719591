//! Who is who.

use lookup_gitlab_sync::{
    config::{self, IdentityPattern},
    users::{
        account::{Account, Identity},
        class::{Class, Classes, relying_on_case},
    },
};
use rstest::rstest;

use super::build::{OWN, account, class_of, crsid, users};

fn with_identity(username: &str, provider: &str, extern_uid: &str) -> Account {
    let identity = Identity {
        provider: provider.to_owned(),
        extern_uid: extern_uid.to_owned(),
    };
    Account {
        identities: vec![identity],
        ..account(username)
    }
}

fn by_saml() -> config::UsersConfig {
    let pattern = IdentityPattern {
        provider: "saml".to_owned(),
        extern_uid: r"(?i)^(?<crsid>[a-z0-9]+)@example\.ac\.uk$".to_owned(),
        template: Some("{crsid}@example.ac.uk".to_owned()),
    };
    config::UsersConfig {
        identity_patterns: vec![pattern],
        ..users()
    }
}

#[rstest]
#[case("spqr1", "spqr1")]
#[case("SPQR1", "spqr1")]
#[case("ab", "ab")]
#[case("abcdefgh", "abcdefgh")]
fn a_crsid_as_username_is_a_member_in_any_case(#[case] username: &str, #[case] person: &str) {
    assert_eq!(
        class_of(&users(), &account(username)),
        Class::Member(crsid(person))
    );
}

#[rstest]
#[case("a")]
#[case("abcdefghi")]
#[case("1abc")]
#[case("uis-admin-spqr2")]
#[case("uis-support-bot")]
#[case("spqr1.old")]
#[case("spqr_1")]
#[case("")]
#[case("ſpqr1")]
fn what_is_not_a_crsid_is_out_of_scope(#[case] username: &str) {
    assert_eq!(class_of(&users(), &account(username)), Class::OutOfScope);
}

#[test]
fn an_external_account_is_known_by_its_username_and_not_by_gitlabs_flag() {
    assert_eq!(
        class_of(&users(), &account("external-partner")),
        Class::External
    );
    // GitLab's `external` flag is not even a fact: a robot that carries it is out of scope.
    assert_eq!(
        class_of(&users(), &account("uis-support-bot")),
        Class::OutOfScope
    );
}

#[test]
fn the_tokens_own_account_is_exempt() {
    let own = Account {
        id: OWN,
        ..account("spqr1")
    };
    assert_eq!(class_of(&users(), &own), Class::Exempt);
}

#[test]
fn an_account_with_the_attribute_is_exempt() {
    let spared = Account {
        exempt_attribute: true,
        ..account("spqr1")
    };
    assert_eq!(class_of(&users(), &spared), Class::Exempt);
}

#[test]
fn listed_usernames_are_exempt_in_any_case() {
    let configured = config::UsersConfig {
        exempt_usernames: vec!["Spqr1".to_owned()],
        exempt_username_patterns: vec!["^ab".to_owned()],
        ..users()
    };
    assert_eq!(class_of(&configured, &account("sPQR1")), Class::Exempt);
    assert_eq!(class_of(&configured, &account("ab123")), Class::Exempt);
    assert_eq!(
        class_of(&configured, &account("cd123")),
        Class::Member(crsid("cd123"))
    );
}

#[test]
fn an_administrator_is_a_member_like_others_unless_exempted() {
    let administrator = Account {
        administrator: true,
        ..account("spqr1")
    };
    assert_eq!(
        class_of(&users(), &administrator),
        Class::Member(crsid("spqr1"))
    );
    let configured = config::UsersConfig {
        exempt_administrators: true,
        ..users()
    };
    assert_eq!(class_of(&configured, &administrator), Class::Exempt);
}

#[test]
fn what_is_not_human_is_nobody() {
    let bot = Account {
        human: false,
        ..account("spqr1")
    };
    assert_eq!(class_of(&users(), &bot), Class::NotHuman);
}

#[test]
fn an_identity_outweighs_the_username() {
    let account = with_identity("abc12", "saml", "XYZ98@example.ac.uk");
    assert_eq!(
        class_of(&by_saml(), &account),
        Class::Member(crsid("xyz98"))
    );
}

#[test]
fn an_identity_makes_a_member_of_an_external_username() {
    let account = with_identity("external-partner", "saml", "xyz98@example.ac.uk");
    assert_eq!(
        class_of(&by_saml(), &account),
        Class::Member(crsid("xyz98"))
    );
}

#[rstest]
#[case::other_provider("github", "xyz98@example.ac.uk")]
#[case::other_domain("saml", "xyz98@example.com")]
#[case::not_a_crsid("saml", "0123456789@example.ac.uk")]
fn an_identity_that_names_nobody_leaves_it_to_the_username(
    #[case] provider: &str,
    #[case] extern_uid: &str,
) {
    let account = with_identity("abc12", provider, extern_uid);
    assert_eq!(
        class_of(&by_saml(), &account),
        Class::Member(crsid("abc12"))
    );
}

#[test]
fn identities_of_two_people_are_nobody_we_can_act_on() {
    let mut account = with_identity("abc12", "saml", "xyz98@example.ac.uk");
    account
        .identities
        .extend(with_identity("", "saml", "pqr76@example.ac.uk").identities);
    assert_eq!(class_of(&by_saml(), &account), Class::OutOfScope);
}

#[test]
fn a_person_can_be_found_by_identity() {
    let classes = Classes::new(&by_saml()).unwrap();
    let identity = Identity {
        provider: "saml".to_owned(),
        extern_uid: "spqr1@example.ac.uk".to_owned(),
    };
    assert_eq!(classes.identities_of(crsid("spqr1")), vec![identity]);
}

/// GitLab compares usernames and `extern_uid` without case.
#[rstest]
#[case("ab50@example.ac.uk")]
#[case("AB50@EXAMPLE.AC.UK")]
#[case("Ab50@Example.ac.uk")]
fn an_identity_is_compared_without_case(#[case] extern_uid: &str) {
    let mut users = by_saml();
    users.identity_patterns[0].extern_uid =
        r"^(?<crsid>[a-z][a-z0-9]{1,7})@example\.ac\.uk$".to_owned();
    assert_eq!(
        class_of(&users, &with_identity("zed", "saml", extern_uid)),
        Class::Member(crsid("ab50"))
    );
}

#[rstest]
#[case("external-fred")]
#[case("External-Fred")]
#[case("EXTERNAL-FRED")]
fn an_external_username_is_compared_without_case(#[case] username: &str) {
    assert_eq!(class_of(&users(), &account(username)), Class::External);
}

#[test]
fn a_provider_is_compared_with_case_as_gitlab_does() {
    let account = with_identity("nobody.s", "SAML", "ab50@example.ac.uk");
    assert_eq!(class_of(&by_saml(), &account), Class::OutOfScope);
}

#[rstest]
#[case("^(?-i)External-", true)]
#[case("^(?-i:Ext)ernal-", true)]
#[case("^[A-Z]{2}[0-9]+$", true)]
#[case(r"^\p{Lu}", true)]
#[case("^[A-Za-z]+$", false)]
#[case("(?i)^external-", false)]
#[case("^External-(?<x>y)", false)]
#[case(r"^robot-\S+", false)]
fn a_pattern_that_was_written_for_one_case_is_known(#[case] pattern: &str, #[case] relies: bool) {
    let users = config::UsersConfig {
        external_patterns: vec![pattern.to_owned()],
        ..users()
    };
    let found: Vec<&str> = relying_on_case(&users).collect();
    assert_eq!(found == [pattern], relies, "{found:?}");
}
