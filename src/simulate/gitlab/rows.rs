//! What a row shows: an administrator's, one without rights, and the details of one account.
//!
//! GitLab builds them from a chain of entities (`lib/api/entities/user_{safe,basic,public,with_admin}.rb` and `user.rb`).

use serde_json::{Map, Value, json};

use super::account::Account;

/// The keys of `UserBasic`, all that a token without administrator's rights sees in a listing.
const BASIC: [&str; 8] = [
    "id",
    "username",
    "public_email",
    "name",
    "state",
    "locked",
    "avatar_url",
    "web_url",
];

/// The keys that `User` adds to them, on `GET /users/:id` without administrator's rights.
const PROFILE: [&str; 19] = [
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
    "note",
    "external",
];

/// The keys of an administrator's row that are null where an account has nothing to say.
const NULL: [&str; 19] = [
    "public_email",
    "avatar_url",
    "created_at",
    "pronouns",
    "work_information",
    "local_time",
    "last_sign_in_at",
    "confirmed_at",
    "last_activity_on",
    "current_sign_in_at",
    "shared_runners_minutes_limit",
    "extra_shared_runners_minutes_limit",
    "note",
    "created_by",
    "provisioned_by_group_id",
    "enterprise_group_id",
    "enterprise_group_associated_at",
    "theme_id",
    "color_scheme_id",
];

/// The keys that are an empty text there.
const BLANK: [&str; 9] = [
    "bio",
    "location",
    "linkedin",
    "twitter",
    "discord",
    "website_url",
    "github",
    "job_title",
    "organization",
];

/// The keys that say no or yes.
const FLAGS: [(&str, bool); 8] = [
    ("locked", false),
    ("is_followed", false),
    ("two_factor_enabled", false),
    ("private_profile", false),
    ("is_auditor", false),
    ("can_create_group", true),
    ("can_create_project", true),
    ("using_license_seat", true),
];

/// Adds the keys that every administrator's row has and this one lacks.
pub(super) fn fill(row: &mut Map<String, Value>, id: u64, username: &str) {
    let email = format!("{username}@example.ac.uk");
    let values = [
        ("name", json!(username)),
        ("email", json!(email)),
        ("commit_email", json!(email)),
        ("followers", json!(0)),
        ("following", json!(0)),
        ("projects_limit", json!(100_000)),
        ("preferred_language", json!("en")),
        ("scim_identities", json!([])),
        ("namespace_id", json!(id + 1)),
    ];
    let flags = FLAGS
        .into_iter()
        .map(|(key, flag)| (key, Value::Bool(flag)));
    let blank = BLANK.into_iter().map(|key| (key, json!("")));
    let null = NULL.into_iter().map(|key| (key, Value::Null));
    for (key, value) in values.into_iter().chain(flags).chain(blank).chain(null) {
        row.entry(key).or_insert(value);
    }
}

/// `UserWithAdmin`.
pub(super) fn administrators(
    account: &Account,
    url: &str,
    with_custom_attributes: bool,
) -> Map<String, Value> {
    let mut row = account.others.clone();
    if account.filled {
        fill(&mut row, account.id, &account.username);
    }
    row.entry("web_url")
        .or_insert_with(|| json!(format!("{url}/{}", account.username)));
    row.insert("id".to_owned(), json!(account.id));
    row.insert("username".to_owned(), json!(account.username));
    row.insert("state".to_owned(), json!(account.state));
    row.insert("bot".to_owned(), json!(account.kind.is_bot()));
    row.insert("external".to_owned(), json!(account.external));
    row.insert("is_admin".to_owned(), json!(account.is_admin));
    row.insert("identities".to_owned(), json!(account.identities));
    if with_custom_attributes {
        row.insert("custom_attributes".to_owned(), custom_attributes(account));
    }
    row
}

/// `UserDetailsWithAdmin`: what only `GET /users/:id` adds.
pub(super) fn details(
    account: &Account,
    url: &str,
    with_custom_attributes: bool,
) -> Map<String, Value> {
    let mut row = administrators(account, url, with_custom_attributes);
    let more = [
        ("highest_role", json!(30)),
        ("current_sign_in_ip", Value::Null),
        ("last_sign_in_ip", Value::Null),
        ("sign_in_count", json!(0)),
        ("plan", Value::Null),
        ("trial", Value::Null),
    ];
    for (key, value) in more {
        row.entry(key).or_insert(value);
    }
    row
}

/// `UserBasic`. Never with custom attributes, asked for or not.
pub(super) fn basic(account: &Account, url: &str) -> Map<String, Value> {
    only(administrators(account, url, false), &BASIC)
}

/// `User`, as `GET /users/:id` shows it without administrator's rights.
pub(super) fn profile(account: &Account, url: &str) -> Map<String, Value> {
    let keys: Vec<&str> = BASIC
        .into_iter()
        .chain(PROFILE)
        .filter(|key| !["note", "external"].contains(key))
        .collect();
    only(administrators(account, url, false), &keys)
}

/// `UserPublic`, as `GET /user` shows its own account to a token without administrator's rights.
pub(super) fn own(account: &Account, url: &str) -> Map<String, Value> {
    let mut row = administrators(account, url, false);
    for key in [
        "is_admin",
        "note",
        "namespace_id",
        "created_by",
        "using_license_seat",
        "is_auditor",
    ] {
        row.remove(key);
    }
    row
}

/// `[{"key","value"}]`.
pub(super) fn custom_attributes(account: &Account) -> Value {
    account
        .custom_attributes
        .iter()
        .map(|(key, value)| json!({"key": key, "value": value}))
        .collect()
}

/// Everything the server knows of an account: the administrator's row, the `user_type` and what is hidden, as
/// [`Account::from_row`] reads it.
pub(super) fn everything(account: &Account, url: &str) -> Map<String, Value> {
    let mut row = administrators(account, url, true);
    row.insert("user_type".to_owned(), json!(account.kind));
    row.insert("hidden".to_owned(), json!(account.hidden));
    row
}

fn only(mut row: Map<String, Value>, keys: &[&str]) -> Map<String, Value> {
    row.retain(|key, _| keys.contains(&key.as_str()));
    row
}
