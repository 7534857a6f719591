//! The portal's keys: when they are fetched, kept and fetched again.

use super::*;

#[tokio::test]
async fn known_keys_are_fetched_once() {
    let fixture = ProvisioningFixture::with(without_database).await;
    for _ in 0..5 {
        assert!(passes(&fixture, &fixture.portal.token()).await);
    }
    assert_eq!(
        (fixture.portal.discoveries(), fixture.portal.fetches()),
        (1, 1)
    );
}

#[tokio::test]
async fn any_number_of_made_up_kids_costs_one_fetch() {
    let fixture = ProvisioningFixture::with(without_database).await;
    let tokens = (0..50).map(|number| {
        let header = json!({ "alg": "RS256", "kid": format!("made-up-{number}") });
        fixture.portal.key.sign(&header, &fixture.portal.claims())
    });
    let passed =
        futures::future::join_all(tokens.map(async |token| passes(&fixture, &token).await)).await;
    assert_eq!(passed, [false; 50]);
    assert_eq!(fixture.portal.fetches(), 1);
    assert!(passes(&fixture, &fixture.portal.token()).await);
    assert_eq!(fixture.portal.fetches(), 1);
}

/// The first made-up `kid` after the pause fetches, and what it fetches serves the rotated key's
/// tokens.
#[tokio::test]
async fn made_up_kids_do_not_keep_a_rotated_key_out() {
    let pause = Duration::from_millis(300);
    let fixture = ProvisioningFixture::with(|settings| {
        without_database(settings);
        settings.keys.refetch_pause = pause;
    })
    .await;
    assert!(passes(&fixture, &fixture.portal.token()).await);
    let rotated = PortalKey::new("second");
    fixture.portal.serve(|served| {
        served.keys.push(rotated.jwk());
        served.delay = Duration::from_millis(200);
    });
    let token = rotated.sign(&rotated.header(), &fixture.portal.claims());
    let made_up = fixture.portal.key.sign(
        &json!({ "alg": "RS256", "kid": "made-up" }),
        &fixture.portal.claims(),
    );
    // An attacker asks all the time; the portal's tokens with the old key pass meanwhile.
    let attack = async {
        loop {
            assert!(!passes(&fixture, &made_up).await);
        }
    };
    let rotation = tokio::time::timeout(Duration::from_secs(30), async {
        while !passes(&fixture, &token).await {
            assert!(passes(&fixture, &fixture.portal.token()).await);
        }
    });
    tokio::select! {
        () = attack => {}
        rotated = rotation => rotated.expect("the rotated key was kept out"),
    }
}

/// A service that keeps the keys of the step before, and one that has just started, at each step of
/// docs/namespaces.md.
#[tokio::test]
async fn a_key_that_is_rotated_by_the_book_is_never_refused() {
    let fixture = ProvisioningFixture::with(without_database).await;
    let (old, new) = (&fixture.portal.key, PortalKey::new("second"));
    let with = |key: &PortalKey| key.sign(&key.header(), &fixture.portal.claims());
    let all_pass = async |tokens: &[&PortalKey]| {
        let fresh = fixture.twin_with(without_database).await;
        for key in tokens {
            assert!(
                passes(&fresh, &with(key)).await,
                "a new service, {}",
                key.kid
            );
            assert!(
                passes(&fixture, &with(key)).await,
                "an old service, {}",
                key.kid
            );
        }
    };
    // The new key is published before it signs.
    let published = [old.jwk(), new.jwk()];
    fixture
        .portal
        .serve(|served| served.keys = published.to_vec());
    all_pass(&[old]).await;
    let fetches = fixture.portal.fetches();
    assert!(passes(&fixture, &with(old)).await);
    // It signs; tokens of the old one are still under way.
    all_pass(&[&new, old]).await;
    // The old one is dropped when its last token has expired.
    let last = new.jwk();
    fixture.portal.serve(|served| served.keys = vec![last]);
    all_pass(&[&new]).await;
    let started = 2;
    assert_eq!(
        fixture.portal.fetches(),
        fetches + started,
        "the old service has fetched again"
    );
}

#[tokio::test]
async fn a_portal_that_cannot_be_asked_refuses_every_token_until_it_can() {
    let fixture = ProvisioningFixture::with(|settings| {
        without_database(settings);
        settings.keys.failure_pause = Duration::ZERO;
    })
    .await;
    fixture.portal.serve(|served| served.down = true);
    let errors = CapturedLogs::errors();
    assert!(!passes(&fixture, &fixture.portal.token()).await);
    let told = errors.text();
    assert!(told.contains("portal_keys_unavailable"), "{told}");
    fixture.portal.serve(|served| served.down = false);
    assert!(
        passes(&fixture, &fixture.portal.token()).await,
        "a failed fetch was kept"
    );
}

/// The portal is in plain text itself, and whoever is on the path could name a host of theirs.
#[tokio::test]
async fn keys_in_plain_text_are_fetched_from_the_portals_own_host_alone() {
    let fixture = ProvisioningFixture::with(without_database).await;
    let elsewhere = fixture.portal.address.replace("127.0.0.1", "localhost");
    let elsewhere = format!("{elsewhere}/keys");
    fixture
        .portal
        .serve(|served| served.key_set = Some(elsewhere));
    let errors = CapturedLogs::errors();
    assert!(!passes(&fixture, &fixture.portal.token()).await);
    assert_eq!(fixture.portal.fetches(), 0);
    let told = errors.text();
    assert!(told.contains("in plain text on another host"), "{told}");
}

#[tokio::test]
async fn a_failed_refetch_keeps_the_keys_there_are() {
    let fixture = ProvisioningFixture::with(|settings| {
        without_database(settings);
        settings.keys.refetch_pause = Duration::ZERO;
    })
    .await;
    assert!(passes(&fixture, &fixture.portal.token()).await);
    fixture.portal.serve(|served| served.down = true);
    let made_up = fixture.portal.key.sign(
        &json!({ "alg": "RS256", "kid": "made-up" }),
        &fixture.portal.claims(),
    );
    assert!(!passes(&fixture, &made_up).await);
    assert!(passes(&fixture, &fixture.portal.token()).await);
}

#[tokio::test]
async fn a_key_that_the_portal_withdrew_is_refused_when_the_set_is_old() {
    let fixture = ProvisioningFixture::with(|settings| {
        without_database(settings);
        settings.keys = KeyTiming {
            key_set: Duration::ZERO,
            ..KeyTiming::default()
        };
    })
    .await;
    assert!(passes(&fixture, &fixture.portal.token()).await);
    fixture.portal.serve(|served| served.keys.clear());
    assert!(!passes(&fixture, &fixture.portal.token()).await);
    assert_eq!(
        (fixture.portal.discoveries(), fixture.portal.fetches()),
        (1, 2)
    );
}

#[tokio::test]
async fn a_discovery_document_of_another_issuer_is_not_believed() {
    let fixture = ProvisioningFixture::with(without_database).await;
    fixture
        .portal
        .serve(|served| served.issuer = Some("https://elsewhere.example".to_owned()));
    assert!(!passes(&fixture, &fixture.portal.token()).await);
    assert_eq!(fixture.portal.fetches(), 0);
}
