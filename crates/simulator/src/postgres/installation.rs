//! What the machine has: the server's programs, and somebody to run them as.

use std::{
    env,
    ffi::OsStr,
    fs,
    os::unix::fs::{MetadataExt, chown},
    path::{Path, PathBuf},
};

use super::PostgresError;

/// The folder with both programs: one of `path`, links followed, or the newest below `versions`.
pub(super) fn programs(path: &OsStr, versions: &Path) -> Option<PathBuf> {
    let mut installed: Vec<(u32, PathBuf)> = fs::read_dir(versions)
        .into_iter()
        .flatten()
        .filter_map(Result::ok)
        .filter_map(|entry| {
            let version = entry.file_name().to_str()?.parse().ok()?;
            Some((version, entry.path().join("bin")))
        })
        .collect();
    installed.sort_unstable();
    env::split_paths(path)
        .chain(installed.into_iter().rev().map(|(_, folder)| folder))
        .filter_map(|folder| {
            Some(
                folder
                    .join("initdb")
                    .canonicalize()
                    .ok()?
                    .parent()?
                    .to_owned(),
            )
        })
        .find(|folder| folder.join("postgres").exists())
}

/// The unprivileged user that the server runs as.
#[derive(Clone, Copy)]
pub(super) struct SystemAccount {
    pub user: u32,
    pub group: u32,
}

impl SystemAccount {
    /// Gives `folder` to an unprivileged user if it is root's.
    pub fn of(folder: &Path) -> Result<Option<Self>, PostgresError> {
        if fs::metadata(folder)?.uid() != 0 {
            return Ok(None);
        }
        let accounts = fs::read_to_string("/etc/passwd")?;
        let account = ["postgres", "nobody"]
            .into_iter()
            .find_map(|name| Self::named(name, &accounts))
            .ok_or_else(|| {
                PostgresError::Start(
                    "it refuses to run as root, and there is neither a user postgres nor a nobody"
                        .to_owned(),
                )
            })?;
        chown(folder, Some(account.user), Some(account.group))?;
        Ok(Some(account))
    }

    fn named(name: &str, accounts: &str) -> Option<Self> {
        let mut fields = accounts
            .lines()
            .map(|line| line.split(':'))
            .find_map(|mut fields| (fields.next() == Some(name)).then_some(fields))?
            .skip(1);
        Some(Self {
            user: fields.next()?.parse().ok()?,
            group: fields.next()?.parse().ok()?,
        })
    }
}

#[cfg(test)]
mod tests {
    use std::{fs, os::unix::fs::symlink, path::Path};

    use super::{SystemAccount, programs};

    fn install(folder: &Path, names: &[&str]) {
        fs::create_dir_all(folder).unwrap();
        for name in names {
            fs::write(folder.join(name), "").unwrap();
        }
    }

    #[test]
    fn the_newest_version_is_taken_and_what_is_on_the_path_before_it() {
        let root = tempfile::tempdir().unwrap();
        let root = root.path().canonicalize().unwrap();
        let (path, versions) = (root.join("path"), root.join("versions"));
        assert_eq!(programs(path.as_os_str(), &versions), None);
        for version in ["9", "15", "readme"] {
            install(&versions.join(version).join("bin"), &["initdb", "postgres"]);
        }
        install(&path, &["initdb"]);
        let found = || programs(path.as_os_str(), &versions).unwrap();
        assert_eq!(found(), versions.join("15/bin"), "it has no server");
        fs::remove_file(path.join("initdb")).unwrap();
        symlink(versions.join("9/bin/initdb"), path.join("initdb")).unwrap();
        assert_eq!(found(), versions.join("9/bin"));
    }

    #[test]
    fn an_unprivileged_user_is_found_by_its_name() {
        let accounts = "root:x:0:0::/:/bin/sh\nnobody:x:65534:65533:nobody:/:/bin/false\n";
        let account = SystemAccount::named("nobody", accounts).unwrap();
        assert_eq!((account.user, account.group), (65534, 65533));
        assert!(SystemAccount::named("postgres", accounts).is_none());
    }
}
