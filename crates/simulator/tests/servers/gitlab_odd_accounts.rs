//! Accounts as only a real GitLab has them, each with the answers that were recorded of one.

use jiff::civil::date;
use rstest::rstest;
use serde_json::{Value, json};
use simulator::{
    gitlab::{SimulatedGitLab, SimulatedUser, UserState},
    population::{Expected, Population},
};

use crate::asking::{Answer, ask, gitlab, request, send};

const LIST: &str = "/users?pagination=keyset&order_by=id&sort=asc&with_custom_attributes=true";

async fn one(change: Value) -> SimulatedGitLab {
    let gitlab = gitlab(vec![SimulatedUser::new(42, "ab123")]).await;
    gitlab.change_user(42, change).unwrap();
    gitlab
}

fn said(answer: &Answer) -> (u16, &str) {
    (answer.status, &answer.body)
}

fn state(gitlab: &SimulatedGitLab) -> UserState {
    gitlab.account(42).unwrap().state
}

fn record(gitlab: &SimulatedGitLab) -> Vec<String> {
    let attributes = gitlab.account(42).unwrap().custom_attributes;
    attributes.iter().map(|(key, _)| key.clone()).collect()
}

#[tokio::test]
async fn an_account_without_a_personal_namespace_breaks_every_page_that_holds_it() {
    let gitlab = one(json!({"hidden": {"without_namespace": true}})).await;
    let broken = (500, r#"{"message":"500 Internal Server Error"}"#);
    for path in [LIST, "/users?username=ab123", "/users/42"] {
        assert_eq!(said(&ask(&gitlab, "GET", path).await), broken, "{path}");
    }
    let page = ask(&gitlab, "GET", &format!("{LIST}&per_page=1")).await;
    assert_eq!((page.status, page.ids()), (200, vec![1]));
    let put = request(&gitlab, "PUT", "/users/42/custom_attributes/k").form(&[("value", "1")]);
    assert_eq!(send(put).await.status, 200);
    assert_eq!(
        said(&ask(&gitlab, "POST", "/users/42/block").await),
        (500, r#"{"message":"Namespace can't be blank"}"#)
    );
    assert_eq!(
        said(&ask(&gitlab, "POST", "/users/42/unblock").await),
        (201, "false")
    );
    assert_eq!(state(&gitlab), UserState::Active);
}

#[tokio::test]
async fn an_account_that_does_not_validate_can_be_neither_blocked_nor_unblocked() {
    let gitlab = one(json!({"name": null})).await;
    assert_eq!(
        said(&ask(&gitlab, "POST", "/users/42/block").await),
        (500, r#"{"message":"Name can't be blank"}"#)
    );
    assert_eq!(state(&gitlab), UserState::Active);
    gitlab
        .change_user(42, json!({"state": "blocked", "by": "nobody"}))
        .unwrap();
    assert_eq!(
        said(&ask(&gitlab, "POST", "/users/42/unblock").await),
        (201, "false")
    );
    assert_eq!(state(&gitlab), UserState::Blocked);
    assert_eq!(record(&gitlab), [""; 0]);
    assert_eq!(ask(&gitlab, "GET", "/users/42").await.status, 200);
    gitlab
        .change_user(42, json!({"name": "A", "state": "active", "by": "nobody", "hidden": {"invalid": "Email is invalid"}}))
        .unwrap();
    assert_eq!(
        said(&ask(&gitlab, "POST", "/users/42/block").await),
        (500, r#"{"message":"Email is invalid"}"#)
    );
}

#[tokio::test]
async fn an_account_whose_deletion_is_under_way_is_made_active_by_an_unblock() {
    let gitlab = one(json!({"hidden": {"deletion": "requested"}})).await;
    assert_eq!(state(&gitlab), UserState::Active);
    gitlab
        .change_user(42, json!({"hidden": {"deletion": "under_way"}}))
        .unwrap();
    assert_eq!(
        (state(&gitlab), record(&gitlab)),
        (UserState::Blocked, vec![])
    );
    assert_eq!(ask(&gitlab, "POST", "/users/42/block").await.body, "null");
    assert_eq!(ask(&gitlab, "POST", "/users/42/unblock").await.body, "true");
    assert_eq!(state(&gitlab), UserState::Active);
}

#[rstest]
#[case::a_ban("ban", UserState::Banned, &["blocked_by"])]
#[case::another_block("block", UserState::Blocked, &["blocked_by"])]
#[tokio::test]
async fn a_block_that_meets_another_change_answers_true_whatever_the_end(
    #[case] meets: &str,
    #[case] end: UserState,
    #[case] traces: &[&str],
) {
    let gitlab = one(json!({"hidden": {"meets": meets}})).await;
    assert_eq!(ask(&gitlab, "POST", "/users/42/block").await.body, "true");
    assert_eq!(state(&gitlab), end);
    assert_eq!(record(&gitlab), traces);
    assert_eq!(ask(&gitlab, "POST", "/users/42/block").await.body, "null");
}

#[rstest]
#[case::lifts_a_block("blocked", true, UserState::Active)]
#[case::lifts_a_ban("banned", true, UserState::Active)]
#[case::lifts_its_own("ldap_blocked", true, UserState::Active)]
#[case::approves("blocked_pending_approval", true, UserState::Active)]
#[case::blocks("active", false, UserState::LdapBlocked)]
#[case::leaves_a_block("blocked", false, UserState::Blocked)]
#[tokio::test]
async fn scim_changes_a_state_and_leaves_no_trace(
    #[case] before: &str,
    #[case] active: bool,
    #[case] after: UserState,
) {
    let gitlab = one(json!({"state": before, "by": "nobody"})).await;
    gitlab.change_user(42, json!({"scim": active})).unwrap();
    assert_eq!((state(&gitlab), record(&gitlab)), (after, vec![]));
    let row = ask(&gitlab, "GET", "/users/42").await.json();
    let identity = json!([{"extern_uid": "ab123", "group_id": null, "active": active}]);
    assert_eq!(row["scim_identities"], identity);
}

#[tokio::test]
async fn an_identity_provider_that_insists_takes_each_block_back_in_silence() {
    let gitlab = one(json!({"hidden": {"scim_restores_after_ms": 0}})).await;
    for _ in 0..2 {
        assert_eq!(ask(&gitlab, "POST", "/users/42/block").await.body, "true");
        assert_eq!(state(&gitlab), UserState::Active);
        assert_eq!(record(&gitlab), ["blocked_by"]);
    }
}

#[tokio::test]
async fn an_administrator_may_ban_internal_accounts_and_themselves() {
    let gitlab = one(json!({"user_type": "ghost"})).await;
    for id in [42, 1] {
        assert_eq!(
            said(&ask(&gitlab, "POST", &format!("/users/{id}/ban")).await),
            (201, "true")
        );
    }
}

#[tokio::test]
async fn a_missing_account_and_a_missing_attribute_are_spelled_apart() {
    let gitlab = one(json!({})).await;
    let cases = [
        ("/users/43", "404 User Not Found"),
        ("/users/43/custom_attributes", "404 Not Found"),
        ("/users/43/custom_attributes/k", "404 Not Found"),
        ("/users/42/custom_attributes/k", "404 Not found"),
    ];
    for (path, message) in cases {
        let answer = ask(&gitlab, "GET", path).await;
        assert_eq!(
            (answer.status, answer.json()),
            (404, json!({ "message": message }))
        );
    }
}

#[test]
fn the_odd_accounts_are_one_of_each_with_an_end() {
    let today = date(2026, 11, 22);
    let plain = Population::generate(100, 1, today);
    let odd = plain.clone().with_odd_accounts(today);
    assert_eq!(odd, plain.clone().with_odd_accounts(today));
    assert_eq!(odd.accounts()[..100], *plain.accounts());
    let cases: Vec<_> = odd.accounts()[100..]
        .iter()
        .map(|account| (odd.origins()[&account.id].case, odd.expected()[&account.id]))
        .collect();
    let reason = simulator::population::ExpectedReason::CancelledInLookup;
    assert_eq!(
        cases,
        [
            ("odd_without_namespace", Expected::Untouched),
            ("odd_not_validating", Expected::Refused),
            ("odd_without_created_at", Expected::Blocked { reason }),
            ("odd_external_without_any_time", Expected::Untouched),
            ("odd_being_deleted", Expected::Untouched),
            ("odd_made_active_by_scim", Expected::Contested { reason }),
        ]
    );
}
