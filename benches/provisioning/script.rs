//! The statements of a request, as the database's log has them, and the script that runs the same.

use std::fmt::Write;
use testkit::postgres::PostgresServer;

use crate::{NAMESPACES, load::Load};

/// The namespace and the number of the request that is captured; nothing else in it says either.
const ID: i64 = 7_000_500;
const NUMBER: i32 = 424_242;

/// A statement and what was bound to `$1`, `$2` and so on.
pub struct Statement {
    text: String,
    values: Vec<Option<String>>,
}

/// `url` for connections that log each statement.
pub fn logging(url: &str) -> String {
    format!("{url}?options=-c%20log_statement%3Dall")
}

/// What the service at `address`, whose connections log, sends for a request that changes
/// everything. The second is taken: by then its statements are prepared.
pub async fn capture(server: &PostgresServer, address: &str, token: &str) -> Vec<Statement> {
    let load = Load::new(address, token);
    load.once(ID, 1).await;
    let log = || std::fs::read_to_string(server.folder.join("log")).unwrap();
    let before = log().len();
    load.once(ID, NUMBER).await;
    read(&log()[before..])
}

fn read(log: &str) -> Vec<Statement> {
    // What does not begin with the time goes on with the line before.
    let log = log.replace("\n\t", "\n ");
    let mut statements: Vec<Statement> = Vec::new();
    let mut entries = Vec::new();
    for line in log.lines() {
        if line.starts_with(' ') {
            let entry: &mut String = entries.last_mut().unwrap();
            *entry = format!("{entry}\n{line}");
        } else {
            entries.push(line.to_owned());
        }
    }
    for entry in entries {
        if let Some((_, text)) = entry.split_once("LOG:  statement: ") {
            statements.push(Statement {
                text: text.to_owned(),
                values: Vec::new(),
            });
        } else if let Some((_, text)) = entry.split_once("LOG:  execute ") {
            let (_, text) = text.split_once(": ").unwrap();
            statements.push(Statement {
                text: text.to_owned(),
                values: Vec::new(),
            });
        } else if let Some((_, values)) = entry.split_once("DETAIL:  parameters: ") {
            statements.last_mut().unwrap().values = parameters(values);
        }
    }
    statements
}

/// `$1 = '42', $2 = NULL`; no value of ours has a quote or a comma with a blank in it.
fn parameters(text: &str) -> Vec<Option<String>> {
    let value = |parameter: &str| {
        let (_, value) = parameter.split_once(" = ").unwrap();
        let quoted = value
            .strip_prefix('\'')
            .and_then(|value| value.strip_suffix('\''));
        quoted.map(str::to_owned)
    };
    text.split(", ").map(value).collect()
}

/// The script: as many statements, in the same transactions, for a namespace and a number that it
/// draws each time.
pub fn of(statements: &[Statement]) -> String {
    let (first, last) = NAMESPACES.into_inner();
    let key = lock_key(statements);
    // The id is in the key's lower half, and nothing else is.
    let base = key - ID;
    let mut script = format!(
        "\\set id random({first}, {last})\n\\set number random(1, 1000000)\n\\set key {base} + :id\n"
    );
    for statement in statements {
        let mut text = statement.text.clone();
        // From the last, since `$1` is in `$10` too.
        for (index, value) in statement.values.iter().enumerate().rev() {
            text = text.replace(&format!("${}", index + 1), &literal(value.as_deref(), key));
        }
        writeln!(script, "{text};").unwrap();
    }
    script
}

/// Of the namespace whose request was captured.
fn lock_key(statements: &[Statement]) -> i64 {
    let lock = statements
        .iter()
        .find(|statement| statement.text.contains("pg_advisory_lock"))
        .expect("the lock");
    lock.values[0].as_ref().unwrap().parse().unwrap()
}

fn literal(value: Option<&str>, key: i64) -> String {
    match value {
        None => "NULL".to_owned(),
        Some(value) if value == ID.to_string() => ":id::bigint".to_owned(),
        Some(value) if value == key.to_string() => ":key::bigint".to_owned(),
        Some(value) if value == NUMBER.to_string() => ":number::integer".to_owned(),
        Some(value) => format!("'{value}'"),
    }
}
