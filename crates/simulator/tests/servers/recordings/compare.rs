//! Whether an answer is the recorded one: everything but times, the addresses of pictures, the
//! host, and the ids of tokens, which no recording states for each role.

use std::{collections::BTreeMap, sync::LazyLock};

use base64::{Engine, engine::general_purpose::URL_SAFE};
use regex::Regex;
use serde_json::{Map, Value};

use super::{request::Recorded, wire::Reply};

/// What the recordings are held against.
pub struct Book {
    /// Lists of keys by name.
    pub keys: BTreeMap<String, Vec<String>>,
    /// Rows as they were before the first request.
    pub rows: BTreeMap<u64, Map<String, Value>>,
    /// The address of the server under test.
    pub address: String,
}

/// Headers that may have any value that looks like the recorded one.
const MOVING: [&str; 3] = ["ratelimit-reset", "ratelimit-resettime", "retry-after"];

/// Headers whose absence was recorded, too.
const PAGING: [&str; 5] = [
    "x-next-cursor",
    "x-prev-cursor",
    "x-next-page",
    "x-total",
    "x-page",
];

impl Book {
    /// What is different; nothing where the answer is held.
    pub fn compare(&self, recorded: &Recorded, reply: &Reply, unchanged: bool) -> Vec<String> {
        let mut found = Vec::new();
        let mut check = |what: &str, expected: &str, got: &str| {
            if expected != got {
                found.push(format!("{what}: expected {expected:.600}, got {got:.600}"));
            }
        };
        check(
            "status",
            &recorded.status.to_string(),
            &reply.status.to_string(),
        );
        self.headers(recorded, reply, unchanged, &mut check);
        if let Some(body) = &recorded.body {
            let (expected, got) = (self.masked(uncut(body)), self.masked(&reply.body));
            if uncut(body) == body {
                check("body", &expected, &got);
            } else {
                check("body", &expected, got.get(..expected.len()).unwrap_or(&got));
            }
        }
        if let Some(start) = &recorded.body_starts {
            check(
                "body",
                start,
                reply.body.get(..start.len()).unwrap_or(&reply.body),
            );
        }
        self.rows(recorded, reply, unchanged, &mut check);
        found
    }

    fn headers(
        &self,
        recorded: &Recorded,
        reply: &Reply,
        unchanged: bool,
        check: &mut impl FnMut(&str, &str, &str),
    ) {
        for (name, expected) in &recorded.headers {
            let got = reply.header(name).unwrap_or("none");
            let (expected, got) = (self.masked(expected), self.masked(got));
            let fixed = ["900", "600"].contains(&expected.as_str());
            if MOVING.contains(&name.as_str()) && !fixed {
                check(name, &shape(&expected), &shape(&got));
            } else if name.ends_with("-cursor") {
                check(name, &self.cursor(&expected), &self.cursor(&got));
            } else {
                check(name, &expected, &got);
            }
        }
        if !recorded.headers.contains_key("content-type") {
            let kind = reply.header("content-type").unwrap_or("none");
            let empty = reply.body.is_empty() && recorded.request.method != "HEAD";
            check(
                "content-type",
                if empty { "none" } else { "application/json" },
                kind,
            );
        }
        for name in PAGING {
            if unchanged && !recorded.headers.contains_key(name) {
                check(name, "none", reply.header(name).unwrap_or("none"));
            }
        }
    }

    fn rows(
        &self,
        recorded: &Recorded,
        reply: &Reply,
        unchanged: bool,
        check: &mut impl FnMut(&str, &str, &str),
    ) {
        if recorded.request.method == "HEAD" {
            return;
        }
        let rows = rows(&reply.body);
        if let Some(ids) = &recorded.body_ids {
            let got: Vec<u64> = rows.iter().filter_map(|row| row["id"].as_u64()).collect();
            check("ids", &format!("{ids:?}"), &format!("{got:?}"));
        }
        let row = rows.first().cloned().unwrap_or_default();
        if let Some(id) = recorded.body_id {
            check("id", &id.to_string(), &row["id"].to_string());
        }
        if let Some(state) = &recorded.body_state {
            check("state", state, row["state"].as_str().unwrap_or("none"));
        }
        for (key, value) in recorded.details.iter().flatten() {
            check(key, &value.to_string(), &row[key].to_string());
        }
        if let Some(attributes) = &recorded.body_custom_attributes {
            let pairs = row["custom_attributes"]
                .as_array()
                .cloned()
                .unwrap_or_default();
            let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
            let pairs: Vec<_> = pairs
                .iter()
                .map(|pair| (text(&pair["key"]), text(&pair["value"])))
                .collect();
            let masked = |pairs| self.masked(&format!("{pairs:?}"));
            check("custom_attributes", &masked(attributes), &masked(&pairs));
        }
        if let Some(names) = &recorded.row_keys {
            let expected = match names {
                Value::String(name) => vec![name.as_str()],
                names => names
                    .as_array()
                    .unwrap()
                    .iter()
                    .map(|name| name.as_str().unwrap())
                    .collect(),
            };
            check(
                "keys",
                &expected.join(","),
                &self.key_lists(&reply.body).join(","),
            );
        }
        if unchanged && recorded.request.path.starts_with("/api/v4/user") {
            for row in &rows {
                self.values(row, check);
            }
        }
    }

    /// The names of the key lists, each where it is first seen.
    fn key_lists(&self, body: &str) -> Vec<String> {
        let mut names: Vec<String> = Vec::new();
        for keys in key_orders(body) {
            let known = self.keys.iter().find(|(_, list)| **list == keys);
            let name = known.map_or_else(|| format!("{keys:?}"), |(name, _)| name.clone());
            if !names.contains(&name) {
                names.push(name);
            }
        }
        names
    }

    /// Each value of a row against what was there before the first request.
    fn values(&self, row: &Value, check: &mut impl FnMut(&str, &str, &str)) {
        let known = row["id"].as_u64().and_then(|id| self.rows.get(&id));
        let (Some(known), Some(row)) = (known, row.as_object()) else {
            return;
        };
        for (key, value) in row {
            let Some(expected) = known.get(key).filter(|_| key != "created_by") else {
                continue;
            };
            let masked = |value: &Value| self.masked(&format!("{{\"{key}\":{value}}}"));
            check(key, &masked(expected), &masked(value));
        }
    }

    fn cursor(&self, text: &str) -> String {
        let bytes = URL_SAFE.decode(text).unwrap_or_default();
        let text = String::from_utf8(bytes).unwrap_or_default();
        self.masked(&text)
    }

    fn masked(&self, text: &str) -> String {
        static MASKS: LazyLock<Vec<(Regex, &str)>> = LazyLock::new(|| {
            [
                (
                    r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d+)?(Z| UTC| \+0000)",
                    "TIME",
                ),
                (
                    r#""(last_activity_on|expires_at)":"\d{4}-\d\d-\d\d""#,
                    r#""$1":"DAY""#,
                ),
                (r"https://www\.gravatar\.com/avatar/[0-9a-f]+", "PICTURE"),
                (r#"\{"id":\d+,"name":"t-"#, r#"{"id":TOKEN,"name":"t-"#),
            ]
            .map(|(pattern, mask)| (Regex::new(pattern).unwrap(), mask))
            .into()
        });
        let text = ["localhost:3000", "127.0.0.1:3000", self.address.as_str()]
            .into_iter()
            .fold(text.to_owned(), |text, host| text.replace(host, "HOST"));
        let masked = MASKS.iter().fold(text, |text, (pattern, mask)| {
            pattern.replace_all(&text, *mask).into_owned()
        });
        sorted_attributes(&masked)
    }
}

/// The recording cuts long bodies off: as much as is whole of a JSON text that does not end.
fn uncut(body: &str) -> &str {
    let json = body.starts_with(['{', '[']);
    if !json || serde_json::from_str::<serde::de::IgnoredAny>(body).is_ok() {
        return body;
    }
    let attributes = body.find("\"custom_attributes\":[{");
    let open = attributes.filter(|from| !body.split_at(*from).1.contains("}]"));
    let end = open.or_else(|| body.rfind(",\"")).unwrap_or(body.len());
    body.split_at(end).0
}

/// Within a whole row, attributes come as the database keeps them, which depends on what it has
/// cleaned up.
fn sorted_attributes(text: &str) -> String {
    static LIST: LazyLock<Regex> =
        LazyLock::new(|| Regex::new(r#""custom_attributes":\[\{(.*?)\}\]"#).unwrap());
    LIST.replace_all(text, |found: &regex::Captures<'_>| {
        let mut pairs: Vec<&str> = found[1].split("},{").collect();
        pairs.sort_unstable();
        format!("\"custom_attributes\":[{{{}}}]", pairs.join("},{"))
    })
    .into_owned()
}

/// Digits as one, letters as they are.
fn shape(text: &str) -> String {
    static DIGITS: LazyLock<Regex> =
        LazyLock::new(|| Regex::new(r"\d+|(Mon|Tue|Wed|Thu|Fri|Sat|Sun),|[A-Z][a-z]{2} ").unwrap());
    DIGITS.replace_all(text, "#").into_owned()
}

/// The rows of an answer, whether it is one or a list.
fn rows(body: &str) -> Vec<Value> {
    match serde_json::from_str(body) {
        Ok(Value::Array(rows)) => rows,
        Ok(row @ Value::Object(_)) => vec![row],
        _ => Vec::new(),
    }
}

/// The keys of each row in their order, which a parsed object has lost.
fn key_orders(body: &str) -> Vec<Vec<String>> {
    let ordered = |row: &Value, text: &str| {
        let mut places: Vec<(usize, String)> = row
            .as_object()
            .into_iter()
            .flatten()
            .map(|(key, _)| (text.find(&format!("\"{key}\":")).unwrap(), key.clone()))
            .collect();
        places.sort();
        places.into_iter().map(|(_, key)| key).collect()
    };
    let texts: Vec<Box<serde_json::value::RawValue>> = if body.starts_with('[') {
        serde_json::from_str(body).unwrap()
    } else {
        vec![serde_json::from_str(body).unwrap()]
    };
    texts
        .iter()
        .map(|text| {
            let row: Value = serde_json::from_str(text.get()).unwrap();
            // Nested rows have keys of the same names.
            ordered(&row, &blank_nested(text.get()))
        })
        .collect()
}

/// The text with everything below the first level taken out.
fn blank_nested(text: &str) -> String {
    let (mut depth, mut quoted, mut escaped) = (0_u32, false, false);
    let mut flat = String::new();
    for character in text.chars() {
        if quoted {
            quoted = escaped || character != '"';
            escaped = !escaped && character == '\\';
        } else {
            match character {
                '"' => quoted = true,
                '{' | '[' => depth += 1,
                '}' | ']' => depth -= 1,
                _ => {}
            }
        }
        if depth <= 1 {
            flat.push(character);
        }
    }
    flat
}
