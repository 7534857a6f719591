//! Where the new token goes, proved before the old one is given up.

use std::{
    env, fmt,
    io::{self, IsTerminal, Write},
    path::{Path, PathBuf},
    process,
};

use secrecy::ExposeSecret;

use super::file::{TokenFile, Unstored, create_private};
use crate::{cli::CommandFailure, config::Secret};

/// Where the new token goes.
#[derive(Debug)]
pub(super) enum TokenPlace {
    /// Standard output, which is no terminal.
    Output,
    /// The file that the old one stands in.
    File(TokenFile),
}

impl TokenPlace {
    /// Standard output if `print` says so, else the file that `token` came from. `setting` is the
    /// token's.
    ///
    /// # Errors
    /// There is no such place, or it takes no token.
    pub(super) fn prove(
        token: &Secret,
        setting: &str,
        print: bool,
    ) -> Result<Self, CommandFailure> {
        if print {
            return Ok(Self::Output);
        }
        let file = token.file().ok_or_else(|| no_place(setting))?;
        Ok(Self::File(TokenFile::rehearse(file, token)?))
    }

    /// Puts the new token there. Where that fails it is kept in a private file, and nowhere that
    /// others read.
    ///
    /// # Errors
    /// Where it stands now, if anywhere.
    pub(super) fn store(self, token: &Secret) -> Result<(), Unstored> {
        let stored = match self {
            Self::Output => print(token).map_err(|source| Unstored {
                source,
                stands_in: None,
            }),
            Self::File(file) => file.store(token),
        };
        stored.map_err(|unstored| Unstored {
            stands_in: unstored.stands_in.or_else(|| rescue(token)),
            ..unstored
        })
    }
}

impl fmt::Display for TokenPlace {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Output => out.write_str("the place that this command's output was to go to"),
            Self::File(file) => write!(out, "{}", file.path().display()),
        }
    }
}

/// Whatever can be said before anything is asked.
///
/// # Errors
/// Standard output is to be printed on and is a terminal, whose window and history would keep the
/// token.
pub(super) fn check_output(print: bool) -> Result<(), CommandFailure> {
    if print && io::stdout().is_terminal() {
        return Err(CommandFailure::usage(
            "--print would show an administrator's token on this terminal: send it to a file that only you can read, or \
             into a pipe",
        ));
    }
    Ok(())
}

/// # Errors
/// There is neither a file nor `--print`.
pub(super) fn check_place(
    token: &Secret,
    setting: &str,
    print: bool,
) -> Result<(), CommandFailure> {
    if print || token.file().is_some() {
        Ok(())
    } else {
        Err(no_place(setting))
    }
}

fn no_place(setting: &str) -> CommandFailure {
    CommandFailure::usage(format!(
        "there is no place for the new token: give the token as {setting}_FILE, which then holds the new one, or give --print"
    ))
}

/// The token and nothing else, no end of line either: what is piped into a store of secrets is
/// stored as it is.
fn print(token: &Secret) -> io::Result<()> {
    let mut out = io::stdout().lock();
    out.write_all(token.expose_secret().as_bytes())?;
    out.flush()
}

/// The last place for the only token that is good.
fn rescue(token: &Secret) -> Option<PathBuf> {
    let name = format!("lookup-gitlab-sync-token-{}", process::id());
    let path: &Path = &env::temp_dir().join(name);
    let mut file = create_private(path).ok()?;
    file.write_all(token.expose_secret().as_bytes())
        .and_then(|()| file.sync_all())
        .ok()?;
    Some(path.to_owned())
}
