//! Resyncs that are followed: what became of each, in the order in which they were asked for.

use serde_json::Value;
use simulator::{
    gitlab::{SimulatedUser, UserState},
    lookup::SimulatedPerson,
};
use testkit::environment::ServiceEnvironment;

use crate::support::environment;

/// The last is to be blocked, the second is kept, and the others are nobody.
const WHO: [&str; 4] = ["4711", "external-x", "spqr9", "spqr1"];

async fn scene() -> ServiceEnvironment {
    let accounts = vec![
        SimulatedUser::new(42, "spqr1"),
        SimulatedUser::new(43, "external-x"),
    ];
    let mut scene = environment(accounts, vec![SimulatedPerson::cancelled("spqr1", "Gone")]).await;
    scene.serve(&["user-worker"], &[]).await;
    scene
}

async fn followed(
    scene: &ServiceEnvironment,
    who: &[&str],
    options: &[&str],
    width: &str,
) -> (Option<i32>, String, String) {
    let arguments = [&["resync", "--follow"], options, who].concat();
    let followed = scene.run(&arguments, &[("COLUMNS", width)]).await;
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (
        followed.status.code(),
        text(followed.stdout),
        text(followed.stderr),
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn each_is_told_in_the_order_of_the_arguments_and_a_name_that_nobody_has_is_an_error() {
    let scene = scene().await;
    for width in ["80", "120"] {
        let dry = ["--dry-run"];
        let (code, table, said) = followed(&scene, &WHO, &dry, width).await;
        assert_eq!(code, Some(1), "{said}");
        insta::assert_snapshot!(format!("resync_{width}"), table);
        let error = "error: no account in GitLab is account 4711, nor CRSid spqr9";
        assert!(said.contains(error), "{said}");
    }
    let (code, _, said) = followed(&scene, &["external-x"], &[], "80").await;
    assert_eq!(code, Some(0), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn programs_read_the_same_order_and_the_same_exit_code() {
    let scene = scene().await;
    let (code, rows, said) = followed(&scene, &WHO, &["--output=json"], "80").await;
    assert_eq!(code, Some(1), "{said}");
    let rows = rows.lines().map(|line| serde_json::from_str(line).unwrap());
    let results: Vec<String> = rows
        .filter(|row: &Value| row["kind"] == "user")
        .map(|row| row["result"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(results, ["gone", "unchanged", "gone", "applied"]);
    assert_eq!(scene.state(42), UserState::Blocked);
    let (code, csv, _) = followed(&scene, &["external-x", "42"], &["--output=csv"], "80").await;
    assert_eq!(code, Some(0));
    insta::assert_snapshot!(csv);
}
