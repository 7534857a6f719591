//! Whether the directory answers, and knows the members.

use super::ConnectionReport;
use crate::{
    app::clients::UserClients,
    directory::{Crsid, Standing},
};

/// Asks the directory about some members of GitLab.
pub(super) async fn check(clients: &UserClients, people: &[Crsid], report: &mut ConnectionReport) {
    const CHECK: &str = "directory";
    if people.is_empty() {
        report.skip(CHECK, "members in GitLab's listing");
        return;
    }
    report.begin("the directory");
    if clients.reader.is_without_clock() {
        clients.directory.keep_time();
    }
    match clients.directory.standings(people).await {
        Ok(standings) => {
            let asked = people.len();
            let standing = |wanted| {
                let those = people
                    .iter()
                    .filter(|person| standings.of(**person) == wanted);
                those.count()
            };
            let (current, cancelled) = (standing(Standing::Current), standing(Standing::Cancelled));
            let finding = format!(
                "of {asked} members asked for, {current} are current and {cancelled} cancelled"
            );
            if current + cancelled == 0 {
                report.warn(
                    CHECK,
                    finding,
                    "it knows none of them: are users.identity_patterns and users.username_patterns right, and may these \
                     credentials see people?",
                );
            } else {
                report.ok(CHECK, finding);
            }
        }
        Err(error) => report.fail_with(CHECK, &error.into()),
    }
}
