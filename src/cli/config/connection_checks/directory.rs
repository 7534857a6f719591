//! Whether the directory answers, may be believed, and knows the members.

use super::ConnectionReport;
use crate::{
    app::clients::UserClients,
    config::ControlsConfig,
    directory::{Crsid, Standing},
};

const CHECK: &str = "directory";

/// Asks the directory about its controls and some members of GitLab.
pub(super) async fn check(
    clients: &UserClients,
    controls: &ControlsConfig,
    people: &[Crsid],
    report: &mut ConnectionReport,
) {
    let asked: Vec<_> = people.iter().copied().chain(controls.people()).collect();
    if asked.is_empty() {
        report.skip(CHECK, "members in GitLab's listing");
        return;
    }
    report.begin("the directory");
    if clients.reader.is_without_clock() {
        clients.directory.keep_time();
    }
    match clients.directory.standings(&asked).await {
        Ok(standings) => {
            judge_controls(controls, report);
            if people.is_empty() {
                report.skip(CHECK, "members in GitLab's listing");
                return;
            }
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

/// The answer was believed: whether there was anything to judge it by.
fn judge_controls(controls: &ControlsConfig, report: &mut ConnectionReport) {
    const CHECK: &str = "directory controls";
    const CHOOSE: &str = "name in directory.controls.cancelled one or two people who left for good, and in \
        directory.controls.current one or two who stay, such as those who run this service";
    let (cancelled, current) = (controls.cancelled.len(), controls.current.len());
    let known = format!("{cancelled} known to be cancelled, {current} known to be current");
    match (cancelled, current) {
        (0, 0) => report.warn(
            CHECK,
            "there are none: a directory that hides what these credentials may not see would be believed",
            CHOOSE,
        ),
        (0, _) | (_, 0) => report.warn(
            CHECK,
            format!("as they should be, but only of one kind: {known}"),
            CHOOSE,
        ),
        (_, _) => report.ok(CHECK, format!("as they should be: {known}")),
    }
}
