//! What an operator does when Pub/Sub refuses. Its own texts seldom say:
//! `User not authorized to perform this action.`

use tonic::Code;

use super::Operation;

/// What to do about `code` in answer to `operation`, to be read after Pub/Sub's own message; empty
/// where that says it.
pub(super) fn after(operation: &Operation, code: Code, message: &str) -> String {
    let advice = match code {
        Code::PermissionDenied => forbidden(operation, message),
        Code::NotFound => missing(message),
        Code::Unimplemented if matches!(operation, Operation::LabelTopic(_)) => {
            "this emulator keeps no labels, so it cannot keep a pause: stop the workers instead"
                .to_owned()
        }
        Code::Unauthenticated => {
            "the token is not accepted: run `gcloud auth application-default login` again, \
             or replace the key that GOOGLE_APPLICATION_CREDENTIALS names"
                .to_owned()
        }
        Code::Unavailable | Code::DeadlineExceeded => {
            "it is down or cannot be reached from here: try again".to_owned()
        }
        _ => return String::new(),
    };
    format!("; {advice}")
}

/// Google answers so for a right that is missing, and also for a project that is somebody else's,
/// for a service that was never switched on, and for a quota project that may not be charged.
fn forbidden(operation: &Operation, message: &str) -> String {
    let says = |word: &str| message.to_ascii_lowercase().contains(word);
    if says("has not been used in project") || says("it is disabled") {
        "run `gcloud services enable pubsub.googleapis.com` for this project, and wait some minutes"
            .to_owned()
    } else if says("serviceusage") || says("quota project") {
        "the account needs roles/serviceusage.serviceUsageConsumer on the quota project, or another \
         GOOGLE_CLOUD_QUOTA_PROJECT"
            .to_owned()
    } else {
        format!(
            "if pubsub.project is right, the account of these credentials needs {}",
            operation.role()
        )
    }
}

fn missing(message: &str) -> String {
    if is_of_the_project(message) {
        "pubsub.project (GOOGLE_CLOUD_PROJECT) must be the project's id, not its name or number"
            .to_owned()
    } else {
        "run `lookup-gitlab-sync topology check`: are project and prefix right, and does everything exist?".to_owned()
    }
}

/// Whether a `NOT_FOUND` is about the project itself: `Requested project not found or user does not
/// have access to it (project=…)`. A topic or a subscription in it would be a `Resource`.
pub(super) fn is_of_the_project(message: &str) -> bool {
    message
        .to_ascii_lowercase()
        .contains("project not found or user does not have access")
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case(
        Operation::Publish("sync-tick".to_owned()),
        "roles/pubsub.publisher on the topic sync-tick"
    )]
    #[case(Operation::GetTopic("user-sync".to_owned()), "roles/pubsub.viewer on the topic user-sync")]
    #[case(Operation::LabelTopic("t".to_owned()), "roles/pubsub.editor on the topic t")]
    #[case(Operation::GetSubscription("s".to_owned()), "roles/pubsub.viewer on the subscription s")]
    #[case(
        Operation::ReadDeadLetters("h".to_owned()),
        "roles/pubsub.subscriber on the subscription h"
    )]
    #[case(Operation::Acknowledge, "roles/pubsub.subscriber on the subscriptions")]
    #[case(Operation::SubscribeToOutcomes, "roles/pubsub.editor on the project")]
    #[case(
        Operation::DeleteOutcomesSubscription,
        "roles/pubsub.editor on the project"
    )]
    fn a_missing_right_is_told_as_a_role_on_a_resource(
        #[case] operation: Operation,
        #[case] role: &str,
    ) {
        let advice = after(
            &operation,
            Code::PermissionDenied,
            "User not authorized to perform this action.",
        );
        assert!(advice.contains(role), "{advice}");
    }

    #[rstest]
    #[case(
        Code::PermissionDenied,
        "Cloud Pub/Sub API has not been used in project 1 before or it is disabled.",
        "gcloud services enable"
    )]
    #[case(
        Code::PermissionDenied,
        "Grant the caller the roles/serviceusage.serviceUsageConsumer role",
        "GOOGLE_CLOUD_QUOTA_PROJECT"
    )]
    #[case(
        Code::NotFound,
        "Requested project not found or user does not have access to it (project=x).",
        "the project's id"
    )]
    #[case(
        Code::NotFound,
        "Resource not found (resource=sync-tick).",
        "topology check"
    )]
    #[case(
        Code::Unauthenticated,
        "Request had invalid authentication credentials.",
        "gcloud auth"
    )]
    fn other_refusals_say_what_to_do(
        #[case] code: Code,
        #[case] message: &str,
        #[case] advice: &str,
    ) {
        let told = after(&Operation::GetTopic("t".to_owned()), code, message);
        assert!(told.contains(advice), "{told}");
    }

    #[test]
    fn a_refusal_that_speaks_for_itself_has_no_advice() {
        assert_eq!(
            after(
                &Operation::CreateTopic("t".to_owned()),
                Code::InvalidArgument,
                "Invalid name"
            ),
            ""
        );
    }
}
