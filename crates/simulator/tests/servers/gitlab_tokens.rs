//! Who a token is, what it sees, and how it is lost.

use serde_json::json;
use simulator::gitlab::{
    GitLabSettings, REDUCED_TOKEN, SimulatedGitLab, SimulatedUser, TokenChange,
};

use crate::asking::{ask, ask_with, client, gitlab, request, send};

#[tokio::test]
async fn a_token_is_taken_as_private_token_or_as_bearer() {
    let gitlab = gitlab(vec![]).await;
    let url = format!("{}/api/v4/user", gitlab.url());
    let private = send(client().get(&url).header("private-token", gitlab.token())).await;
    let bearer = send(client().get(&url).bearer_auth(gitlab.token())).await;
    assert_eq!((private.status, private.body.clone()), (200, bearer.body));
    let row = private.json();
    assert_eq!(
        (&row["id"], &row["username"]),
        (&json!(1), &json!("lookup-gitlab-sync"))
    );
    assert_eq!(row["is_admin"], true);
}

#[tokio::test]
async fn an_unknown_or_missing_token_is_unauthorized() {
    let gitlab = gitlab(vec![]).await;
    let unknown = ask_with(&gitlab, "nobodys", "/users").await;
    assert_eq!(
        (unknown.status, unknown.json()),
        (401, json!({"message": "401 Unauthorized"}))
    );
    let missing = send(client().get(format!("{}/api/v4/user", gitlab.url()))).await;
    assert_eq!(missing.status, 401);
}

#[tokio::test]
async fn a_token_without_administrators_rights_may_change_nothing() {
    let gitlab = gitlab(vec![SimulatedUser::new(42, "ab123")]).await;
    let url = format!("{}/api/v4/users/42/block", gitlab.url());
    let answer = send(client().post(url).header("private-token", REDUCED_TOKEN)).await;
    assert_eq!(
        (answer.status, answer.json()),
        (403, json!({"message": "403 Forbidden"}))
    );
    // The account says what it is, whatever the token may do.
    let own = ask_with(&gitlab, REDUCED_TOKEN, "/user").await;
    assert_eq!((own.status, &own.json()["is_admin"]), (200, &json!(true)));
}

#[tokio::test]
async fn a_token_describes_itself() {
    let gitlab = gitlab(vec![]).await;
    let change = TokenChange {
        expires_at: Some("2099-01-31".parse().unwrap()),
        ..TokenChange::default()
    };
    gitlab.change_token(gitlab.token(), change);
    let token = ask(&gitlab, "GET", "/personal_access_tokens/self")
        .await
        .json();
    assert_eq!(token["scopes"], json!(["api", "admin_mode"]));
    assert_eq!(
        (&token["expires_at"], &token["user_id"]),
        (&json!("2099-01-31"), &json!(1))
    );
}

#[tokio::test]
async fn administrators_rights_can_end_in_mid_sweep() {
    let gitlab = gitlab(
        (2..=60)
            .map(|id| SimulatedUser::new(id, &format!("user{id}")))
            .collect(),
    )
    .await;
    let change = json!({"admin_for": 2});
    let url = format!("{}/simulate/tokens/{}", gitlab.url(), gitlab.token());
    assert_eq!(send(client().put(url).json(&change)).await.status, 200);
    let mut full = Vec::new();
    let mut path = "/users?pagination=keyset&order_by=id&sort=asc".to_owned();
    for _ in 0..3 {
        let page = ask(&gitlab, "GET", &path).await;
        full.push(page.json()[0].get("is_admin").is_some());
        let cursor = page.header("x-next-cursor").unwrap_or_default().to_owned();
        path = format!("/users?pagination=keyset&order_by=id&sort=asc&cursor={cursor}");
    }
    assert_eq!(full, [true, true, false]);
}

#[tokio::test]
async fn an_owner_who_is_no_administrator_takes_the_rights_along() {
    let gitlab = gitlab(vec![]).await;
    gitlab.change_user(1, json!({"is_admin": false})).unwrap();
    let rows = ask(&gitlab, "GET", "/users").await;
    assert_eq!((rows.status, rows.json()[0].get("is_admin")), (200, None));
    gitlab.change_user(1, json!({"state": "blocked"})).unwrap();
    assert_eq!(ask(&gitlab, "GET", "/users").await.status, 403);
}

#[tokio::test]
async fn a_revoked_or_expired_token_is_refused_by_name() {
    let gitlab = gitlab(vec![]).await;
    let expired = TokenChange {
        expires_at: Some("2020-01-01".parse().unwrap()),
        ..TokenChange::default()
    };
    gitlab.change_token("old", expired);
    gitlab.change_token(
        gitlab.token(),
        TokenChange {
            revoked: Some(true),
            ..TokenChange::default()
        },
    );
    for (token, says) in [("old", "expired"), (gitlab.token(), "revoked")] {
        let answer = ask_with(&gitlab, token, "/user").await;
        assert_eq!(
            (answer.status, &answer.json()["error"]),
            (401, &json!("invalid_token"))
        );
        assert!(answer.body.contains(says));
    }
}

#[tokio::test]
async fn the_owner_is_found_by_name_or_added_where_there_is_room() {
    let start = async |accounts| {
        SimulatedGitLab::start(GitLabSettings {
            accounts,
            ..GitLabSettings::default()
        })
        .await
        .unwrap()
        .owner()
    };
    assert_eq!(start(vec![]).await, 1);
    assert_eq!(
        start(vec![
            SimulatedUser::new(1, "root"),
            SimulatedUser::new(77, "ab123")
        ])
        .await,
        78
    );
    assert_eq!(
        start(vec![
            SimulatedUser::new(1, "root"),
            SimulatedUser::new(9, "lookup-gitlab-sync")
        ])
        .await,
        9
    );
}

#[tokio::test]
async fn in_maintenance_mode_reads_are_answered_and_writes_are_not() {
    let gitlab = gitlab(vec![SimulatedUser::new(42, "ab123")]).await;
    let url = format!("{}/simulate/maintenance", gitlab.url());
    send(client().put(&url).json(&json!({"enabled": true}))).await;
    assert_eq!(ask(&gitlab, "GET", "/users/42").await.status, 200);
    let json = send(request(&gitlab, "POST", "/users/42/block").json(&json!({}))).await;
    let message = "GitLab is undergoing maintenance";
    assert_eq!(
        (json.status, json.json()),
        (503, json!({ "message": message }))
    );
    assert_eq!(json.header("retry-after"), Some("900"));
    let bare = ask(&gitlab, "POST", "/users/42/block").await;
    assert_eq!(
        (bare.status, bare.header("location")),
        (301, Some(&*format!("{}/", gitlab.url())))
    );
    send(client().put(&url).json(&json!({"enabled": false}))).await;
    assert_eq!(ask(&gitlab, "POST", "/users/42/block").await.body, "true");
}

#[tokio::test]
async fn paths_and_methods_that_are_not_there_are_refused_in_json() {
    let gitlab = gitlab(vec![SimulatedUser::new(42, "ab123")]).await;
    let path = ask(&gitlab, "GET", "/nowhere").await;
    assert_eq!(
        (path.status, path.json()),
        (404, json!({"error": "404 Not Found"}))
    );
    let method = ask(&gitlab, "DELETE", "/users/42/block").await;
    assert_eq!(
        (method.status, method.json()),
        (404, json!({"error": "404 Not Found"}))
    );
}

/// As it was recorded, step for step.
#[tokio::test]
async fn a_token_used_twice_to_rotate_loses_the_new_one_too() {
    let gitlab = gitlab(vec![]).await;
    let rotate = "/personal_access_tokens/self/rotate";
    let answer = ask(&gitlab, "POST", rotate).await;
    let row = answer.json();
    let keys: Vec<&str> = row
        .as_object()
        .unwrap()
        .keys()
        .map(String::as_str)
        .collect();
    assert_eq!(answer.status, 200);
    let mut expected = [
        "id",
        "name",
        "revoked",
        "created_at",
        "description",
        "scopes",
        "user_id",
        "last_used_at",
        "active",
        "expires_at",
        "token",
    ];
    expected.sort_unstable();
    let mut sorted = keys.clone();
    sorted.sort_unstable();
    assert_eq!(sorted, expected);
    let today = jiff::Timestamp::now()
        .to_zoned_datetime(jiff::tz::TimeZone::UTC)
        .date();
    let expires: jiff::civil::Date = row["expires_at"].as_str().unwrap().parse().unwrap();
    assert!((expires - today).get_days() >= 6, "seven days: {expires}");
    assert!((expires - today).get_days() <= 7, "seven days: {expires}");
    let new = row["token"].as_str().unwrap();
    assert_eq!(ask_with(&gitlab, new, "/user").await.status, 200);
    let revoked = json!({
        "error": "invalid_token",
        "error_description": "Token was revoked. You have to re-authorize from the user.",
    });
    let old = ask(&gitlab, "GET", "/user").await;
    assert_eq!((old.status, old.json()), (401, revoked.clone()));
    assert_eq!(ask_with(&gitlab, new, "/user").await.status, 200);
    let again = ask(&gitlab, "POST", rotate).await;
    assert_eq!((again.status, again.json()), (401, revoked.clone()));
    let lost = ask_with(&gitlab, new, "/user").await;
    assert_eq!((lost.status, lost.json()), (401, revoked));
}

#[tokio::test]
async fn a_token_rotates_itself_to_the_day_that_is_asked_for_and_only_with_a_scope_for_it() {
    let gitlab = gitlab(vec![]).await;
    let today = jiff::Timestamp::now()
        .to_zoned_datetime(jiff::tz::TimeZone::UTC)
        .date();
    let day = today.saturating_add(jiff::ToSpan::days(100)).to_string();
    let rotate = "/personal_access_tokens/self/rotate";
    let to = async |day: &str| {
        send(request(&gitlab, "POST", rotate).json(&json!({ "expires_at": day }))).await
    };
    let scopes = |scope: &str| TokenChange {
        scopes: Some(vec![scope.to_owned()]),
        ..TokenChange::default()
    };
    gitlab.change_token(gitlab.token(), scopes("read_user"));
    let refused = to(&day).await;
    assert_eq!(
        (refused.status, &refused.json()["error"]),
        (403, &json!("insufficient_scope"))
    );
    gitlab.change_token(gitlab.token(), scopes("self_rotate"));
    let broken = to("tomorrow").await;
    assert_eq!(
        (broken.status, broken.json()),
        (400, json!({"error": "expires_at is invalid"}))
    );
    assert_eq!(to("2020-01-01").await.status, 501, "it was not recorded");
    let answer = to(&day).await;
    assert_eq!(
        (answer.status, &answer.json()["expires_at"]),
        (200, &json!(day))
    );
}
