//! A connection that holds one of a namespace's advisory locks.

use sqlx::{PgConnection, Postgres, pool::PoolConnection};

use super::database::DatabasePool;

/// What is locked. Each of these has keys of its own, also where all of them are in one database.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NamespaceLock {
    /// The rows that provisioning writes for a namespace.
    Provisioning(i64),
    /// The newest sync of a namespace: compared and then followed by another.
    Recording(i64),
    /// The sending of a namespace's syncs.
    Sending(i64),
}

impl NamespaceLock {
    /// The key: an id mixed with a constant, so that it is not taken for somebody else's lock on
    /// the same number.
    pub const fn key(self) -> i64 {
        match self {
            Self::Provisioning(id) => 0x6c67_7300_0000_0000 ^ id,
            Self::Recording(id) => 0x6c67_7301_0000_0000 ^ id,
            Self::Sending(id) => 0x6c67_7302_0000_0000 ^ id,
        }
    }
}

/// Holds the lock from [`Self::open`] to [`Self::close`]. The lock belongs to the session, not to a
/// transaction, since the work under it is several transactions; so a session that is dropped
/// without being closed (an error, a deadline, a panic) is cut, and the server lets go of the lock
/// with it.
#[derive(Debug)]
pub struct LockedSession {
    connection: Option<PoolConnection<Postgres>>,
    key: i64,
}

impl LockedSession {
    /// Takes a connection and waits for the lock.
    ///
    /// # Errors
    /// No connection, or no lock in time.
    pub async fn open(pool: &DatabasePool, lock: NamespaceLock) -> Result<Self, sqlx::Error> {
        let key = lock.key();
        let connection = pool.acquire().await?;
        // From here on a drop must not return the connection: the lock may have been granted
        // unseen.
        let mut session = Self {
            connection: Some(connection),
            key,
        };
        let lock = sqlx::query("SELECT pg_advisory_lock($1)").bind(key);
        lock.execute(session.connection()?).await?;
        Ok(session)
    }

    /// The connection.
    ///
    /// # Errors
    /// None while the session is open.
    pub fn connection(&mut self) -> Result<&mut PgConnection, sqlx::Error> {
        self.connection
            .as_deref_mut()
            .ok_or(sqlx::Error::PoolClosed)
    }

    /// Releases the lock and returns the connection; a connection that does not confirm the release
    /// is cut.
    pub async fn close(mut self) {
        let unlock = sqlx::query_scalar::<_, bool>("SELECT pg_advisory_unlock($1)").bind(self.key);
        let unlocked = match self.connection() {
            Ok(connection) => unlock.fetch_one(connection).await.unwrap_or(false),
            Err(_) => false,
        };
        if unlocked {
            // Back to the pool, so that dropping `self` has nothing to cut.
            drop(self.connection.take());
        }
    }
}

impl Drop for LockedSession {
    fn drop(&mut self) {
        if let Some(connection) = &mut self.connection {
            connection.close_on_drop();
        }
    }
}
