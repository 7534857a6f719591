//! A rotation that is cut at each of its steps: GitLab is asked once, and what is left is told.

use std::{fs, process::Stdio};

use serde_json::{Value, json};
use simulator::control::{Cut, InjectedFault};
use testkit::{process::signal, wait::until};

use super::rotating::{ROTATE, Rotation, RotationScene, of_file};

fn post() -> InjectedFault {
    InjectedFault::on("POST", ROTATE)
}

fn dying(place: &'static str) -> [(&'static str, &'static str); 1] {
    [("LOOKUP_GITLAB_SYNC_FAIL_AT", place)]
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_before_the_rotation_the_old_token_is_good_and_the_next_run_says_what_is_left() {
    let scene = RotationScene::new().await;
    assert_eq!(
        scene.rotate(&[], &dying("before_rotation")).await.code,
        None
    );
    assert_eq!((scene.asked(), scene.stored().as_str()), (0, scene.old()));
    assert!(scene.is_good(scene.old()).await);
    let next = scene.rotate(&[], &[]).await;
    assert_eq!((next.code, scene.asked()), (Some(1), 0), "{next:?}");
    assert!(
        next.said.contains("another rotation is under way"),
        "{next:?}"
    );
    fs::remove_file(scene.beside()).unwrap();
    assert_eq!(scene.rotate(&[], &[]).await.code, Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_before_the_new_token_is_stored_nothing_rotates_again() {
    let scene = RotationScene::new().await;
    assert_eq!(scene.rotate(&[], &dying("after_rotation")).await.code, None);
    assert_eq!(scene.stored(), scene.old());
    let next = scene.rotate(&[], &[]).await;
    assert_eq!(next.code, Some(4), "{next:?}");
    assert!(
        next.said.contains("the token was revoked: make a new one"),
        "{next:?}"
    );
    assert_eq!(scene.asked(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_after_storing_the_file_holds_the_new_token() {
    let scene = RotationScene::new().await;
    assert_eq!(scene.rotate(&[], &dying("after_storing")).await.code, None);
    assert!(scene.is_good(&scene.stored()).await);
    assert_eq!(
        (scene.asked(), scene.names()),
        (1, vec!["token".to_owned()])
    );
}

/// Whether the new token is known to nobody: GitLab is not asked again, and a person is told what
/// to do.
async fn is_lost(fault: InjectedFault) {
    let scene = RotationScene::new().await;
    scene.inject(fault.clone());
    let rotation = scene.rotate(&[], &[]).await;
    assert_eq!(rotation.code, Some(1), "{fault:?}: {rotation:?}");
    let path = scene.file().display().to_string();
    for said in [
        "GITLAB_TOKEN may have been rotated",
        "Do not run this again",
        "make a new token of lookup-gitlab-sync with the scopes api, admin_mode",
        &format!("put it into {path} as GITLAB_TOKEN"),
    ] {
        assert!(rotation.said.contains(said), "{said}: {rotation:?}");
    }
    assert_eq!(scene.asked(), 1, "{fault:?}");
    assert_eq!(scene.stored(), scene.old());
    assert_eq!(scene.names(), ["token"]);
    assert!(!rotation.said.contains("glpat-"), "{rotation:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_is_lost_is_not_asked_for_again() {
    let cut = |drop| InjectedFault {
        drop: Some(drop),
        ..post()
    };
    is_lost(cut(Cut::After)).await;
    is_lost(cut(Cut::Before)).await;
    for status in [500, 502, 503, 302] {
        let fault = InjectedFault {
            status: Some(status),
            ..post()
        };
        is_lost(fault).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_without_a_usable_token_is_a_lost_one() {
    let long = "x".repeat(600);
    let bodies = [
        json!("<html>Sign in</html>"),
        json!({"id": 7}),
        json!({"token": ""}),
        json!({"token": 7}),
        json!({"token": "glpat-with a space"}),
        json!({"token": "glpat-two\nlines"}),
        json!({ "token": long }),
        json!([]),
        Value::String("{\"token\": \"glpat-cut".to_owned()),
        json!({"token": "glpat-huge", "padding": "x".repeat(40 << 20)}),
    ];
    for body in bodies {
        let fault = InjectedFault {
            body: Some(body),
            ..post()
        };
        is_lost(fault).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_gitlab_refuses_leaves_everything_as_it_was() {
    let scene = RotationScene::new().await;
    for (status, body) in [
        (
            400,
            json!({"message": "400 Bad request - Expiration date is invalid"}),
        ),
        (
            403,
            json!({"error": "insufficient_scope", "scope": "api self_rotate"}),
        ),
        (404, json!({"error": "404 Not Found"})),
        (405, json!({"message": "405 Method Not Allowed"})),
        (429, json!("Retry later\n")),
    ] {
        let refusal = InjectedFault {
            status: Some(status),
            body: Some(body),
            times: 1,
            ..post()
        };
        scene.inject(refusal);
        let before = scene.asked();
        let rotation = scene.rotate(&[], &[]).await;
        assert!(matches!(rotation.code, Some(1 | 4)), "{rotation:?}");
        let said = "nothing was rotated, GITLAB_TOKEN is as it was";
        assert!(rotation.said.contains(said), "{status}: {rotation:?}");
        assert_eq!(scene.asked(), before + 1, "{status}");
        assert_eq!(
            (scene.stored().as_str(), scene.names().len()),
            (scene.old(), 1)
        );
    }
    assert_eq!(scene.rotate(&[], &[]).await.code, Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_that_another_one_rotated_in_this_moment_is_told_to_be_dead() {
    let scene = RotationScene::new().await;
    let revoked = InjectedFault {
        status: Some(401),
        body: Some(json!({
            "error": "invalid_token",
            "error_description": "Token was revoked. You have to re-authorize from the user.",
        })),
        ..post()
    };
    scene.inject(revoked);
    let rotation = scene.rotate(&[], &[]).await;
    assert_eq!((rotation.code, scene.asked()), (Some(1), 1), "{rotation:?}");
    assert!(
        rotation.said.contains("Somebody else may have rotated it"),
        "{rotation:?}"
    );
    assert!(rotation.said.contains("make a new token"), "{rotation:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_token_that_cannot_take_its_place_stands_beside_it() {
    let scene = RotationScene::new().await;
    let slow = InjectedFault {
        delay_ms: 5000,
        ..post()
    };
    scene.inject(slow);
    let spoil = async {
        until("the place is proved", async || {
            fs::metadata(scene.beside()).is_ok_and(|file| file.len() == 4096)
        })
        .await;
        fs::remove_file(scene.file()).unwrap();
        fs::create_dir(scene.file()).unwrap();
    };
    let (rotation, ()) = tokio::join!(scene.rotate(&[], &[]), spoil);
    assert_eq!(rotation.code, Some(1), "{rotation:?}");
    let told = format!("It stands in {}", scene.beside().display());
    assert!(rotation.said.contains(&told), "{rotation:?}");
    let new = fs::read_to_string(scene.beside()).unwrap();
    assert!(scene.is_good(new.trim()).await);
    assert!(!rotation.said.contains(new.trim()), "{rotation:?}");
    assert_eq!(scene.asked(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_that_nobody_reads_is_kept_in_a_private_file() {
    let scene = RotationScene::new().await;
    let folder = scene.folder.path().display().to_string();
    let arguments = ["token", "rotate", "--print", "--yes"];
    let mut command = scene.service.command(&arguments, &[("TMPDIR", &folder)]);
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut running = command.spawn().unwrap();
    drop(running.stdout.take());
    let rotation = Rotation::of(&running.wait_with_output().await.unwrap());
    assert_eq!(rotation.code, Some(1), "{rotation:?}");
    let kept: Vec<String> = scene
        .names()
        .into_iter()
        .filter(|name| name != "token")
        .collect();
    let [kept] = kept.as_slice() else {
        panic!("{kept:?}: {rotation:?}");
    };
    assert!(rotation.said.contains(kept.as_str()), "{rotation:?}");
    let kept = scene.folder.path().join(kept);
    let new = fs::read_to_string(&kept).unwrap();
    assert!(scene.is_good(&new).await);
    assert!(!rotation.said.contains(&new), "{rotation:?}");
    let mode = std::os::unix::fs::PermissionsExt::mode(&fs::metadata(kept).unwrap().permissions());
    assert_eq!(mode & 0o7777, 0o600);
}

#[tokio::test(flavor = "multi_thread")]
async fn no_signal_ends_it_between_the_rotation_and_the_stored_token() {
    let scene = RotationScene::new().await;
    let slow = InjectedFault {
        delay_ms: 3000,
        ..post()
    };
    scene.inject(slow);
    let path = scene.file().display().to_string();
    let variables = of_file(&path);
    let arguments = ["token", "rotate", "--yes"];
    let running = scene.service.launch(&arguments, &variables);
    until("the place is proved", async || {
        fs::metadata(scene.beside()).is_ok_and(|file| file.len() == 4096)
    })
    .await;
    for name in ["INT", "TERM", "HUP", "INT"] {
        signal(&running, name).await;
    }
    until("the new token is stored", async || {
        scene.stored() != scene.old()
    })
    .await;
    assert!(scene.is_good(&scene.stored()).await);
    assert_eq!(scene.asked(), 1);
}
