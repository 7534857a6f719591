//! Whether GitLab can show all of its accounts.

use super::{ConnectionReport, MemberSample, SAMPLE};
use crate::{
    app::clients::UserClients,
    gitlab::Listing,
    upstream::CallError,
    users::{account::AccountId, class::Class},
};

const CHECK: &str = "gitlab listing";

/// Reads the listing to its end, and gives some of the members in it.
pub(super) async fn check(clients: &UserClients, report: &mut ConnectionReport) -> MemberSample {
    let mut sample = MemberSample::new();
    match read(clients, &mut sample, report).await {
        Ok((accounts, unreadable)) if unreadable.is_empty() => {
            report.ok(CHECK, format!("{accounts} accounts, all of them shown"));
        }
        Ok((accounts, unreadable)) => {
            let ids: Vec<_> = unreadable.iter().map(u64::to_string).collect();
            report.warn(
                CHECK,
                format!("{accounts} accounts; cannot be shown: {}", ids.join(", ")),
                "they are kept as they are; `explain ID` says what is known (docs/operations.md)",
            );
        }
        Err(error) => report.fail_with(CHECK, &error.into()),
    }
    sample
}

/// Whether the accounts can be listed at a seventh of what they cost GitLab by REST.
pub(super) async fn check_light(clients: &UserClients, report: &mut ConnectionReport) {
    const CHECK: &str = "gitlab graphql";
    report.begin("GitLab's GraphQL");
    match clients.reader.light_page(None).await {
        Ok(Ok(_)) => report.ok(CHECK, "lists the accounts, at a seventh of what they cost by REST"),
        Ok(Err(unavailable)) => report.warn(
            CHECK,
            unavailable.to_string(),
            "each run reads everything by REST until the token has the scope read_api or api and an administrator's \
             rights; or set sweep.kind = \"full\"",
        ),
        Err(error) => report.fail_with(CHECK, &error.into()),
    }
}

async fn read(
    clients: &UserClients,
    sample: &mut MemberSample,
    report: &ConnectionReport,
) -> Result<(u64, Vec<u64>), CallError> {
    let own = AccountId(clients.reader.own_id().await?);
    let mut listing = Listing::default();
    let mut accounts = 0;
    let mut unreadable = Vec::new();
    while !listing.has_ended() {
        let batch = listing.next(&clients.reader).await?;
        accounts += batch.users.len() as u64;
        unreadable.extend(batch.unreadable.iter().map(|account| account.id));
        for row in &batch.users {
            let account = clients.rules.account(row, own);
            if let Class::Member(person) = clients.rules.classes.classify(&account, own)
                && sample.len() < SAMPLE
            {
                sample.push(person);
            }
        }
        report.begin(&format!("GitLab's listing, {accounts} accounts"));
    }
    Ok((accounts, unreadable))
}
