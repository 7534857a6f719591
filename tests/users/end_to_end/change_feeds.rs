//! What both sides tell of their changes, and what of it is not believed.

use std::{collections::BTreeSet, sync::Arc};

use jiff::{Timestamp, ToSpan};
use lookup_gitlab_sync::{
    directory::{self, ChangedPeople, Crsid, Directory, DirectoryMark, FileDirectory},
    gitlab::{ChangedAccounts, Client, FeedMark, LightUnavailable},
};
use rstest::rstest;
use serde_json::{Value, json};
use simulator::{
    control::InjectedFault,
    gitlab::SimulatedUser,
    lookup::SimulatedPerson,
    servers::{ServerSettings, SimulatedServers},
};

use crate::support::reading_config;

/// More accounts than the feed is read for.
const MANY: u64 = 1_001;

/// Both servers, and the service's clients of them.
struct TwoFeeds {
    servers: SimulatedServers,
    gitlab: Client,
    directory: Arc<dyn Directory>,
}

async fn two_feeds() -> TwoFeeds {
    let long_ago = Timestamp::now() - 48.hours();
    let accounts = (100..110).map(|id| {
        let at = long_ago + i64::try_from(id).unwrap().minutes();
        SimulatedUser::new(id, &format!("spqr{id}")).with("updated_at", at.to_string())
    });
    let people = (100..110).map(|id| SimulatedPerson::current(&format!("spqr{id}"), "Here"));
    let settings = ServerSettings {
        pubsub_port: None,
        ..ServerSettings::default()
    };
    let servers = SimulatedServers::of(accounts.collect(), people.collect(), settings)
        .await
        .unwrap();
    let config = reading_config(&servers);
    let both = TwoFeeds {
        gitlab: Client::new(&config.gitlab, None).unwrap(),
        directory: directory::open(&config.directory, &config.controls).unwrap(),
        servers,
    };
    // The first use of a day is a change of the token's own account.
    both.gitlab.current_user().await.unwrap();
    both
}

impl TwoFeeds {
    fn change(&self, id: u64, change: Value) {
        self.servers.gitlab.change_user(id, change).unwrap();
    }

    async fn feed_mark(&self) -> FeedMark {
        self.gitlab.feed_mark().await.unwrap().unwrap().unwrap()
    }

    async fn accounts_since(&self, mark: &FeedMark) -> Result<ChangedAccounts, LightUnavailable> {
        self.gitlab.changed_accounts(mark).await.unwrap()
    }

    /// Who is told to have changed since `mark`, which moves on.
    async fn told_since(&self, mark: &mut FeedMark) -> BTreeSet<u64> {
        match self.accounts_since(mark).await.unwrap() {
            ChangedAccounts::These { ids, mark: next } => {
                *mark = next;
                ids
            }
            ChangedAccounts::NotTold(why) => panic!("{why}"),
        }
    }

    async fn not_told_since(&self, mark: &FeedMark) -> String {
        match self.accounts_since(mark).await.unwrap() {
            ChangedAccounts::NotTold(why) => why,
            told @ ChangedAccounts::These { .. } => panic!("{told:?}"),
        }
    }

    async fn directory_mark(&self) -> DirectoryMark {
        self.directory.mark().await.unwrap().unwrap()
    }

    fn gitlab_calls(&self) -> usize {
        self.servers.gitlab.control().requests(0).len()
    }

    fn lookup_calls(&self) -> usize {
        let requests = self.servers.lookup.control().requests(0);
        let is_answer = |path: &str| path.starts_with("/lookup/v1/");
        requests
            .iter()
            .filter(|asked| is_answer(&asked.path))
            .count()
    }
}

fn crsids(names: &[&str]) -> Vec<Crsid> {
    names
        .iter()
        .map(|name| Crsid::parse(name).unwrap())
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn where_no_account_changed_one_question_tells() {
    let both = two_feeds().await;
    let mut mark = both.feed_mark().await;
    let before = both.gitlab_calls();
    assert_eq!(both.told_since(&mut mark).await, BTreeSet::new());
    assert_eq!(both.gitlab_calls() - before, 1);
}

#[rstest]
#[case::a_block(json!({"state": "blocked"}))]
#[case::a_name(json!({"username": "other1"}))]
#[tokio::test(flavor = "multi_thread")]
async fn an_account_that_changed_is_told_and_not_again_once_others_did(#[case] change: Value) {
    let both = two_feeds().await;
    let mut mark = both.feed_mark().await;
    both.change(104, change);
    assert!(both.told_since(&mut mark).await.contains(&104));
    assert_eq!(both.told_since(&mut mark).await, BTreeSet::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_account_at_the_mark_and_a_new_one_are_told_as_well() {
    let both = two_feeds().await;
    both.change(101, json!({"state": "blocked"}));
    let mut mark = both.feed_mark().await;
    both.change(101, json!({"state": "active"}));
    both.change(500, json!({"username": "new500"}));
    let told = both.told_since(&mut mark).await;
    assert!(told.is_superset(&[101, 500].into()), "{told:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_that_commits_late_with_an_earlier_time_is_told_with_the_next() {
    let both = two_feeds().await;
    both.change(101, json!({"state": "blocked"}));
    let mut mark = both.feed_mark().await;
    let late = Timestamp::now() - 30.seconds();
    both.change(
        103,
        json!({"state": "blocked", "updated_at": late.to_string()}),
    );
    both.change(105, json!({"state": "blocked"}));
    let told = both.told_since(&mut mark).await;
    assert!(told.is_superset(&[103, 105].into()), "{told:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn accounts_without_a_time_hide_no_change_and_are_told_with_each() {
    let both = two_feeds().await;
    for id in [102, 103, 106] {
        both.change(id, json!({"updated_at": null}));
    }
    let mut mark = both.feed_mark().await;
    both.change(107, json!({"state": "blocked"}));
    let told = both.told_since(&mut mark).await;
    assert!(told.is_superset(&[102, 103, 106, 107].into()), "{told:?}");
    assert!(!told.contains(&104), "{told:?}");
    assert_eq!(both.told_since(&mut mark).await, BTreeSet::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_without_the_account_at_the_mark_is_not_believed() {
    let both = two_feeds().await;
    both.change(101, json!({"state": "blocked"}));
    let mark = both.feed_mark().await;
    assert!(both.servers.gitlab.delete_user(101));
    let why = both.not_told_since(&mark).await;
    assert_eq!(why, "account 101, the last to change, is not shown again");
}

/// It would be the newest until its day comes, and nothing would seem to change meanwhile.
#[tokio::test(flavor = "multi_thread")]
async fn a_change_in_the_future_hides_none() {
    let both = two_feeds().await;
    let ahead = Timestamp::now() + 48.hours();
    both.change(105, json!({"updated_at": ahead.to_string()}));
    let mark = both.feed_mark().await;
    both.change(104, json!({"state": "blocked"}));
    let why = both.not_told_since(&mark).await;
    assert_eq!(why, "account 105 changes in the future");
}

#[tokio::test(flavor = "multi_thread")]
async fn more_changes_than_the_feed_is_read_for_are_not_told() {
    let both = two_feeds().await;
    let mark = both.feed_mark().await;
    for id in 1_000..1_000 + MANY {
        both.change(id, json!({"username": format!("new{id}")}));
    }
    let why = both.not_told_since(&mark).await;
    assert_eq!(why, "more accounts changed than a feed is read for");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_without_the_scope_is_told_of_nothing_and_closes_no_gate() {
    let both = two_feeds().await;
    let mark = both.feed_mark().await;
    let refusal = InjectedFault {
        status: Some(401),
        times: 0,
        ..InjectedFault::on("POST", "/api/graphql")
    };
    both.servers.gitlab.control().inject(refusal).unwrap();
    let unavailable = both.accounts_since(&mark).await.unwrap_err();
    assert_eq!(unavailable.to_string(), "GraphQL answered 401");
    assert_eq!(both.gitlab.read_gate().closed_because(), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn where_no_transaction_came_one_question_tells() {
    let both = two_feeds().await;
    let mark = both.directory_mark().await;
    let before = both.lookup_calls();
    let people = Vec::new();
    let told = both.directory.changed_people(mark).await.unwrap();
    assert_eq!(told, ChangedPeople::These { people, mark });
    assert_eq!(both.lookup_calls() - before, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn whom_a_transaction_changed_is_told_the_cancelled_among_them() {
    let both = two_feeds().await;
    both.servers.lookup.set_cancelled("spqr101", true);
    let mark = both.directory_mark().await;
    both.servers.lookup.set_cancelled("spqr105", true);
    both.servers.lookup.set_cancelled("spqr103", false);
    let told = both.directory.changed_people(mark).await.unwrap();
    let people = crsids(&["spqr103", "spqr105"]);
    let mark = both.directory_mark().await;
    assert_eq!(told, ChangedPeople::These { people, mark });
}

#[tokio::test(flavor = "multi_thread")]
async fn a_transaction_number_that_goes_back_is_not_believed() {
    let (both, restored) = (two_feeds().await, two_feeds().await);
    both.servers.lookup.set_cancelled("spqr101", true);
    let mark = both.directory_mark().await;
    let told = restored.directory.changed_people(mark).await.unwrap();
    let why = "its last transaction was 2 and is 1 now".to_owned();
    assert_eq!(told, ChangedPeople::NotTold(why));
}

#[rstest]
#[case::an_error(Some(500), None)]
#[case::no_list(None, Some(json!({"result": {"version": "1.2"}})))]
#[case::a_page_of_html(None, Some(json!("<html>")))]
#[tokio::test(flavor = "multi_thread")]
async fn a_list_that_fails_while_lookup_is_well_is_no_outage(
    #[case] status: Option<u16>,
    #[case] body: Option<Value>,
) {
    let both = two_feeds().await;
    let mark = both.directory_mark().await;
    both.servers.lookup.set_cancelled("spqr101", true);
    let fault = InjectedFault {
        status,
        body,
        times: 0,
        ..InjectedFault::on("GET", "*/person/modified-people")
    };
    both.servers.lookup.control().inject(fault).unwrap();
    let told = both.directory.changed_people(mark).await.unwrap();
    assert!(matches!(told, ChangedPeople::NotTold(_)), "{told:?}");
    for gate in both.directory.gates() {
        assert_eq!(gate.closed_because(), None);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_never_tells_what_changed_in_it() {
    let path = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(path.path(), "{\"id\":\"spqr1\",\"cancelled\":false}\n").unwrap();
    let file = FileDirectory::open(path.path()).unwrap();
    assert_eq!(file.mark().await.unwrap(), None);
    let mark = two_feeds().await.directory_mark().await;
    let told = file.changed_people(mark).await.unwrap();
    assert_eq!(told, ChangedPeople::NotSupported);
}
