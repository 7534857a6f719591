//! Credentials that may be replaced while the process runs.

use reqwest::header::HeaderValue;
use secrecy::ExposeSecret;

use super::Reloaded;
use crate::config::Secret;

/// A secret as the value of a header, marked sensitive: no `Debug` shows it.
pub type Credential = Reloaded<HeaderValue>;

/// `secret` in the form that `compose` gives it. `setting` names it in the log. `None` if that
/// holds characters that no header can carry.
pub fn credential_of(
    setting: &'static str,
    secret: &Secret,
    compose: impl Fn(&str) -> String + Send + Sync + 'static,
) -> Option<Credential> {
    let value = header(&compose(secret.expose_secret()))?;
    let Some(file) = secret.file().map(ToOwned::to_owned) else {
        return Some(Credential::fixed(setting, value));
    };
    Some(Credential::new(setting, value, move || {
        let secret = Secret::of_file(&file).map_err(|problem| problem.to_string())?;
        header(&compose(secret.expose_secret()))
            .ok_or_else(|| "holds characters that no HTTP header can carry".to_owned())
    }))
}

fn header(text: &str) -> Option<HeaderValue> {
    let mut value = HeaderValue::from_str(text).ok()?;
    value.set_sensitive(true);
    Some(value)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

    use std::{fs, path::Path, time::Duration};

    use super::*;

    fn at(file: &Path) -> Credential {
        let secret = Secret::of_file(file).unwrap();
        credential_of("GITLAB_TOKEN", &secret, |secret| format!("Bearer {secret}")).unwrap()
    }

    fn put(file: &Path, text: &str) {
        let next = file.with_extension("next");
        fs::write(&next, text).unwrap();
        fs::rename(next, file).unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn a_secret_in_a_file_is_read_again_when_it_is_refused_and_every_half_minute() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("token");
        put(&file, "first\n");
        let credential = at(&file);
        let first = credential.value().await;
        assert_eq!(first, "Bearer first");
        assert!(!credential.renew(&first).await, "there is no other yet");
        put(&file, "second\n");
        assert_eq!(
            credential.value().await,
            first,
            "it is not looked at each time"
        );
        assert!(credential.renew(&first).await);
        assert!(
            credential.renew(&first).await,
            "somebody else has renewed it"
        );
        assert_eq!(
            (credential.value().await, credential.generation()),
            ("Bearer second".parse().unwrap(), 1)
        );
        put(&file, "third");
        tokio::time::advance(Duration::from_secs(30)).await;
        assert_eq!(credential.value().await, "Bearer third");
    }

    #[tokio::test(start_paused = true)]
    async fn a_file_that_is_gone_or_holds_something_else_changes_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("token");
        put(&file, "first");
        let credential = at(&file);
        let first = credential.value().await;
        for text in ["", "two\nlines", "\u{feff}first"] {
            put(&file, text);
            assert!(!credential.renew(&first).await, "{text:?}");
        }
        fs::remove_file(&file).unwrap();
        assert!(!credential.renew(&first).await);
        assert_eq!(
            (credential.value().await, credential.generation()),
            (first, 0)
        );
    }

    #[tokio::test]
    async fn a_secret_that_was_given_as_itself_stays() {
        let secret = Secret::from("token");
        let credential = credential_of("GITLAB_TOKEN", &secret, str::to_owned).unwrap();
        let value = credential.value().await;
        assert!(!credential.renew(&value).await);
        assert!(!format!("{credential:?}{value:?}").contains("\"token\""));
        assert!(credential_of("GITLAB_TOKEN", &"a\nb".into(), str::to_owned).is_none());
    }
}
