//! The keys that every administrator's row has, for accounts that were made up.

use serde_json::{Map, Value, json};

/// Null where an account has nothing to say.
const NULL: [&str; 13] = [
    "public_email",
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
];

/// An empty text there.
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

/// They say no or yes.
const FLAGS: [(&str, bool); 7] = [
    ("locked", false),
    ("is_followed", false),
    ("two_factor_enabled", false),
    ("private_profile", false),
    ("can_create_group", true),
    ("can_create_project", true),
    ("using_license_seat", true),
];

/// Adds those that this row lacks.
pub(super) fn fill(row: &mut Map<String, Value>, id: u64, username: &str) {
    let email = row.get("email").cloned();
    let email = email.unwrap_or_else(|| json!(format!("{username}@example.ac.uk")));
    let values = [
        ("name", json!(username)),
        ("email", email.clone()),
        ("commit_email", email),
        ("followers", json!(0)),
        ("following", json!(0)),
        ("theme_id", json!(3)),
        ("color_scheme_id", json!(1)),
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
