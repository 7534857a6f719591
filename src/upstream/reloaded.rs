//! What stands in files that may be replaced while the process runs.

use std::{
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::{task::spawn_blocking, time::Instant};

/// How often the files are looked at. A refusal is looked into at once.
const LOOK_AGAIN: Duration = Duration::from_secs(30);

/// A value that is read from files again every 30 s, and at once when it is refused: whoever
/// replaces the files has nothing to restart.
///
/// What stands in the files is compared, never their times: platforms that mount secrets keep none.
/// Files that cannot be used change nothing, and that is told once.
pub struct Reloaded<T> {
    setting: &'static str,
    read: Option<Read<T>>,
    current: Mutex<Current<T>>,
}

/// Blocks. The text says what is wrong with the files, without any of their content.
type Read<T> = Arc<dyn Fn() -> Result<T, String> + Send + Sync>;

struct Current<T> {
    value: T,
    generation: u64,
    looked: Instant,
    /// Whether the files were unusable when they were last looked at.
    unusable: bool,
}

impl<T: Clone + PartialEq + Send + 'static> Reloaded<T> {
    /// `value` until it changes in its files, which `read` reads. `setting` names it in the log.
    pub fn new(
        setting: &'static str,
        value: T,
        read: impl Fn() -> Result<T, String> + Send + Sync + 'static,
    ) -> Self {
        Self {
            read: Some(Arc::new(read)),
            ..Self::fixed(setting, value)
        }
    }

    /// `value`, which stands in no file and stays as it is.
    pub fn fixed(setting: &'static str, value: T) -> Self {
        Self {
            setting,
            read: None,
            current: Mutex::new(Current {
                value,
                generation: 0,
                looked: Instant::now(),
                unusable: false,
            }),
        }
    }

    /// The value as it was last read.
    pub fn last(&self) -> T {
        self.current().value.clone()
    }

    /// The value, from the files if they were not read for 30 s.
    pub async fn value(&self) -> T {
        if self.is_due() {
            self.reload().await;
        }
        self.last()
    }

    /// After `used` was refused: whether the next [`Self::value`] is another one.
    pub async fn renew(&self, used: &T) -> bool {
        if self.current().value == *used {
            self.reload().await;
        }
        self.current().value != *used
    }

    /// How often it was replaced: whoever remembers something about its owner remembers this beside
    /// it.
    pub fn generation(&self) -> u64 {
        self.current().generation
    }

    /// Reads the files now.
    pub async fn reload(&self) {
        let Some(read) = self.read.clone() else {
            return;
        };
        match spawn_blocking(move || read()).await {
            Ok(Ok(value)) => self.replace(value),
            Ok(Err(problem)) => self.keep(&problem),
            Err(_) => self.keep("could not be read"),
        }
    }

    /// Whether it is time to look; says so to one caller.
    fn is_due(&self) -> bool {
        let mut current = self.current();
        let due = self.read.is_some() && current.looked.elapsed() >= LOOK_AGAIN;
        if due {
            current.looked = Instant::now();
        }
        due
    }

    fn replace(&self, value: T) {
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
        let told = std::mem::replace(&mut self.current().unusable, true);
        if !told {
            let setting = self.setting;
            tracing::warn!(
                event = "credentials_unusable",
                setting,
                problem,
                "{setting} in its file cannot be used, and the last one stays in use: {problem}"
            );
        }
    }

    fn current(&self) -> MutexGuard<'_, Current<T>> {
        self.current.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T> fmt::Debug for Reloaded<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reloaded")
            .field("setting", &self.setting)
            .finish_non_exhaustive()
    }
}
