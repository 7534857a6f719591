//! What was switched on the real GitLab between two recorded requests.

use std::{net::SocketAddr, time::Duration};

use jiff::Timestamp;
use serde_json::json;
use simulator::{
    control::RateLimit,
    gitlab::{Conditions, Health, SimulatedGitLab, Throttles},
};

use super::request::Recorded;

/// Brings the server to where the recorded one was before this request.
pub async fn prepare(gitlab: &SimulatedGitLab, address: SocketAddr, before: &str, next: &Recorded) {
    let conditions = conditions(&next.name);
    let switched = gitlab.conditions() != conditions;
    // What was counted starts anew with each switch, and where a window had passed.
    if switched || (next.name == "throttle/th:after" && before != next.name) {
        let throttles = conditions.throttles.clone();
        gitlab.set_conditions(conditions);
        for window in [throttles.authenticated, throttles.unauthenticated]
            .into_iter()
            .flatten()
        {
            early_in(window.period).await;
        }
        for _ in 0..left_out_before(&next.name) {
            next.request.send(address).await;
        }
    }
    if next.name == "admin_mode/am:user" && !before.starts_with("admin_mode") {
        // Three of the changes before were sent and not recorded, as the next list says.
        for (id, state) in [(19, "banned"), (48, "active"), (52, "active")] {
            gitlab
                .change_user(id, json!({"state": state, "by": "nobody"}))
                .unwrap();
        }
    }
    let blocked_silently = json!({"state": "blocked", "by": "nobody"});
    match next.name.as_str() {
        // The background worker comes, and then is done.
        "delete/del-soft-block2" => gitlab.change_user(132, blocked_silently).unwrap(),
        "delete/del-hard-block2" => gitlab.change_user(133, blocked_silently).unwrap(),
        "delete/del-soft-block3" => assert!(gitlab.delete_user(132)),
        "delete/del-hard-block3" => assert!(gitlab.delete_user(133)),
        name => {
            let gone = json!({"hidden": {"without_namespace": name.starts_with("nons/")}});
            gitlab.change_user(116, gone).unwrap();
        }
    }
}

fn conditions(name: &str) -> Conditions {
    let usual = Conditions::default();
    let throttles = |authenticated, unauthenticated, text: Option<&str>| Conditions {
        throttles: Throttles {
            authenticated,
            unauthenticated,
            text: text.map(str::to_owned),
        },
        ..Conditions::default()
    };
    let limit = |requests, seconds| {
        Some(RateLimit {
            requests,
            period: Duration::from_secs(seconds),
        })
    };
    match name.split_once('/').unwrap_or(("", name)) {
        ("admin_mode", rest) => Conditions {
            admin_mode: rest != "am:off",
            ..usual
        },
        ("maint", _) => Conditions {
            maintenance: Some("Back at 5".to_owned()),
            ..usual
        },
        ("throttle", "th:text") => throttles(limit(6, 20), None, Some("Slow down please")),
        ("throttle", rest) if rest.starts_with("th:") => throttles(limit(6, 20), None, None),
        ("throttle", _) => throttles(None, limit(4, 30), None),
        ("misc1", rest) if rest.starts_with("lim:") => Conditions {
            users_get_by_id_limit: 2,
            admin_mode: rest == "lim:admin-noadminmode",
            ..usual
        },
        ("misc1", _) => Conditions {
            enforce_terms: true,
            ..usual
        },
        ("misc2", rest) if rest.starts_with("ips:") => Conditions {
            unique_ips_limit: Some(1),
            ..usual
        },
        ("down", rest) if rest.starts_with("db-down:") => Conditions {
            database: Health::Gone,
            ..usual
        },
        ("down", rest) if rest.starts_with("db-readonly:") => Conditions {
            database: Health::ReadOnly,
            ..usual
        },
        ("redisdown", rest) if rest.starts_with("redis-down:") => Conditions {
            redis: Health::Gone,
            ..usual
        },
        _ => usual,
    }
}

/// Requests that were sent and not recorded, as the counts in the next answer say.
fn left_out_before(name: &str) -> usize {
    match name {
        "throttle/th:text" => 6,
        "throttle/un:none" => 1,
        "misc1/lim:admin-noadminmode" => 2,
        _ => 0,
    }
}

/// Waits until a window has begun lately enough to hold all that follows.
async fn early_in(period: Duration) {
    let seconds = i64::try_from(period.as_secs()).unwrap();
    while Timestamp::now().as_second() % seconds > seconds / 3 {
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}
