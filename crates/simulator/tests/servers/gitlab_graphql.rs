//! GraphQL beside the recordings: hostile queries, rights, traps and costs.

use serde_json::{Value, json};
use simulator::{
    control::InjectedFault,
    gitlab::{
        Conditions, GitLabSettings, REDUCED_TOKEN, SimulatedGitLab, SimulatedUser, UserState,
    },
};

use crate::asking::{Answer, ask, client, control, gitlab, send};

const LIGHT: &str = "query($after: String) { users(first: 2, after: $after, humans: true, sort: CREATED_ASC) \
                     { pageInfo { hasNextPage endCursor } nodes { id username state } } }";

async fn sent(gitlab: &SimulatedGitLab, token: &str, body: String) -> Answer {
    let url = format!("{}/api/graphql", gitlab.url());
    let request = client().post(url).header("private-token", token);
    send(
        request
            .header("content-type", "application/json")
            .body(body),
    )
    .await
}

async fn query(gitlab: &SimulatedGitLab, query: &str, variables: Value) -> Answer {
    let body = json!({"query": query, "variables": variables});
    sent(gitlab, gitlab.token(), body.to_string()).await
}

fn message(answer: &Answer) -> String {
    let body = answer.json();
    body["errors"][0]["message"].as_str().unwrap().to_owned()
}

fn ids(answer: &Answer, key: &str) -> Vec<u64> {
    let body = answer.json();
    let nodes = body["data"][key]["nodes"].as_array().unwrap();
    let id = |node: &Value| {
        node["id"]
            .as_str()
            .unwrap()
            .rsplit('/')
            .next()
            .unwrap()
            .parse()
    };
    nodes.iter().map(|node| id(node).unwrap()).collect()
}

/// Seven accounts whose times of creation are given, two of them null and two the same.
async fn seven() -> SimulatedGitLab {
    let days = [
        "2026-01-03",
        "2026-01-01",
        "2026-01-02",
        "2026-01-02",
        "2026-01-05",
    ];
    let dated = (11..).zip(days).map(|(id, day)| {
        let user = SimulatedUser::new(id, &format!("user{id}"));
        user.with("created_at", format!("{day}T09:00:00.123456Z"))
    });
    let null = [21, 22].map(|id| SimulatedUser::new(id, &format!("null{id}")));
    gitlab(dated.chain(null).collect()).await
}

#[tokio::test]
async fn every_account_comes_once_whatever_the_order_and_null_times_come_last_ascending() {
    let gitlab = seven().await;
    for (sort, expected) in [
        ("CREATED_ASC", [12, 14, 13, 11, 15, 22, 21, 1]),
        ("CREATED_DESC", [22, 21, 1, 15, 11, 14, 13, 12]),
    ] {
        let text = LIGHT.replace("CREATED_ASC", sort);
        let (mut seen, mut after) = (Vec::new(), Value::Null);
        loop {
            let answer = query(&gitlab, &text, json!({ "after": after })).await;
            seen.extend(ids(&answer, "users"));
            let body = answer.json();
            let page = &body["data"]["users"]["pageInfo"];
            after = page["endCursor"].clone();
            if page["hasNextPage"] == json!(false) {
                break;
            }
        }
        assert_eq!(seen, expected, "{sort}");
    }
}

#[tokio::test]
async fn hostile_bodies_are_answered_and_the_server_lives() {
    let gitlab = seven().await;
    let deep = |open: &str, close: &str, times: usize| {
        format!("{{ {}id{} }}", open.repeat(times), close.repeat(times))
    };
    for (body, status, said) in [
        (json!({"query": "x".repeat(10_001)}), 422, "Query too large"),
        (json!({"query": "x".repeat(9_999)}), 200, "Parse error"),
        (
            json!({"query": deep("a{", "}", 3_000)}),
            200,
            "Query has depth of 3001, which exceeds max depth of 20",
        ),
        (
            json!({"query": "{".repeat(9_000)}),
            200,
            "Query has depth of 9000",
        ),
        (
            json!({"query": format!("{{users(ids:{}", "[".repeat(9_000))}),
            200,
            "",
        ),
        (
            json!({"query": "{ users(first: \"x\") { nodes { id } } }"}),
            200,
            "Argument 'first' on Field 'users' has an invalid value",
        ),
        (
            json!({"query": "{ users(first: 99999999999999999999) { nodes { id } } }"}),
            200,
            "Argument 'first'",
        ),
        (
            json!({"query": "{ users { nodes } }"}),
            200,
            "Field must have selections",
        ),
        (
            json!({"query": "{ users { nodes { id { x } } } }"}),
            200,
            "Selections can't be made on scalars",
        ),
        (
            json!({"query": "{ users(nonsense: 1) { nodes { id } } }"}),
            200,
            "Field 'users' doesn't accept argument 'nonsense'",
        ),
        (
            json!({"query": "{ users(first: $n) { nodes { id } } }"}),
            200,
            "Variable $n is used by anonymous query but not declared",
        ),
        (
            json!({"query": "query($n: Int) { currentUser { id } }"}),
            200,
            "Variable $n is declared by anonymous query but not used",
        ),
        (
            json!({"query": "query($n: String) { users(first: $n) { nodes { id } } }"}),
            200,
            "Type mismatch on variable $n and argument first (String / Int)",
        ),
        (
            json!({"query": "query($n: Int) { users(first: $n) { nodes { id } } }", "variables": {"n": "two"}}),
            200,
            "Variable $n of type Int was provided invalid value",
        ),
        (
            json!({"query": "{ currentUser { id } }", "variables": [1]}),
            422,
            "Invalid variables",
        ),
        (json!({"query": 7}), 200, "Unexpected end of document"),
        (
            json!({"query": "query A { currentUser { id } } query B { currentUser { id } }"}),
            200,
            "An operation name is required",
        ),
    ] {
        let answer = sent(&gitlab, gitlab.token(), body.to_string()).await;
        assert_eq!(answer.status, status, "{body:.200}: {}", answer.body);
        let heard = message(&answer);
        assert!(heard.starts_with(said), "{body:.200}: {heard}");
    }
    for not_simulated in [
        "{ ...f } fragment f on Query { currentUser { id } }",
        "mutation { x }",
        "{ currentUser @skip(if: true) { id } }",
    ] {
        assert_eq!(query(&gitlab, not_simulated, json!({})).await.status, 501);
    }
    let known = json!({"after": null, "unknown": {"a": [1]}});
    assert_eq!(ids(&query(&gitlab, LIGHT, known).await, "users"), [12, 14]);
}

#[tokio::test]
async fn a_token_without_rights_sees_fewer_people_and_no_custom_attributes() {
    let gitlab = seven().await;
    gitlab.change_user(12, json!({"state": "blocked"})).unwrap();
    let text = "{ users(first: 2, sort: CREATED_ASC) { nodes { id customAttributes { key } } } }";
    let body = json!({ "query": text }).to_string();
    let answer = sent(&gitlab, REDUCED_TOKEN, body.clone()).await;
    assert_eq!(ids(&answer, "users"), [14, 13]);
    assert_eq!(
        answer.json()["data"]["users"]["nodes"][0]["customAttributes"],
        Value::Null
    );
    let answer = sent(&gitlab, gitlab.token(), body).await;
    assert_eq!(ids(&answer, "users"), [12, 14]);
    let attributes = &answer.json()["data"]["users"]["nodes"][0]["customAttributes"];
    assert_eq!(attributes[0]["key"], "blocked_by");
}

#[tokio::test]
async fn an_account_that_rest_cannot_show_is_answered() {
    let gitlab = seven().await;
    gitlab
        .change_user(13, json!({"hidden": {"without_namespace": true}}))
        .unwrap();
    assert_eq!(ask(&gitlab, "GET", "/users/13").await.status, 500);
    let text = "{ users(ids: [\"gid://gitlab/User/13\"]) { nodes { id state } } }";
    assert_eq!(ids(&query(&gitlab, text, json!({})).await, "users"), [13]);
}

#[tokio::test]
async fn the_feed_moves_on_what_gitlab_writes_into_the_account_alone() {
    let gitlab = seven().await;
    let newest = async || {
        let text = "{ users(first: 1, sort: UPDATED_DESC, humans: true) { nodes { id } } }";
        ids(&query(&gitlab, text, json!({})).await, "users")
    };
    assert_eq!(newest().await, [1], "the token's owner was active");
    let identity = json!([{"provider": "ldapmain", "extern_uid": "x"}]);
    gitlab
        .change_user(12, json!({"identities": identity}))
        .unwrap();
    gitlab
        .change_user(12, json!({"custom_attributes": {"a": "b"}}))
        .unwrap();
    assert_eq!(
        ask(&gitlab, "PUT", "/users/12/custom_attributes/k?value=1")
            .await
            .status,
        200
    );
    assert_eq!(newest().await, [1]);
    gitlab.change_user(12, json!({"external": true})).unwrap();
    assert_eq!(newest().await, [12]);
    assert_eq!(ask(&gitlab, "POST", "/users/14/block").await.body, "true");
    assert_eq!(newest().await, [14]);
    gitlab.change_user(30, json!({"username": "new"})).unwrap();
    assert_eq!(newest().await, [30]);
    gitlab
        .change_user(13, json!({"scim": true, "email": "x@example.ac.uk"}))
        .unwrap();
    assert_eq!(newest().await, [13]);
    gitlab.change_user(11, json!({"updated_at": null})).unwrap();
    assert_eq!(newest().await, [11], "null comes first descending");
}

#[tokio::test]
async fn a_field_can_be_taken_out_of_the_schema_and_put_back() {
    let gitlab = seven().await;
    let settings = json!({"graphql_without": ["state"]});
    control(&gitlab, "PUT", "settings", Some(settings)).await;
    let answer = query(&gitlab, LIGHT, json!({})).await;
    assert_eq!(
        message(&answer),
        "Field 'state' doesn't exist on type 'UserCore'"
    );
    gitlab.set_conditions(Conditions::default());
    assert_eq!(
        query(&gitlab, LIGHT, json!({})).await.json()["errors"],
        Value::Null
    );
}

#[tokio::test]
async fn throttles_faults_maintenance_and_the_watchdog_meet_queries_as_they_meet_rest() {
    let gitlab = SimulatedGitLab::start(GitLabSettings {
        restarts_every: Some(2),
        ..GitLabSettings::default()
    })
    .await
    .unwrap();
    gitlab.set_maintenance(true);
    let fault: InjectedFault = serde_json::from_value(json!({
        "method": "POST", "path": "/api/graphql", "status": 502, "times": 1,
    }))
    .unwrap();
    gitlab.control().inject(fault).unwrap();
    assert_eq!(query(&gitlab, LIGHT, json!({})).await.status, 502);
    assert_eq!(
        query(&gitlab, LIGHT, json!({})).await.status,
        200,
        "a query is no write"
    );
    assert_eq!(gitlab.control().writes(), 0);
    let limit = json!({"throttles": {"authenticated": {"requests": 1, "seconds": 86_400}}});
    control(&gitlab, "PUT", "settings", Some(limit)).await;
    assert_eq!(query(&gitlab, LIGHT, json!({})).await.status, 200);
    let answer = query(&gitlab, LIGHT, json!({})).await;
    assert_eq!((answer.status, &*answer.body), (429, "Retry later\n"));
    gitlab.set_conditions(Conditions::default());
    let body = json!({ "query": LIGHT }).to_string();
    let url = format!("{}/api/graphql", gitlab.url());
    let request = client().post(url).header("private-token", gitlab.token());
    let reset = request
        .header("content-type", "application/json")
        .body(body);
    assert!(
        reset.send().await.is_err(),
        "the third page ends the server"
    );
}

#[tokio::test]
async fn what_gitlab_would_have_spent_is_told_by_kind_where_answers_cost_nothing() {
    let accounts = (2..=101).map(|id| SimulatedUser::new(id, &format!("user{id}")));
    let gitlab = gitlab(accounts.collect()).await;
    let page = "{ users(first: 100) { nodes { id } } }";
    query(&gitlab, page, json!({})).await;
    let newest = "{ users(first: 1, sort: UPDATED_DESC) { nodes { id } } }";
    query(&gitlab, newest, json!({})).await;
    ask(&gitlab, "GET", "/users?per_page=100").await;
    ask(&gitlab, "POST", "/users/50/block").await;
    assert_eq!(gitlab.account(50).unwrap().state, UserState::Blocked);
    let spent = control(&gitlab, "GET", "cost", None).await.json();
    let share = |kind: &str| {
        let share = &spent["spent"][kind];
        let number = |key: &str| share[key].as_u64().unwrap();
        (number("calls"), number("rows"), number("microseconds"))
    };
    assert_eq!(share("graphql"), (2, 101, 160_000 + 51_100));
    assert_eq!(share("listings"), (1, 100, 1_050_000));
    assert_eq!(share("changes"), (1, 1, 100_000));
    assert_eq!(spent["cost"], "free");
    assert_eq!(control(&gitlab, "DELETE", "cost", None).await.status, 204);
    query(
        &gitlab,
        &page.replace("id }", "id customAttributes { key } }"),
        json!({}),
    )
    .await;
    assert_eq!(gitlab.spent().total().as_millis(), 510);
}
