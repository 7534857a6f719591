//! The step `compute_minutes`, rule by rule, with the rows before and after.

use serde_json::{Value, json};

use crate::world::World;

const MONTHLY: &str = "shared_runners_minutes_limit";
const EXTRA: &str = "extra_shared_runners_minutes_limit";

async fn minutes(world: &World) -> Value {
    let columns = "shared_runners_minutes_limit, extra_shared_runners_minutes_limit, \
        last_ci_minutes_notification_at IS NOT NULL AS warned, last_ci_minutes_usage_notification_level AS level";
    world
        .rows(&format!("SELECT {columns} FROM namespaces ORDER BY id"))
        .await
}

async fn warned_group(world: &World) -> i64 {
    let id = world.group("acme").await;
    world
        .execute(
            "UPDATE namespaces SET shared_runners_minutes_limit = 10, extra_shared_runners_minutes_limit = 20,
                 last_ci_minutes_notification_at = now(), last_ci_minutes_usage_notification_level = 30",
        )
        .await;
    id
}

#[tokio::test]
async fn both_limits_are_written_to_the_namespace() {
    let world = World::new().await;
    let id = world.group("acme").await;
    world
        .apply(
            id,
            json!({ "compute_minutes": { MONTHLY: 100, EXTRA: 90 } }),
        )
        .await;
    assert_eq!(
        minutes(&world).await,
        json!([{ MONTHLY: 100, EXTRA: 90, "warned": false, "level": null }])
    );
}

#[tokio::test]
async fn extra_minutes_forget_that_the_namespace_was_warned() {
    let world = World::new().await;
    let id = warned_group(&world).await;
    world
        .apply(id, json!({ "compute_minutes": { EXTRA: 20 } }))
        .await;
    assert_eq!(
        minutes(&world).await,
        json!([{ MONTHLY: 10, EXTRA: 20, "warned": false, "level": null }])
    );
}

#[tokio::test]
async fn monthly_minutes_alone_keep_the_warning_and_the_extra_ones() {
    let world = World::new().await;
    let id = warned_group(&world).await;
    world
        .apply(id, json!({ "compute_minutes": { MONTHLY: 11 } }))
        .await;
    assert_eq!(
        minutes(&world).await,
        json!([{ MONTHLY: 11, EXTRA: 20, "warned": true, "level": 30 }])
    );
}

#[tokio::test]
async fn null_clears_a_limit_and_keeps_the_warning() {
    let world = World::new().await;
    let id = warned_group(&world).await;
    world
        .apply(
            id,
            json!({ "compute_minutes": { MONTHLY: null, EXTRA: null } }),
        )
        .await;
    assert_eq!(
        minutes(&world).await,
        json!([{ MONTHLY: null, EXTRA: null, "warned": true, "level": 30 }])
    );
}

#[tokio::test]
async fn limits_below_0_are_refused_together() {
    let world = World::new().await;
    let id = warned_group(&world).await;
    assert_eq!(
        world
            .refused(id, "compute_minutes", json!({ MONTHLY: -1, EXTRA: -2 }))
            .await,
        "Shared runners minutes limit must be greater than or equal to 0, \
         Extra shared runners minutes limit must be greater than or equal to 0"
    );
    assert_eq!(
        world
            .refused(id, "compute_minutes", json!({ MONTHLY: 5, EXTRA: -2 }))
            .await,
        "Extra shared runners minutes limit must be greater than or equal to 0"
    );
}
