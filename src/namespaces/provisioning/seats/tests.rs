//! The rules for seats, case by case.

use jiff::civil::date;
use proptest::{option, prelude::*};
use rstest::rstest;

use super::{super::subscription::PlanRow, *};
use crate::namespaces::contract::document::{BaseProduct, DocumentField};

const TODAY: Date = date(2026, 6, 15);
const ULTIMATE: &str = "ultimate";

fn plan_named(name: &str) -> PlanRow {
    let plans = [
        "default",
        "free",
        "early_adopter",
        "premium_trial",
        PREMIUM,
        ULTIMATE,
        TRIAL_OF_PAID,
    ];
    let number = plans.iter().position(|plan| *plan == name).unwrap_or(99);
    PlanRow {
        id: i64::try_from(number).unwrap_or(99),
        name: name.to_owned(),
        uid: None,
    }
}

#[expect(clippy::unnecessary_wraps, reason = "a row's date may be absent")]
const fn jan(year: i16) -> Option<Date> {
    Some(date(year, 1, 1))
}

/// A paid term of premium: 20 seats, 9 used at most, 4 in use, dated within the term.
fn paid() -> SubscriptionRow {
    SubscriptionRow {
        plan: Some(plan_named(PREMIUM)),
        hosted_plan_name_uid: None,
        start_date: jan(2026),
        end_date: jan(2027),
        trial_starts_on: None,
        trial_ends_on: None,
        max_seats_used: Some(9),
        seats: Some(20),
        trial: Some(false),
        auto_renew: None,
        seats_in_use: 4,
        seats_owed: 2,
        max_seats_used_changed_on: Some(date(2026, 3, 1)),
    }
}

type RowChange = fn(&mut SubscriptionRow);

fn no(_: &mut SubscriptionRow) {}

fn on(plan: &str, row: &mut SubscriptionRow) {
    row.plan = Some(plan_named(plan));
}

fn next_term(row: &mut SubscriptionRow) {
    (row.start_date, row.end_date) = (jan(2027), jan(2028));
}

fn kept(max_used: i32) -> SeatCounts {
    SeatCounts {
        max_used: Some(max_used),
        owed: 2,
        dated: false,
    }
}

fn dated(max_used: i32) -> SeatCounts {
    SeatCounts {
        dated: true,
        ..kept(max_used)
    }
}

fn restart(owed: i32) -> SeatCounts {
    SeatCounts {
        max_used: Some(4),
        owed,
        dated: true,
    }
}

#[rstest]
// The new term.
#[case::from_the_old_end_on(no, next_term, restart(0))]
#[case::after_a_gap(no, |row: &mut SubscriptionRow| (row.start_date, row.end_date) = (Some(date(2027, 6, 1)), jan(2029)), restart(0))]
#[case::over_an_open_end(|row: &mut SubscriptionRow| row.end_date = None, next_term, restart(0))]
#[case::within_the_old_one(no, |row: &mut SubscriptionRow| (row.start_date, row.end_date) = (Some(date(2026, 2, 1)), jan(2028)), kept(9))]
#[case::the_end_alone(no, |row: &mut SubscriptionRow| row.end_date = jan(2028), kept(9))]
#[case::beyond_the_seats(no, |row: &mut SubscriptionRow| { next_term(row); row.seats = Some(3); }, restart(1))]
#[case::whatever_was_sent(no, |row: &mut SubscriptionRow| { next_term(row); row.max_seats_used = Some(12); }, restart(0))]
#[case::with_the_same_number(|row: &mut SubscriptionRow| row.max_seats_used = Some(4), |row: &mut SubscriptionRow| { next_term(row); row.max_seats_used = Some(4); }, restart(0))]
// Only if it is paid afterwards.
#[case::of_a_trial(no, |row: &mut SubscriptionRow| { next_term(row); row.trial = Some(true); }, kept(9))]
#[case::of_no_seats(no, |row: &mut SubscriptionRow| { next_term(row); row.seats = Some(0); }, kept(9))]
#[case::of_unknown_seats(no, |row: &mut SubscriptionRow| { next_term(row); row.seats = None; }, kept(9))]
#[case::of_the_free_plan(no, |row: &mut SubscriptionRow| { next_term(row); on("free", row); }, kept(9))]
#[case::of_the_default_plan(no, |row: &mut SubscriptionRow| { next_term(row); on("default", row); }, kept(9))]
#[case::of_an_early_adopter(no, |row: &mut SubscriptionRow| { next_term(row); on("early_adopter", row); }, kept(9))]
#[case::of_no_plan(no, |row: &mut SubscriptionRow| { next_term(row); row.plan = None; }, kept(9))]
#[case::on_a_plan_of_trials(no, |row: &mut SubscriptionRow| { next_term(row); on("premium_trial", row); }, restart(0))]
#[case::where_trial_is_unknown(|row: &mut SubscriptionRow| row.trial = None, |row: &mut SubscriptionRow| { next_term(row); row.trial = None; }, restart(0))]
// The trial that is over.
#[case::trial_to_paid(|row: &mut SubscriptionRow| row.trial = Some(true), |row: &mut SubscriptionRow| row.trial = Some(false), restart(0))]
#[case::trial_to_unknown(|row: &mut SubscriptionRow| row.trial = Some(true), |row: &mut SubscriptionRow| row.trial = None, restart(0))]
#[case::unknown_to_no_trial(|row: &mut SubscriptionRow| row.trial = None, |row: &mut SubscriptionRow| row.trial = Some(false), restart(0))]
#[case::no_trial_to_unknown(no, |row: &mut SubscriptionRow| row.trial = None, restart(0))]
#[case::trial_to_free(|row: &mut SubscriptionRow| row.trial = Some(true), |row: &mut SubscriptionRow| { row.trial = Some(false); on("free", row); }, kept(9))]
#[case::paid_to_trial(no, |row: &mut SubscriptionRow| row.trial = Some(true), kept(9))]
// The number that was dated before the term.
#[case::the_start_moves_past_it(no, |row: &mut SubscriptionRow| row.start_date = Some(date(2026, 6, 1)), restart(0))]
#[case::the_start_moves_up_to_it(no, |row: &mut SubscriptionRow| row.start_date = Some(date(2026, 3, 1)), kept(9))]
#[case::it_was_before_all_along(|row: &mut SubscriptionRow| row.start_date = Some(date(2026, 6, 1)), |row: &mut SubscriptionRow| { row.start_date = Some(date(2026, 6, 1)); row.auto_renew = Some(true); }, restart(0))]
#[case::it_was_never_dated(|row: &mut SubscriptionRow| row.max_seats_used_changed_on = None, |row: &mut SubscriptionRow| { row.start_date = Some(date(2026, 6, 1)); row.max_seats_used_changed_on = None; }, kept(9))]
// The number that was sent.
#[case::within_the_term(no, |row: &mut SubscriptionRow| row.max_seats_used = Some(12), dated(12))]
#[case::it_is_dated_before_it_is_asked(no, |row: &mut SubscriptionRow| { row.max_seats_used = Some(12); row.start_date = Some(date(2026, 6, 1)); }, dated(12))]
#[case::before_the_term_begins(|row: &mut SubscriptionRow| row.start_date = jan(2027), |row: &mut SubscriptionRow| { row.start_date = jan(2027); row.max_seats_used = Some(12); }, restart(0))]
#[case::with_an_unpaid_new_term(no, |row: &mut SubscriptionRow| { next_term(row); on("free", row); row.max_seats_used = Some(12); }, kept(12))]
// The paid customer's trial of Ultimate.
#[case::on_the_way_there(no, |row: &mut SubscriptionRow| { next_term(row); on(TRIAL_OF_PAID, row); }, kept(9))]
#[case::while_there(|row: &mut SubscriptionRow| on(TRIAL_OF_PAID, row), |row: &mut SubscriptionRow| { next_term(row); on(TRIAL_OF_PAID, row); }, kept(9))]
#[case::back_to_the_same_premium(|row: &mut SubscriptionRow| on(TRIAL_OF_PAID, row), no, kept(9))]
#[case::back_to_another_premium(|row: &mut SubscriptionRow| on(TRIAL_OF_PAID, row), next_term, restart(0))]
#[case::on_to_ultimate(|row: &mut SubscriptionRow| on(TRIAL_OF_PAID, row), |row: &mut SubscriptionRow| on(ULTIMATE, row), restart(0))]
#[case::on_to_nothing(|row: &mut SubscriptionRow| on(TRIAL_OF_PAID, row), |row: &mut SubscriptionRow| { on("free", row); row.seats = Some(1); }, restart(0))]
#[case::on_to_no_plan(|row: &mut SubscriptionRow| on(TRIAL_OF_PAID, row), |row: &mut SubscriptionRow| row.plan = None, restart(0))]
#[case::on_to_another_trial(|row: &mut SubscriptionRow| on(TRIAL_OF_PAID, row), |row: &mut SubscriptionRow| { on(ULTIMATE, row); row.trial = Some(true); }, restart(0))]
fn the_seat_rule(
    #[case] before: RowChange,
    #[case] after: RowChange,
    #[case] expected: SeatCounts,
) {
    let (mut old, mut new) = (paid(), paid());
    before(&mut old);
    after(&mut new);
    let last_premium = Some((jan(2026), jan(2027)));
    assert_eq!(after_change(&old, &new, last_premium, TODAY), expected);
}

#[test]
fn back_to_premium_without_any_premium_in_the_history_restarts() {
    let mut before = paid();
    on(TRIAL_OF_PAID, &mut before);
    assert_eq!(after_change(&before, &paid(), None, TODAY), restart(0));
}

/// Every plan there is, and none.
fn plan() -> impl Strategy<Value = Option<PlanRow>> {
    let names = vec![
        "default",
        "free",
        "early_adopter",
        "premium_trial",
        PREMIUM,
        ULTIMATE,
        TRIAL_OF_PAID,
    ];
    option::of(prop::sample::select(names).prop_map(plan_named))
}

/// Few days, so that terms touch and repeat.
fn day() -> impl Strategy<Value = Option<Date>> {
    option::of((1i8..5).prop_map(|month| date(2026, month, 1)))
}

prop_compose! {
    fn subscription()(
        plan in plan(), start_date in day(), end_date in day(), trial_starts_on in day(), trial_ends_on in day(),
        max_seats_used in option::of(0..50i32), seats in option::of(0..20i32), trial in option::of(any::<bool>()),
        auto_renew in option::of(any::<bool>()), seats_in_use in 0..50i32, seats_owed in 0..50i32,
        max_seats_used_changed_on in day(),
    ) -> SubscriptionRow {
        SubscriptionRow { hosted_plan_name_uid: plan.as_ref().and_then(|plan| plan.uid), plan, start_date, end_date,
            trial_starts_on, trial_ends_on, max_seats_used, seats, trial, auto_renew, seats_in_use, seats_owed,
            max_seats_used_changed_on }
    }
}

fn field<T: Clone + std::fmt::Debug>(
    value: impl Strategy<Value = Option<T>>,
) -> impl Strategy<Value = DocumentField<T>> {
    option::of(value).prop_map(|field| match field {
        None => DocumentField::Absent,
        Some(None) => DocumentField::Null,
        Some(Some(value)) => DocumentField::Value(value),
    })
}

prop_compose! {
    /// Without `max_seats_used`, which a restart overrules: whether it is sent anew then is the
    /// portal's to say.
    fn part()(
        start_date in field(day()), end_date in field(day()), trial in field(option::of(any::<bool>())),
        seats in field(option::of(0..20i32)), trial_starts_on in field(day()), trial_ends_on in field(day()),
    ) -> BaseProduct {
        BaseProduct { end_date, seats, start_date, trial, trial_ends_on, trial_starts_on, ..BaseProduct::default() }
    }
}

/// What a step does, without the database.
fn step(
    before: &SubscriptionRow,
    part: &BaseProduct,
    plan: Option<PlanRow>,
    last_premium: Option<SubscriptionTerm>,
) -> SubscriptionRow {
    let after = before.with(part, plan);
    if *before == after {
        return after;
    }
    let seats = after_change(before, &after, last_premium, TODAY);
    let mut after = after.with_seats(seats);
    if seats.dated {
        after.max_seats_used_changed_on = Some(TODAY);
    }
    after
}

proptest! {
    #[test]
    fn the_same_part_twice_changes_nothing_the_second_time(
        before in subscription(), part in part(), plan in plan(), term in option::of((day(), day())),
    ) {
        let once = step(&before, &part, plan.clone(), term);
        prop_assert_eq!(step(&once, &part, plan, term), once);
    }

    #[test]
    fn without_a_number_sent_seats_change_by_a_restart_alone_which_takes_those_in_use(
        before in subscription(), part in part(), plan in plan(), term in option::of((day(), day())),
    ) {
        let after = step(&before, &part, plan, term);
        prop_assert!(after.seats_owed >= 0);
        prop_assert_eq!(after.seats_in_use, before.seats_in_use);
        let dated = after.max_seats_used_changed_on != before.max_seats_used_changed_on;
        if after.max_seats_used != before.max_seats_used || after.seats_owed != before.seats_owed {
            prop_assert!(dated && !after.on(TRIAL_OF_PAID));
            prop_assert!(is_paid(&after) || before.on(TRIAL_OF_PAID));
        }
        if dated {
            prop_assert_eq!(after.max_seats_used, Some(after.seats_in_use));
            prop_assert!(is_paid(&after) || after.seats_owed == 0);
        }
    }

    #[test]
    fn an_empty_part_keeps_every_row(before in subscription()) {
        prop_assert_eq!(step(&before, &BaseProduct::default(), None, None), before);
    }
}
