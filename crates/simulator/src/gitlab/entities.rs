//! The chain of entities from which GitLab builds its rows
//! (`lib/api/entities/user_{safe,basic,public,with_admin}.rb` and `user.rb`): each adds keys behind
//! the last one's.

use std::{collections::BTreeSet, sync::LazyLock};

/// How far down the chain an answer goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Entity {
    /// `UserBasic`, all that a listing shows without administrator's rights.
    Basic,
    /// `User`, of one account without administrator's rights.
    Profile,
    /// `UserPublic`, one's own account.
    Public,
    /// `UserWithAdmin`.
    Admin,
    /// `UserDetailsWithAdmin`, of one account.
    Details,
}

/// Keys of the first.
pub(super) const BASIC: [&str; 9] = [
    "id",
    "username",
    "public_email",
    "name",
    "state",
    "locked",
    "avatar_url",
    ATTRIBUTES,
    "web_url",
];

/// What `User` adds.
const PROFILE: [&str; 17] = [
    "created_at",
    "bio",
    "location",
    "linkedin",
    "twitter",
    "discord",
    "website_url",
    "github",
    "job_title",
    "pronouns",
    "organization",
    "bot",
    "work_information",
    "followers",
    "following",
    "is_followed",
    "local_time",
];

/// What `UserPublic` adds.
const PUBLIC: [&str; 20] = [
    "last_sign_in_at",
    "confirmed_at",
    "last_activity_on",
    "email",
    "theme_id",
    "color_scheme_id",
    "projects_limit",
    "current_sign_in_at",
    "identities",
    "can_create_group",
    "can_create_project",
    "two_factor_enabled",
    "external",
    "private_profile",
    "commit_email",
    "preferred_language",
    "shared_runners_minutes_limit",
    "extra_shared_runners_minutes_limit",
    "scim_identities",
    // Seen only with a licence.
    "provisioned_by_group_id",
];

/// What `UserWithAdmin` adds; the last three with a licence.
const ADMIN: [&str; 8] = [
    "is_admin",
    "note",
    "namespace_id",
    "created_by",
    "using_license_seat",
    "is_auditor",
    "enterprise_group_id",
    "enterprise_group_associated_at",
];

/// Keys of the last.
pub(super) const DETAILS: [&str; 6] = [
    "highest_role",
    "current_sign_in_ip",
    "last_sign_in_ip",
    "sign_in_count",
    "plan",
    "trial",
];

/// Shown to administrators who ask for it.
pub(super) const ATTRIBUTES: &str = "custom_attributes";

impl Entity {
    /// Its keys, in their order.
    pub(super) fn keys(self) -> impl Iterator<Item = &'static str> {
        let upto = |entity: Self, keys: &'static [&'static str]| {
            let keys = if self >= entity { keys } else { &[] };
            keys.iter().copied()
        };
        upto(Self::Basic, &BASIC)
            .chain(upto(Self::Profile, &PROFILE))
            .chain(upto(Self::Public, &PUBLIC))
            .chain(upto(Self::Admin, &ADMIN))
            .chain(upto(Self::Details, &DETAILS))
    }
}

/// Whether it is a key of any of them, or one that the server keeps to itself.
pub(super) fn is_known(key: &str) -> bool {
    static KNOWN: LazyLock<BTreeSet<&str>> =
        LazyLock::new(|| Entity::Details.keys().chain(["updated_at"]).collect());
    KNOWN.contains(key)
}
