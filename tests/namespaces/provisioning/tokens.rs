//! Tokens: the portal's pass, everybody else's get one and the same answer and reach no table.

mod key_set;

use std::time::Duration;

use aws_lc_rs::{
    hmac,
    signature::{RSA_PKCS1_SHA512, RSA_PSS_SHA256},
};
use base64::{
    Engine,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use lookup_gitlab_sync::namespaces::provisioning::{
    KeyTiming, ProvisioningSettings, database::MigrationMode,
};
use reqwest::StatusCode;
use serde_json::{Value, json};
use testkit::{
    logs::CapturedLogs,
    portal::{PortalKey, TestPortal, now, unsigned},
};

use super::fixture::{HEADER, ProvisioningFixture};

/// A database that cannot be reached: a query would be a 503, never a 401.
fn without_database(settings: &mut ProvisioningSettings) {
    settings.database.url = "postgres://nobody@127.0.0.1:1/nothing".into();
    settings.database.migrations = MigrationMode::Off;
    settings.database.acquire_timeout = Duration::from_millis(100);
}

async fn answer(fixture: &ProvisioningFixture, token: Option<&str>) -> StatusCode {
    let mut request = fixture.client.post(fixture.endpoint(1)).body("{}");
    if let Some(token) = token {
        request = request.header(HEADER, token);
    }
    let response = request.send().await.unwrap();
    let status = response.status();
    let body: Value = response.json().await.unwrap();
    if status == StatusCode::UNAUTHORIZED {
        assert_eq!(body, json!({ "message": "401 Unauthorized" }));
    }
    status
}

async fn passes(fixture: &ProvisioningFixture, token: &str) -> bool {
    match answer(fixture, Some(token)).await {
        StatusCode::UNAUTHORIZED => false,
        // It got as far as the database.
        StatusCode::SERVICE_UNAVAILABLE => true,
        other => panic!("{other}"),
    }
}

/// The claims of a good token, with others.
fn claims(portal: &TestPortal, differ: Value) -> Value {
    let mut claims = portal.claims();
    let Value::Object(differ) = differ else {
        panic!("an object")
    };
    for (name, value) in differ {
        match value {
            Value::Null => drop(claims.as_object_mut().unwrap().remove(&name)),
            value => drop(claims.as_object_mut().unwrap().insert(name, value)),
        }
    }
    claims
}

#[tokio::test]
async fn the_portals_token_passes() {
    let fixture = ProvisioningFixture::with(without_database).await;
    assert!(passes(&fixture, &fixture.portal.token()).await);
}

#[tokio::test]
async fn claims_within_their_bounds_pass() {
    let fixture = ProvisioningFixture::with(without_database).await;
    let key = &fixture.portal.key;
    for differ in [
        json!({ "aud": ["somebody", "gitlab-subscriptions"] }),
        json!({ "exp": now() - 20 }),
        json!({ "nbf": now() + 20 }),
        json!({ "nbf": null, "iat": null }),
        json!({ "more": { "than": "needed" } }),
    ] {
        let token = key.sign(&key.header(), &claims(&fixture.portal, differ.clone()));
        assert!(passes(&fixture, &token).await, "{differ}");
    }
}

#[tokio::test]
async fn claims_out_of_their_bounds_are_refused() {
    let fixture = ProvisioningFixture::with(without_database).await;
    let key = &fixture.portal.key;
    for differ in [
        json!({ "iss": "https://elsewhere.example" }),
        json!({ "iss": [fixture.portal.address] }),
        json!({ "iss": format!("{}/", fixture.portal.address) }),
        json!({ "iss": null }),
        json!({ "aud": "somebody" }),
        json!({ "aud": ["somebody"] }),
        json!({ "aud": [] }),
        json!({ "aud": null }),
        json!({ "sub": "somebody" }),
        json!({ "sub": ["customers-dot-internal-api"] }),
        json!({ "sub": null }),
        json!({ "exp": now() - 40 }),
        json!({ "exp": 0 }),
        json!({ "exp": -1 }),
        json!({ "exp": "never" }),
        json!({ "exp": (now() + 300).to_string() }),
        json!({ "exp": null }),
        json!({ "nbf": now() + 40 }),
        json!({ "nbf": "later" }),
    ] {
        let token = key.sign(&key.header(), &claims(&fixture.portal, differ.clone()));
        assert!(!passes(&fixture, &token).await, "{differ}");
    }
}

#[tokio::test]
async fn no_token_several_and_no_jwt_are_refused() {
    let fixture = ProvisioningFixture::with(without_database).await;
    assert_eq!(answer(&fixture, None).await, StatusCode::UNAUTHORIZED);
    let good = fixture.portal.token();
    let twice = fixture
        .client
        .post(fixture.endpoint(1))
        .header(HEADER, &good)
        .header(HEADER, &good);
    assert_eq!(
        twice.send().await.unwrap().status(),
        StatusCode::UNAUTHORIZED
    );
    let (message, signature) = good.rsplit_once('.').unwrap();
    let (header, body) = message.split_once('.').unwrap();
    for token in [
        "",
        "x",
        "..",
        "a.b.c",
        message,
        header,
        &format!("{message}."),
        &format!("{good}.x"),
        &format!("Bearer {good}"),
        &format!("{header}.{body}x.{signature}"),
        &format!("{message}.{}", &signature[..signature.len() - 4]),
        &unsigned(&json!([]), &fixture.portal.claims()),
        &format!(
            "{}.{signature}",
            unsigned(&fixture.portal.key.header(), &json!("claims"))
        ),
    ] {
        assert!(!passes(&fixture, token).await, "{token}");
    }
}

#[tokio::test]
async fn an_oversized_token_is_refused_though_it_is_signed() {
    let fixture = ProvisioningFixture::with(without_database).await;
    let key = &fixture.portal.key;
    for length in [9_000, 200_000] {
        let token = key.sign(
            &key.header(),
            &claims(&fixture.portal, json!({ "padding": "x".repeat(length) })),
        );
        assert!(!passes(&fixture, &token).await, "{length}");
    }
}

#[tokio::test]
async fn every_way_to_sign_but_rs256_is_refused() {
    let fixture = ProvisioningFixture::with(without_database).await;
    let (key, claims) = (&fixture.portal.key, fixture.portal.claims());
    let header = |alg: &str| json!({ "alg": alg, "typ": "JWT", "kid": key.kid });
    for alg in ["none", "None", "NONE", "nOnE", ""] {
        assert!(
            !passes(&fixture, &format!("{}.", unsigned(&header(alg), &claims))).await,
            "{alg}"
        );
        assert!(
            !passes(&fixture, &key.sign(&header(alg), &claims)).await,
            "{alg}"
        );
    }
    for secret in [
        key.public_der(),
        key.jwk().to_string().into_bytes(),
        key.jwk()["n"].as_str().unwrap().into(),
    ] {
        for alg in ["HS256", "RS256"] {
            let message = unsigned(&header(alg), &claims);
            let tag = hmac::sign(
                &hmac::Key::new(hmac::HMAC_SHA256, &secret),
                message.as_bytes(),
            );
            let token = format!("{message}.{}", URL_SAFE_NO_PAD.encode(tag.as_ref()));
            assert!(!passes(&fixture, &token).await, "{alg}");
        }
    }
    assert!(
        !passes(
            &fixture,
            &key.sign_with(&RSA_PKCS1_SHA512, &header("RS512"), &claims)
        )
        .await
    );
    assert!(
        !passes(
            &fixture,
            &key.sign_with(&RSA_PSS_SHA256, &header("PS256"), &claims)
        )
        .await
    );
    assert!(!passes(&fixture, &key.sign(&header("RS512"), &claims)).await);
}

#[tokio::test]
async fn a_key_in_the_token_itself_is_not_believed() {
    let fixture = ProvisioningFixture::with(without_database).await;
    let stranger = PortalKey::new("first");
    let claims = fixture.portal.claims();
    assert!(!passes(&fixture, &stranger.sign(&stranger.header(), &claims)).await);
    for (name, value) in [
        ("jwk", stranger.jwk()),
        ("jku", json!(format!("{}/keys", fixture.portal.address))),
        ("crit", json!(["exp"])),
    ] {
        let mut header = stranger.header();
        header[name] = value;
        assert!(
            !passes(&fixture, &stranger.sign(&header, &claims)).await,
            "{name}"
        );
    }
    let mut critical = fixture.portal.key.header();
    critical["crit"] = json!(["b64"]);
    assert!(!passes(&fixture, &fixture.portal.key.sign(&critical, &claims)).await);
}

#[tokio::test]
async fn a_token_without_a_kid_is_refused() {
    let fixture = ProvisioningFixture::with(without_database).await;
    let header = json!({ "alg": "RS256" });
    assert!(
        !passes(
            &fixture,
            &fixture.portal.key.sign(&header, &fixture.portal.claims())
        )
        .await
    );
    assert_eq!(fixture.portal.fetches(), 0);
}

#[tokio::test]
async fn keys_of_other_kinds_and_uses_are_passed_over() {
    let fixture = ProvisioningFixture::with(without_database).await;
    let key = &fixture.portal.key;
    let (mut encrypts, mut other) = (key.jwk(), key.jwk());
    encrypts["kid"] = json!("encrypts");
    encrypts["use"] = json!("enc");
    other["kid"] = json!("other");
    other["alg"] = json!("RS512");
    fixture.portal.serve(|served| {
        served.keys = vec![
            json!({ "kty": "oct", "kid": "secret", "k": "c2VjcmV0" }),
            json!({ "kty": "EC", "kid": "curve" }),
            json!("nonsense"),
            encrypts,
            other,
            key.jwk(),
        ];
    });
    assert!(passes(&fixture, &fixture.portal.token()).await);
    for kid in ["encrypts", "other", "secret"] {
        let header = json!({ "alg": "RS256", "kid": kid });
        assert!(
            !passes(&fixture, &key.sign(&header, &fixture.portal.claims())).await,
            "{kid}"
        );
    }
}

/// As other servers were seen to publish them: each is told once by its name, and keeps none of the
/// others from working.
#[tokio::test]
async fn a_key_that_cannot_be_used_is_told_once_with_its_kid() {
    let warnings = CapturedLogs::from_level(tracing::Level::WARN);
    let fixture = ProvisioningFixture::with(|settings| {
        without_database(settings);
        settings.keys.refetch_pause = Duration::ZERO;
    })
    .await;
    let key = &fixture.portal.key;
    let of = |kid: &str, n: String| {
        let mut jwk = key.jwk();
        jwk["kid"] = json!(kid);
        jwk["n"] = json!(n);
        jwk
    };
    let n = key.jwk()["n"].as_str().unwrap().to_owned();
    let modulus = URL_SAFE_NO_PAD.decode(&n).unwrap();
    let zero = URL_SAFE_NO_PAD.encode([&[0], modulus.as_slice()].concat());
    let mut nameless = key.jwk();
    nameless.as_object_mut().unwrap().remove("kid");
    fixture.portal.serve(|served| {
        served.keys = vec![
            of("zero", zero),
            of("padded", format!("{n}==")),
            of("plain", STANDARD.encode(&modulus)),
            of("twice", n.clone()),
            of("twice", n.clone()),
            nameless,
            key.jwk(),
        ];
    });
    let signed = |kid: &str| {
        let header = json!({ "alg": "RS256", "kid": kid });
        key.sign(&header, &fixture.portal.claims())
    };
    assert!(passes(&fixture, &fixture.portal.token()).await);
    assert!(passes(&fixture, &signed("twice")).await);
    for kid in ["zero", "padded", "plain", "made-up"] {
        assert!(!passes(&fixture, &signed(kid)).await, "{kid}");
    }
    assert!(fixture.portal.fetches() > 1, "it was fetched again");
    let told = warnings.text();
    let lines: Vec<&str> = told
        .lines()
        .filter(|line| line.contains("portal_key_unusable"))
        .collect();
    for kid in ["zero", "padded", "plain", "twice"] {
        let of_kid = lines
            .iter()
            .filter(|line| line.contains(&format!("kid=\"{kid}\"")));
        assert_eq!(of_kid.count(), 1, "{kid}: {told}");
    }
    assert_eq!(lines.len(), 5, "{told}");
}
