//! Secrets in files and placeholders.

use super::*;

#[test]
fn a_secret_is_read_from_a_file_and_trimmed() {
    let start = Start::new();
    let secret = start.path("token");
    fs::write(&secret, "glpat-of-file\n").unwrap();
    let variables = COMPLETE.map(|(name, value)| match name {
        "GITLAB_TOKEN" => ("GITLAB_TOKEN_FILE", secret.as_str()),
        _ => (name, value),
    });
    let start = start.environment(&variables);
    let loaded = start.load().unwrap();
    assert_eq!(loaded.config.gitlab.token.expose_secret(), "glpat-of-file");
    let token: Vec<_> = loaded
        .settings
        .iter()
        .filter(|setting| setting.key == "gitlab.token")
        .collect();
    assert_eq!(token.len(), 1);
    assert_eq!(token[0].value, Some("[redacted]".into()));
    assert_eq!(token[0].origin, ValueOrigin::File(secret));
}

#[test]
fn of_a_secret_and_a_file_with_one_the_stronger_source_wins() {
    let start = Start::new().file("[gitlab]\ntoken_file = '/nowhere'");
    let start = start.variable("GITLAB_TOKEN", "glpat-stronger");
    assert_eq!(
        start.load().unwrap().config.gitlab.token.expose_secret(),
        "glpat-stronger"
    );
    let both = Start::complete()
        .file("[gitlab]\ntoken = 'a'\ntoken_file = '/nowhere'")
        .environment(&COMPLETE[2..]);
    assert!(
        both.report()
            .contains("gitlab.token_file is given beside gitlab.token"),
        "{}",
        both.report()
    );
}

#[test]
fn a_placeholder_for_a_secret_is_overridden_like_any_other_value() {
    let start = Start::new();
    let secret = start.path("token");
    fs::write(&secret, "glpat-of-file").unwrap();
    let variables: Vec<_> = COMPLETE
        .into_iter()
        .filter(|(name, _)| *name != "GITLAB_TOKEN")
        .chain([("GITLAB_TOKEN_FILE", secret.as_str())])
        .collect();
    let by_file = start.file("[gitlab]\ntoken = ''").environment(&variables);
    assert_eq!(
        by_file.load().unwrap().config.gitlab.token.expose_secret(),
        "glpat-of-file"
    );
    let by_value = Start::complete().file("[gitlab]\ntoken_file = ''");
    assert_eq!(
        by_value.load().unwrap().config.gitlab.token.expose_secret(),
        "glpat-secret"
    );
}

#[rstest]
#[case::missing(None, "names a file that cannot be read")]
#[case::empty(Some(&b" \n"[..]), "gitlab.token is empty")]
#[case::two_lines(Some(&b"one\ntwo"[..]), "gitlab.token contains other characters")]
#[case::not_utf8(Some(&b"\xffx"[..]), "names a file that is not UTF-8 from byte 0 on")]
fn a_secret_file_without_a_usable_secret_is_a_mistake(
    #[case] content: Option<&[u8]>,
    #[case] said: &str,
) {
    let start = Start::new();
    let secret = start.path("token");
    if let Some(content) = content {
        fs::write(&secret, content).unwrap();
    }
    let variables: Vec<_> = COMPLETE
        .into_iter()
        .filter(|(name, _)| *name != "GITLAB_TOKEN")
        .chain([("GITLAB_TOKEN_FILE", secret.as_str())])
        .collect();
    let report = start.environment(&variables).report();
    assert!(report.contains(said), "{report}");
}
