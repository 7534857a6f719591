//! What GitLab counts before it runs a query, and refuses past a limit.
//!
//! Every field counts one with what it holds. A listing counts two, and one per cent more for each
//! row of the page it may bring (`app/graphql/types/base_field.rb`; the recorded scores are met).

use super::{
    LARGEST_PAGE,
    document::SelectedField,
    variables::{QueryVariables, whole},
};

/// Of who has not signed in, of who has, of administrators.
const LIMITS: [u64; 3] = [200, 250, 300];

/// The limit of a caller, who may be nobody.
pub(super) fn limit(administrator: Option<bool>) -> u64 {
    let [nobody, somebody, admin] = LIMITS;
    match administrator {
        None => nobody,
        Some(false) => somebody,
        Some(true) => admin,
    }
}

/// What all these fields count.
pub(super) fn score(fields: &[SelectedField], variables: &QueryVariables) -> u64 {
    let scores = fields.iter().map(|field| {
        let inner = score(&field.fields, variables);
        if field.name != "users" {
            return inner.saturating_add(1);
        }
        let rows = ["first", "last"]
            .into_iter()
            .filter_map(|name| whole(field, name, variables))
            .fold(LARGEST_PAGE, usize::min);
        let rows = u64::try_from(rows).unwrap_or(u64::MAX);
        (inner.saturating_add(2)).saturating_mul(100 + rows) / 100
    });
    scores.fold(0, u64::saturating_add)
}
