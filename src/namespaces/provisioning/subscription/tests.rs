use jiff::civil::date;
use proptest::{option, prelude::*};

use super::*;

/// Every plan there is, and none.
fn plan() -> impl Strategy<Value = Option<Plan>> {
    let names = [
        "default",
        "free",
        "early_adopter",
        "premium",
        "ultimate",
        TRIAL_OF_PAID,
    ];
    let plan = (0..names.len()).prop_map(move |index| Plan {
        id: i64::try_from(index).unwrap_or(0),
        name: names.get(index).copied().unwrap_or("free").to_owned(),
        uid: i16::try_from(index).ok(),
    });
    option::of(plan)
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
    ) -> Subscription {
        Subscription { hosted_plan_name_uid: plan.as_ref().and_then(|plan| plan.uid), plan, start_date, end_date,
            trial_starts_on, trial_ends_on, max_seats_used, seats, trial, auto_renew, seats_in_use, seats_owed }
    }
}

fn field<T: Clone + std::fmt::Debug>(
    value: impl Strategy<Value = Option<T>>,
) -> impl Strategy<Value = Field<T>> {
    option::of(value).prop_map(|field| match field {
        None => Field::Absent,
        Some(None) => Field::Null,
        Some(Some(value)) => Field::Value(value),
    })
}

prop_compose! {
    fn part()(
        start_date in field(day()), end_date in field(day()), trial in field(option::of(any::<bool>())),
        seats in field(option::of(0..20i32)), trial_starts_on in field(day()), trial_ends_on in field(day()),
    ) -> BaseProduct {
        BaseProduct { end_date, seats, start_date, trial, trial_ends_on, trial_starts_on, ..BaseProduct::default() }
    }
}

/// What a step does, without the database.
fn step(
    before: &Subscription,
    part: &BaseProduct,
    plan: Option<Plan>,
    last_premium: Option<Term>,
) -> Subscription {
    let mut after = before.with(part, plan);
    if before.restarts(&after, last_premium) {
        after.restart_seats();
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
    fn only_a_paid_row_restarts_and_never_owes_below_0(
        before in subscription(), part in part(), plan in plan(), term in option::of((day(), day())),
    ) {
        let after = step(&before, &part, plan, term);
        prop_assert!(after.seats_owed >= 0);
        prop_assert_eq!(after.seats_in_use, before.seats_in_use);
        if after.max_seats_used != before.max_seats_used {
            prop_assert!(after.is_paid() && !after.on(TRIAL_OF_PAID));
            prop_assert_eq!(after.max_seats_used, Some(after.seats_in_use));
        }
    }

    #[test]
    fn an_empty_part_keeps_every_row(before in subscription()) {
        prop_assert_eq!(step(&before, &BaseProduct::default(), None, None), before);
    }
}
