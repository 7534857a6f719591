//! Credentials that may be replaced while the process runs.

use std::{
    fmt,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use reqwest::header::HeaderValue;
use secrecy::ExposeSecret;
use tokio::{task::spawn_blocking, time::Instant};

use crate::config::Secret;

/// How often the file of a secret is looked at. A refusal is looked into at once.
const LOOK_AGAIN: Duration = Duration::from_secs(30);

/// A secret as the value of a header. One that stands in a file is read again every 30 s, and at
/// once when it is refused: whoever replaces the file has nothing to restart.
///
/// What stands in the file is compared, never its times: platforms that mount secrets keep none.
pub struct Credential {
    setting: &'static str,
    secret: Secret,
    compose: ComposeHeader,
    current: Mutex<CurrentValue>,
}

type ComposeHeader = Box<dyn Fn(&str) -> String + Send + Sync>;

struct CurrentValue {
    value: HeaderValue,
    generation: u64,
    looked: Instant,
    /// Whether the file was unusable when it was last looked at, which is told once.
    unusable: bool,
}

impl Credential {
    /// `secret` in the form that `compose` gives it. `setting` names it in the log. `None` if that
    /// holds characters that no header can carry.
    pub fn new(
        setting: &'static str,
        secret: &Secret,
        compose: impl Fn(&str) -> String + Send + Sync + 'static,
    ) -> Option<Self> {
        let value = header(&compose(secret.expose_secret()))?;
        Some(Self {
            setting,
            secret: secret.clone(),
            compose: Box::new(compose),
            current: Mutex::new(CurrentValue {
                value,
                generation: 0,
                looked: Instant::now(),
                unusable: false,
            }),
        })
    }

    /// The value for the next request, marked sensitive: no `Debug` shows it.
    pub async fn value(&self) -> HeaderValue {
        if self.secret.file().is_some() && self.is_due() {
            self.look().await;
        }
        self.current().value.clone()
    }

    /// After `used` was refused: whether the next [`Self::value`] is another one.
    pub async fn renew(&self, used: &HeaderValue) -> bool {
        if self.current().value == used {
            self.look().await;
        }
        self.current().value != used
    }

    /// How often it was replaced: whoever remembers something about its owner remembers this beside
    /// it.
    pub fn generation(&self) -> u64 {
        self.current().generation
    }

    /// Whether it is time to look; says so to one caller.
    fn is_due(&self) -> bool {
        let mut current = self.current();
        let due = current.looked.elapsed() >= LOOK_AGAIN;
        if due {
            current.looked = Instant::now();
        }
        due
    }

    async fn look(&self) {
        let secret = self.secret.clone();
        let read = spawn_blocking(move || secret.read_again()).await;
        let problem = match read {
            Ok(None) => return,
            Ok(Some(Ok(secret))) => match header(&(self.compose)(secret.expose_secret())) {
                Some(value) => return self.replace(value),
                None => "holds characters that no HTTP header can carry".to_owned(),
            },
            Ok(Some(Err(problem))) => problem.to_string(),
            Err(_) => "could not be read".to_owned(),
        };
        self.keep(&problem);
    }

    fn replace(&self, value: HeaderValue) {
        let mut current = self.current();
        current.looked = Instant::now();
        current.unusable = false;
        if current.value == value {
            return;
        }
        current.value = value;
        current.generation += 1;
        drop(current);
        let setting = self.setting;
        tracing::info!(
            event = "credentials_read_again",
            setting,
            "{setting} has changed in its file, and the new one is used from now on"
        );
    }

    fn keep(&self, problem: &str) {
        let mut current = self.current();
        let told = std::mem::replace(&mut current.unusable, true);
        drop(current);
        if !told {
            let setting = self.setting;
            tracing::warn!(
                event = "credentials_unusable",
                setting,
                problem,
                "the file of {setting} {problem}; the last one stays in use"
            );
        }
    }

    fn current(&self) -> MutexGuard<'_, CurrentValue> {
        self.current.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Credential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credential")
            .field("setting", &self.setting)
            .finish_non_exhaustive()
    }
}

fn header(text: &str) -> Option<HeaderValue> {
    let mut value = HeaderValue::from_str(text).ok()?;
    value.set_sensitive(true);
    Some(value)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

    use std::{fs, path::Path};

    use super::*;

    fn at(file: &Path) -> Credential {
        let secret = Secret::of_file(file).unwrap();
        Credential::new("GITLAB_TOKEN", &secret, |secret| format!("Bearer {secret}")).unwrap()
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
        tokio::time::advance(LOOK_AGAIN).await;
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
        let credential = Credential::new("GITLAB_TOKEN", &secret, str::to_owned).unwrap();
        let value = credential.value().await;
        assert!(!credential.renew(&value).await);
        assert!(!format!("{credential:?}{value:?}").contains("\"token\""));
        assert!(Credential::new("GITLAB_TOKEN", &"a\nb".into(), str::to_owned).is_none());
    }
}
