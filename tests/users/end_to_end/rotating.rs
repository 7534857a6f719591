//! `token rotate`: the new token stands where the old one stood, and who serves goes on with it.

use std::{
    fs::{self, Permissions},
    os::unix::fs::{MetadataExt, PermissionsExt, chown},
    path::PathBuf,
    process::Output,
};

use jiff::{Timestamp, ToSpan, civil::Date, tz::TimeZone};
use lookup_gitlab_sync::{messaging::PauseTopic, pause::PauseNotice};
use serde_json::Value;
use simulator::{
    control::InjectedFault,
    gitlab::{SimulatedUser, TokenChange, UserState},
    lookup::SimulatedPerson,
};
use tempfile::TempDir;
use testkit::{
    command::{Variables, isolated},
    environment::ServiceEnvironment,
    wait::until,
};

use crate::support::{connection, environment};

pub(super) const ROTATE: &str = "/api/v4/personal_access_tokens/self/rotate";

/// Of a token that reads.
const READING: &str = "glpat-reads-only";

/// The servers, and a folder with the token in a file.
pub(super) struct RotationScene {
    pub(super) service: ServiceEnvironment,
    pub(super) folder: TempDir,
}

impl RotationScene {
    pub(super) async fn new() -> Self {
        let service = environment(
            vec![SimulatedUser::new(42, "ab42")],
            vec![SimulatedPerson::cancelled("ab42", "Gone")],
        )
        .await;
        let scene = Self {
            service,
            folder: TempDir::new().unwrap(),
        };
        fs::write(scene.file(), format!("{}\n", scene.old())).unwrap();
        scene
    }

    pub(super) fn file(&self) -> PathBuf {
        self.folder.path().join("token")
    }

    /// The file that keeps other rotations out.
    pub(super) fn beside(&self) -> PathBuf {
        self.folder.path().join(".token.rotation")
    }

    pub(super) fn old(&self) -> &'static str {
        self.service.servers.gitlab.token()
    }

    /// What stands in the file.
    pub(super) fn stored(&self) -> String {
        fs::read_to_string(self.file()).unwrap().trim().to_owned()
    }

    /// `token rotate --yes` on the file.
    pub(super) async fn rotate(&self, more: &[&str], variables: Variables<'_>) -> Rotation {
        let path = self.file().display().to_string();
        let variables = [of_file(&path).as_slice(), variables].concat();
        let arguments = [&["token", "rotate", "--yes"], more].concat();
        Rotation::of(&self.service.run(&arguments, &variables).await)
    }

    /// How often GitLab was asked to rotate.
    pub(super) fn asked(&self) -> usize {
        self.service.servers.gitlab.control().count("POST", ROTATE)
    }

    pub(super) fn inject(&self, fault: InjectedFault) {
        self.service.servers.gitlab.control().inject(fault).unwrap();
    }

    /// Whether GitLab accepts the token.
    pub(super) async fn is_good(&self, token: &str) -> bool {
        let url = format!("{}/api/v4/user", self.service.servers.gitlab.url());
        let client = reqwest::Client::new();
        let answer = client.get(url).header("private-token", token).send().await;
        answer.unwrap().status().is_success()
    }

    /// What stands in the folder.
    pub(super) fn names(&self) -> Vec<String> {
        let names = fs::read_dir(self.folder.path()).unwrap();
        let name = |entry: std::io::Result<fs::DirEntry>| {
            entry.unwrap().file_name().into_string().unwrap()
        };
        let mut names: Vec<String> = names.map(name).collect();
        names.sort();
        names
    }

    async fn expiry(&self, token: &str) -> Date {
        let url = self.service.servers.gitlab.url();
        let url = format!("{url}/api/v4/personal_access_tokens/self");
        let client = reqwest::Client::new();
        let answer = client.get(url).header("private-token", token).send().await;
        let row: Value = serde_json::from_str(&answer.unwrap().text().await.unwrap()).unwrap();
        row["expires_at"].as_str().unwrap().parse().unwrap()
    }
}

/// Variables that name the file.
pub(super) fn of_file(path: &str) -> [(&'static str, &str); 2] {
    [("GITLAB_TOKEN", ""), ("GITLAB_TOKEN_FILE", path)]
}

/// How the command ended.
#[derive(Debug)]
pub(super) struct Rotation {
    pub(super) code: Option<i32>,
    pub(super) printed: String,
    pub(super) said: String,
}

impl Rotation {
    pub(super) fn of(output: &Output) -> Self {
        Self {
            code: output.status.code(),
            printed: String::from_utf8(output.stdout.clone()).unwrap(),
            said: String::from_utf8(output.stderr.clone()).unwrap(),
        }
    }
}

/// Today or, around midnight, the day before.
fn is_in(days: i64, day: Date) -> bool {
    let today = Timestamp::now().to_zoned_datetime(TimeZone::UTC).date();
    let exact = today.saturating_add(days.days());
    day == exact || day == exact.yesterday().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_file_holds_the_new_token_with_its_rights_and_a_running_worker_follows_it() {
    let mut scene = RotationScene::new().await;
    let file = scene.file();
    let rights = fs::metadata(&file).unwrap();
    // Only root may give a file away.
    let owner = if rights.uid() == 0 {
        1234
    } else {
        rights.uid()
    };
    if rights.uid() == 0 {
        chown(&file, Some(owner), Some(owner)).unwrap();
    }
    fs::set_permissions(&file, Permissions::from_mode(0o640)).unwrap();
    let path = file.display().to_string();
    let variables = of_file(&path);
    scene.service.serve(&["user-worker"], &variables).await;

    let rotation = scene.rotate(&[], &[]).await;
    assert_eq!(rotation.code, Some(0), "{rotation:?}");
    let new = scene.stored();
    assert_ne!(new, scene.old());
    assert!(scene.is_good(&new).await);
    assert!(!scene.is_good(scene.old()).await);
    assert!(is_in(90, scene.expiry(&new).await));
    assert_eq!(
        (scene.asked(), scene.names()),
        (1, vec!["token".to_owned()])
    );
    let after = fs::metadata(&file).unwrap();
    assert_eq!((after.uid(), after.mode() & 0o7777), (owner, 0o640));
    assert_eq!(rotation.printed, "");
    for said in [
        "GITLAB_TOKEN is of lookup-gitlab-sync (1), with the scopes api, admin_mode",
        "the new token is stored: GITLAB_TOKEN expires on",
        "GitLab accepts the new token",
    ] {
        assert!(rotation.said.contains(said), "{said}: {rotation:?}");
    }
    assert!(!rotation.said.contains(&new), "{rotation:?}");

    scene.service.resync_person("ab42").await;
    scene.service.quiet().await;
    assert_eq!(scene.service.state(42), UserState::Blocked);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_link_stays_a_link_and_what_it_leads_to_is_replaced() {
    let scene = RotationScene::new().await;
    let real = scene.folder.path().join("real");
    fs::rename(scene.file(), &real).unwrap();
    std::os::unix::fs::symlink("real", scene.file()).unwrap();
    assert_eq!(scene.rotate(&[], &[]).await.code, Some(0));
    assert!(scene.file().is_symlink());
    let new = fs::read_to_string(real).unwrap();
    assert!(scene.is_good(new.trim()).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn print_puts_the_token_alone_on_standard_output_and_leaves_the_file() {
    let scene = RotationScene::new().await;
    let rotation = scene
        .rotate(&["--print", "--expires-in-days", "10"], &[])
        .await;
    assert_eq!(rotation.code, Some(0), "{rotation:?}");
    let new = &rotation.printed;
    assert_eq!(new.trim(), new, "nothing else, and no end of line");
    assert!(scene.is_good(new).await);
    assert!(is_in(10, scene.expiry(new).await));
    assert!(!rotation.said.contains(new.as_str()), "{rotation:?}");
    assert_eq!(scene.stored(), scene.old());
}

#[tokio::test(flavor = "multi_thread")]
async fn print_refuses_a_terminal() {
    let scene = RotationScene::new().await;
    let output = isolated("script")
        .args(["-qec", "$B token rotate --print --yes", "/dev/null"])
        .env("B", testkit::service_binary!())
        .env("PATH", "/usr/bin:/bin")
        .envs(scene.service.servers.environment())
        .output()
        .await
        .unwrap();
    let shown = String::from_utf8(output.stdout).unwrap();
    assert!(shown.contains("--print would show"), "{shown}");
    assert_eq!((output.status.code(), scene.asked()), (Some(2), 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_token_that_reads_rotates_itself_if_its_scopes_let_it() {
    let scene = RotationScene::new().await;
    let reading = |scopes: &[&str]| TokenChange {
        admin: Some(true),
        scopes: Some(scopes.iter().map(|scope| (*scope).to_owned()).collect()),
        ..TokenChange::default()
    };
    let gitlab = &scene.service.servers.gitlab;
    gitlab.change_token(READING, reading(&["read_user", "admin_mode"]));
    fs::write(scene.file(), READING).unwrap();
    let path = scene.file().display().to_string();
    let run = async |arguments: &[&str]| {
        let variables = [("GITLAB_READ_TOKEN_FILE", path.as_str())];
        Rotation::of(&scene.service.run(arguments, &variables).await)
    };
    let arguments = ["token", "rotate", "--read", "--yes"];
    let refused = run(&arguments).await;
    assert_eq!((refused.code, scene.asked()), (Some(78), 0));
    assert!(refused.said.contains("self_rotate"), "{refused:?}");
    let scopes = ["read_user", "admin_mode", "self_rotate"];
    gitlab.change_token(READING, reading(&scopes));
    let rotation = run(&arguments).await;
    assert_eq!(rotation.code, Some(0), "{rotation:?}");
    assert!(scene.is_good(&scene.stored()).await);
    assert!(!scene.is_good(READING).await);
    assert!(scene.is_good(scene.old()).await, "the other one stays");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_speaks_against_it_is_told_before_anything_is_rotated() {
    let scene = RotationScene::new().await;
    let path = scene.file().display().to_string();
    let named = of_file(&path);
    let dry = [named.as_slice(), &[("LOOKUP_GITLAB_SYNC__MODE", "dry-run")]].concat();
    let refused: [(&[&str], Variables<'_>, i32, &str); 6] = [
        (&[], &named, 2, "give --yes"),
        (&["--yes"], &[], 2, "give --print"),
        (&["--yes"], &dry, 2, "mode is dry-run"),
        (
            &["--yes", "--read"],
            &named,
            2,
            "GITLAB_READ_TOKEN is not set",
        ),
        (&["--yes", "--expires-in-days", "0"], &named, 2, "1..=365"),
        (&["--yes", "--expires-in-days", "366"], &named, 2, "1..=365"),
    ];
    for (more, variables, code, said) in refused {
        let arguments = [&["token", "rotate"], more].concat();
        let rotation = Rotation::of(&scene.service.run(&arguments, variables).await);
        assert_eq!(rotation.code, Some(code), "{more:?}: {rotation:?}");
        assert!(rotation.said.contains(said), "{more:?}: {rotation:?}");
    }
    let topic = PauseTopic::of(&connection(&scene.service).await);
    let notice = PauseNotice::new(Timestamp::now(), Some("alice"), Some("a test"));
    topic.pause(notice).await.unwrap();
    let held = scene.rotate(&[], &[]).await;
    assert_eq!(held.code, Some(4), "{held:?}");
    assert!(held.said.contains("paused"), "{held:?}");
    topic.resume().await.unwrap();

    let another_kind = InjectedFault {
        status: Some(404),
        body: Some(serde_json::json!({"message": "404 Not Found"})),
        times: 1,
        ..InjectedFault::on("GET", "*/personal_access_tokens/self")
    };
    scene.inject(another_kind);
    let kind = scene.rotate(&[], &[]).await;
    assert_eq!(kind.code, Some(78), "{kind:?}");
    assert!(
        kind.said.contains("is not a personal access token"),
        "{kind:?}"
    );
    assert_eq!((scene.asked(), scene.stored().as_str()), (0, scene.old()));
}

#[tokio::test(flavor = "multi_thread")]
async fn of_rotations_at_once_the_file_holds_a_token_that_is_good() {
    let scene = RotationScene::new().await;
    let none = || scene.rotate(&[], &[]);
    let all = tokio::join!(none(), none(), none());
    let codes = [all.0.code, all.1.code, all.2.code];
    assert!(codes.contains(&Some(0)), "{all:?}");
    assert!(scene.is_good(&scene.stored()).await, "{all:?}");
    until("nothing is left", async || scene.names() == ["token"]).await;
}
