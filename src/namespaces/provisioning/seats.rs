//! When the count of seats begins anew. Values in, values out.
//!
//! GitLab's own rule, which predicted each of 331 updates of a real GitLab 18.9
//! (`GitlabSubscription`'s callbacks before an update). GitLab counts the billable members anew at
//! a restart; here the stored `seats_in_use` is taken.

use jiff::civil::Date;

use super::subscription::{PREMIUM, SubscriptionRow, SubscriptionTerm, TRIAL_OF_PAID};

/// Plans nobody pays for. A trial's plan is not among them.
const UNPAID: [&str; 3] = ["default", "free", "early_adopter"];

/// What becomes of the seats when a row changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct SeatCounts {
    /// `max_seats_used`.
    pub max_used: Option<i32>,
    /// `seats_owed`.
    pub owed: i32,
    /// Whether `max_seats_used_changed_at` becomes the present moment.
    pub dated: bool,
}

/// What becomes of the seats when the row `before` becomes `after`, which differs from it.
/// `last_premium` is the term of the newest history row on premium, and `today` the day of
/// `max_seats_used_changed_at` if it is set now.
pub(super) fn after_change(
    before: &SubscriptionRow,
    after: &SubscriptionRow,
    last_premium: Option<SubscriptionTerm>,
    today: Date,
) -> SeatCounts {
    let dated = before.max_seats_used != after.max_seats_used && !new_term(before, after);
    let changed_on = if dated {
        Some(today)
    } else {
        before.max_seats_used_changed_on
    };
    if !restarts(before, after, last_premium, changed_on) {
        return SeatCounts {
            max_used: after.max_seats_used,
            owed: after.seats_owed,
            dated,
        };
    }
    let beyond = after
        .seats_in_use
        .saturating_sub(after.seats.unwrap_or(0))
        .max(0);
    SeatCounts {
        max_used: Some(after.seats_in_use),
        owed: if is_paid(after) { beyond } else { 0 },
        dated: true,
    }
}

/// A paid customer's trial of Ultimate is an interruption: going there restarts nothing, nor coming
/// back to the premium term that it interrupted. Every other change of plan there restarts, paid or
/// not.
fn restarts(
    before: &SubscriptionRow,
    after: &SubscriptionRow,
    last_premium: Option<SubscriptionTerm>,
    changed_on: Option<Date>,
) -> bool {
    if before.on(TRIAL_OF_PAID) || after.on(TRIAL_OF_PAID) {
        let comes_back =
            after.on(PREMIUM) && last_premium == Some((after.start_date, after.end_date));
        return before.plan_id() != after.plan_id() && !after.on(TRIAL_OF_PAID) && !comes_back;
    }
    let trial_is_over = before.trial != after.trial && after.trial != Some(true);
    let counted_before_the_term =
        matches!((changed_on, after.start_date), (Some(changed), Some(start)) if changed < start);
    is_paid(after) && (new_term(before, after) || trial_is_over || counted_before_the_term)
}

/// Both dates change, and the new term does not begin within the old one.
fn new_term(before: &SubscriptionRow, after: &SubscriptionRow) -> bool {
    let follows = match (before.end_date, after.start_date) {
        (None, _) => true,
        (Some(end), Some(start)) => end <= start,
        (Some(_), None) => false,
    };
    before.start_date != after.start_date && before.end_date != after.end_date && follows
}

fn is_paid(row: &SubscriptionRow) -> bool {
    let plan = row.plan.as_ref().map(|plan| plan.name.as_str());
    row.trial != Some(true)
        && row.seats.is_some_and(|seats| seats > 0)
        && plan.is_some_and(|plan| !UNPAID.contains(&plan))
}

#[cfg(test)]
mod tests;
