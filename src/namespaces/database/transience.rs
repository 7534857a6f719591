//! Whether a failure to open a database may pass by itself, so that opening it again is worth it.

use std::{error::Error, io, iter};

use sqlx::migrate::MigrateError;

/// Classes of SQLSTATE that pass: connections (08), a server that only reads, as in a failover
/// (25), rollbacks (40), resources (53), locks, such as another process's migrations (55),
/// intervention and start-up (57), the system (58), the server's own faults (XX). A role, a
/// password and the name of a database (28, 3D) are settings. Source: appendix A of the manual of
/// `PostgreSQL`.
const PASSING: [&str; 8] = ["08", "25", "40", "53", "55", "57", "58", "XX"];

/// Whether `error` may pass.
pub(in crate::namespaces) fn may_pass(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::Io(_) | sqlx::Error::PoolTimedOut => true,
        sqlx::Error::Database(error) => error
            .code()
            .is_some_and(|code| code.get(..2).is_some_and(|class| PASSING.contains(&class))),
        // A certificate that is not trusted does not pass, a connection that breaks meanwhile does.
        sqlx::Error::Tls(error) => broke(error.as_ref()),
        // The enum is sqlx's and open. What is left are settings and faults of this program.
        _ => false,
    }
}

/// Whether a failure of the migrations may pass.
pub(in crate::namespaces) fn migration_may_pass(error: &MigrateError) -> bool {
    match error {
        MigrateError::Execute(error) | MigrateError::ExecuteMigration(error, _) => may_pass(error),
        // The enum is sqlx's and open. What is left concerns the list of migrations.
        _ => false,
    }
}

fn broke(error: &(dyn Error + 'static)) -> bool {
    iter::successors(Some(error), |cause| (*cause).source())
        .filter_map(|cause| cause.downcast_ref::<io::Error>())
        .any(|error| error.kind() != io::ErrorKind::InvalidData)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_connection_passes_and_a_setting_does_not() {
        let refused = || io::Error::from(io::ErrorKind::ConnectionRefused);
        let untrusted = io::Error::new(io::ErrorKind::InvalidData, "unknown issuer");
        assert!(may_pass(&sqlx::Error::Io(refused())));
        assert!(may_pass(&sqlx::Error::PoolTimedOut));
        assert!(may_pass(&sqlx::Error::Tls(Box::new(refused()))));
        assert!(!may_pass(&sqlx::Error::Tls(Box::new(untrusted))));
        assert!(!may_pass(&sqlx::Error::Configuration("no host".into())));
        let execute = |error| MigrateError::Execute(error);
        assert!(migration_may_pass(&execute(sqlx::Error::PoolTimedOut)));
        assert!(!migration_may_pass(&execute(sqlx::Error::RowNotFound)));
        assert!(!migration_may_pass(&MigrateError::VersionMissing(1)));
    }
}
