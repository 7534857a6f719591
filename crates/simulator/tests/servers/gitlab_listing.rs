//! `GET /users`: pages, filters, rows.

use rstest::rstest;
use serde_json::Value;
use simulator::{
    gitlab::{Kind, REDUCED_TOKEN, SimulatedGitLab, SimulatedUser, UserIdentity, UserState},
    population::Population,
};

use crate::asking::{Answer, ask, ask_with, client, gitlab, send};

const SWEEP: &str = "/users?pagination=keyset&order_by=id&sort=asc&with_custom_attributes=true";

async fn with_accounts(count: u64) -> SimulatedGitLab {
    gitlab(
        (2..=count)
            .map(|id| SimulatedUser::new(id, &format!("user{id}")))
            .collect(),
    )
    .await
}

/// Follows `X-NEXT-CURSOR` to the end; `between` runs after each page.
async fn sweep(gitlab: &SimulatedGitLab, query: &str, between: impl Fn(&Answer)) -> Vec<u64> {
    let mut ids = Vec::new();
    let mut cursor = None;
    loop {
        let path = match &cursor {
            None => query.to_owned(),
            Some(cursor) => format!("{query}&cursor={cursor}"),
        };
        let page = ask(gitlab, "GET", &path).await;
        assert_eq!(page.status, 200, "{}", page.body);
        ids.extend(page.ids());
        between(&page);
        cursor = page.header("x-next-cursor").map(str::to_owned);
        if cursor.is_none() {
            return ids;
        }
    }
}

#[tokio::test]
async fn a_keyset_sweep_meets_every_account_once_while_accounts_are_blocked() {
    let gitlab = with_accounts(257).await;
    let path = format!("{SWEEP}&per_page=50&active=true");
    let ids = sweep(&gitlab, &path, |page| {
        for id in page.ids().into_iter().filter(|id| *id != 1) {
            gitlab
                .change_user(id, serde_json::json!({"state": "blocked"}))
                .unwrap();
        }
    })
    .await;
    assert_eq!(ids, (1..=257).collect::<Vec<_>>());
}

#[tokio::test]
async fn an_offset_sweep_over_the_active_skips_accounts_while_they_are_blocked() {
    let gitlab = with_accounts(100).await;
    let mut met = Vec::new();
    for page in 1..=4 {
        let ids = ask(
            &gitlab,
            "GET",
            &format!("/users?active=true&per_page=25&page={page}"),
        )
        .await
        .ids();
        for id in ids.iter().filter(|id| **id != 1) {
            gitlab
                .change_user(*id, serde_json::json!({"state": "blocked"}))
                .unwrap();
        }
        met.extend(ids);
    }
    assert_eq!(met.len(), 50);
}

#[tokio::test]
async fn the_link_header_leads_to_the_same_next_page_as_the_cursor() {
    let gitlab = with_accounts(30).await;
    let first = ask(&gitlab, "GET", &format!("{SWEEP}&per_page=20")).await;
    let link = first.header("link").unwrap();
    let (url, rel) = link.split_once("; ").unwrap();
    assert_eq!(rel, "rel=\"next\"");
    let url = url.trim_matches(['<', '>']);
    assert!(url.starts_with(gitlab.url()));
    let second = send(client().get(url).header("private-token", gitlab.token())).await;
    assert_eq!(second.ids(), (21..=30).collect::<Vec<_>>());
    assert_eq!(second.header("x-next-cursor"), None);
    assert_eq!(second.header("link"), None);
    assert_eq!(second.header("x-total"), None);

    let back = second.header("x-prev-cursor").unwrap();
    let back = ask(
        &gitlab,
        "GET",
        &format!("{SWEEP}&per_page=20&cursor={back}"),
    )
    .await;
    assert_eq!(back.ids(), first.ids());
}

#[rstest]
#[case("id", "desc")]
#[case("username", "asc")]
#[case("username", "desc")]
#[case("name", "asc")]
#[case("created_at", "asc")]
#[tokio::test]
async fn keyset_in_any_order_it_has_meets_every_account_once(
    #[case] order: &str,
    #[case] sort: &str,
) {
    let gitlab = gitlab(
        Population::generate(120, 3, jiff::civil::date(2026, 11, 1))
            .accounts()
            .to_vec(),
    )
    .await;
    let query = format!("/users?pagination=keyset&order_by={order}&sort={sort}&per_page=17");
    let mut ids = sweep(&gitlab, &query, |_| {}).await;
    assert_eq!(ids.len(), 120);
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), 120);
}

#[rstest]
#[case(
    "pagination=keyset&order_by=last_activity_on",
    400,
    "order_by does not have a valid value"
)]
#[case(
    "order_by=last_activity_on",
    400,
    "order_by does not have a valid value"
)]
#[case("page=501&per_page=100", 405, "maximum allowed offset of 50000")]
#[case("page=one", 400, "page is invalid")]
#[case("per_page=0", 400, "per_page has a value not allowed")]
#[case("active=perhaps", 400, "active is invalid")]
#[case("extern_uid=x", 400, "all or none")]
#[tokio::test]
async fn a_listing_that_cannot_be_is_refused_with_grapes_error(
    #[case] query: &str,
    #[case] status: u16,
    #[case] says: &str,
) {
    let gitlab = with_accounts(3).await;
    let answer = ask(&gitlab, "GET", &format!("/users?{query}")).await;
    assert_eq!(answer.status, status);
    let json = answer.json();
    assert!(json["error"].as_str().unwrap().contains(says), "{json}");
}

#[tokio::test]
async fn offset_pages_reach_to_the_limit_and_say_where_they_are() {
    let gitlab = with_accounts(45).await;
    assert_eq!(
        ask(&gitlab, "GET", "/users?page=500&per_page=100")
            .await
            .status,
        200
    );
    let page = ask(&gitlab, "GET", "/users?page=2&per_page=20&sort=asc").await;
    assert_eq!(page.ids(), (21..=40).collect::<Vec<_>>());
    let headers = [
        "x-page",
        "x-next-page",
        "x-prev-page",
        "x-total",
        "x-total-pages",
    ];
    assert_eq!(
        headers.map(|name| page.header(name).unwrap()),
        ["2", "3", "1", "45", "3"]
    );
    assert!(page.header("link").unwrap().contains("rel=\"last\""));
}

#[tokio::test]
async fn past_ten_thousand_rows_nobody_says_how_many_there_are() {
    let gitlab = with_accounts(10_000).await;
    let counted = ask(&gitlab, "GET", "/users?per_page=1").await;
    assert_eq!(counted.header("x-total"), Some("10000"));
    gitlab
        .change_user(10_001, serde_json::json!({"username": "one-more"}))
        .unwrap();
    let page = ask(&gitlab, "GET", "/users?per_page=1").await;
    assert_eq!(
        (page.header("x-total"), page.header("x-next-page")),
        (None, Some("2"))
    );
    assert!(!page.header("link").unwrap().contains("rel=\"last\""));
}

#[tokio::test]
async fn pages_are_twenty_long_unless_asked_and_never_past_a_hundred() {
    let gitlab = with_accounts(150).await;
    assert_eq!(ask(&gitlab, "GET", "/users").await.ids().len(), 20);
    assert_eq!(
        ask(&gitlab, "GET", "/users?per_page=1000")
            .await
            .ids()
            .len(),
        100
    );
}

fn zoo() -> Vec<SimulatedUser> {
    let with = |id, name: &str, state| SimulatedUser {
        state,
        ..SimulatedUser::new(id, name)
    };
    let kind = |id, name: &str, kind| SimulatedUser {
        kind,
        ..SimulatedUser::new(id, name)
    };
    let identity = UserIdentity::new("saml", "ab10@example.ac.uk");
    vec![
        SimulatedUser {
            identities: vec![identity],
            ..with(10, "ab10", UserState::Active)
        }
        .with("created_at", "2020-01-01T00:00:00.000Z")
        .with("public_email", "ab@example.ac.uk"),
        with(11, "ab11", UserState::Blocked)
            .with_attribute("room", "12")
            .with_attribute("floor", "3"),
        with(12, "ab12", UserState::LdapBlocked).with_attribute("room", "12"),
        with(13, "ab13", UserState::Banned),
        with(14, "ab14", UserState::BlockedPendingApproval),
        with(15, "ab15", UserState::Deactivated),
        SimulatedUser {
            external: true,
            ..SimulatedUser::new(16, "astro-build-bot")
        },
        kind(17, "service", Kind::ServiceAccount),
        kind(18, "project_1_bot", Kind::ProjectBot),
        kind(19, "ghost", Kind::Ghost),
        kind(20, "alert-bot", Kind::AlertBot),
    ]
}

#[rstest]
#[case("username=AB10", &[10])]
#[case("username=ab1", &[])]
#[case("search=ab1", &[10, 11, 12, 13, 14, 15])]
#[case("public_email=ab@example.ac.uk", &[10])]
#[case("active=true", &[1, 10, 16, 17, 18])]
#[case("active=True", &[1, 10, 16, 17, 18])]
#[case("active=1", &[1, 10, 16, 17, 18])]
#[case("blocked=true", &[11, 12])]
#[case("blocked=false&username=ab10", &[10])]
#[case("external=true", &[16])]
#[case("humans=true", &[1, 10, 11, 12, 13, 14, 15, 16])]
#[case("admins=true", &[1])]
#[case("without_project_bots=true&exclude_humans=true", &[17, 19, 20])]
#[case("exclude_active=true", &[11, 12, 13, 14, 15])]
#[case("exclude_external=true&humans=true", &[1, 10, 11, 12, 13, 14, 15])]
#[case("exclude_internal=true&exclude_humans=true", &[17, 18])]
#[case("custom_attributes[room]=12", &[11, 12])]
#[case("custom_attributes%5Broom%5D=12&custom_attributes%5Bfloor%5D=3", &[11])]
#[case("provider=saml&extern_uid=ab10@example.ac.uk", &[10])]
#[case("created_before=2021-01-01", &[10])]
#[case("created_after=2021-01-01T00:00:00Z", &[])]
#[tokio::test]
async fn a_filter_finds_what_gitlabs_finds(#[case] query: &str, #[case] ids: &[u64]) {
    let gitlab = gitlab(zoo()).await;
    let path = format!("/users?order_by=id&sort=asc&per_page=100&{query}");
    assert_eq!(ask(&gitlab, "GET", &path).await.ids(), ids);
}

#[tokio::test]
async fn without_administrators_rights_a_listing_degrades_without_a_word() {
    let gitlab = gitlab(zoo()).await;
    let path = "/users?order_by=username&sort=asc&per_page=100&with_custom_attributes=true&\
                custom_attributes[room]=12&admins=true";
    let answer = ask_with(&gitlab, REDUCED_TOKEN, path).await;
    assert_eq!(answer.status, 200);
    // Neither the filter of attributes nor that of administrators nor the order counts; the blocked
    // and banned are missing.
    assert_eq!(answer.ids(), [20, 19, 18, 17, 16, 15, 14, 10, 1]);
    let rows = answer.json();
    let keys: Vec<&String> = rows[0].as_object().unwrap().keys().collect();
    let basic = [
        "avatar_url",
        "id",
        "locked",
        "name",
        "public_email",
        "state",
        "username",
        "web_url",
    ];
    assert_eq!(keys, basic);
    assert_eq!(
        ask_with(&gitlab, REDUCED_TOKEN, "/users?blocked=true")
            .await
            .ids(),
        [0; 0]
    );
    let identity = "/users?provider=saml&extern_uid=ab10@example.ac.uk";
    assert_eq!(ask_with(&gitlab, REDUCED_TOKEN, identity).await.status, 403);
}

#[tokio::test]
async fn an_administrators_row_has_the_keys_of_gitlabs_entity() {
    let gitlab = gitlab(zoo()).await;
    let rows = ask(
        &gitlab,
        "GET",
        "/users?username=ab11&with_custom_attributes=true",
    )
    .await
    .json();
    let row = &rows[0];
    for key in [
        "name",
        "state",
        "locked",
        "web_url",
        "created_at",
        "bot",
        "last_sign_in_at",
        "confirmed_at",
        "last_activity_on",
        "email",
        "current_sign_in_at",
        "identities",
        "external",
        "is_admin",
        "note",
        "namespace_id",
        "created_by",
        "scim_identities",
        "using_license_seat",
    ] {
        assert!(row.get(key).is_some(), "{key} is missing");
    }
    let attributes = &row["custom_attributes"];
    assert_eq!(
        attributes[0],
        serde_json::json!({"key": "room", "value": "12"})
    );
    let plain = ask(&gitlab, "GET", "/users?username=ab11").await.json();
    assert_eq!(plain[0].get("custom_attributes"), None);
    assert_eq!(plain[0].get("sign_in_count"), None);
}

#[tokio::test]
async fn bot_says_no_of_ghosts_and_yes_of_service_accounts() {
    let gitlab = gitlab(zoo()).await;
    for (id, bot) in [(17, true), (18, true), (20, true), (19, false), (10, false)] {
        let row = ask(&gitlab, "GET", &format!("/users/{id}")).await.json();
        assert_eq!(row["bot"], Value::Bool(bot), "{id}");
    }
}

#[tokio::test]
async fn one_account_is_shown_with_details_to_administrators_alone() {
    let gitlab = gitlab(zoo()).await;
    let row = ask(&gitlab, "GET", "/users/11?with_custom_attributes=true")
        .await
        .json();
    assert_eq!(row["sign_in_count"], 0);
    assert_eq!(row["custom_attributes"][1]["key"], "floor");
    let reduced = ask_with(
        &gitlab,
        REDUCED_TOKEN,
        "/users/10?with_custom_attributes=true",
    )
    .await
    .json();
    assert_eq!(reduced["bot"], false);
    for key in [
        "is_admin",
        "custom_attributes",
        "last_activity_on",
        "external",
        "identities",
    ] {
        assert_eq!(reduced.get(key), None, "{key}");
    }
    for (id, key, says) in [
        ("404", "message", "404 User Not Found"),
        ("none", "error", "404 Not Found"),
    ] {
        let missing = ask(&gitlab, "GET", &format!("/users/{id}")).await;
        assert_eq!((missing.status, &missing.json()[key]), (404, &says.into()));
    }
}
