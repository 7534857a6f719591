//! Whatever an allowed answer holds, reading it takes little more than the answer itself.
//!
//! The peak is that of this process, which the test runner starts for each test: it holds the
//! server's copy too.
#![cfg(target_os = "linux")]

use std::fs;

use lookup_gitlab_sync::{
    directory::{Directory, Lookup},
    gitlab,
};
use rstest::rstest;
use serde_json::json;

use super::{
    lookup::crsids,
    memory::{gitlab_config, lookup_config, row},
    server::{Reply, Server},
};

/// The default of `max_response_bytes`.
const ALLOWED: usize = 16 << 20;
/// What one answer may take.
const MOST: u64 = 128 << 20;

/// `unit` again and again, as long as all of it is allowed.
fn filled(before: &str, unit: &str, between: &str, after: &str) -> String {
    let room = ALLOWED - before.len() - after.len() - 1;
    let times = (room + between.len()) / (unit.len() + between.len());
    let mut body = String::with_capacity(ALLOWED);
    body.push_str(before);
    for time in 0..times {
        if time > 0 {
            body.push_str(between);
        }
        body.push_str(unit);
    }
    body.push_str(after);
    assert!(body.len() <= ALLOWED && body.len() > ALLOWED / 2);
    body
}

/// A row whose `key` is `value`, cut where the value goes.
fn row_around(key: &str) -> (String, String) {
    let mut row = row(1);
    row[key] = json!("HERE");
    let text = format!("[{row}]");
    let (before, after) = text.split_once("\"HERE\"").unwrap();
    (before.to_owned(), after.to_owned())
}

fn row_with(key: &str, open: &str, unit: &str, between: &str, close: &str) -> String {
    let (before, after) = row_around(key);
    filled(
        &format!("{before}{open}"),
        unit,
        between,
        &format!("{close}{after}"),
    )
}

fn status(field: &str) -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with(field)).unwrap();
    let kibibytes = line.split_whitespace().nth(1).unwrap();
    kibibytes.parse::<u64>().unwrap() << 10
}

/// How much more memory `asking` takes at its peak than there was before.
async fn peak_of(asking: impl Future<Output = ()>) -> u64 {
    // Makes the peak what is there now (proc(5)).
    fs::write("/proc/self/clear_refs", "5").unwrap();
    let before = status("VmRSS");
    asking.await;
    status("VmHWM").saturating_sub(before)
}

async fn gitlab_peak(body: String) -> u64 {
    let server = Server::always(Reply::json(200, body)).await;
    let mut config = gitlab_config(&server.url);
    config.calls.max_response_bytes = ALLOWED;
    let client = gitlab::Client::new(&config, None).unwrap();
    peak_of(async {
        let _ = client.users_page(None).await;
    })
    .await
}

#[rstest]
#[case::tiny_objects(filled("[", "{}", ",", "]"))]
#[case::tiny_numbers(filled("[", "1", ",", "]"))]
#[case::more_rows_than_asked_for(filled("[", &row(1).to_string(), ",", "]"))]
#[case::identities(row_with("identities", "[", "{}", ",", "]"))]
#[case::named_identities(row_with(
    "identities",
    "[",
    r#"{"provider":"a","extern_uid":"b"}"#,
    ",",
    "]"
))]
#[case::attributes(row_with("custom_attributes", "[", r#"{"key":"a"}"#, ",", "]"))]
#[case::a_long_attribute(row_with(
    "custom_attributes",
    r#"[{"key":"a","value":""#,
    "v",
    "",
    r#""}]"#
))]
#[case::a_long_username(row_with("username", "\"", "u", "", "\""))]
#[case::an_escaped_username(row_with("username", "\"", "\\u00e9", "", "\""))]
#[case::an_escaped_identity(row_with(
    "identities",
    r#"[{"provider":"saml","extern_uid":""#,
    "\\n",
    "",
    r#""}]"#
))]
#[case::a_long_state(row_with("state", "\"", "s", "", "\""))]
#[case::a_long_name_that_nobody_reads(row_with("name", "\"", "\\u00e9", "", "\""))]
#[case::many_keys(row_with("name", "{", r#""k":1"#, ",", "}"))]
#[case::deep_lists(filled("", "[", "", ""))]
#[case::deep_lists_where_nobody_reads(row_with("name", "", "[", "", ""))]
#[case::deep_objects_in_a_scalar(row_with("state", "", "{\"a\":", "", ""))]
#[tokio::test]
async fn a_page_takes_little_more_than_its_bytes(#[case] body: String) {
    let peak = gitlab_peak(body).await;
    println!("{} MiB", peak >> 20);
    assert!(peak < MOST, "{} MiB", peak >> 20);
}

#[rstest]
#[case::tiny_people(filled(r#"{"result":{"people":["#, "{}", ",", "]}}"))]
#[case::people(filled(
    r#"{"result":{"people":["#,
    r#"{"cancelled":false,"identifier":{"scheme":"crsid","value":"abcd1"}}"#,
    ",",
    "]}}"
))]
#[case::an_escaped_identifier(filled(
    r#"{"result":{"people":[{"cancelled":false,"identifier":{"scheme":"crsid","value":""#,
    "\\n",
    "",
    r#""}}]}}"#
))]
#[case::deep_lists(filled(r#"{"result":{"people":"#, "[", "", ""))]
#[case::deep_lists_where_nobody_reads(filled(r#"{"result":{"version":"#, "[", "", ""))]
#[case::a_long_error(filled(r#"{"result":{"error":{"message":""#, "\\n", "", r#""}}}"#))]
#[tokio::test]
async fn a_list_of_people_takes_little_more_than_its_bytes(#[case] body: String) {
    let server = Server::always(Reply::json(200, body)).await;
    let mut config = lookup_config(&server.url);
    config.calls.max_response_bytes = ALLOWED;
    let lookup = Lookup::new(&config).unwrap();
    let asked = crsids(&["abcd1"]);
    let peak = peak_of(async {
        let _ = lookup.standings(&asked).await;
    })
    .await;
    println!("{} MiB", peak >> 20);
    assert!(peak < MOST, "{} MiB", peak >> 20);
}
