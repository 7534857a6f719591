//! A throw-away `PgBouncer` before a `PostgreSQL`.

use std::{
    fs::{self, Permissions},
    net::TcpStream,
    os::unix::fs::{MetadataExt, PermissionsExt},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

use tempfile::TempDir;
use url::Url;

use crate::{port::free_port, wait::block_until};

/// One that goes when this goes.
#[derive(Debug)]
pub struct PgBouncer {
    process: Child,
    port: u16,
    _folder: TempDir,
}

impl PgBouncer {
    /// Before the server at `server`, whose databases it has under their own names. It knows no
    /// start-up parameter but its own few. `None`, and a line that `left_out` is not run, where it
    /// is not installed.
    pub fn start(server: &Url, pool_mode: &str, left_out: &str) -> Option<Self> {
        let Some(program) = installed() else {
            eprintln!("pgbouncer is not installed here: {left_out} is not run");
            return None;
        };
        let folder = tempfile::tempdir().unwrap();
        fs::set_permissions(folder.path(), Permissions::from_mode(0o755)).unwrap();
        let port = free_port();
        let settings = folder.path().join("pgbouncer.ini");
        fs::write(&settings, ini(server, pool_mode, port)).unwrap();
        let mut command = Command::new(program);
        // It refuses to run as root.
        if fs::metadata("/proc/self").is_ok_and(|own| own.uid() == 0) {
            command.args(["-u", "nobody"]);
        }
        let process = command
            .arg(&settings)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        block_until("pgbouncer listens", || {
            TcpStream::connect(("127.0.0.1", port)).is_ok()
        });
        Some(Self {
            process,
            port,
            _folder: folder,
        })
    }

    /// The address of `database` through it.
    pub fn url(&self, database: &str) -> String {
        let mut url = Url::parse(database).unwrap();
        url.set_port(Some(self.port)).unwrap();
        url.into()
    }
}

impl Drop for PgBouncer {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn installed() -> Option<PathBuf> {
    let places = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&places)
        // Debian keeps it outside the PATH of users.
        .chain([PathBuf::from("/usr/sbin")])
        .map(|place| place.join("pgbouncer"))
        .find(|program| Path::exists(program))
}

fn ini(server: &Url, pool_mode: &str, port: u16) -> String {
    let (host, server_port) = (server.host_str().unwrap(), server.port().unwrap());
    format!(
        "[databases]\n\
         * = host={host} port={server_port} user=postgres\n\
         [pgbouncer]\n\
         listen_addr = 127.0.0.1\n\
         listen_port = {port}\n\
         auth_type = any\n\
         pool_mode = {pool_mode}\n\
         default_pool_size = 20\n\
         unix_socket_dir =\n"
    )
}
