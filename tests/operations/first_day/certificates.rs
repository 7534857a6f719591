//! A university's own certificate authority, and certificates that cannot be used.

use rstest::rstest;
use serde_json::Value;
use simulator::{gitlab::SimulatedUser, lookup::SimulatedPerson};
use tempfile::TempDir;
use testkit::environment::ServiceEnvironment;
use testkit::tls::{Authority, Certificate};
use testkit::wait::until;

use crate::support::environment;

const GITLABS: &str = "LOOKUP_GITLAB_SYNC__GITLAB__CA_FILE";
const LOOKUPS: &str = "LOOKUP_GITLAB_SYNC__DIRECTORY__CA_FILE";
/// Replaces the system's own roots, for every host.
const SYSTEMS: &str = "SSL_CERT_FILE";

/// GitLab and Lookup behind TLS, each with a certificate of another authority.
struct TlsServers {
    scene: ServiceEnvironment,
    gitlab: String,
    lookup: String,
    /// Of the same authority as GitLab's, but for nobody here.
    unrelated: String,
    addresses: [(&'static str, String); 3],
    _folder: TempDir,
}

impl TlsServers {
    async fn new(certificate: Certificate) -> Self {
        let scene = environment(
            vec![SimulatedUser::new(42, "spqr1")],
            vec![SimulatedPerson::cancelled("spqr1", "Gone")],
        )
        .await;
        let folder = tempfile::tempdir().unwrap();
        let [gitlab, lookup, unrelated] = ["gitlab", "lookup", "unrelated"].map(Authority::new);
        let file = |name: &str| folder.path().join(name);
        let environment = scene.servers.environment();
        let plain = |name: &str| {
            let found = environment.iter().find(|(set, _)| *set == name);
            found.unwrap().1.clone()
        };
        let gitlab_port = gitlab
            .stand_before(scene.servers.gitlab.url(), certificate)
            .await;
        let lookup_port = lookup
            .stand_before(scene.servers.lookup.control_url(), Certificate::Good)
            .await;
        let secured = |address: &str, port: u16| {
            let mut address = reqwest::Url::parse(address).unwrap();
            address.set_host(Some("localhost")).unwrap();
            address.set_port(Some(port)).unwrap();
            address.set_scheme("https").unwrap();
            address.to_string()
        };
        let addresses = [
            ("GITLAB_URL", gitlab_port),
            ("LOOKUP_URL", lookup_port),
            ("LOOKUP_TOKEN_URL", lookup_port),
        ];
        Self {
            gitlab: gitlab.publish(&file("gitlab.pem")),
            lookup: lookup.publish(&file("lookup.pem")),
            unrelated: unrelated.publish(&file("unrelated.pem")),
            addresses: addresses.map(|(name, port)| (name, secured(&plain(name), port))),
            scene,
            _folder: folder,
        }
    }

    fn variables<'a>(&'a self, trusted: &[(&'a str, &'a str)]) -> Vec<(&'a str, &'a str)> {
        let addresses = self.addresses.iter();
        addresses
            .map(|(name, address)| (*name, address.as_str()))
            .chain(trusted.iter().copied())
            .collect()
    }

    /// Exit code and what `plan` says.
    async fn plan(&self, trusted: &[(&str, &str)]) -> (Option<i32>, String) {
        let output = self.scene.run(&["plan"], &self.variables(trusted)).await;
        (
            output.status.code(),
            String::from_utf8(output.stderr).unwrap(),
        )
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_authority_of_each_upstreams_own_is_trusted_beside_the_systems() {
    let servers = TlsServers::new(Certificate::Good).await;
    let (gitlab, lookup) = (servers.gitlab.as_str(), servers.lookup.as_str());
    let unrelated = servers.unrelated.as_str();
    for trusted in [
        [(GITLABS, gitlab), (LOOKUPS, lookup)].as_slice(),
        // Added to the system's, which are whatever `SSL_CERT_FILE` says.
        &[(SYSTEMS, gitlab), (LOOKUPS, lookup)],
        &[(SYSTEMS, gitlab), (GITLABS, unrelated), (LOOKUPS, lookup)],
    ] {
        let (code, said) = servers.plan(trusted).await;
        assert_eq!(code, Some(0), "{trusted:?}: {said}");
    }
    for (trusted, key) in [
        ([(GITLABS, gitlab), (GITLABS, gitlab)], "directory.ca_file"),
        (
            [(GITLABS, gitlab), (LOOKUPS, unrelated)],
            "directory.ca_file",
        ),
        // One upstream's authority is nobody to another.
        ([(GITLABS, lookup), (LOOKUPS, lookup)], "gitlab.ca_file"),
    ] {
        let (code, said) = servers.plan(&trusted).await;
        assert_eq!(code, Some(4), "{trusted:?}: {said}");
        let told = said.lines().next().unwrap();
        assert!(
            told.contains("UnknownIssuer") && told.contains(key),
            "{said}"
        );
    }
}

#[rstest]
#[case::expired(Certificate::Expired, &["cannot be reached: invalid peer certificate: certificate expired", "renew it"])]
#[case::of_another_host(Certificate::Elsewhere, &["not valid for name \"localhost\"", "elsewhere.example.ac.uk", "write GITLAB_URL with the host"])]
#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_that_cannot_be_used_is_told_with_its_cause_by_plan_and_by_serve(
    #[case] certificate: Certificate,
    #[case] told: &[&str],
) {
    let servers = TlsServers::new(certificate).await;
    let trusted = [
        (GITLABS, servers.gitlab.as_str()),
        (LOOKUPS, &servers.lookup),
    ];
    let (code, said) = servers.plan(&trusted).await;
    assert_eq!(code, Some(4), "{said}");
    let first = said.lines().next().unwrap();
    for words in told {
        assert!(first.contains(words), "{words} in {first}");
    }

    let mut serving = servers
        .scene
        .spawn(&["serve"], &servers.variables(&trusted), "json");
    let port = serving.port().await;
    servers
        .scene
        .tick(lookup_gitlab_sync::messaging::wire::SyncTick::default())
        .await;
    let mut why = String::new();
    until("the gate closes", async || {
        let said = serving.lines();
        let lines = said
            .iter()
            .map(|line| -> Value { serde_json::from_str(line).unwrap() });
        let closed = lines
            .into_iter()
            .find(|line| line["event"] == "gate_closed");
        why = closed.map_or_else(String::new, |line| line["why"].as_str().unwrap().to_owned());
        !why.is_empty()
    })
    .await;
    let ready = reqwest::get(format!("http://127.0.0.1:{port}/readyz")).await;
    let ready: Value = ready.unwrap().json().await.unwrap();
    let checks = ready["checks"].as_array().unwrap();
    let problem = checks.iter().find(|check| check["ok"] == false).unwrap();
    let problem = problem["problem"].as_str().unwrap();
    for words in told {
        assert!(why.contains(words), "{words} in {why}");
        assert!(problem.contains(words), "{words} in {problem}");
    }
    serving.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_answers_without_tls_and_a_name_that_is_nobodys_are_told_apart() {
    let scene = environment(Vec::new(), Vec::new()).await;
    let plain = scene.servers.gitlab.url().replace("http://", "https://");
    for (address, told) in [
        (plain.as_str(), "does not speak TLS there"),
        ("https://gitlab.invalid", "cannot be looked up"),
        ("https://127.0.0.1:1", "Connection refused"),
    ] {
        let output = scene.run(&["plan"], &[("GITLAB_URL", address)]).await;
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(4), "{said}");
        assert!(said.lines().next().unwrap().contains(told), "{said}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_without_certificates_is_a_mistake_of_the_configuration() {
    let scene = environment(Vec::new(), Vec::new()).await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("authority.pem");
    let name = file.to_str().unwrap();
    let broken = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    for text in [None, Some(""), Some("hush"), Some(broken)] {
        if let Some(text) = text {
            std::fs::write(&file, text).unwrap();
        }
        for key in [GITLABS, LOOKUPS, "LOOKUP_GITLAB_SYNC__NAMESPACES__CA_FILE"] {
            let output = scene.run(&["config", "check"], &[(key, name)]).await;
            let said = String::from_utf8(output.stderr).unwrap();
            assert_eq!(output.status.code(), Some(78), "{text:?}: {said}");
            assert!(said.contains(".ca_file names a file"), "{said}");
            assert!(!said.contains("hush"), "{said}");
        }
    }
}
