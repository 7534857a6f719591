//! Lookup, behind its gateway and directly.

use std::time::Duration;

use rstest::rstest;
use serde_json::{Value, json};
use simulator::{
    control::{InjectedFault, RateLimit},
    lookup::{
        CLIENT_ID, CLIENT_SECRET, GROUP, GROUP_PASSWORD, LookupSettings, SimulatedLookup,
        SimulatedPerson,
    },
};

use crate::asking::{Answer, client, send};

fn people() -> Vec<SimulatedPerson> {
    let usn = json!([{"scheme": "usn", "value": "123456789"}]);
    vec![
        SimulatedPerson::current("abcd1", "Efg").with("identifiers", usn),
        SimulatedPerson::cancelled("efg234", "Hijk"),
        SimulatedPerson::current("odd1", "Odd").with("cancelled", "true"),
        SimulatedPerson::current("zz9", "Zed"),
    ]
}

async fn lookup() -> SimulatedLookup {
    SimulatedLookup::start(LookupSettings {
        people: people(),
        ..LookupSettings::default()
    })
    .await
    .unwrap()
}

async fn access_token(lookup: &SimulatedLookup) -> String {
    let request = client()
        .post(lookup.token_url())
        .basic_auth(CLIENT_ID, Some(CLIENT_SECRET))
        .form(&[("grant_type", "client_credentials")]);
    let answer = send(request).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    answer.json()["access_token"].as_str().unwrap().to_owned()
}

async fn ask(lookup: &SimulatedLookup, path: &str) -> Answer {
    let token = access_token(lookup).await;
    send(
        client()
            .get(format!("{}{path}", lookup.url()))
            .bearer_auth(token),
    )
    .await
}

fn crsids(answer: &Answer) -> Vec<String> {
    let json = answer.json();
    let people = json["result"]["people"].as_array().unwrap();
    people
        .iter()
        .map(|person| person["identifier"]["value"].as_str().unwrap().to_owned())
        .collect()
}

#[tokio::test]
async fn a_list_has_the_known_sorted_the_cancelled_among_them_and_nobody_else() {
    let lookup = lookup().await;
    let answer = ask(
        &lookup,
        "/person/list?crsids=ZZ9,nosuch9,efg234,abcd1,abcd1",
    )
    .await;
    assert_eq!(crsids(&answer), ["abcd1", "efg234", "zz9"]);
    let json = answer.json();
    let people = &json["result"]["people"];
    assert_eq!(
        (&people[0]["cancelled"], &people[1]["cancelled"]),
        (&json!(false), &json!(true))
    );
    // Who was a student shows as staff, cancelled or not.
    assert_eq!(
        (&people[1]["staff"], people[1].get("misAffiliation")),
        (&json!(true), None)
    );
    assert_eq!(json["result"]["version"], "1.2");
    assert_eq!(people[0].get("identifiers"), None);
}

#[tokio::test]
async fn a_list_of_unknown_people_is_an_empty_list() {
    let answer = ask(&lookup().await, "/person/list?crsids=nosuch9").await;
    assert_eq!(
        answer.json(),
        json!({"result": {"version": "1.2", "people": []}})
    );
}

#[tokio::test]
async fn a_list_takes_identifiers_of_other_schemes_and_answers_with_the_crsid() {
    let answer = ask(
        &lookup().await,
        "/person/list?crsids=usn/123456789&fetch=all_identifiers",
    )
    .await;
    assert_eq!(crsids(&answer), ["abcd1"]);
    assert_eq!(
        answer.json()["result"]["people"][0]["identifiers"][0]["scheme"],
        "usn"
    );
}

#[tokio::test]
async fn a_person_is_shown_cancelled_or_not_and_nobody_is_no_error() {
    let lookup = lookup().await;
    let cancelled = ask(&lookup, "/person/crsid/EFG234").await;
    assert_eq!(cancelled.json()["result"]["person"]["cancelled"], true);
    let odd = ask(&lookup, "/person/crsid/odd1").await;
    assert_eq!(odd.json()["result"]["person"]["cancelled"], "true");
    let nobody = ask(&lookup, "/person/crsid/nosuch9").await;
    assert_eq!(
        (nobody.status, nobody.json()),
        (200, json!({"result": {"version": "1.2"}}))
    );
}

#[tokio::test]
async fn all_people_start_after_an_identifier_and_leave_the_cancelled_out() {
    let lookup = lookup().await;
    assert_eq!(
        crsids(&ask(&lookup, "/person/all-people").await),
        ["abcd1", "odd1", "zz9"]
    );
    let all = "/person/all-people?includeCancelled=true&limit=2";
    assert_eq!(crsids(&ask(&lookup, all).await), ["abcd1", "efg234"]);
    assert_eq!(
        crsids(&ask(&lookup, &format!("{all}&identifier=efg234")).await),
        ["odd1", "zz9"]
    );
    assert!(crsids(&ask(&lookup, &format!("{all}&identifier=zz9")).await).is_empty());
}

#[tokio::test]
async fn modified_people_are_those_of_later_transactions_the_cancelled_if_asked_for() {
    let lookup = lookup().await;
    lookup.set_cancelled("abcd1", true);
    lookup.set_cancelled("efg234", false);
    let modified = async |query: &str| {
        crsids(&ask(&lookup, &format!("/person/modified-people?{query}")).await)
    };
    assert_eq!(modified("minTxId=1").await, ["efg234"]);
    let all = "includeCancelled=true&minTxId";
    assert_eq!(modified(&format!("{all}=1")).await, ["abcd1", "efg234"]);
    assert_eq!(modified(&format!("{all}=2")).await, ["efg234"]);
    assert_eq!(modified(&format!("{all}=1&maxTxId=2")).await, ["abcd1"]);
    assert!(modified(&format!("{all}=3")).await.is_empty());
    assert_eq!(modified(&format!("{all}=0")).await.len(), 4);
}

#[tokio::test]
async fn the_last_transaction_rises_with_a_change() {
    let lookup = lookup().await;
    let number = async || {
        ask(&lookup, "/last-transaction").await.json()["result"]["value"]
            .as_u64()
            .unwrap()
    };
    let before = number().await;
    let url = format!("{}/simulate/people/zz9", lookup.control_url());
    send(client().put(url).json(&json!({"cancelled": true}))).await;
    assert!(number().await > before);
}

#[tokio::test]
async fn a_token_that_is_unknown_expired_or_revoked_is_the_gateways_fault() {
    let settings = LookupSettings {
        token_lifetime: Duration::ZERO,
        ..LookupSettings::default()
    };
    let brief = SimulatedLookup::start(settings).await.unwrap();
    let lasting = lookup().await;
    let revoked = access_token(&lasting).await;
    lasting.revoke_tokens();
    for (lookup, token, code) in [
        (
            &lasting,
            "nobodys".to_owned(),
            "keymanagement.service.invalid_access_token",
        ),
        (
            &lasting,
            revoked,
            "keymanagement.service.invalid_access_token",
        ),
        (
            &brief,
            access_token(&brief).await,
            "keymanagement.service.access_token_expired",
        ),
    ] {
        let request = client()
            .get(format!("{}/last-transaction", lookup.url()))
            .bearer_auth(token);
        let answer = send(request).await;
        assert_eq!(
            (
                answer.status,
                &answer.json()["fault"]["detail"]["errorcode"]
            ),
            (401, &json!(code))
        );
    }
    let bare = send(client().get(format!("{}/last-transaction", lasting.url()))).await;
    assert_eq!(
        (bare.status, bare.json().get("fault").is_some()),
        (401, true)
    );
}

#[rstest]
#[case("wrong", CLIENT_SECRET, "client_credentials", 401, "invalid_client")]
#[case(CLIENT_ID, "wrong", "client_credentials", 401, "invalid_client")]
#[case(CLIENT_ID, CLIENT_SECRET, "password", 400, "unsupported_grant_type")]
#[tokio::test]
async fn the_token_endpoint_refuses_who_it_does_not_know(
    #[case] id: &str,
    #[case] secret: &str,
    #[case] grant: &str,
    #[case] status: u16,
    #[case] code: &str,
) {
    let lookup = lookup().await;
    let request = client()
        .post(lookup.token_url())
        .basic_auth(id, Some(secret));
    let answer = send(request.form(&[("grant_type", grant)])).await;
    assert_eq!(
        (answer.status, &answer.json()["ErrorCode"]),
        (status, &json!(code))
    );
}

#[tokio::test]
async fn a_token_says_how_long_it_is_good() {
    let lookup = lookup().await;
    let request = client()
        .post(lookup.token_url())
        .basic_auth(CLIENT_ID, Some(CLIENT_SECRET));
    let answer = send(request.form(&[("grant_type", "client_credentials")]))
        .await
        .json();
    assert_eq!(
        (&answer["expires_in"], &answer["token_type"]),
        (&json!(3599), &json!("Bearer"))
    );
}

#[tokio::test]
async fn a_group_asks_directly_with_its_password() {
    let lookup = lookup().await;
    let url = format!("{}/person/list?crsids=efg234", lookup.direct_url());
    let request = || client().get(&url);
    let group = send(request().basic_auth(GROUP, Some(GROUP_PASSWORD))).await;
    assert_eq!(crsids(&group), ["efg234"]);
    for refused in [
        request(),
        request().basic_auth("anonymous", Some("")),
        request().basic_auth(GROUP, Some("x")),
    ] {
        let answer = send(refused).await;
        assert_eq!(answer.status, 401);
        let error = &answer.json()["result"]["error"];
        assert_eq!(
            (&error["status"], &error["code"]),
            (&json!(401), &json!("Unauthorized"))
        );
        assert_eq!(
            answer.header("www-authenticate"),
            Some("Basic realm=\"Lookup\"")
        );
    }
}

#[tokio::test]
async fn a_request_lookup_does_not_understand_is_a_result_with_an_error() {
    let lookup = lookup().await;
    for (path, status) in [
        ("/person/list", 400),
        ("/person/all-people?limit=x", 400),
        ("/person/modified-people?minTxId=x", 400),
        ("/nowhere", 404),
    ] {
        let answer = ask(&lookup, path).await;
        assert_eq!(
            (answer.status, &answer.json()["result"]["error"]["status"]),
            (status, &json!(status))
        );
    }
}

#[tokio::test]
async fn an_address_past_eight_thousand_bytes_is_refused_by_a_page() {
    let lookup = lookup().await;
    let fits = format!("/person/list?crsids={}", "abcd1,".repeat(1_300));
    assert!(fits.len() < 7_900);
    assert_eq!(crsids(&ask(&lookup, &fits).await), ["abcd1"]);
    let answer = ask(
        &lookup,
        &format!("/person/list?crsids={}", "abcd1,".repeat(1_340)),
    )
    .await;
    assert_eq!(
        (answer.status, answer.header("content-type")),
        (414, Some("text/html"))
    );
}

#[tokio::test]
async fn past_its_quota_the_gateway_answers_with_a_fault() {
    let rate_limit = Some(RateLimit {
        requests: 1,
        period: Duration::from_hours(24),
    });
    let lookup = SimulatedLookup::start(LookupSettings {
        rate_limit,
        ..LookupSettings::default()
    })
    .await
    .unwrap();
    let token = access_token(&lookup).await;
    let request = || {
        client()
            .get(format!("{}/last-transaction", lookup.url()))
            .bearer_auth(&token)
    };
    assert_eq!(send(request()).await.status, 200);
    let answer = send(request()).await;
    let code = json!("policies.ratelimit.QuotaViolation");
    assert_eq!(
        (
            answer.status,
            &answer.json()["fault"]["detail"]["errorcode"]
        ),
        (429, &code)
    );
    assert_eq!(answer.header("ratelimit-name"), None);
}

#[tokio::test]
async fn people_change_appear_and_vanish_by_hand() {
    let lookup = lookup().await;
    let url = |crsid: &str| format!("{}/simulate/people/{crsid}", lookup.control_url());
    let cancelled = async |crsid: &str| {
        ask(&lookup, &format!("/person/crsid/{crsid}")).await.json()["result"]["person"]
            .get("cancelled")
            .cloned()
    };
    send(client().put(url("ABCD1")).json(&json!({"cancelled": true}))).await;
    assert_eq!(cancelled("abcd1").await, Some(json!(true)));
    send(client().put(url("abcd1")).json(&json!({"cancelled": null}))).await;
    assert_eq!(cancelled("abcd1").await, None);
    send(client().put(url("new1")).json(&json!({}))).await;
    assert_eq!(cancelled("new1").await, Some(json!(false)));
    assert_eq!(send(client().delete(url("new1"))).await.status, 204);
    assert_eq!(cancelled("new1").await, None);
    assert_eq!(
        send(client().put(url("new1")).json(&json!(["x"])))
            .await
            .status,
        400
    );
    let state: Value = send(client().get(format!("{}/simulate/state", lookup.control_url())))
        .await
        .json();
    assert_eq!(state["people"].as_array().unwrap().len(), 4);
}

#[tokio::test]
async fn faults_strike_lookup_as_they_do_gitlab() {
    let lookup = lookup().await;
    let body =
        Some(json!({"result": {"version": "1.2", "error": {"status": 500, "code": "Internal"}}}));
    lookup
        .control()
        .inject(InjectedFault {
            body,
            ..InjectedFault::on("GET", "/lookup/v1/person/list")
        })
        .unwrap();
    let answer = ask(&lookup, "/person/list?crsids=abcd1").await;
    assert_eq!(
        (answer.status, &answer.json()["result"]["error"]["status"]),
        (200, &json!(500))
    );
    assert_eq!(lookup.control().count("GET", "/lookup/*"), 1);
    assert_eq!(lookup.control().count("POST", "/oauth2/v1/token"), 1);
}
