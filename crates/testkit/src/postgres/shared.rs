//! The one server of a run, which the first test makes and a watchdog removes.

use std::{
    fs::{self, File},
    hash::{DefaultHasher, Hash, Hasher},
    os::unix::fs::MetadataExt,
    path::Path,
};

use url::Url;

use super::process::{accepts, detached, launch, make, signal};
use crate::{project, wait::block_until};

/// Of its socket, in a folder of its own: it listens on no address.
const SOCKET_PORT: u16 = 5432;

/// Address of the run's server, which is started if need be and stays at least as long as this
/// process.
pub fn url() -> Url {
    let own = fs::metadata("/proc/self").map_or(0, |me| me.uid());
    let folder = std::env::temp_dir().join(format!("lgs-postgres-{own}-{:016x}", run()));
    let lock = File::create(folder.with_extension("lock")).unwrap();
    let mut enrolled = false;
    block_until("the shared server", || {
        lock.lock().unwrap();
        enrolled = enrol(&folder) || restart_shared(&folder);
        lock.unlock().unwrap();
        enrolled
    });
    let mut url = Url::parse("postgres:///postgres").unwrap();
    url.query_pairs_mut()
        .append_pair("host", folder.to_str().unwrap())
        .append_pair("port", &SOCKET_PORT.to_string())
        .append_pair("user", "postgres");
    url
}

/// What tells this run of this checkout from any other: nextest numbers its runs; without it the
/// runner is the parent.
fn run() -> u64 {
    let run = std::env::var("NEXTEST_RUN_ID")
        .unwrap_or_else(|_| std::os::unix::process::parent_id().to_string());
    let mut hasher = DefaultHasher::new();
    (project::root(), run).hash(&mut hasher);
    hasher.finish()
}

/// Joins the users of a running server. While the watchdog closes it, `users` is away.
fn enrol(folder: &Path) -> bool {
    let note = folder.join("users").join(std::process::id().to_string());
    File::create(note).is_ok() && accepts(folder, SOCKET_PORT)
}

/// Clears away what is left of a server and starts a new one; `false` while the watchdog is still
/// closing one.
#[expect(
    clippy::zombie_processes,
    reason = "the server outlives this process; the watchdog stops it"
)]
fn restart_shared(folder: &Path) -> bool {
    if folder.join("closing").exists() && watchdog_lives(folder) {
        return false;
    }
    if let Ok(pid) = fs::read_to_string(folder.join("data/postmaster.pid")) {
        let pid = pid.lines().next().and_then(|line| line.parse().ok());
        if accepts(folder, SOCKET_PORT)
            && let Some(pid) = pid
        {
            signal("QUIT", pid);
        }
    }
    let _ = fs::remove_dir_all(folder);
    let account = make(folder);
    launch(
        folder,
        account,
        &[
            "listen_addresses=".to_owned(),
            format!("port={SOCKET_PORT}"),
        ],
    );
    block_until("the server to accept connections", || {
        accepts(folder, SOCKET_PORT)
    });
    fs::create_dir(folder.join("users")).unwrap();
    let enrolled = enrol(folder);
    watch(folder);
    enrolled
}

fn watchdog_lives(folder: &Path) -> bool {
    let pid = fs::read_to_string(folder.join("watchdog")).unwrap_or_default();
    !pid.is_empty() && Path::new("/proc").join(pid).exists()
}

/// Stops the server when none of its users has been alive for 20 seconds. It first moves `users`
/// out of the way, so that nobody joins unseen, and moves it back if somebody just had.
const WATCHDOG: &str = r#"
cd "$1" || exit
anybody() {
    for note in "$1"/*; do
        [ -e "$note" ] || continue
        if kill -0 "${note##*/}" 2>/dev/null; then return 0; else rm -f "$note"; fi
    done
    return 1
}
idle=0
while sleep 2; do
    [ -d users ] || exit
    if anybody users; then idle=0; else idle=$((idle + 1)); fi
    [ $idle -lt 10 ] && continue
    mv users closing
    if anybody closing; then mv closing users; idle=0; continue; fi
    server=$(head -n 1 data/postmaster.pid)
    kill -INT "$server"
    while kill -0 "$server" 2>/dev/null; do sleep 0.2; done
    cd / && rm -rf "$1"
    exit
done
"#;

#[expect(
    clippy::zombie_processes,
    reason = "the watchdog outlives this process"
)]
fn watch(folder: &Path) {
    let watchdog = detached(WATCHDOG, folder);
    fs::write(folder.join("watchdog"), watchdog.id().to_string()).unwrap();
}
