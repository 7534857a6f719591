//! Who the accounts of a schedule belong to: every case of the decision table at least once.

use rand::Rng;
use rand_chacha::ChaCha8Rng;
use serde_json::json;
use simulator::{
    gitlab::{Kind, SimulatedUser, UserState},
    lookup::SimulatedPerson,
};

use super::{
    ledger::{Ledger, Owner, Said, Truth},
    upstreams::{MARKER, truth},
};

/// One of each case of the decision table, and some more by lot.
pub fn population(
    rng: &mut ChaCha8Rng,
    ledger: &mut Ledger,
) -> (Vec<SimulatedUser>, Vec<SimulatedPerson>) {
    let (mut accounts, mut people) = (Vec::new(), Vec::new());
    let more = rng.random_range(0..12);
    let cases: Vec<u32> = (0..CASES)
        .chain(std::iter::repeat_with(|| rng.random_range(0..6)).take(more))
        .collect();
    for (index, case) in cases.into_iter().enumerate() {
        let id = 10 + index as u64;
        let account = match case {
            0..=12 => member(id, case, &mut people, ledger),
            13 => external(id, "2019-05-01"),
            14 => external(id, &jiff::Timestamp::now().to_string()[..10]),
            15 => {
                let mut robot = SimulatedUser::new(id, &format!("robot-{id}"));
                robot.external = true;
                robot.with("last_activity_on", "2019-05-01")
            }
            _ => {
                let mut bot = SimulatedUser::new(id, &format!("bt{id}"));
                bot.kind = Kind::ServiceAccount;
                people.push(SimulatedPerson::cancelled(&format!("bt{id}"), "Bot"));
                bot
            }
        };
        let owner = match case {
            0..=12 => Owner::Member(account.username.clone()),
            13 | 14 => Owner::External,
            _ => Owner::Nobody,
        };
        ledger.owners.insert(id, owner);
        accounts.push(account);
    }
    (accounts, people)
}

const CASES: u32 = 17;

fn external(id: u64, seen: &str) -> SimulatedUser {
    SimulatedUser::new(id, &format!("external-{id}"))
        .with("created_at", "2019-01-01T09:00:00.000Z")
        .with("last_activity_on", seen)
}

/// A member in one of the cases 0 to 12 of the decision table.
pub fn member(
    id: u64,
    case: u32,
    people: &mut Vec<SimulatedPerson>,
    ledger: &mut Ledger,
) -> SimulatedUser {
    let crsid = format!("ab{id}");
    let mut account = SimulatedUser::new(id, &crsid).with("last_activity_on", "2019-05-01");
    let (state, said) = match case {
        0 | 6 => (UserState::Active, Said::Current),
        1 => (UserState::Active, Said::Cancelled),
        2 | 3 => (UserState::Blocked, Said::Current),
        4 => (UserState::Blocked, Said::Cancelled),
        5 => (UserState::Deactivated, Said::Cancelled),
        7 => (UserState::Banned, Said::Current),
        8 => (UserState::Banned, Said::Cancelled),
        9 => (UserState::LdapBlocked, Said::Cancelled),
        10 => (UserState::BlockedPendingApproval, Said::Current),
        11 => (UserState::Active, Said::Nothing),
        _ => (UserState::Blocked, Said::Nothing),
    };
    account.state = state;
    // Blocked: by the service in cases 2 and 12, by a person in 3 and 4.
    let service = matches!(case, 2 | 12);
    if account.state == UserState::Blocked {
        let by = if service {
            "lookup-gitlab-sync/1"
        } else {
            "root/0"
        };
        account = account.with_attribute("blocked_by", format!("{by}+2026-01-05 02:00:03 UTC"));
    }
    if service {
        let marker = json!({"v": 1, "reason": "cancelled_in_lookup", "at": "2026-01-05T02:00:02Z", "run": "old"});
        account = account.with_attribute(MARKER, marker.to_string());
    }
    match said {
        Said::Cancelled => people.push(SimulatedPerson::cancelled(&crsid, "Person")),
        Said::Current => people.push(SimulatedPerson::current(&crsid, "Person")),
        Said::Nothing => {}
    }
    ledger.person(&crsid, said);
    let known = Truth {
        blocked_by_service: service,
        marker: service,
        ..truth(&account)
    };
    ledger.account(id, Some(known));
    account
}
