//! Every command of docs/operations.md that needs no cloud, run as it stands there against the
//! simulated servers.

use regex::Regex;
use simulator::{gitlab::SimulatedUser, lookup::SimulatedPerson, servers::ServerSettings};
use tempfile::TempDir;
use testkit::{command, environment::ServiceEnvironment, project};

/// The lines of shell blocks and the commands within sentences, each once, in their order.
fn commands() -> Vec<String> {
    let text = project::read("docs/operations.md");
    let blocks = Regex::new(r"(?ms)^```sh\n(.*?)^```$").unwrap();
    let lines = blocks
        .captures_iter(&text)
        .flat_map(|block| block[1].lines().map(str::to_owned).collect::<Vec<_>>());
    // In a sentence the binary's own name is left out where it is clear.
    let inline = Regex::new(
        r"`((?:lookup-gitlab-sync |dead-letters (?:list|show|replay|discard)|topology check)[^`]*)`",
    )
    .unwrap();
    let sentences = inline
        .captures_iter(&text)
        .map(|found| match &found[1] {
            whole if whole.starts_with("lookup-gitlab-sync") => whole.to_owned(),
            rest => format!("lookup-gitlab-sync {rest}"),
        })
        .collect::<Vec<_>>();
    let mut commands: Vec<String> = Vec::new();
    for command in lines.chain(sentences) {
        if !commands.contains(&command) {
            commands.push(command);
        }
    }
    commands
}

/// Needs Google's own tools, an account there and a project.
fn is_of_the_cloud(command: &str) -> bool {
    command.starts_with("gcloud ") || command.starts_with("terraform ")
}

/// Needs the namespace pipeline: `tests/namespaces/examples.rs` runs these.
fn is_of_namespaces(command: &str) -> bool {
    command.starts_with("lookup-gitlab-sync namespaces ") || command.ends_with(" namespace-sync")
}

/// A member to ask about, another who is cancelled, and a service at work.
async fn scene() -> ServiceEnvironment {
    let accounts = vec![
        SimulatedUser::new(42, "spqr1"),
        SimulatedUser::new(43, "spqr2"),
    ];
    let people = vec![
        SimulatedPerson::current("spqr1", "Here"),
        SimulatedPerson::cancelled("spqr2", "Gone"),
    ];
    let binary = testkit::service_binary!();
    let settings = ServerSettings::default();
    let mut scene = ServiceEnvironment::start(binary, accounts, people, settings).await;
    let applied = scene.run(&["topology", "apply"], &[]).await;
    assert!(applied.status.success(), "{applied:?}");
    scene.serve(&[], &[]).await;
    scene
}

/// A dead letter that can be replayed; its id.
async fn dead_letter(scene: &ServiceEnvironment) -> String {
    let attributes = [("dead_letter_reason", "attempts_exhausted"), ("run", "r1")];
    let attributes = attributes.map(|(name, value)| (name.to_owned(), value.to_owned()));
    let body = br#"{"gitlab_user_id":42}"#;
    let published = scene
        .pubsub
        .publish("user-sync-dead", body, attributes.into());
    published.await
}

#[tokio::test(flavor = "multi_thread")]
async fn every_command_of_the_operations_document_does_its_work() {
    let scene = scene().await;
    let folder = TempDir::new().unwrap();
    let binary = testkit::service_binary!();
    let path = format!(
        "{}:{}",
        binary.parent().unwrap().display(),
        std::env::var("PATH").unwrap()
    );
    let mut run = 0;
    for command in commands() {
        if is_of_the_cloud(&command) || is_of_namespaces(&command) {
            continue;
        }
        let letter = dead_letter(&scene).await;
        let typed = command
            .replace("MESSAGE_ID", &letter)
            .replace("CRSID", "spqr1")
            .replace("WHO", "spqr1");
        let mut bash = command::isolated("bash");
        bash.args(["-euo", "pipefail", "-c", &typed])
            .envs(scene.servers.environment())
            .env("PATH", &path)
            .current_dir(folder.path());
        let ended = command::output(&mut bash).await;
        assert!(
            ended.status.success(),
            "{typed}: {}\n{}",
            String::from_utf8_lossy(&ended.stdout),
            String::from_utf8_lossy(&ended.stderr)
        );
        run += 1;
    }
    assert!(run >= 18, "only {run} commands were found");
    assert!(
        folder.path().join("plan.csv").exists(),
        "the plan was written where the document says"
    );
}
