//! A throw-away `PostgreSQL`, and a fresh database for each test.
//!
//! One server serves all tests of one run of one checkout, whichever processes they are in: the
//! first test makes it, every process that uses it leaves its number in `users/`, and a watchdog
//! stops and removes it when none of them has been alive for a while. A crash at any point leaves
//! something that the next test recognises and clears away. With `DATABASE_URL` set, that server is
//! used instead.
//!
//! [`PostgresServer::start`] makes a server for one test alone: to be restarted, cut off, or spoken
//! to with TLS.

mod process;
mod shared;

use std::{
    fs,
    path::{Path, PathBuf},
    process::Child,
    sync::atomic::{AtomicU32, Ordering},
    thread,
};

use sqlx::{Connection, PgConnection, PgPool};
use url::Url;

use crate::{port::free_port, wait::block_until};
use process::{ProcessOwner, accepts, detached, give, installed, launch, make, signal};

/// A database that goes when this goes.
#[derive(Debug)]
pub struct TestDatabase {
    /// Its address.
    pub url: String,
    admin: Url,
    name: String,
}

impl TestDatabase {
    /// An empty one, on the server of the run.
    pub async fn create() -> Self {
        let admin = match std::env::var("DATABASE_URL") {
            Ok(url) => Url::parse(&url).expect("DATABASE_URL is an address"),
            Err(_) => tokio::task::spawn_blocking(shared::url).await.unwrap(),
        };
        Self::create_on(&admin).await
    }

    /// An empty one on the server at `admin`.
    pub async fn create_on(admin: &Url) -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let nanos = std::time::UNIX_EPOCH.elapsed().unwrap().subsec_nanos();
        let name = format!("test_{}_{number}_{nanos}", std::process::id());
        make_database(admin, &name).await;
        let mut url = admin.clone();
        url.set_path(&name);
        Self {
            url: url.into(),
            admin: admin.clone(),
            name,
        }
    }

    /// A pool of the test's own, beside the one of what is tested.
    pub async fn pool(&self) -> PgPool {
        PgPool::connect(&self.url).await.unwrap()
    }
}

impl Drop for TestDatabase {
    fn drop(&mut self) {
        let (admin, name) = (self.admin.clone(), self.name.clone());
        let dropping = thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .unwrap();
            runtime.block_on(async {
                // The test may have stopped the server; what matters then is gone with it.
                if let Ok(mut connection) = PgConnection::connect(admin.as_str()).await {
                    let drop =
                        sqlx::AssertSqlSafe(format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)"));
                    let _ = sqlx::raw_sql(drop).execute(&mut connection).await;
                }
            });
        });
        let _ = dropping.join();
    }
}

/// Copies the template's files, as `PostgreSQL` did before version 15. Its way since then, by the log,
/// takes five times as long, and the suite makes some hundred databases.
async fn make_database(admin: &Url, name: &str) {
    let mut connection = PgConnection::connect(admin.as_str()).await.unwrap();
    let strategy = match connection.server_version_num() {
        Some(version) if version >= 150_000 => "STRATEGY file_copy",
        Some(_) | None => "",
    };
    let statement = sqlx::AssertSqlSafe(format!("CREATE DATABASE {name} {strategy}"));
    sqlx::raw_sql(statement)
        .execute(&mut connection)
        .await
        .unwrap();
}

/// A server of one test's own, which goes when this goes.
#[derive(Debug)]
pub struct PostgresServer {
    /// Where it lives; also the folder of its socket.
    pub folder: PathBuf,
    port: u16,
    account: Option<ProcessOwner>,
    process: Option<Child>,
}

impl PostgresServer {
    /// Makes and starts one that listens on its socket and on a free port of 127.0.0.1. `prepare`
    /// may put files into its data folder and answers with further settings; the files are given to
    /// the server's user.
    pub fn start(prepare: impl FnOnce(&Path) -> Vec<String>) -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let folder =
            std::env::temp_dir().join(format!("lgs-postgres-{}-{number}", std::process::id()));
        let _ = fs::remove_dir_all(&folder);
        let account = make(&folder);
        let data = folder.join("data");
        let settings = prepare(&data);
        for entry in fs::read_dir(&data).unwrap() {
            give(&entry.unwrap().path(), account);
        }
        fs::write(folder.join("settings"), settings.join("\n")).unwrap();
        guard(&folder);
        let mut server = Self {
            port: free_port(),
            account,
            process: None,
            folder,
        };
        server.resume();
        server
    }

    /// Starts it again after [`Self::stop`], on the same port.
    pub fn resume(&mut self) {
        let settings = fs::read_to_string(self.folder.join("settings")).unwrap();
        let mut options = vec![
            "listen_addresses=127.0.0.1".to_owned(),
            format!("port={}", self.port),
        ];
        options.extend(settings.lines().map(str::to_owned));
        self.process = Some(launch(&self.folder, self.account, &options));
        let folder = self.folder.clone();
        let port = self.port;
        block_until("the server to accept connections", || {
            accepts(&folder, port)
        });
    }

    /// Stops it at once, as a crash of the machine would.
    pub fn stop(&mut self) {
        if let Some(mut process) = self.process.take() {
            signal("QUIT", process.id());
            let _ = process.wait();
        }
    }

    /// Its address over TCP, database `postgres`.
    pub fn url(&self) -> Url {
        Url::parse(&format!(
            "postgres://postgres@127.0.0.1:{}/postgres",
            self.port
        ))
        .unwrap()
    }
}

impl Drop for PostgresServer {
    fn drop(&mut self) {
        self.stop();
        let _ = fs::remove_dir_all(&self.folder);
    }
}

/// One of the programs that are installed with the server.
pub fn program(name: &str) -> PathBuf {
    installed(name)
}

/// Stops a test's own server when the test was killed and could not.
const GUARD: &str = r#"
cd "$1" || exit
while kill -0 "$2" 2>/dev/null; do [ -d "$1" ] || exit; sleep 1; done
[ -f data/postmaster.pid ] && kill -QUIT "$(head -n 1 data/postmaster.pid)"
cd / && rm -rf "$1"
"#;

#[expect(clippy::zombie_processes, reason = "the guard outlives this process")]
fn guard(folder: &Path) {
    detached(GUARD, folder);
}
