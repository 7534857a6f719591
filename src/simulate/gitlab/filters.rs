//! The parameters of `GET /users`: which rows, in what order, with what in them.

use std::collections::BTreeMap;

use jiff::{Timestamp, civil::Date, tz::TimeZone};
use serde_json::Value;

use super::{
    account::Account,
    kinds::{Kind, State},
};

/// The parameters as they were sent, names and values decoded; of one sent twice the last counts.
#[derive(Clone, Debug, Default)]
pub(super) struct Parameters(BTreeMap<String, String>);

/// A parameter that cannot be, in the words of the answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Invalid(pub(super) String);

/// Which rows are asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Filter {
    username: Option<String>,
    public_email: Option<String>,
    search: Option<String>,
    identity: Option<(String, String)>,
    custom_attributes: Vec<(String, String)>,
    created_after: Option<Timestamp>,
    created_before: Option<Timestamp>,
    flags: Vec<Flag>,
    hide_blocks: bool,
}

/// A filter that is on or off. `x=false` is off; it does not negate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Flag {
    Active,
    Blocked,
    External,
    Humans,
    Admins,
    WithoutProjectBots,
    ExcludeActive,
    ExcludeExternal,
    ExcludeHumans,
    ExcludeInternal,
}

const FLAGS: [(&str, Flag); 10] = [
    ("active", Flag::Active),
    ("blocked", Flag::Blocked),
    ("external", Flag::External),
    ("humans", Flag::Humans),
    ("admins", Flag::Admins),
    ("without_project_bots", Flag::WithoutProjectBots),
    ("exclude_active", Flag::ExcludeActive),
    ("exclude_external", Flag::ExcludeExternal),
    ("exclude_humans", Flag::ExcludeHumans),
    ("exclude_internal", Flag::ExcludeInternal),
];

impl Flag {
    fn admits(self, account: &Account) -> bool {
        let active = account.state == State::Active && !account.kind.is_internal();
        match self {
            Self::Active => active,
            // Not banned and not pending: the scope has these two states alone (`app/models/user.rb`).
            Self::Blocked => matches!(account.state, State::Blocked | State::LdapBlocked),
            Self::External => account.external,
            Self::Humans => account.kind == Kind::Human,
            Self::Admins => account.is_admin,
            Self::WithoutProjectBots => account.kind != Kind::ProjectBot,
            Self::ExcludeActive => !active,
            Self::ExcludeExternal => !account.external,
            Self::ExcludeHumans => account.kind != Kind::Human,
            Self::ExcludeInternal => !account.kind.is_internal(),
        }
    }
}

impl Parameters {
    pub(super) fn parse(query: &str) -> Self {
        Self(
            url::form_urlencoded::parse(query.as_bytes())
                .into_owned()
                .collect(),
        )
    }

    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    /// A boolean in any of the spellings Grape takes; absent or empty is false.
    pub(super) fn flag(&self, name: &str) -> Result<bool, Invalid> {
        match self.get(name).map(str::to_ascii_lowercase).as_deref() {
            None | Some("" | "false" | "0" | "f" | "off" | "no" | "n") => Ok(false),
            Some("true" | "1" | "t" | "on" | "yes" | "y") => Ok(true),
            Some(_) => Err(Invalid(format!("{name} is invalid"))),
        }
    }

    fn time(&self, name: &str) -> Result<Option<Timestamp>, Invalid> {
        self.get(name)
            .map(|text| time(text).ok_or_else(|| Invalid(format!("{name} is invalid"))))
            .transpose()
    }

    fn text(&self, name: &str) -> Option<String> {
        self.get(name)
            .filter(|text| !text.is_empty())
            .map(str::to_owned)
    }

    /// `custom_attributes[key]=value`, each.
    fn custom_attributes(&self) -> Vec<(String, String)> {
        let key = |name: &str| {
            Some(
                name.strip_prefix("custom_attributes[")?
                    .strip_suffix(']')?
                    .to_owned(),
            )
        };
        self.0
            .iter()
            .filter_map(|(name, value)| Some((key(name)?, value.clone())))
            .collect()
    }
}

impl Filter {
    /// The filter an administrator asks for, or what is left of it for somebody else: who is no administrator sees no
    /// blocked account, and has the other administrators' filters and that of the custom attributes silently ignored.
    pub(super) fn new(parameters: &Parameters, admin: bool) -> Result<Self, Invalid> {
        let identity = match (parameters.text("provider"), parameters.text("extern_uid")) {
            (Some(provider), Some(extern_uid)) => Some((provider, extern_uid)),
            (None, None) => None,
            _ => {
                return Err(Invalid(
                    "extern_uid, provider provide all or none of parameters".to_owned(),
                ));
            }
        };
        let mut flags = Vec::new();
        for (name, flag) in FLAGS {
            if parameters.flag(name)? {
                flags.push(flag);
            }
        }
        let mut asked = Self {
            username: parameters.text("username"),
            public_email: parameters.text("public_email"),
            search: parameters.text("search").map(|text| text.to_lowercase()),
            identity,
            custom_attributes: parameters.custom_attributes(),
            created_after: parameters.time("created_after")?,
            created_before: parameters.time("created_before")?,
            flags,
            hide_blocks: !admin,
        };
        if !admin {
            asked.custom_attributes.clear();
            asked.flags.retain(|flag| *flag != Flag::Admins);
            (asked.created_after, asked.created_before) = (None, None);
        }
        Ok(asked)
    }

    /// Whether the identity filter is used, which is the administrators' alone and not just ignored.
    pub(super) fn needs_admin(&self) -> bool {
        self.identity.is_some()
    }

    pub(super) fn admits(&self, account: &Account) -> bool {
        self.admits_text(account) && self.admits_flags(account) && self.admits_times(account)
    }

    fn admits_text(&self, account: &Account) -> bool {
        let is = |wanted: &Option<String>, key| {
            wanted.as_ref().is_none_or(|wanted| {
                account.others.get(key).and_then(Value::as_str) == Some(wanted)
            })
        };
        let username = |wanted: &String| wanted.eq_ignore_ascii_case(&account.username);
        let identity = |wanted: &(String, String)| {
            account.identities.iter().any(|identity| {
                (identity.provider.as_ref(), identity.extern_uid.as_ref())
                    == (Some(&wanted.0), Some(&wanted.1))
            })
        };
        self.username.as_ref().is_none_or(username)
            && is(&self.public_email, "public_email")
            && self.search.as_ref().is_none_or(|text| found(account, text))
            && self.identity.as_ref().is_none_or(identity)
            && self
                .custom_attributes
                .iter()
                .all(|(key, value)| account.custom_attributes.get(key) == Some(value))
    }

    fn admits_flags(&self, account: &Account) -> bool {
        let hidden = self.hide_blocks
            && matches!(
                account.state,
                State::Blocked | State::LdapBlocked | State::Banned
            );
        !hidden && self.flags.iter().all(|flag| flag.admits(account))
    }

    fn admits_times(&self, account: &Account) -> bool {
        if self.created_after.is_none() && self.created_before.is_none() {
            return true;
        }
        let created = account
            .others
            .get("created_at")
            .and_then(Value::as_str)
            .and_then(time);
        created.is_some_and(|created| {
            self.created_after.is_none_or(|after| created > after)
                && self.created_before.is_none_or(|before| created < before)
        })
    }
}

/// Whether the text stands in the name or username, or is the e-mail address.
fn found(account: &Account, text: &str) -> bool {
    let value = |key| {
        account
            .others
            .get(key)
            .and_then(Value::as_str)
            .unwrap_or_default()
            .to_lowercase()
    };
    account.username.to_lowercase().contains(text)
        || value("name").contains(text)
        || value("email") == text
}

fn time(text: &str) -> Option<Timestamp> {
    let day = || {
        text.parse::<Date>()
            .ok()?
            .to_zoned_datetime(TimeZone::UTC)
            .ok()
            .map(|start| start.timestamp())
    };
    text.parse().ok().or_else(day)
}
