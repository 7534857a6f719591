//! A throw-away `PostgreSQL`: made with the installed server's programs in a temporary folder,
//! reached by a socket there, and gone with the value, or with this process however that ends.

mod installation;

use std::{
    env,
    fs::{self, DirBuilder, File},
    io,
    os::unix::{fs::DirBuilderExt, process::CommandExt},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::Duration,
};

use tokio::time::{sleep, timeout};
use uuid::Uuid;

use self::installation::{SystemAccount, programs};

/// Longer than any start of a server on a busy machine.
const PATIENCE: Duration = Duration::from_mins(1);

/// Where distributions keep the server's programs outside PATH, in a folder for each version.
const VERSIONS: &str = "/usr/lib/postgresql";

/// Set for other servers, they would lead the programs elsewhere.
const MISLEADING: [&str; 5] = ["PGDATA", "PGHOST", "PGPORT", "PGUSER", "PGDATABASE"];

/// Why there is none.
#[derive(Debug, thiserror::Error)]
pub enum PostgresError {
    /// Its programs are not there.
    #[error(
        "PostgreSQL's server is not installed: neither PATH nor {VERSIONS}/*/bin has initdb and postgres; \
         install it (Debian: apt-get install postgresql)"
    )]
    NotInstalled,
    /// A program gave up.
    #[error("a PostgreSQL of our own cannot be started: {0}")]
    Start(String),
    /// The system refused.
    #[error("a PostgreSQL of our own cannot be started")]
    System(#[from] io::Error),
}

/// A running server.
#[derive(Debug)]
pub struct Postgres {
    folder: PathBuf,
    /// Ends the server and removes the folder as soon as its standard input ends.
    guard: Child,
    /// The program that runs: the one that makes the cluster, then the server.
    program: Option<Child>,
}

/// Its input is a pipe from this process, which breaks however this process ends. While a cluster
/// is being made, the number in the file is negative and no server's.
const GUARD: &str = r#"
cat >/dev/null
cd "$1" || exit
server=$(head -n 1 data/postmaster.pid 2>/dev/null)
if [ "${server:-0}" -gt 0 ]; then
    kill -QUIT "$server"
    for _ in $(seq 100); do [ -e data/postmaster.pid ] || break; sleep 0.1; done
fi
cd / && rm -rf "$1"
"#;

impl Postgres {
    /// Makes a cluster and starts its server, as an unprivileged user where this process is root's,
    /// which the server refuses to be.
    ///
    /// # Errors
    /// [`PostgresError`].
    pub async fn start() -> Result<Self, PostgresError> {
        let path = env::var_os("PATH").unwrap_or_default();
        let programs = programs(&path, Path::new(VERSIONS)).ok_or(PostgresError::NotInstalled)?;
        let folder = make_folder()?;
        let account = SystemAccount::of(&folder)?;
        let guard = guard(&folder, account)?;
        let mut starting = Self {
            folder,
            guard,
            program: None,
        };
        timeout(PATIENCE, starting.begin(&programs, account))
            .await
            .map_err(|_| PostgresError::Start("it does not become ready".to_owned()))??;
        Ok(starting)
    }

    /// Its address, for this user alone.
    pub fn url(&self) -> String {
        let folder: String =
            url::form_urlencoded::byte_serialize(self.folder.as_os_str().as_encoded_bytes())
                .collect();
        format!("postgres:///postgres?host={folder}&port=5432&user=postgres&sslmode=disable")
    }

    /// A folder that goes with the server, for what else is to go then.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    async fn begin(
        &mut self,
        programs: &Path,
        account: Option<SystemAccount>,
    ) -> Result<(), PostgresError> {
        let initdb = [
            "--auth=trust",
            "--username=postgres",
            "--encoding=UTF8",
            "--no-locale",
            "--no-sync",
        ];
        self.run(&programs.join("initdb"), &initdb, account)?;
        self.until(|folder, ended| ended.then(|| folder.join("data/PG_VERSION").exists()))
            .await?;
        // Nothing here has to survive a crash of the machine.
        let settings = [
            "-c",
            "listen_addresses=",
            "-c",
            "port=5432",
            "-c",
            "fsync=off",
        ];
        self.run(&programs.join("postgres"), &settings, account)?;
        self.until(|folder, ended| {
            if ended {
                Some(false)
            } else {
                is_ready(folder).then_some(true)
            }
        })
        .await
    }

    fn run(
        &mut self,
        program: &Path,
        arguments: &[&str],
        account: Option<SystemAccount>,
    ) -> Result<(), PostgresError> {
        let log = File::options().create(true).append(true).open(self.log())?;
        let mut command = command(program, account);
        command
            .args(arguments)
            .arg("-D")
            .arg(self.folder.join("data"))
            .current_dir(&self.folder)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log);
        if program.ends_with("postgres") {
            command.arg("-k").arg(&self.folder);
        }
        self.program = Some(command.spawn()?);
        Ok(())
    }

    /// Waits until `done` has an answer, which is whether all is well; it is told whether the
    /// program has ended.
    async fn until(
        &mut self,
        done: impl Fn(&Path, bool) -> Option<bool>,
    ) -> Result<(), PostgresError> {
        loop {
            let ended = match &mut self.program {
                Some(program) => program.try_wait()?.is_some(),
                None => true,
            };
            match done(&self.folder, ended) {
                Some(true) => return Ok(()),
                Some(false) => return Err(PostgresError::Start(self.last_words())),
                None => sleep(Duration::from_millis(20)).await,
            }
        }
    }

    fn log(&self) -> PathBuf {
        self.folder.join("log")
    }

    fn last_words(&self) -> String {
        let log = fs::read_to_string(self.log()).unwrap_or_default();
        let mut lines = log.lines().rev().filter(|line| !line.trim().is_empty());
        lines.next().unwrap_or("it ended without a word").to_owned()
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        if let Some(program) = &mut self.program
            && !is_ready(&self.folder)
        {
            let _ = program.kill();
        }
        drop(self.guard.stdin.take());
        let _ = self.guard.wait();
        if let Some(program) = &mut self.program {
            let _ = program.kill();
            let _ = program.wait();
        }
        let _ = fs::remove_dir_all(&self.folder);
    }
}

/// A new folder that nobody else may look into.
fn make_folder() -> io::Result<PathBuf> {
    let name = format!("lookup-gitlab-sync-{}", Uuid::new_v4().simple());
    let folder = env::temp_dir().join(name);
    DirBuilder::new().mode(0o700).create(&folder)?;
    Ok(folder)
}

fn guard(folder: &Path, account: Option<SystemAccount>) -> io::Result<Child> {
    command(Path::new("sh"), account)
        .args(["-c", GUARD, "guard"])
        .arg(folder)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
}

/// Out of reach of the terminal's Ctrl-C, which is for this process to hear.
fn command(program: &Path, account: Option<SystemAccount>) -> Command {
    let mut command = Command::new(program);
    command.process_group(0);
    for variable in MISLEADING {
        command.env_remove(variable);
    }
    if let Some(SystemAccount { user, group }) = account {
        command.uid(user).gid(group);
    }
    command
}

/// The server says so in a file; its socket is there before.
fn is_ready(folder: &Path) -> bool {
    let state = fs::read_to_string(folder.join("data/postmaster.pid")).unwrap_or_default();
    state.lines().nth(7).map(str::trim) == Some("ready")
}
