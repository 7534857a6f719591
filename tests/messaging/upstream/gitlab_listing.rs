//! The listing of all accounts: complete, or an error; and single accounts that cannot be shown
//! stop nobody.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use lookup_gitlab_sync::{gate::ErrorKind, gitlab::Listing, upstream::CallError};
use proptest::prelude::*;
use rstest::rstest;

use super::gitlab_model::{Instead, Model};

/// All of a listing: who was shown, and who could not be.
async fn whole(model: &Model) -> Result<(Vec<u64>, Vec<u64>), CallError> {
    let mut listing = Listing::default();
    let mut shown = (Vec::new(), Vec::new());
    read_on(&mut listing, model, &mut shown).await?;
    Ok(shown)
}

async fn read_on(
    listing: &mut Listing,
    model: &Model,
    shown: &mut (Vec<u64>, Vec<u64>),
) -> Result<(), CallError> {
    let client = model.client();
    while !listing.has_ended() {
        let batch = listing.next(&client).await?;
        shown.0.extend(batch.users.iter().map(|user| user.id));
        shown.1.extend(batch.unreadable.iter().map(|one| one.id));
    }
    Ok(())
}

fn listings(model: &Model) -> usize {
    let asked = model.asked();
    asked.iter().filter(|one| one.contains("per_page=")).count()
}

/// The headers were seen dropped by a proxy: "100 accounts", and the rest stayed as it was.
#[rstest]
#[case::full_pages(300)]
#[case::a_short_last_page(251)]
#[case::less_than_a_page(99)]
#[case::one_more_than_a_page(101)]
#[tokio::test(start_paused = true)]
async fn a_listing_whose_headers_are_dropped_is_read_to_its_end_all_the_same(#[case] many: u64) {
    let model = Model::of(1..=many).without_headers();
    let (shown, unshown) = whole(&model).await.unwrap();
    assert_eq!(shown, (1..=many).collect::<Vec<_>>());
    assert!(unshown.is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_full_last_page_is_confirmed_by_one_call_and_a_short_one_by_none() {
    let model = Model::of(1..=200);
    assert_eq!(whole(&model).await.unwrap().0.len(), 200);
    assert_eq!(listings(&model), 3);
    assert!(model.asked()[2].contains("sort=desc&per_page=1"));
    let model = Model::of(1..=199);
    assert_eq!(whole(&model).await.unwrap().0.len(), 199);
    assert_eq!(listings(&model), 2);
}

#[tokio::test(start_paused = true)]
async fn an_account_made_while_the_last_page_was_read_is_read_too() {
    let model = Model::of(1..=100);
    let later = model.clone();
    let model = model.meddle(move |target, _| {
        if target.contains("sort=desc") {
            later.add(101);
        }
        None
    });
    assert_eq!(whole(&model).await.unwrap().0.len(), 101);
}

#[rstest]
#[case::an_error(true)]
#[case::an_empty_page(false)]
#[tokio::test(start_paused = true)]
async fn accounts_deleted_behind_a_cursor_are_the_end_of_it(#[case] fails: bool) {
    let model = Model::of(1..=101);
    let model = if fails {
        model
    } else {
        model.empty_behind_the_end()
    };
    let gone = model.clone();
    let model = model.meddle(move |target, _| {
        if target.contains("cursor") {
            gone.remove(101);
        }
        None
    });
    let (shown, unshown) = whole(&model).await.unwrap();
    assert_eq!((shown.len(), unshown.len()), (100, 0));
}

#[rstest]
#[case::in_the_middle(1..=250, vec![134])]
#[case::the_first_of_all(1..=250, vec![1])]
#[case::the_first_of_a_page(1..=250, vec![101])]
#[case::the_last_of_a_page(1..=250, vec![200])]
#[case::the_last_of_all(1..=250, vec![250])]
#[case::the_last_of_a_full_page(1..=200, vec![200])]
#[case::the_only_row_of_a_page(1..=201, vec![201])]
#[case::neighbours(1..=250, vec![134, 135])]
#[case::the_first_two(1..=250, vec![1, 2])]
#[case::the_last_two(1..=250, vec![249, 250])]
#[case::ten(1..=950, vec![5, 101, 200, 201, 333, 334, 500, 501, 849, 950])]
#[tokio::test(start_paused = true)]
async fn accounts_that_gitlab_cannot_show_are_known_and_the_rest_is_read(
    #[case] all: std::ops::RangeInclusive<u64>,
    #[case] hidden: Vec<u64>,
) {
    let model = Model::of(all.clone()).not_showing(hidden.clone());
    let (shown, unshown) = whole(&model).await.unwrap();
    assert_eq!(unshown, hidden);
    let rest: Vec<u64> = all.filter(|id| !hidden.contains(id)).collect();
    assert_eq!(shown, rest);
    assert!(
        model.client().read_gate().closed_because().is_none(),
        "nobody's fault but theirs"
    );
}

#[tokio::test(start_paused = true)]
async fn one_account_that_cannot_be_shown_costs_a_few_small_calls() {
    let model = Model::of((1..=1_000).map(|n| n * 50)).not_showing([24_150]);
    let (shown, unshown) = whole(&model).await.unwrap();
    assert_eq!((shown.len(), unshown), (999, vec![24_150]));
    let calls = listings(&model);
    assert!(calls < 11 + 35, "{calls} calls where ten pages would do");
}

#[tokio::test(start_paused = true)]
async fn whoever_is_no_person_between_them_is_neither_shown_nor_named() {
    let model = Model::of([1, 2, 40, 41, 90])
        .with_others(3..40)
        .with_others(42..90)
        .not_showing([40, 41]);
    let (shown, unshown) = whole(&model).await.unwrap();
    assert_eq!(shown, [1, 2, 90]);
    assert_eq!(unshown, [40, 41]);
}

/// Every page fails and who we are is answered: no account is to blame.
#[tokio::test(start_paused = true)]
async fn a_gitlab_that_shows_no_page_at_all_names_nobody() {
    let model = Model::of(1..=250)
        .meddle(|target, _| target.contains("per_page").then_some(Instead::Status(500)));
    let error = whole(&model).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ServerError, "{error}");
    let model = Model::of(1..=250).meddle(|target, number| {
        (number > 2 && target.contains("per_page")).then_some(Instead::Status(500))
    });
    let mut listing = Listing::default();
    let mut shown = Default::default();
    let error = read_on(&mut listing, &model, &mut shown).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ServerError, "{error}");
    assert_eq!(shown.1, [0_u64; 0]);
}

#[rstest]
#[case::down(|target: &str| target.contains("/user").then_some(Instead::Status(500)))]
#[case::away(|_: &str| Some(Instead::Reset))]
#[case::in_maintenance(|_: &str| Some(Instead::Status(503)))]
#[tokio::test(start_paused = true)]
async fn an_outage_is_not_halved(#[case] weather: fn(&str) -> Option<Instead>) {
    let model = Model::of(1..=250).meddle(
        move |target, number| {
            if number > 2 { weather(target) } else { None }
        },
    );
    let mut listing = Listing::default();
    let mut shown = Default::default();
    read_on(&mut listing, &model, &mut shown).await.unwrap_err();
    assert_eq!(shown.0.len(), 200);
    assert!(
        model
            .asked()
            .iter()
            .all(|asked| !asked.contains("per_page=50&")),
        "{:#?}",
        model.asked()
    );
}

#[rstest]
#[case::a_reset(|| Instead::Reset)]
#[case::an_error(|| Instead::Status(502))]
#[tokio::test(start_paused = true)]
async fn a_listing_that_was_interrupted_goes_on_from_its_last_cursor(
    #[case] trouble: fn() -> Instead,
) {
    let down = Arc::new(AtomicBool::new(false));
    let is_down = Arc::clone(&down);
    let model = Model::of(1..=550).meddle(move |_, number| {
        if number == 4 {
            is_down.store(true, Ordering::Relaxed);
        }
        is_down.load(Ordering::Relaxed).then(trouble)
    });
    let mut listing = Listing::default();
    let mut shown = Default::default();
    read_on(&mut listing, &model, &mut shown).await.unwrap_err();
    assert_eq!(shown.0.len(), 300);
    down.store(false, Ordering::Relaxed);
    let before = model.asked().len();
    read_on(&mut listing, &model, &mut shown).await.unwrap();
    assert_eq!(shown.0, (1..=550).collect::<Vec<_>>());
    assert_eq!(
        model.asked().len() - before,
        3,
        "only the pages that were missing"
    );
}

#[tokio::test(start_paused = true)]
async fn rights_that_are_lost_in_the_middle_refuse_the_rest() {
    let model = Model::of(1..=250).meddle(|_, number| (number == 2).then_some(Instead::Reduced));
    let error = whole(&model).await.unwrap_err();
    assert!(error.credentials_refused(), "{error}");
    assert!(error.to_string().contains("is_admin"), "{error}");
}

#[tokio::test(start_paused = true)]
async fn a_page_may_take_a_minute_whatever_the_timeout_of_other_calls_is() {
    let late = |seconds| {
        Model::of(1..=250).meddle(move |target, _| {
            let slow = target.contains("per_page");
            slow.then_some(Instead::Late(Duration::from_secs(seconds)))
        })
    };
    assert_eq!(whole(&late(59)).await.unwrap().0.len(), 250);
    let error = whole(&late(61)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TimedOut, "{error}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// Whoever can be shown is shown, once and in order, and whoever cannot is named.
    #[test]
    fn everybody_is_shown_or_named(
        gaps in prop::collection::vec((1_u64..6, any::<bool>(), 0_u8..40), 1..260),
        headers in any::<bool>(),
        fails in any::<bool>(),
    ) {
        let (mut id, mut all, mut hidden, mut others) = (0, Vec::new(), Vec::new(), Vec::new());
        for (gap, with_others, dice) in gaps {
            if with_others {
                others.extend(id + 1..id + gap);
            }
            id += gap;
            all.push(id);
            if dice == 0 {
                hidden.push(id);
            }
        }
        let model = Model::of(all.clone()).with_others(others).not_showing(hidden.clone());
        let model = if headers { model } else { model.without_headers() };
        let model = if fails { model } else { model.empty_behind_the_end() };
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time().start_paused(true).build().unwrap();
        let (shown, unshown) = runtime.block_on(whole(&model)).unwrap();
        let rest: Vec<u64> = all.into_iter().filter(|id| !hidden.contains(id)).collect();
        prop_assert_eq!(shown, rest);
        prop_assert_eq!(unshown, hidden);
    }
}
