//! Reading accounts.

mod single_accounts;

use lookup_gitlab_sync::{
    gate::ErrorKind,
    gitlab::{CustomAttribute, Identity, Timed},
    upstream::FaultScope,
};
use proptest::prelude::*;
use rstest::rstest;
use serde_json::{Value, json};

use super::{
    failures::assert_safe,
    memory::{CURRENT_USER, gitlab, row},
    server::{Asked, Reply, Server},
};

fn rows(rows: &[Value]) -> Reply {
    Reply::json(200, Value::from(rows.to_vec()).to_string())
}

fn changed(key: &str, value: Value) -> Value {
    let mut row = row(42);
    row[key] = value;
    row
}

fn without(key: &str) -> Value {
    let mut row = row(42);
    row.as_object_mut().unwrap().remove(key);
    row
}

#[tokio::test]
async fn an_account_is_read_with_all_that_decisions_rest_on() {
    let server = Server::always(Reply::json(200, row(42).to_string())).await;
    let user = gitlab(&server.url).user(42).await.unwrap().unwrap();
    assert_eq!(
        (user.id, user.username.as_str(), user.state.as_str()),
        (42, "ab42", "active")
    );
    assert_eq!((user.bot, user.is_admin), (false, false));
    assert_eq!(
        user.last_activity_on,
        Timed::On(jiff::civil::date(2024, 3, 2))
    );
    assert_eq!(user.current_sign_in_at, Timed::Never);
    assert_eq!(user.identities[0].extern_uid, "ab1@example.ac.uk");
    assert_eq!(user.custom_attributes[0].key, "blocked_by");
    let asked = &server.asked()[0];
    assert_eq!(asked.target, "/api/v4/users/42?with_custom_attributes=true");
    assert_eq!(asked.header("private-token"), "glpat-secret-token");
}

#[tokio::test]
async fn a_gitlab_under_a_relative_url_is_asked_there() {
    let server = Server::always(Reply::json(200, CURRENT_USER)).await;
    gitlab(&server.url.join("/git/lab/").unwrap())
        .current_user()
        .await
        .unwrap();
    assert_eq!(server.asked()[0].target, "/git/lab/api/v4/user");
}

#[tokio::test]
async fn all_pages_are_read_by_cursor() {
    let server = Server::start(|asked| match asked.number {
        1 => rows(&[row(1), row(2)]).with("x-next-cursor", "eyJpZCI6IjIifQ=="),
        _ => rows(&[row(7)]),
    })
    .await;
    let client = gitlab(&server.url);
    let first = client.users_page(None).await.unwrap();
    let second = client.users_page(first.next.as_ref()).await.unwrap();
    assert_eq!(first.users.len() + second.users.len(), 3);
    assert_eq!(second.next, None);
    let query = "pagination=keyset&order_by=id&sort=asc&per_page=100&humans=true&with_custom_attributes=true";
    assert_eq!(server.asked()[0].target, format!("/api/v4/users?{query}"));
    assert_eq!(
        server.asked()[1].target,
        format!("/api/v4/users?{query}&cursor=eyJpZCI6IjIifQ%3D%3D")
    );
}

#[tokio::test]
async fn the_links_cursor_is_used_where_there_is_no_other_and_its_host_is_not() {
    let link = r#"<https://inside.example/api/v4/users?cursor=prev>; rel="prev", <https://inside.example/api/v4/users?a=b,c&cursor=bmV4dA%3D%3D>; rel="next""#;
    let server = Server::start(move |asked| match asked.number {
        1 => rows(&[row(1)]).with("link", link),
        _ => rows(&[]),
    })
    .await;
    let client = gitlab(&server.url);
    let first = client.users_page(None).await.unwrap();
    client.users_page(first.next.as_ref()).await.unwrap();
    assert!(server.asked()[1].target.ends_with("&cursor=bmV4dA%3D%3D"));
}

#[rstest]
#[case::the_same_cursor(rows(&[row(43)]).with("x-next-cursor", "again"))]
#[case::an_older_account(rows(&[row(41)]).with("x-next-cursor", "other"))]
#[case::the_same_account_twice(rows(&[row(50), row(50)]))]
#[case::an_empty_page_that_goes_on(rows(&[]).with("x-next-cursor", "other"))]
#[case::pages_by_number(rows(&[row(43)]).with("link", r#"<https://x/api/v4/users?page=2>; rel="next""#))]
#[tokio::test]
async fn a_listing_that_does_not_go_forward_is_an_error_and_no_endless_loop(#[case] second: Reply) {
    let server = Server::start(move |asked| match asked.number {
        1 => rows(&[row(42)]).with("x-next-cursor", "again"),
        _ => second.clone(),
    })
    .await;
    let client = gitlab(&server.url);
    let first = client.users_page(None).await.unwrap();
    let error = client.users_page(first.next.as_ref()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Inconsistent);
    assert!(error.to_string().contains("does not go forward"), "{error}");
}

#[rstest]
#[case("is_admin")]
#[case("custom_attributes")]
#[case("last_activity_on")]
#[tokio::test]
async fn a_row_without_an_admin_only_key_refuses_the_credentials(#[case] key: &str) {
    let server = Server::always(rows(&[row(1), without(key)])).await;
    let client = gitlab(&server.url);
    for error in [
        client.users_page(None).await.unwrap_err(),
        gitlab(&server.url)
            .users_by_username("ab42")
            .await
            .unwrap_err(),
    ] {
        assert!(error.credentials_refused());
        assert!(
            error
                .to_string()
                .contains("the token no longer sees everything"),
            "{error}"
        );
        assert!(error.to_string().contains("admin_mode"), "{error}");
        assert_safe(&error);
    }
    assert!(
        client.read_gate().closed_because().is_some(),
        "it closes the gate at once"
    );
}

#[rstest]
#[case("is_admin")]
#[case("custom_attributes")]
#[case("last_activity_on")]
#[case("identities")]
#[case("bot")]
#[case("created_at")]
#[tokio::test]
async fn a_null_is_nothing_and_no_error(#[case] key: &str) {
    let server = Server::always(rows(&[changed(key, Value::Null)])).await;
    assert_eq!(
        gitlab(&server.url)
            .users_page(None)
            .await
            .unwrap()
            .users
            .len(),
        1
    );
}

#[rstest]
#[case(without("id"))]
#[case(changed("id", json!("secret")))]
#[case(changed("id", json!(-1)))]
#[tokio::test]
async fn a_row_that_names_no_account_is_an_error_that_quotes_nothing(#[case] row: Value) {
    let server = Server::always(rows(&[row])).await;
    let error = gitlab(&server.url).users_page(None).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unreadable, "{error}");
    assert_safe(&error);
}

#[rstest]
#[case("username", without("username"))]
#[case("state", without("state"))]
#[case("username", changed("username", json!({"secret": 1})))]
#[case("username", changed("username", json!("")))]
#[case("username", changed("username", Value::Null))]
#[case("username", changed("username", json!("secret".repeat(100))))]
#[case("state", changed("state", json!(7)))]
#[case("bot", changed("bot", json!("secret")))]
#[case("is_admin", changed("is_admin", json!("secret")))]
#[case("identities", changed("identities", json!({})))]
#[case("identities", changed("identities", json!("secret")))]
#[case("identities", changed("identities", json!([null])))]
#[case("identities", changed("identities", json!([["secret"]])))]
#[case("identities", changed("identities", json!([{"provider": "saml", "extern_uid": "secret".repeat(1_000)}])))]
#[case("custom_attributes", changed("custom_attributes", json!("secret")))]
#[case("custom_attributes", changed("custom_attributes", json!([{"value": "secret"}])))]
#[tokio::test]
async fn an_odd_row_is_named_by_its_id_and_stops_nobody_else(
    #[case] key: &str,
    #[case] odd: Value,
) {
    let server = Server::always(rows(&[row(7), odd.clone(), row(50)])).await;
    let page = gitlab(&server.url).users_page(None).await.unwrap();
    assert_eq!((page.users[0].id, page.users[1].id), (7, 50));
    assert_eq!(page.odd[0].id, 42);
    assert_eq!(
        page.odd[0].why,
        format!("showed account 42 without a usable `{key}`")
    );
    let server = Server::always(Reply::json(200, odd.to_string())).await;
    let error = gitlab(&server.url).user(42).await.unwrap_err();
    assert_safe(&error);
    let told = error.to_string();
    assert!(
        told.contains("account 42") && !told.contains("maintenance"),
        "{told}"
    );
}

#[tokio::test]
async fn more_rows_than_were_asked_for_are_refused_at_the_first_too_many() {
    let too_many: Vec<Value> = (1..=101).map(row).collect();
    let server = Server::always(rows(&too_many)).await;
    let error = gitlab(&server.url).users_page(None).await.unwrap_err();
    assert!(
        error
            .to_string()
            .contains("more than the 100 accounts asked for"),
        "{error}"
    );
}

#[rstest]
#[case::a_list(r#"<https://x/api/v4/users?cursor=bmV4dA%3D%3D>; rel="next last""#)]
#[case::another_order(
    r#"<https://x/api/v4/users?cursor=bmV4dA%3D%3D>; title="more"; rel="last  next""#
)]
#[case::another_case(r#"<https://x/api/v4/users?cursor=bmV4dA%3D%3D>; REL="Next""#)]
#[case::no_quotes("<https://x/api/v4/users?cursor=bmV4dA%3D%3D>;rel=NEXT")]
#[case::spaces(r#"<https://x/api/v4/users?cursor=bmV4dA%3D%3D>; rel = "next""#)]
#[tokio::test]
async fn the_relation_of_a_link_is_a_list_in_whatever_case(#[case] link: &'static str) {
    let server = Server::always(rows(&[row(1)]).with("link", link)).await;
    let page = gitlab(&server.url).users_page(None).await.unwrap();
    assert!(page.next.is_some());
    let prev = link.to_lowercase().replace("next", "nextish");
    let server = Server::always(rows(&[row(1)]).with("link", prev)).await;
    let page = gitlab(&server.url).users_page(None).await.unwrap();
    assert!(page.next.is_none(), "another relation is not the next");
}

#[rstest]
#[case::empty(rows(&[]), "no account at all")]
#[case::next_page(rows(&[row(1)]).with("x-next-page", "2"), "names page 2")]
#[case::total(rows(&[row(1)]).with("x-total", "251"), "tells of 251")]
#[tokio::test]
async fn a_listing_that_contradicts_its_end_is_cut_short(#[case] reply: Reply, #[case] how: &str) {
    let server = Server::always(reply).await;
    let error = gitlab(&server.url).users_page(None).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Inconsistent);
    let told = error.to_string();
    assert!(told.contains("cut short") && told.contains(how), "{told}");
}

#[tokio::test]
async fn an_end_that_offset_headers_confirm_is_the_end() {
    let whole = rows(&[row(1), row(2)])
        .with("x-next-page", "")
        .with("x-total", "2");
    let server = Server::always(whole).await;
    let page = gitlab(&server.url).users_page(None).await.unwrap();
    assert!(page.next.is_none());
}

#[tokio::test]
async fn what_does_not_matter_may_be_anything() {
    let mut odd = changed("name", json!([null]));
    odd["identities"] = json!([{"provider": "saml", "extern_uid": null}, {}]);
    odd["created_at"] = json!(12);
    odd["custom_attributes"] = json!([{"key": "lookup_gitlab_sync_exempt", "value": null}]);
    let server = Server::always(rows(&[odd])).await;
    let user = gitlab(&server.url)
        .users_page(None)
        .await
        .unwrap()
        .users
        .remove(0);
    assert_eq!(user.created_at, Timed::Unreadable);
    assert_eq!(user.identities, []);
    let exempt = CustomAttribute {
        key: "lookup_gitlab_sync_exempt".to_owned(),
        value: String::new(),
    };
    assert_eq!(
        user.custom_attributes,
        [exempt],
        "an exemption does not vanish for its odd value"
    );
}
