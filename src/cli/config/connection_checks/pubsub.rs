//! Whether Pub/Sub has what the service needs, and lets it see that.

use super::ConnectionReport;
use crate::{
    app::clients::connect,
    cli::ExitReason,
    config::{PubSubConfig, ReadingConfig},
    messaging::{
        PubSubError, Topology,
        topology::{Difference, Harm},
    },
};

const REMEDY: &str = "apply the Terraform module, or `topology apply` on an emulator";

/// Compares topics and subscriptions with what the service needs.
pub(super) async fn check(config: &ReadingConfig, report: &mut ConnectionReport) {
    const CHECK: &str = "pubsub";
    let Some(pubsub) = &config.pubsub else {
        report.skip(CHECK, "pubsub.project");
        return;
    };
    report.begin("Pub/Sub");
    match differences(pubsub, config.namespaces.are_wanted()).await {
        Ok(differences) if differences.is_empty() => {
            report.ok(
                CHECK,
                "topics and subscriptions are as the service needs them",
            );
        }
        Ok(differences) => {
            for difference in differences {
                if loses_no_message(&difference) {
                    report.warn(CHECK, difference.to_string(), REMEDY);
                } else {
                    report.fail(ExitReason::Failed, CHECK, difference.to_string(), REMEDY);
                }
            }
        }
        Err(error) => report.fail_with(CHECK, &error.into()),
    }
}

fn loses_no_message(difference: &Difference) -> bool {
    match difference {
        Difference::MissingTopic { .. } | Difference::MissingSubscription { .. } => false,
        Difference::Setting { harm, .. } => *harm == Harm::Lesser,
    }
}

async fn differences(
    config: &PubSubConfig,
    namespaces: bool,
) -> Result<Vec<Difference>, PubSubError> {
    let connection = connect(config).await?;
    Topology::new(&connection)
        .with_namespaces(namespaces)
        .check()
        .await
}
