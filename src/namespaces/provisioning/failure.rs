//! Whose fault an error of the database is: the moment's, or that of what was asked.

use sqlx::error::DatabaseError;

/// Classes of SQLSTATE that say how things stand just now: features that a cached plan no longer
/// has (0A), connections (08), the state of the transaction, read-only servers included (25),
/// statements that a pooler lost (26), who may sign in (28), no such database (3D), rollbacks for a
/// deadlock or for serialization (40), resources (53), locks (55), intervention and shutdown (57),
/// the system (58), the server's own faults (XX). Source: appendix A of the manual of `PostgreSQL`.
const PASSING: [&str; 11] = [
    "0A", "08", "25", "26", "28", "3D", "40", "53", "55", "57", "58",
];

/// The server's own faults.
const INTERNAL: &str = "XX";

/// An error that the same call meets again: the data break a constraint, or the statement does not
/// fit the tables.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PermanentError {
    /// The two characters of the SQLSTATE's class; `decode` where the server was content and its
    /// answer was not of the expected type.
    pub class: String,
    /// Names of the table and the constraint as far as the server told them. They are the schema's
    /// and never a row's.
    pub place: Option<String>,
}

impl PermanentError {
    /// `None` for an error that passes: connection, pool, deadlock, serialization, locks,
    /// resources, shutdown. Every class that is not known to pass is taken to last: 22, 23 and 42
    /// above all, and what a trigger raises.
    pub fn of(error: &sqlx::Error) -> Option<Self> {
        match error {
            sqlx::Error::Database(error) => Self::of_database(error.as_ref()),
            sqlx::Error::RowNotFound
            | sqlx::Error::TypeNotFound { .. }
            | sqlx::Error::ColumnNotFound(_)
            | sqlx::Error::ColumnIndexOutOfBounds { .. }
            | sqlx::Error::ColumnDecode { .. }
            | sqlx::Error::Encode(_)
            | sqlx::Error::Decode(_) => Some(Self {
                class: "decode".to_owned(),
                place: None,
            }),
            // The enum is sqlx's and open. What is left are sockets, TLS, the protocol and the
            // pool.
            _ => None,
        }
    }

    fn of_database(error: &dyn DatabaseError) -> Option<Self> {
        let code = error.code()?;
        let class = code.get(..2)?;
        if class == INTERNAL || PASSING.contains(&class) {
            return None;
        }
        let place: Vec<&str> = [error.table(), error.constraint()]
            .into_iter()
            .flatten()
            .collect();
        Some(Self {
            class: class.to_owned(),
            place: (!place.is_empty()).then(|| place.join(".")),
        })
    }

    /// What the class means, as far as it is one of those that are met.
    pub fn meaning(&self) -> &'static str {
        match self.class.as_str() {
            "22" => "data exception",
            "23" => "integrity constraint violation",
            "42" => "access rule violation, or the tables are not as expected",
            "P0" => "raised by a trigger",
            "decode" => "a column's type is not as expected",
            _ => "refused by the database",
        }
    }
}
