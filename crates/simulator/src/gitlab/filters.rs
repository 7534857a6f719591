//! The parameters of `GET /users`: which rows, in what order, with what in them.

use jiff::Timestamp;
use serde_json::Value;

use super::{
    account::SimulatedUser,
    kinds::{Kind, UserState},
    pages::ListingError,
    parameters::{InvalidParameter, Parameters, time},
};

/// Which rows are asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct UserFilter {
    username: Option<String>,
    public_email: Option<String>,
    search: Option<String>,
    identity: Option<(String, String)>,
    custom_attributes: Vec<(String, String)>,
    created_after: Option<Timestamp>,
    created_before: Option<Timestamp>,
    flags: Vec<FilterFlag>,
    admin: bool,
}

/// A filter that is on or off. `x=false` is off; it does not negate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum FilterFlag {
    Active,
    Blocked,
    External,
    Humans,
    Admins,
    TwoFactor,
    WithoutTwoFactor,
    WithoutProjectBots,
    ExcludeActive,
    ExcludeExternal,
    ExcludeHumans,
    ExcludeInternal,
}

const FLAGS: [(&str, FilterFlag); 10] = [
    ("active", FilterFlag::Active),
    ("blocked", FilterFlag::Blocked),
    ("external", FilterFlag::External),
    ("humans", FilterFlag::Humans),
    ("admins", FilterFlag::Admins),
    ("without_project_bots", FilterFlag::WithoutProjectBots),
    ("exclude_active", FilterFlag::ExcludeActive),
    ("exclude_external", FilterFlag::ExcludeExternal),
    ("exclude_humans", FilterFlag::ExcludeHumans),
    ("exclude_internal", FilterFlag::ExcludeInternal),
];

impl FilterFlag {
    fn admits(self, account: &SimulatedUser) -> bool {
        let active = account.state == UserState::Active && !account.kind.is_internal();
        let two_factor = account.others.get("two_factor_enabled") == Some(&Value::Bool(true));
        match self {
            Self::Active => active,
            // Not banned and not pending: the scope has these two states alone
            // (`app/models/user.rb`).
            Self::Blocked => matches!(account.state, UserState::Blocked | UserState::LdapBlocked),
            Self::External => account.external,
            Self::Humans => account.kind == Kind::Human,
            Self::Admins => account.is_admin,
            Self::TwoFactor => two_factor,
            Self::WithoutTwoFactor => !two_factor,
            Self::WithoutProjectBots => account.kind != Kind::ProjectBot,
            // By the state alone: internal accounts are neither active nor left out.
            Self::ExcludeActive => account.state != UserState::Active,
            Self::ExcludeExternal => !account.external,
            Self::ExcludeHumans => account.kind != Kind::Human,
            Self::ExcludeInternal => !account.kind.is_internal(),
        }
    }

    /// Ignored without a word for everybody else.
    fn is_for_administrators(self) -> bool {
        match self {
            Self::Admins | Self::TwoFactor | Self::WithoutTwoFactor => true,
            Self::Active
            | Self::Blocked
            | Self::External
            | Self::Humans
            | Self::WithoutProjectBots
            | Self::ExcludeActive
            | Self::ExcludeExternal
            | Self::ExcludeHumans
            | Self::ExcludeInternal => false,
        }
    }
}

impl UserFilter {
    /// The filter an administrator asks for, or what is left of it for somebody else: who is no
    /// administrator sees no blocked account, and has the other administrators' filters and that of
    /// the custom attributes silently ignored.
    pub(super) fn new(parameters: &Parameters, admin: bool) -> Result<Self, ListingError> {
        let mut flags = Vec::new();
        for (name, flag) in FLAGS {
            if parameters.flag(name)? {
                flags.push(flag);
            }
        }
        match parameters.get("two_factor") {
            Some("enabled") => flags.push(FilterFlag::TwoFactor),
            Some("disabled") => flags.push(FilterFlag::WithoutTwoFactor),
            _ => {}
        }
        let mut asked = Self {
            username: parameters.get("username").map(str::to_owned),
            public_email: parameters.text("public_email"),
            search: parameters.text("search").map(|text| text.to_lowercase()),
            identity: identity(parameters)?,
            custom_attributes: custom_attributes(parameters)?,
            created_after: parameters.time("created_after")?,
            created_before: parameters.time("created_before")?,
            flags,
            admin,
        };
        if !admin {
            asked.custom_attributes.clear();
            asked.flags.retain(|flag| !flag.is_for_administrators());
            (asked.created_after, asked.created_before) = (None, None);
        }
        Ok(asked)
    }

    /// Whether the identity filter is used, which is the administrators' alone and not just
    /// ignored.
    pub(super) fn needs_admin(&self) -> bool {
        self.identity.is_some()
    }

    pub(super) fn admits(&self, account: &SimulatedUser) -> bool {
        self.admits_text(account) && self.admits_flags(account) && self.admits_times(account)
    }

    fn admits_text(&self, account: &SimulatedUser) -> bool {
        let is = |wanted: &Option<String>, key| {
            wanted.as_ref().is_none_or(|wanted| {
                account.others.get(key).and_then(Value::as_str) == Some(wanted)
            })
        };
        let username = |wanted: &String| wanted.eq_ignore_ascii_case(&account.username);
        let identity = |wanted: &(String, String)| {
            account.identities.iter().any(|identity| {
                let uid = identity.extern_uid.as_ref();
                identity.provider.as_ref() == Some(&wanted.0)
                    && uid.is_some_and(|uid| uid.to_lowercase() == wanted.1.to_lowercase())
            })
        };
        self.username.as_ref().is_none_or(username)
            && is(&self.public_email, "public_email")
            && self
                .search
                .as_ref()
                .is_none_or(|text| self.finds(account, text))
            && self.identity.as_ref().is_none_or(identity)
            && self
                .custom_attributes
                .iter()
                .all(|(key, value)| account.custom_attributes.get(key) == Some(value))
    }

    fn admits_flags(&self, account: &SimulatedUser) -> bool {
        let hidden = !self.admin && account.state.is_hidden_from_others();
        !hidden && self.flags.iter().all(|flag| flag.admits(account))
    }

    /// Whether the text stands in the name or the username, or is the e-mail address; below three
    /// characters it has to be one of them.
    fn finds(&self, account: &SimulatedUser, text: &str) -> bool {
        let value = |key| {
            let value = account.others.get(key).and_then(Value::as_str);
            value.unwrap_or_default().to_lowercase()
        };
        let email = if self.admin { "email" } else { "public_email" };
        let names = [account.username.to_lowercase(), value("name")];
        let short = text.chars().count() < 3;
        let found = |name: &String| name == text || (!short && name.contains(text));
        names.iter().any(found) || value(email) == text
    }

    fn admits_times(&self, account: &SimulatedUser) -> bool {
        if self.created_after.is_none() && self.created_before.is_none() {
            return true;
        }
        let created = account
            .others
            .get("created_at")
            .and_then(Value::as_str)
            .and_then(time);
        created.is_some_and(|created| {
            self.created_after.is_none_or(|after| created >= after)
                && self.created_before.is_none_or(|before| created <= before)
        })
    }
}

/// Both or neither; `extern_uid` may be empty.
fn identity(parameters: &Parameters) -> Result<Option<(String, String)>, InvalidParameter> {
    match (parameters.get("provider"), parameters.get("extern_uid")) {
        (Some(provider), Some(extern_uid)) => {
            Ok(Some((provider.to_owned(), extern_uid.to_owned())))
        }
        (None, None) => Ok(None),
        _ => Err(InvalidParameter(
            "extern_uid, provider provide all or none of parameters".to_owned(),
        )),
    }
}

/// `custom_attributes[key]=value`, each. A list or a text is refused, a deeper level breaks GitLab.
fn custom_attributes(parameters: &Parameters) -> Result<Vec<(String, String)>, ListingError> {
    let mut wanted = Vec::new();
    for (name, value) in parameters.iter() {
        let Some(rest) = name.strip_prefix("custom_attributes") else {
            continue;
        };
        let key = rest
            .strip_prefix('[')
            .and_then(|rest| rest.strip_suffix(']'));
        match key {
            None | Some("") => {
                return Err(InvalidParameter("custom_attributes is invalid".to_owned()).into());
            }
            Some(key) if key.contains(['[', ']']) => return Err(ListingError::Broken),
            Some(key) => wanted.push((key.to_owned(), value.to_owned())),
        }
    }
    Ok(wanted)
}
