//! What a real GitLab EE 18.9 was recorded to do with 269 documents, held against this service on
//! tables of GitLab's shape: status, body, every row afterwards, and what the same document does a
//! second time.
//!
//! `recorded/*.json` are the recordings, less GitLab's jobs and its search index, which are not
//! ours. Where we do otherwise on purpose, `recorded/departures.json` says why, family by family,
//! and what we do instead: a departure is held as strictly as the rest, and one that is none any
//! more fails too.

mod case;
mod rows;

use std::collections::{BTreeMap, BTreeSet};

use jiff::{Timestamp, civil::Date};
use lookup_gitlab_sync::namespaces::provisioning::database::MigrationMode;
use serde_json::{Map, Value, json};
use testkit::postgres::TestDatabase;

use super::fixture::{HEADER, ProvisioningFixture};
use case::{Again, Case, Departure, Departures};

/// A service on GitLab's tables.
async fn gitlab() -> ProvisioningFixture {
    let database = TestDatabase::create().await;
    let pool = database.pool().await;
    sqlx::raw_sql(include_str!("recorded/gitlab.sql"))
        .execute(&pool)
        .await
        .unwrap();
    ProvisioningFixture::on(database, |settings| {
        settings.database.migrations = MigrationMode::Off;
    })
    .await
}

/// What happened, in the form of what is recorded.
struct Happened {
    status: u16,
    body: Value,
    after: Map<String, Value>,
    again: Option<(u16, Map<String, Value>)>,
}

struct Stage<'a> {
    fixture: &'a ProvisioningFixture,
    today: Date,
    case: &'a Case,
    start: Timestamp,
}

impl Stage<'_> {
    /// The namespace whose rows are told.
    fn namespace(&self) -> i64 {
        match self.case.target.as_str() {
            "20" => 20,
            "30" => 30,
            _ => 10,
        }
    }

    async fn post(&self, document: &Value) -> (u16, Value) {
        let portal = &self.fixture.portal;
        let mut claims = portal.claims();
        let claim = |claims: &mut Value, name: &str, value: Value| {
            claims
                .as_object_mut()
                .unwrap()
                .insert(name.to_owned(), value);
        };
        let token = match self.case.token.as_deref() {
            Some("none") => None,
            Some("garbage") => Some("garbage".to_owned()),
            kind => {
                match kind {
                    Some("wrong_iss") => claim(&mut claims, "iss", json!("https://other.example")),
                    Some("aud_list") => {
                        claim(&mut claims, "aud", json!(["gitlab-subscriptions", "other"]));
                    }
                    Some("no_exp") => drop(claims.as_object_mut().unwrap().remove("exp")),
                    Some("good_lower_case_header") | None => {}
                    Some(other) => panic!("a token of kind {other}"),
                }
                Some(portal.key.sign(&portal.key.header(), &claims))
            }
        };
        let body = match document {
            Value::String(text) => text.clone(),
            document => document.to_string(),
        };
        let target = self.case.target.replace('/', "%2F");
        let mut request = self
            .fixture
            .client
            .post(self.fixture.endpoint(target))
            .body(body);
        if let Some(token) = token {
            request = request.header(HEADER, token);
        }
        let response = request.send().await.unwrap();
        (response.status().as_u16(), response.json().await.unwrap())
    }

    async fn play(&self) -> (Map<String, Value>, Happened) {
        let pool = &self.fixture.pool;
        rows::populate(pool, self.today).await;
        rows::put(pool, &self.case.before, self.namespace()).await;
        let before = rows::dump(pool, self.start).await;
        if let Some(fault) = &self.case.fault {
            rows::break_down(pool, fault).await;
        }
        let (status, body) = if self.case.documents.is_empty() {
            self.post(&self.case.document).await
        } else {
            self.post_at_once().await
        };
        rows::heal(pool).await;
        let after = rows::dump(pool, self.start).await;
        let again = if self.case.again.is_some() {
            let (status, _) = self.post(&self.case.document).await;
            Some((status, rows::dump(pool, self.start).await))
        } else {
            None
        };
        let happened = Happened {
            status,
            body,
            after,
            again,
        };
        (before, happened)
    }

    /// The worst of the answers.
    async fn post_at_once(&self) -> (u16, Value) {
        let documents = self.case.documents.iter();
        let posts =
            documents.flat_map(|document| (0..self.case.times_each).map(|_| self.post(document)));
        let mut answers = futures::future::join_all(posts).await;
        answers.sort_by_key(|(status, _)| *status);
        answers.pop().unwrap()
    }

    /// All that differs from the recording, or from what its departure says; empty if nothing.
    fn differences(
        &self,
        before: &Map<String, Value>,
        happened: &Happened,
        departure: Option<&Departure>,
    ) -> Vec<String> {
        let recorded = &self.case.outcome;
        let status = departure.and_then(|instead| instead.status);
        let status = status.unwrap_or(recorded.status);
        let body = departure.and_then(|instead| instead.body.as_ref());
        let body = body.unwrap_or(&recorded.body);
        let mut differences = Vec::new();
        if (happened.status, &happened.body) != (status, body) {
            differences.push(format!(
                "{status} {body}\n    here {} {}",
                happened.status, happened.body
            ));
        }
        if self.case.documents.len() > 1 {
            // Which of them was the last one is a matter of chance.
            differences.extend(mixed(&happened.after));
            return differences;
        }
        let after = departure.and_then(|instead| instead.after.as_ref());
        let after = after.unwrap_or(&recorded.after);
        let expected = rows::replaced(before, after, self.namespace());
        differences.extend(told(&expected, &happened.after));
        let again = self.case.again.as_ref();
        if let (
            Some(Again {
                status: again,
                after,
            }),
            Some((here, rows)),
        ) = (again, &happened.again)
        {
            // A departure answers the second time as it did the first.
            let again = departure.map_or(*again, |_| status);
            if *here != again {
                differences.push(format!("again {again}\n    here {here}"));
            }
            let expected = rows::replaced(&happened.after, after, self.namespace());
            differences.extend(told(&expected, rows));
        }
        differences
    }
}

/// The namespace's rows, if they are not those of one of both documents, or if a history row is not
/// one of them whole.
fn mixed(tables: &Map<String, Value>) -> Option<String> {
    let rows = |table: &str| {
        let rows = tables.get(table).and_then(Value::as_array);
        let rows = rows.into_iter().flatten();
        rows.filter(|row| row["namespace_id"] == 10 || row["id"] == 10)
    };
    let told = |table: &str, columns: [&str; 2]| {
        let rows = rows(table).map(|row| columns.map(|column| row[column].clone()));
        rows.collect::<Vec<_>>()
    };
    let both = [json!(["ultimate", 30]), json!(["bronze", 5])];
    let whole = |row: &[Value; 2]| both.contains(&json!(row));
    let last = told("gitlab_subscriptions", ["plan", "seats"]);
    let number = 1 + both
        .iter()
        .take_while(|both| json!(last) != json!([both]))
        .count();
    let fits = number <= both.len()
        && told("gitlab_subscription_histories", ["plan", "seats"])
            .iter()
            .all(whole)
        && told(
            "namespace_limits",
            ["namespace_id", "additional_purchased_storage_size"],
        ) == [[json!(10), json!(number)]]
        && told("namespaces", ["id", "shared_runners_minutes_limit"])
            == [[json!(10), json!(number)]]
        && told(
            "subscription_add_on_purchases",
            ["add_on_number", "quantity"],
        ) == [[json!(5), json!(number)]];
    (!fits).then(|| Value::from(tables.clone()).to_string())
}

/// The tables that differ, as they should be and as they are.
fn told(expected: &Map<String, Value>, here: &Map<String, Value>) -> Vec<String> {
    let tables: BTreeSet<&String> = expected.keys().chain(here.keys()).collect();
    let rows = |tables: &Map<String, Value>, table: &String| {
        let rows = tables.get(table).map(Value::to_string);
        rows.unwrap_or_default()
    };
    tables
        .into_iter()
        .filter(|table| expected.get(*table) != here.get(*table))
        .map(|table| {
            format!(
                "{table} {}\n    here {}",
                rows(expected, table),
                rows(here, table)
            )
        })
        .collect()
}

#[tokio::test]
async fn every_recorded_document_does_here_what_it_did_in_gitlab_or_is_a_departure_by_name() {
    let fixture = gitlab().await;
    let today: Date =
        sqlx::query_scalar::<_, String>("SELECT (now() AT TIME ZONE 'UTC')::date::text")
            .fetch_one(&fixture.pool)
            .await
            .unwrap()
            .parse()
            .unwrap();
    let Departures {
        families: reasons,
        cases: mut departures,
    } = case::departures(today);
    let mut families: BTreeMap<String, usize> = BTreeMap::new();
    let mut held = 0;
    let mut different = Vec::new();
    let cases = case::all(today);
    for case in &cases {
        let stage = Stage {
            fixture: &fixture,
            today,
            case,
            start: Timestamp::now(),
        };
        let (before, happened) = stage.play().await;
        let as_recorded = stage.differences(&before, &happened, None);
        let departure = departures.remove(&case.name);
        let differences = match &departure {
            None => as_recorded,
            Some(_) if as_recorded.is_empty() => {
                vec!["is held, and is on the list of departures".to_owned()]
            }
            Some(departure) => stage.differences(&before, &happened, Some(departure)),
        };
        if !differences.is_empty() {
            let differences = differences.join("\n  ");
            different.push(format!("{} ({})\n  {differences}", case.name, case.title));
        } else if let Some(Departure { family, .. }) = departure {
            *families.entry(family).or_default() += 1;
        } else {
            held += 1;
        }
    }
    eprintln!(
        "{} cases: {held} held, {families:?} departures",
        cases.len()
    );
    assert!(
        different.is_empty(),
        "{} differ:\n{}",
        different.len(),
        different.join("\n")
    );
    assert!(
        departures.is_empty(),
        "departures of no case: {:?}",
        departures.keys()
    );
    assert!(
        families.keys().eq(reasons.keys()) && reasons.values().all(|reason| !reason.is_empty()),
        "each family has its reason and its cases: {reasons:?}"
    );
    assert_eq!(cases.len(), 269);
}
