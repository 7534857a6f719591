//! Plain `http://` goes to this machine, and to the hosts that somebody named.

use super::*;

const HOSTS: &str = "LOOKUP_GITLAB_SYNC__INSECURE_HOSTS";

/// Each address that `insecure_hosts` counts for.
const ADDRESSES: [&str; 5] = [
    "LOOKUP_GITLAB_SYNC__GITLAB__URL",
    "LOOKUP_GITLAB_SYNC__DIRECTORY__URL",
    "LOOKUP_GITLAB_SYNC__DIRECTORY__TOKEN_URL",
    "LOOKUP_GITLAB_SYNC__NAMESPACES__PORTAL_URL",
    "LOOKUP_GITLAB_SYNC__NAMESPACES__PROVISIONING_URL",
];

/// With these hosts and that address, in a configuration that needs nothing else.
fn given(hosts: Option<&str>, variable: &str, address: &str) -> Result<AnyConfig, ConfigErrors> {
    let hosts = hosts.map(|hosts| (HOSTS, hosts));
    let variables: Vec<_> = hosts.into_iter().chain([(variable, address)]).collect();
    let start = Start::new().environment(&variables);
    AnyConfig::load(&start.given).map(|loaded| loaded.config)
}

#[test]
fn nobody_is_called_in_plaintext_unless_named() {
    for variable in ADDRESSES {
        for hosts in [None, Some("[]"), Some("['lookup']")] {
            let told = given(hosts, variable, "http://gitlab:8080").unwrap_err();
            let told = told.to_string();
            assert!(told.contains("to another machine"), "{variable}: {told}");
            assert!(told.contains("insecure_hosts"), "the remedy: {told}");
        }
    }
}

#[test]
fn a_named_host_is_called_in_plaintext_by_everything_but_pubsub() {
    let hosts = Some("['lookup', 'gitlab']");
    for variable in ADDRESSES {
        let config = given(hosts, variable, "http://gitlab:8080").unwrap();
        assert_eq!(config.insecure_hosts, ["lookup", "gitlab"]);
    }
    let endpoint = "LOOKUP_GITLAB_SYNC__PUBSUB__ENDPOINT";
    let told = given(hosts, endpoint, "http://gitlab:8085").unwrap_err();
    assert!(!told.to_string().contains("insecure_hosts"), "{told}");
}

#[rstest]
#[case::bare("http://gitlab", true)]
#[case::any_port("http://gitlab:8929/sub", true)]
#[case::capitals("http://GitLab", true)]
#[case::default_port("http://gitlab:80", true)]
#[case::dotted("http://lookup.internal", true)]
#[case::underscore("http://portal_1:8080", true)]
#[case::tls("https://elsewhere.example.ac.uk", true)]
#[case::trailing_dot("http://gitlab.", false)]
#[case::longer("http://gitlab.example.ac.uk", false)]
#[case::prefixed("http://my-gitlab", false)]
#[case::parent("http://internal", false)]
#[case::child("http://evil.lookup.internal", false)]
#[case::user("http://me@gitlab", false)]
#[case::password("http://me:hush@gitlab", false)]
#[case::as_user("http://gitlab@evil.example", false)]
#[case::as_user_and_port("http://gitlab:80@evil.example", false)]
#[case::as_path("http://evil.example/gitlab", false)]
#[case::as_fragment("http://evil.example#gitlab", false)]
#[case::as_query("http://evil.example?gitlab", false)]
#[case::backslash("http://evil.example\\@gitlab", false)]
#[case::encoded_dot("http://gitlab%2eevil.example", false)]
#[case::full_width_dot("http://gitlab。", false)]
#[case::other_letters("http://gitl\u{430}b", false)]
#[case::address("http://10.0.0.1", false)]
#[case::mapped_address("http://[::ffff:10.0.0.1]", false)]
#[case::number("http://167772161", false)]
#[case::unspecified("http://0.0.0.0", false)]
fn only_the_exact_host_of_an_address_counts(#[case] address: &str, #[case] accepted: bool) {
    let hosts = Some("['gitlab', 'lookup.internal', 'portal_1']");
    for variable in ADDRESSES {
        let loaded = given(hosts, variable, address);
        assert_eq!(loaded.is_ok(), accepted, "{variable}: {loaded:?}");
    }
}

#[test]
fn a_host_is_compared_without_case() {
    let loaded = given(Some("['GitLab']"), ADDRESSES[0], "http://gitlab").unwrap();
    assert_eq!(loaded.insecure_hosts, ["gitlab"]);
}

#[rstest]
#[case::wildcard("*", "is not the name of one host")]
#[case::subdomains("*.example.ac.uk", "is not the name of one host")]
#[case::parent(".example.ac.uk", "is not the name of one host")]
#[case::trailing_dot("gitlab.", "is not the name of one host")]
#[case::dot(".", "is not the name of one host")]
#[case::two_dots("gitlab..internal", "is not the name of one host")]
#[case::port("gitlab:80", "is not the name of one host")]
#[case::user("me@gitlab", "is not the name of one host")]
#[case::scheme("http://gitlab", "is not the name of one host")]
#[case::path("gitlab/api", "is not the name of one host")]
#[case::query("gitlab?x", "is not the name of one host")]
#[case::two("gitlab,lookup", "is not the name of one host")]
#[case::space("gitlab ", "is not the name of one host")]
#[case::empty("", "is not the name of one host")]
#[case::encoded("gitlab%2einternal", "is not the name of one host")]
#[case::other_letters("b\u{fc}cher", "is not the name of one host")]
#[case::full_width("gitlab。internal", "is not the name of one host")]
#[case::network("10.0.0.0/8", "is not the name of one host")]
#[case::bare_v6("::1", "is not the name of one host")]
#[case::v4("10.0.0.1", "is an IP address")]
#[case::short_v4("10.1", "is an IP address")]
#[case::hex_v4("0x7f.1", "is an IP address")]
#[case::number("167772161", "is an IP address")]
#[case::v6("[fd00::1]", "is an IP address")]
fn what_does_not_name_one_host_is_refused(#[case] host: &str, #[case] said: &str) {
    let hosts = format!("['lookup', '{host}']");
    let told = given(Some(&hosts), ADDRESSES[0], "https://gitlab").unwrap_err();
    let told: Vec<_> = told.iter().collect();
    assert_eq!(told.len(), 1, "{told:?}");
    assert_eq!(told[0].key, "insecure_hosts[1]");
    assert!(told[0].problem.starts_with(said), "{}", told[0].problem);
}

#[test]
fn a_file_names_hosts_before_its_sections() {
    let file = "insecure_hosts = ['gitlab']\n[gitlab]\nurl = 'http://gitlab'\n";
    let start = Start::complete().variable("GITLAB_URL", "").file(file);
    let config = start.load().unwrap().config;
    assert_eq!(config.gitlab.url.as_str(), "http://gitlab/");
}
