//! What a subscription's row becomes when the base product is provisioned. Values in, values out.

use jiff::civil::Date;

use super::seats::SeatCounts;
use crate::namespaces::contract::document::{BaseProduct, DocumentField};

/// The paid customer's trial of Ultimate: a guest among the plans, which keeps the seat count of
/// the plan it interrupts.
pub(super) const TRIAL_OF_PAID: &str = "ultimate_trial_paid_customer";

/// The plan such a trial usually comes back to.
pub(super) const PREMIUM: &str = "premium";

/// A row of `plans`.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
pub(super) struct PlanRow {
    pub id: i64,
    pub name: String,
    /// GitLab's number for it, `plan_name_uid`.
    pub uid: Option<i16>,
}

/// The columns of `gitlab_subscriptions` that a step reads or writes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct SubscriptionRow {
    pub plan: Option<PlanRow>,
    /// What the row itself says about its plan, which need not agree with `plans` in an old row.
    pub hosted_plan_name_uid: Option<i16>,
    pub start_date: Option<Date>,
    pub end_date: Option<Date>,
    pub trial_starts_on: Option<Date>,
    pub trial_ends_on: Option<Date>,
    pub max_seats_used: Option<i32>,
    pub seats: Option<i32>,
    pub trial: Option<bool>,
    pub auto_renew: Option<bool>,
    pub seats_in_use: i32,
    pub seats_owed: i32,
    /// The day of `max_seats_used_changed_at`, in UTC.
    pub max_seats_used_changed_on: Option<Date>,
}

/// First and last day of a term.
pub(super) type SubscriptionTerm = (Option<Date>, Option<Date>);

impl SubscriptionRow {
    /// A namespace's first one, before the document says anything.
    pub(super) fn new(today: Date) -> Self {
        Self {
            plan: None,
            hosted_plan_name_uid: None,
            start_date: Some(today),
            end_date: None,
            trial_starts_on: None,
            trial_ends_on: None,
            max_seats_used: Some(0),
            seats: Some(0),
            trial: Some(false),
            auto_renew: None,
            seats_in_use: 0,
            seats_owed: 0,
            max_seats_used_changed_on: None,
        }
    }

    /// This row with what the document says. `plan` is the sent plan, looked up.
    pub(super) fn with(&self, part: &BaseProduct, plan: Option<PlanRow>) -> Self {
        let part = part.clone();
        let plan = plan.or_else(|| self.plan.clone());
        Self {
            hosted_plan_name_uid: plan
                .as_ref()
                .map_or(self.hosted_plan_name_uid, |plan| plan.uid),
            plan,
            start_date: part.start_date.over(self.start_date),
            end_date: part.end_date.over(self.end_date),
            trial_starts_on: part.trial_starts_on.over(self.trial_starts_on),
            trial_ends_on: part.trial_ends_on.over(self.trial_ends_on),
            max_seats_used: part.max_seats_used.over(self.max_seats_used),
            seats: part.seats.over(self.seats),
            trial: part.trial.over(self.trial),
            auto_renew: part.auto_renew.over(self.auto_renew),
            seats_in_use: self.seats_in_use,
            seats_owed: self.seats_owed,
            max_seats_used_changed_on: self.max_seats_used_changed_on,
        }
    }

    /// The rules this row breaks, given what the document says, in GitLab's words. An old row's own
    /// gaps are no fault of the document.
    pub(super) fn broken_rules(&self, part: &BaseProduct) -> Vec<String> {
        let blank = |column: &str, is: bool| is.then(|| format!("{column} can't be blank"));
        let negative = |column: &str, field: &DocumentField<i32>| {
            matches!(field, DocumentField::Value(..0))
                .then(|| format!("{column} must be greater than or equal to 0"))
        };
        let trial = self.trial == Some(true);
        [
            blank("seats", part.seats == DocumentField::Null),
            negative("seats", &part.seats),
            negative("max seats used", &part.max_seats_used),
            blank("start date", part.start_date == DocumentField::Null),
            blank("trial starts on", trial && self.trial_starts_on.is_none()),
            blank("trial ends on", trial && self.trial_ends_on.is_none()),
            self.trial_out_of_order().filter(|_| trial),
        ]
        .into_iter()
        .flatten()
        .map(|rule| format!("Gitlab subscription {rule}"))
        .collect()
    }

    /// GitLab compares the dates also where one is missing, and says so in these words.
    fn trial_out_of_order(&self) -> Option<String> {
        let rule = match (self.trial_starts_on, self.trial_ends_on) {
            (_, None) => "can't be blank".to_owned(),
            (None, Some(_)) => "comparison of Date with nil failed".to_owned(),
            (Some(starts), Some(ends)) if ends <= starts => {
                format!("must be greater than {starts}")
            }
            (Some(_), Some(_)) => return None,
        };
        Some(format!("trial ends on {rule}"))
    }

    /// This row with what becomes of its seats.
    pub(super) fn with_seats(self, seats: SeatCounts) -> Self {
        Self {
            max_seats_used: seats.max_used,
            seats_owed: seats.owed,
            ..self
        }
    }

    pub(super) fn on(&self, plan: &str) -> bool {
        self.plan.as_ref().is_some_and(|own| own.name == plan)
    }

    pub(super) fn plan_id(&self) -> Option<i64> {
        self.plan.as_ref().map(|plan| plan.id)
    }

    /// Whether a field differs whose changes `gitlab_subscription_histories` keeps.
    pub(super) fn differs_in_history(&self, next: &Self) -> bool {
        let tracked = |row: &Self| {
            (
                row.plan_id(),
                (
                    row.start_date,
                    row.end_date,
                    row.trial_starts_on,
                    row.trial_ends_on,
                ),
                (row.max_seats_used, row.seats, row.trial, row.auto_renew),
            )
        };
        tracked(self) != tracked(next)
    }
}
