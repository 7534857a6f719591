//! How a command fails: an exit code, one line that says what to do, and the causes under it.

use std::{fmt, process::ExitCode};

use crate::{
    app::AppError,
    config::ConfigErrors,
    messaging::PubSubError,
    telemetry::{causes, escape},
    upstream::{BuildError, CallError, FaultScope},
};

/// What the exit code says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExitReason {
    /// 1: the command failed.
    Failed,
    /// 2: it was called wrongly.
    Usage,
    /// 3: the guard refused, or would.
    GuardRefused,
    /// 4: an upstream is unavailable.
    Unavailable,
    /// 78: the configuration is wrong (`EX_CONFIG`).
    Configuration,
    /// 130: interrupted.
    Interrupted,
}

impl ExitReason {
    /// The number a shell sees.
    pub fn code(self) -> u8 {
        match self {
            Self::Failed => 1,
            Self::Usage => 2,
            Self::GuardRefused => 3,
            Self::Unavailable => 4,
            Self::Configuration => 78,
            Self::Interrupted => 130,
        }
    }
}

/// Why a command did not do what it was asked.
///
/// It is not a [`std::error::Error`] itself, so that `?` makes one of every error:
/// [`ExitReason::Unavailable`] where an upstream is to blame, [`ExitReason::Failed`] otherwise.
#[derive(Debug)]
pub struct CommandFailure {
    exit: ExitReason,
    error: anyhow::Error,
}

impl CommandFailure {
    /// A failure with its own exit code.
    pub fn new(exit: ExitReason, error: impl Into<anyhow::Error>) -> Self {
        Self {
            exit,
            error: error.into(),
        }
    }

    /// Called wrongly, in a way that the parser of the command line cannot see.
    pub fn usage(message: impl fmt::Display) -> Self {
        Self::new(ExitReason::Usage, anyhow::anyhow!("{message}"))
    }

    /// Refused by the guard.
    pub fn guard_refused(message: impl fmt::Display) -> Self {
        Self::new(ExitReason::GuardRefused, anyhow::anyhow!("{message}"))
    }

    /// Stopped by SIGINT.
    pub fn interrupted() -> Self {
        Self::new(ExitReason::Interrupted, anyhow::anyhow!("interrupted"))
    }

    pub(super) fn configuration(mistakes: ConfigErrors) -> Self {
        Self::new(ExitReason::Configuration, mistakes)
    }

    /// What the exit code says.
    pub fn exit(&self) -> ExitReason {
        self.exit
    }

    /// The message with its causes, and all mistakes of a configuration, on one line.
    pub(in crate::cli) fn on_one_line(&self) -> String {
        match self.error.downcast_ref::<ConfigErrors>() {
            Some(mistakes) => {
                let mistakes: Vec<_> = mistakes.iter().map(ToString::to_string).collect();
                mistakes.join("; ")
            }
            None => causes::on_one_line(self.error.as_ref()),
        }
    }
}

impl<E: Into<anyhow::Error>> From<E> for CommandFailure {
    fn from(error: E) -> Self {
        match error.into().downcast() {
            Ok(error) => Self::of_app(error),
            Err(error) => Self::of_cause(error),
        }
    }
}

impl CommandFailure {
    /// The exit code of each error of the process. A transparent one counts as what it is made of.
    fn of_app(error: AppError) -> Self {
        match error {
            AppError::Configuration(errors) => Self::configuration(errors),
            AppError::MissingScope { .. } | AppError::TwoOwners { .. } => {
                Self::new(ExitReason::Configuration, error)
            }
            AppError::SharedPort { .. } => Self::new(ExitReason::Usage, error),
            AppError::Interrupted => Self::interrupted(),
            AppError::Listen { .. } | AppError::StageEnded | AppError::HttpServerEnded { .. } => {
                Self::new(ExitReason::Failed, error)
            }
            AppError::HttpServer(error) => Self::of_cause(error.into()),
            AppError::Client(error) => Self::of_cause(error.into()),
            AppError::Pattern(error) => Self::of_cause(error.into()),
            AppError::PubSub(error) => Self::of_cause(error.into()),
            AppError::StageRefused(error) => Self::of_cause(error.into()),
            AppError::Ledger(error) => Self::of_cause(error.into()),
            AppError::SigningKey(error) => Self::of_cause(error.into()),
            AppError::Provisioning(error) => Self::of_cause(error.into()),
            AppError::Metrics(error) => Self::of_cause(error.into()),
            AppError::LogFilter(error) => Self::of_cause(error.into()),
            AppError::LogInstalled(error) => Self::of_cause(error.into()),
            AppError::TooLarge(error) => Self::of_cause(error.into()),
            AppError::Io(error) => Self::of_cause(error.into()),
        }
    }

    fn of_cause(error: anyhow::Error) -> Self {
        let upstream = |call: &CallError| !matches!(call.scope, FaultScope::Request);
        let unavailable = error.chain().any(|cause| {
            cause.downcast_ref().is_some_and(upstream)
                || cause
                    .downcast_ref()
                    .is_some_and(PubSubError::is_unavailable)
        });
        let misconfigured = error
            .chain()
            .any(|cause| matches!(cause.downcast_ref(), Some(BuildError::Proxy(_))));
        let exit = if misconfigured {
            ExitReason::Configuration
        } else if unavailable {
            ExitReason::Unavailable
        } else {
            ExitReason::Failed
        };
        Self { exit, error }
    }
}

impl From<&CommandFailure> for ExitCode {
    fn from(failure: &CommandFailure) -> Self {
        Self::from(failure.exit.code())
    }
}

/// The message on the first line, each cause on one of its own. A configuration's mistakes are a
/// list already.
impl fmt::Display for CommandFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("error: ")?;
        if let Some(mistakes) = self.error.downcast_ref::<ConfigErrors>() {
            f.write_str(mistakes.heading().as_str())?;
            return mistakes
                .iter()
                .try_for_each(|mistake| write!(f, "\n  {}", escape(&mistake.to_string())));
        }
        f.write_str(&escape(&self.error.to_string()))?;
        causes::of(self.error.as_ref())
            .try_for_each(|cause| write!(f, "\n  caused by: {}", escape(&cause.to_string())))
    }
}

#[cfg(test)]
mod tests {
    use std::io;

    use anyhow::Context;

    use super::{CommandFailure, ExitReason};

    #[test]
    fn a_failure_is_one_line_with_its_causes_under_it() {
        let cause: Result<(), _> = Err(io::Error::other("connection\nrefused"));
        let failure = CommandFailure::from(
            cause
                .context("reaching the broker")
                .context("publish the tick again")
                .unwrap_err(),
        );
        assert_eq!(failure.exit(), ExitReason::Failed);
        insta::assert_snapshot!(failure.to_string());
    }

    #[test]
    fn every_exit_has_the_code_that_is_documented() {
        let exits = [
            ExitReason::Failed,
            ExitReason::Usage,
            ExitReason::GuardRefused,
            ExitReason::Unavailable,
            ExitReason::Configuration,
            ExitReason::Interrupted,
        ];
        assert_eq!(exits.map(ExitReason::code), [1, 2, 3, 4, 78, 130]);
        assert_eq!(CommandFailure::usage("x").exit(), ExitReason::Usage);
        assert_eq!(
            CommandFailure::guard_refused("x").exit(),
            ExitReason::GuardRefused
        );
        assert_eq!(
            CommandFailure::interrupted().exit(),
            ExitReason::Interrupted
        );
    }
}
