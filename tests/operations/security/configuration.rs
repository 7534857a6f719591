//! A mistake in the configuration is told without the value that may be a secret.

use std::fs;

use super::recorded::RecordedEnvironment;

const SECRET: &str = "sentinel-secret";

/// Files in which somebody put a secret where it is read wrongly, or not at all.
const FILES: [&str; 8] = [
    "[gitlab]\ntoken = \"sentinel-secret",
    "[gitlab]\ntoken = sentinel-secret\n",
    "[gitlab]\ntoken = [\"sentinel-secret\"]\n",
    "[gitlab]\ntoken = { value = \"sentinel-secret\" }\n",
    "[gitlab]\ntoken = \"sentinel-secret\\u0007\"\n",
    "[gitlab]\ntokn = \"sentinel-secret\"\n",
    "[gitlab]\ntoken = \"a\"\ntoken = \"sentinel-secret\"\n",
    "[directory]\nclient_secret = \"sentinel-secret\"\npassword = \"sentinel-secret\"\nbatch_size = \"sentinel-secret\"\n",
];

#[tokio::test(flavor = "multi_thread")]
async fn no_mistake_in_a_file_repeats_a_secret() {
    let stage = RecordedEnvironment::of(Vec::new(), Vec::new()).await;
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("config.toml");
    let path = path.to_str().unwrap();
    for file in FILES {
        fs::write(path, file).unwrap();
        for command in [&["config", "check"][..], &["config", "show"], &["plan"]] {
            let arguments = [command, &["--config", path]].concat();
            // The variables would win over the file.
            let unset = [("GITLAB_TOKEN", ""), ("LOOKUP_CLIENT_SECRET", "")];
            let output = stage.run(&arguments, &unset).await;
            let said = [output.stdout, output.stderr].concat();
            let said = String::from_utf8(said).unwrap();
            assert_eq!(output.status.code(), Some(78), "{file}: {said}");
            let without_batch_size = said.replace("directory.batch_size = \"sentinel-secret\"", "");
            assert!(!without_batch_size.contains(SECRET), "{file}: {said}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_variable_that_is_wrong_repeats_a_secret() {
    let stage = RecordedEnvironment::of(Vec::new(), Vec::new()).await;
    for wrong in [
        ("GITLAB_TOKEN", "sentinel-secret\u{7}"),
        (
            "GITLAB_URL",
            "https://me:sentinel-secret@gitlab.example.ac.uk",
        ),
        (
            "GITLAB_URL",
            "https://gitlab.example.ac.uk?private_token=sentinel-secret",
        ),
        ("LOOKUP_CLIENT_SECRET", "sentinel-secret\n"),
        (
            "LOOKUP_URL",
            "http://me:sentinel-secret@lookup.example.ac.uk",
        ),
        ("LOOKUP_GITLAB_SYNC__GITLAB__TOKEN", "\u{1}sentinel-secret"),
        ("LOOKUP_GITLAB_SYNC__GITLAB__TOKN", "sentinel-secret"),
        ("LOOKUP_PASSWORD", "sentinel-secret"),
    ] {
        for command in [&["config", "check"][..], &["config", "show"], &["plan"]] {
            let output = stage.run(command, &[wrong]).await;
            let said = [output.stdout, output.stderr].concat();
            let said = String::from_utf8(said).unwrap();
            assert_eq!(output.status.code(), Some(78), "{wrong:?}: {said}");
            assert!(!said.contains(SECRET), "{wrong:?}: {said}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_address_outside_this_machine_is_spoken_to_in_the_clear() {
    let stage = RecordedEnvironment::of(Vec::new(), Vec::new()).await;
    for name in ["GITLAB_URL", "LOOKUP_URL", "LOOKUP_TOKEN_URL"] {
        let clear = [(name, "http://upstream.example.ac.uk")];
        for command in [&["plan"][..], &["serve"], &["explain", "spqr1"]] {
            let output = stage.run(command, &clear).await;
            assert_eq!(output.status.code(), Some(78), "{name}");
            let said = String::from_utf8(output.stderr).unwrap();
            assert!(said.contains("http://"), "{said}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_that_is_named_is_spoken_to_in_the_clear_and_that_is_told() {
    let stage = RecordedEnvironment::of(Vec::new(), Vec::new()).await;
    let hosts = (
        "LOOKUP_GITLAB_SYNC__INSECURE_HOSTS",
        "['nowhere.invalid', 'lookup']",
    );
    // Nobody has that name: it is tried, and fails.
    let clear = [hosts, ("GITLAB_URL", "http://nowhere.invalid")];
    let output = stage.run(&["plan"], &clear).await;
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(4), "{said}");
    let process = stage.serve(&[hosts]).await;
    assert_eq!(process.terminate().await, Some(0));
    let log = stage.log().await;
    let told = log
        .iter()
        .find(|line| line["event"] == "plaintext_allowed")
        .unwrap();
    assert_eq!(told["severity"], "WARNING");
    assert_eq!(told["hosts"], "nowhere.invalid, lookup");
}

/// A library would log a parameter that it does not know, and its value.
#[tokio::test(flavor = "multi_thread")]
async fn no_parameter_of_a_database_address_reaches_the_log() {
    let stage = RecordedEnvironment::of(Vec::new(), Vec::new()).await;
    // Nobody listens there: what is right is tried, and fails.
    let address = "postgres://sync@127.0.0.1:1/ledger";
    for (parameter, is_known) in [
        ("sslpassword", false),
        ("passwd", false),
        ("PGPASSWORD", false),
        ("pass", false),
        ("sslmode=disable&token", false),
        ("sslmode", false),
        ("port", false),
        ("hostaddr", false),
        ("statement-cache-capacity", false),
        ("password", true),
        ("options", true),
        ("options[x.y]", true),
        ("application_name", true),
    ] {
        let url = format!("{address}?{parameter}={SECRET}");
        for variable in ["LEDGER_DATABASE_URL", "DATABASE_URL"] {
            let history = ["namespaces", "history", "42"];
            let quick = "LOOKUP_GITLAB_SYNC__NAMESPACES__DATABASE__ACQUIRE_TIMEOUT";
            let output = stage
                .run(&history, &[(variable, &url), (quick, "1s")])
                .await;
            let said = [output.stdout, output.stderr].concat();
            let said = String::from_utf8(said).unwrap();
            assert!(!said.contains(SECRET), "{parameter}: {said}");
            let code = if is_known { Some(1) } else { Some(78) };
            assert_eq!(output.status.code(), code, "{parameter}: {said}");
            let name = parameter.rsplit('&').next().unwrap();
            let is_named = said.contains(name) || name == "PGPASSWORD";
            assert!(is_known || is_named, "{parameter}: {said}");
        }
    }
}
