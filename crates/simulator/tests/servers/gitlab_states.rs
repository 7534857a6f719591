//! GitLab's state table, row by row.

use rstest::rstest;
use simulator::gitlab::{Kind, SimulatedGitLab, SimulatedUser, UserState};

use crate::asking::{ask, gitlab, request, send};

const HOUR: i64 = 3600;

async fn with_account(state: UserState, kind: Kind) -> SimulatedGitLab {
    gitlab(vec![SimulatedUser {
        state,
        kind,
        ..SimulatedUser::new(42, "ab123")
    }])
    .await
}

fn state(name: &str) -> UserState {
    serde_json::from_value(name.into()).unwrap()
}

#[rstest]
#[case::active_block("active", "block", 201, "true", "blocked")]
#[case::active_unblock("active", "unblock", 201, "false", "active")]
#[case::active_deactivate("active", "deactivate", 201, "true", "deactivated")]
#[case::active_activate("active", "activate", 201, "true", "active")]
#[case::active_ban("active", "ban", 201, "true", "banned")]
#[case::active_unban("active", "unban", 403, "", "active")]
#[case::blocked_block("blocked", "block", 201, "null", "blocked")]
#[case::blocked_unblock("blocked", "unblock", 201, "true", "active")]
#[case::blocked_deactivate(
    "blocked",
    "deactivate",
    403,
    "Error occurred. A blocked user cannot be deactivated",
    "blocked"
)]
#[case::blocked_activate(
    "blocked",
    "activate",
    403,
    "Error occurred. A blocked user must be unblocked to be activated",
    "blocked"
)]
#[case::blocked_ban("blocked", "ban", 403, "You cannot ban blocked users.", "blocked")]
#[case::blocked_unban("blocked", "unban", 403, "", "blocked")]
#[case::ldap_block(
    "ldap_blocked",
    "block",
    403,
    "403 Forbidden - LDAP blocked users cannot be modified by the API",
    "ldap_blocked"
)]
#[case::ldap_unblock(
    "ldap_blocked",
    "unblock",
    403,
    "403 Forbidden - LDAP blocked users cannot be unblocked by the API",
    "ldap_blocked"
)]
#[case::ldap_deactivate("ldap_blocked", "deactivate", 403, "", "ldap_blocked")]
#[case::ldap_activate("ldap_blocked", "activate", 403, "", "ldap_blocked")]
#[case::ldap_ban("ldap_blocked", "ban", 403, "", "ldap_blocked")]
#[case::ldap_unban("ldap_blocked", "unban", 403, "", "ldap_blocked")]
#[case::deactivated_block("deactivated", "block", 201, "true", "blocked")]
#[case::deactivated_unblock(
    "deactivated",
    "unblock",
    403,
    "403 Forbidden - Deactivated users cannot be unblocked by the API",
    "deactivated"
)]
#[case::deactivated_deactivate("deactivated", "deactivate", 201, "null", "deactivated")]
#[case::deactivated_activate("deactivated", "activate", 201, "true", "active")]
#[case::deactivated_ban("deactivated", "ban", 403, "", "deactivated")]
#[case::deactivated_unban("deactivated", "unban", 403, "", "deactivated")]
#[case::banned_block("banned", "block", 201, "null", "banned")]
#[case::banned_unblock_lifts_the_ban("banned", "unblock", 201, "true", "active")]
#[case::banned_deactivate("banned", "deactivate", 403, "", "banned")]
#[case::banned_activate("banned", "activate", 403, "", "banned")]
#[case::banned_ban("banned", "ban", 403, "", "banned")]
#[case::banned_unban("banned", "unban", 201, "true", "active")]
#[case::pending_block(
    "blocked_pending_approval",
    "block",
    201,
    "null",
    "blocked_pending_approval"
)]
#[case::pending_unblock_approves("blocked_pending_approval", "unblock", 201, "true", "active")]
#[case::pending_deactivate(
    "blocked_pending_approval",
    "deactivate",
    403,
    "",
    "blocked_pending_approval"
)]
#[case::pending_activate(
    "blocked_pending_approval",
    "activate",
    403,
    "",
    "blocked_pending_approval"
)]
#[case::pending_ban("blocked_pending_approval", "ban", 403, "", "blocked_pending_approval")]
#[case::pending_unban(
    "blocked_pending_approval",
    "unban",
    403,
    "",
    "blocked_pending_approval"
)]
#[case::a_state_of_the_future("frozen", "block", 403, "", "frozen")]
#[tokio::test]
async fn an_action_ends_as_the_state_table_says(
    #[case] before: &str,
    #[case] action: &str,
    #[case] status: u16,
    #[case] says: &str,
    #[case] after: &str,
) {
    let gitlab = with_account(state(before), Kind::Human).await;
    let answer = ask(&gitlab, "POST", &format!("/users/42/{action}")).await;
    assert_eq!(answer.status, status, "{}", answer.body);
    if status == 201 {
        assert_eq!(answer.body, says);
    } else {
        let message = answer.json()["message"].as_str().unwrap().to_owned();
        assert!(!message.is_empty() && message.ends_with(says), "{message}");
    }
    let account = gitlab.account(42).unwrap();
    assert_eq!(account.state, state(after));

    // Only a block and an unblock that changed something leave GitLab's record.
    let changed = before != after;
    let has = |key| account.custom_attributes.contains_key(key);
    assert_eq!(has("blocked_by"), changed && action == "block");
    assert_eq!(has("unblocked_by"), changed && action == "unblock");
}

#[rstest]
#[case::ghost(Kind::Ghost, 403)]
#[case::alert_bot(Kind::AlertBot, 403)]
#[case::placeholder(Kind::Placeholder, 403)]
#[case::service_account(Kind::ServiceAccount, 201)]
#[case::project_bot(Kind::ProjectBot, 201)]
#[tokio::test]
async fn internal_accounts_cannot_be_blocked_but_service_accounts_can(
    #[case] kind: Kind,
    #[case] status: u16,
) {
    let gitlab = with_account(UserState::Active, kind).await;
    let answer = ask(&gitlab, "POST", "/users/42/block").await;
    assert_eq!(answer.status, status);
    assert_eq!(
        answer.body.contains("An internal user cannot be blocked"),
        status == 403
    );
}

#[tokio::test]
async fn the_callers_own_account_cannot_be_blocked() {
    let gitlab = gitlab(vec![]).await;
    let answer = ask(&gitlab, "POST", "/users/1/block").await;
    assert_eq!(answer.status, 403);
    assert_eq!(
        answer.json()["message"],
        "403 Forbidden - The API initiating user cannot be blocked by the API"
    );
    assert_eq!(gitlab.account(1).unwrap().state, UserState::Active);
}

#[tokio::test]
async fn an_account_active_lately_cannot_be_deactivated() {
    let today = jiff::Timestamp::now().to_string();
    let account = SimulatedUser::new(42, "ab123").with("last_activity_on", today);
    let gitlab = gitlab(vec![account]).await;
    let answer = ask(&gitlab, "POST", "/users/42/deactivate").await;
    assert_eq!(answer.status, 403);
    assert!(answer.body.contains("has been active in the past 90 days"));
}

#[tokio::test]
async fn an_account_that_is_not_there_is_not_found() {
    let gitlab = gitlab(vec![]).await;
    let answer = ask(&gitlab, "POST", "/users/42/block").await;
    assert_eq!(answer.status, 404);
    assert_eq!(answer.json()["message"], "404 User Not Found");
    let answer = ask(&gitlab, "POST", "/users/none/block").await;
    assert_eq!(answer.status, 404);
    assert_eq!(answer.json()["error"], "404 Not Found");
}

#[tokio::test]
async fn a_block_and_an_unblock_are_put_on_record_as_gitlab_does() {
    let gitlab = with_account(UserState::Active, Kind::Human).await;
    let start = jiff::Timestamp::now();
    ask(&gitlab, "POST", "/users/42/block").await;
    ask(&gitlab, "POST", "/users/42/unblock").await;
    let attributes = gitlab.account(42).unwrap().custom_attributes;
    for key in ["blocked_by", "unblocked_by"] {
        let time = attributes[key]
            .strip_prefix("lookup-gitlab-sync/1+")
            .unwrap();
        let time = time.strip_suffix(" UTC").unwrap().replace(' ', "T");
        let time: jiff::Timestamp = format!("{time}Z").parse().unwrap();
        assert!(
            (time.as_second() - start.as_second()).abs() < HOUR,
            "{key} at {time}"
        );
    }
}

#[tokio::test]
async fn an_action_takes_no_body_an_empty_object_or_a_form() {
    let gitlab = with_account(UserState::Active, Kind::Human).await;
    let block = || request(&gitlab, "POST", "/users/42/block");
    let empty: [(&str, &str); 0] = [];
    let requests = [
        block(),
        block().json(&serde_json::json!({})),
        block().form(&empty),
        block().form(&[("reason", "none")]),
    ];
    for request in requests {
        assert_eq!(send(request).await.body, "true");
        assert_eq!(ask(&gitlab, "POST", "/users/42/unblock").await.body, "true");
    }
}
