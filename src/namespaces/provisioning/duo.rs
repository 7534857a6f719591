//! What is particular to Duo: its two kinds take turns, and its smallest features have a switch.

use sqlx::PgConnection;

use super::purchases::PurchaseValues;

/// What becomes of a row of the other kind when `bought` stands: it ends on the day before `bought`
/// begins, if the two would be in force together. `None` where they are not: the day on which one
/// ends and the other begins is no overlap.
pub(super) fn gives_way(bought: &PurchaseValues, rival: &PurchaseValues) -> Option<PurchaseValues> {
    let together = rival.started_on < bought.expires_on && bought.started_on < rival.expires_on;
    let day_before = bought.started_on.yesterday().ok().filter(|_| together)?;
    Some(rival.clone().until(day_before))
}

/// A first purchase of Duo Core switches its features on, unless the namespace has said yes or no
/// before (`namespace_settings.duo_nano_features_enabled`).
pub(super) async fn switch_on_smallest_features(
    connection: &mut PgConnection,
    namespace_id: i64,
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "INSERT INTO namespace_settings AS row (namespace_id, duo_nano_features_enabled, created_at, updated_at)
         VALUES ($1, true, now(), now())
         ON CONFLICT (namespace_id) DO UPDATE SET duo_nano_features_enabled = true, updated_at = now()
         WHERE row.duo_nano_features_enabled IS NULL",
    )
    .bind(namespace_id)
    .execute(connection)
    .await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use jiff::civil::{Date, date};
    use rstest::rstest;

    use super::{super::catalogue::AddOn, *};

    fn purchase(add_on: AddOn, (started_on, expires_on): (Date, Date)) -> PurchaseValues {
        PurchaseValues {
            add_on,
            quantity: Some(1),
            started_on,
            expires_on,
            xid: None,
            trial: false,
        }
    }

    const fn day(year: i16, month: i8) -> Date {
        date(year, month, 1)
    }

    #[rstest]
    #[case::in_the_middle((day(2025, 1), day(2028, 1)), Some((day(2025, 1), date(2025, 12, 31))))]
    #[case::began_later((day(2026, 6), day(2028, 1)), Some((date(2025, 12, 31), date(2025, 12, 31))))]
    #[case::over_on_the_day((day(2025, 1), day(2026, 1)), None)]
    #[case::over((day(2025, 1), day(2025, 6)), None)]
    #[case::begins_on_the_last_day((day(2027, 1), day(2028, 1)), None)]
    #[case::begins_afterwards((day(2027, 6), day(2028, 1)), None)]
    fn the_other_kind_ends_on_the_day_before_where_both_would_be_in_force(
        #[case] rival: (Date, Date),
        #[case] expected: Option<(Date, Date)>,
    ) {
        let bought = purchase(AddOn::DuoEnterprise, (day(2026, 1), day(2027, 1)));
        let rival = purchase(AddOn::CodeSuggestions, rival);
        let ended = gives_way(&bought, &rival);
        assert_eq!(
            ended.as_ref().map(|row| (row.started_on, row.expires_on)),
            expected
        );
        // A second time there is nothing left to end.
        assert_eq!(ended.and_then(|row| gives_way(&bought, &row)), None);
    }
}
