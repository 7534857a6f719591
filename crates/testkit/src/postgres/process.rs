//! The processes of a throw-away `PostgreSQL`: where its programs are, whose they run as, when it
//! is ready.

use std::{
    fs::{self, File, Permissions},
    io::ErrorKind,
    os::unix::{
        fs::{MetadataExt, PermissionsExt, chown},
        net::UnixStream,
        process::CommandExt,
    },
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

/// The unprivileged user that the server runs as when the tests run as root, which the server
/// refuses.
#[derive(Clone, Copy, Debug)]
pub struct ProcessOwner {
    user: u32,
    group: u32,
}

impl ProcessOwner {
    fn find() -> Self {
        let accounts = fs::read_to_string("/etc/passwd").unwrap();
        let find = |name: &str| {
            let line = accounts
                .lines()
                .find(|line| line.split(':').next() == Some(name))?;
            let mut numbers = line.split(':').skip(2);
            let user = numbers.next()?.parse().ok()?;
            let group = numbers.next()?.parse().ok()?;
            Some(Self { user, group })
        };
        find("postgres")
            .or_else(|| find("nobody"))
            .expect("a user `postgres` or `nobody`")
    }
}

pub fn give(path: &Path, account: Option<ProcessOwner>) {
    if let Some(ProcessOwner { user, group }) = account {
        chown(path, Some(user), Some(group)).unwrap();
    }
}

/// A new cluster in `folder`, and the user it belongs to if that is not this one.
pub fn make(folder: &Path) -> Option<ProcessOwner> {
    fs::create_dir_all(folder).unwrap();
    fs::set_permissions(folder, Permissions::from_mode(0o755)).unwrap();
    let account = (fs::metadata(folder).unwrap().uid() == 0).then(ProcessOwner::find);
    give(folder, account);
    let mut initdb = command("initdb", account);
    initdb.args([
        "--auth=trust",
        "--username=postgres",
        "--encoding=UTF8",
        "--no-locale",
        "--no-sync",
    ]);
    let output = initdb
        .arg("-D")
        .arg(folder.join("data"))
        .current_dir(folder)
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "initdb: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    account
}

/// Starts the server and leaves it running when this process ends. Nothing here has to survive a
/// crash of the machine, but what is committed survives one of the server.
pub fn launch(folder: &Path, account: Option<ProcessOwner>, settings: &[String]) -> Child {
    let log = File::options()
        .create(true)
        .append(true)
        .open(folder.join("log"))
        .unwrap();
    let mut server = command("postgres", account);
    server
        .arg("-D")
        .arg(folder.join("data"))
        .arg("-k")
        .arg(folder);
    for setting in ["fsync=off", "full_page_writes=off", "max_connections=300"] {
        server.args(["-c", setting]);
    }
    for setting in settings {
        server.args(["-c", setting]);
    }
    server
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(log);
    server.current_dir(folder).process_group(0).spawn().unwrap()
}

fn command(program: &str, account: Option<ProcessOwner>) -> Command {
    let mut command = Command::new(installed(program));
    for variable in [
        "PGDATA",
        "PGHOST",
        "PGPORT",
        "PGUSER",
        "PGDATABASE",
        "PGPASSWORD",
        "PGOPTIONS",
    ] {
        command.env_remove(variable);
    }
    if let Some(ProcessOwner { user, group }) = account {
        command.uid(user).gid(group);
    }
    command
}

/// On PATH, or in the newest of the distribution's folders.
pub fn installed(program: &str) -> PathBuf {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let on_path = std::env::split_paths(&path).map(|folder| folder.join(program));
    let mut versions: Vec<PathBuf> = fs::read_dir("/usr/lib/postgresql")
        .map(|folders| {
            folders
                .map(|folder| folder.unwrap().path().join("bin").join(program))
                .collect()
        })
        .unwrap_or_default();
    versions.sort();
    on_path
        .chain(versions.into_iter().rev())
        .find(|candidate| candidate.exists())
        .unwrap_or_else(|| panic!("no {program}: install PostgreSQL's server, or set DATABASE_URL"))
}

pub fn accepts(folder: &Path, port: u16) -> bool {
    // The socket is there before the server is ready; the file with its state says when it is.
    let state = fs::read_to_string(folder.join("data/postmaster.pid")).unwrap_or_default();
    let ready = state
        .lines()
        .nth(7)
        .is_some_and(|line| line.trim() == "ready");
    ready && UnixStream::connect(folder.join(format!(".s.PGSQL.{port}"))).is_ok()
}

pub fn signal(name: &str, pid: u32) {
    let sent = Command::new("kill")
        .arg(format!("-{name}"))
        .arg(pid.to_string())
        .status();
    match sent {
        Err(error) if error.kind() == ErrorKind::NotFound => panic!("no `kill` on PATH"),
        _ => {}
    }
}

/// A shell script that is given the folder and this process's number.
pub fn detached(script: &str, folder: &Path) -> Child {
    Command::new("sh")
        .args(["-c", script, "watchdog"])
        .arg(folder)
        .arg(std::process::id().to_string())
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .process_group(0)
        .spawn()
        .unwrap()
}
