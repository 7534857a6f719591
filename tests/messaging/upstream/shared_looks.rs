//! Looks at one person each that share their calls.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use futures::future::{BoxFuture, join_all};
use lookup_gitlab_sync::{
    directory::{ControlPeople, Crsid, Directory, Lookup, SharedLooks, Standing, Standings},
    upstream::CallError,
};

use super::{
    lookup::crsids,
    memory::lookup_config,
    server::{Reply, Server},
};

/// Knows everybody, and remembers how many were asked for at once.
#[derive(Debug)]
struct People {
    latency: Duration,
    asked: Mutex<Vec<usize>>,
}

impl Directory for People {
    fn standings<'a>(&'a self, people: &'a [Crsid]) -> BoxFuture<'a, Result<Standings, CallError>> {
        self.asked.lock().unwrap().push(people.len());
        Box::pin(async move {
            tokio::time::sleep(self.latency).await;
            let standing = |crsid: &Crsid| {
                let cancelled = crsid.as_str().ends_with('7');
                (
                    *crsid,
                    if cancelled {
                        Standing::Cancelled
                    } else {
                        Standing::Current
                    },
                )
            };
            let told = people.iter().filter(|crsid| crsid.as_str() != "nosuch9");
            Ok(ControlPeople::default()
                .believe(told.map(standing))
                .unwrap())
        })
    }
}

fn shared(batch: usize) -> (SharedLooks, Arc<People>) {
    let people = Arc::new(People {
        latency: Duration::from_millis(100),
        asked: Mutex::default(),
    });
    let directory: Arc<dyn Directory> = Arc::<People>::clone(&people);
    (SharedLooks::new(directory, batch), people)
}

fn ids(range: std::ops::Range<usize>) -> Vec<Crsid> {
    range
        .map(|n| Crsid::parse(&format!("ab{n}")).unwrap())
        .collect()
}

#[tokio::test(start_paused = true)]
async fn many_looks_share_calls_and_each_gets_its_own_standing() {
    let (looks, people) = shared(200);
    let ids = ids(0..1000);
    let answers = join_all(ids.iter().map(|id| looks.standing(*id))).await;
    for (id, answer) in ids.iter().zip(answers) {
        let expected = if id.as_str().ends_with('7') {
            Standing::Cancelled
        } else {
            Standing::Current
        };
        assert_eq!(answer.unwrap(), expected);
    }
    assert_eq!(*people.asked.lock().unwrap(), [200; 5]);
}

#[tokio::test(start_paused = true)]
async fn looks_at_one_person_at_once_are_one_and_who_is_absent_is_unknown() {
    let (looks, people) = shared(200);
    let nosuch = &crsids(&["nosuch9"])[0];
    for answer in join_all((0..50).map(|_| looks.standing(*nosuch))).await {
        assert_eq!(answer.unwrap(), Standing::Unknown);
    }
    assert_eq!(*people.asked.lock().unwrap(), [1]);
}

#[tokio::test(start_paused = true)]
async fn looks_collect_while_four_calls_are_under_way() {
    let (looks, people) = shared(200);
    let ids = ids(0..24);
    let late = ids.iter().enumerate().map(|(n, id)| {
        let looks = &looks;
        async move {
            // The first four have left before the next comes.
            let after = if n < 4 { 10 * n } else { 40 + n };
            tokio::time::sleep(Duration::from_millis(after as u64)).await;
            looks.standing(*id).await
        }
    });
    join_all(late).await;
    assert_eq!(*people.asked.lock().unwrap(), [1, 1, 1, 1, 20]);
}

#[tokio::test(start_paused = true)]
async fn a_look_is_never_answered_from_an_earlier_call() {
    let (looks, people) = shared(200);
    let ids = ids(0..1);
    let second = async {
        tokio::time::sleep(Duration::from_millis(50)).await;
        looks.standing(ids[0]).await
    };
    let (first, second) = tokio::join!(looks.standing(ids[0]), second);
    assert!(first.is_ok() && second.is_ok());
    assert_eq!(*people.asked.lock().unwrap(), [1, 1]);
}

#[tokio::test(start_paused = true)]
async fn one_who_stops_waiting_takes_nothing_from_the_others() {
    let (looks, people) = shared(200);
    let ids = ids(0..3);
    let impatient = tokio::time::timeout(Duration::from_millis(20), looks.standing(ids[0]));
    let (impatient, one, other) =
        tokio::join!(impatient, looks.standing(ids[1]), looks.standing(ids[2]));
    assert!(impatient.is_err());
    assert!(one.is_ok() && other.is_ok());
    assert_eq!(*people.asked.lock().unwrap(), [3]);
    assert!(
        looks.standing(ids[0]).await.is_ok(),
        "nor from itself later"
    );
}

#[tokio::test(start_paused = true)]
async fn a_batch_that_everybody_left_does_not_stop_later_looks() {
    let (looks, _people) = shared(200);
    let ids = ids(0..2);
    assert!(
        tokio::time::timeout(Duration::from_millis(1), looks.standing(ids[0]))
            .await
            .is_err()
    );
    assert!(
        tokio::time::timeout(Duration::from_millis(50), looks.standing(ids[0]))
            .await
            .is_err()
    );
    assert!(looks.standing(ids[1]).await.is_ok());
}

#[tokio::test]
async fn a_failed_call_fails_all_who_shared_it_with_the_same_error() {
    let server = Server::always(Reply::json(403, r#"{"fault":{}}"#)).await;
    let lookup = Lookup::new(&lookup_config(&server.url)).unwrap();
    let looks = SharedLooks::new(Arc::new(lookup), 200);
    let ids = ids(0..20);
    for answer in join_all(ids.iter().map(|id| looks.standing(*id))).await {
        assert!(answer.unwrap_err().credentials_refused());
    }
    assert_eq!(server.asked().len(), 1);
}
