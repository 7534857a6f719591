//! Whose account it is: which class, and for a member which person of the directory.

use regex::{Regex, RegexBuilder};

use super::account::{Account, AccountId, Identity};
use crate::{config, directory::Crsid};

/// The one class an account belongs to.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Class {
    /// Never touched, because an operator or an administrator said so.
    Exempt,
    /// A bot, a ghost, a placeholder.
    NotHuman,
    /// A member of the university: Lookup decides.
    Member(Crsid),
    /// An external collaborator: activity decides.
    External,
    /// Nobody we know: never touched.
    OutOfScope,
}

impl Class {
    /// The name in records and tables.
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Exempt => "exempt",
            Self::NotHuman => "not_human",
            Self::Member(_) => "member",
            Self::External => "external",
            Self::OutOfScope => "out_of_scope",
        }
    }

    /// Whether anything could ever be decided for it but to keep it.
    pub const fn is_in_scope(&self) -> bool {
        matches!(self, Self::Member(_) | Self::External)
    }

    /// The person, if it is a member's account.
    pub const fn crsid(&self) -> Option<&Crsid> {
        match self {
            Self::Member(crsid) => Some(crsid),
            Self::Exempt | Self::NotHuman | Self::External | Self::OutOfScope => None,
        }
    }
}

/// An identity pattern, compiled.
#[derive(Clone, Debug)]
struct IdentityRule {
    provider: String,
    extern_uid: Regex,
    template: Option<String>,
}

/// The configured rules of who is who.
#[derive(Clone, Debug)]
pub struct Classes {
    controls: Vec<Crsid>,
    exempt_usernames: Vec<String>,
    exempt_patterns: Vec<Regex>,
    exempt_administrators: bool,
    identities: Vec<IdentityRule>,
    external: Vec<Regex>,
    usernames: Vec<Regex>,
}

impl Classes {
    /// Compiles the configured patterns, to be compared without case, as GitLab compares usernames
    /// and `extern_uid`.
    ///
    /// # Errors
    /// The first pattern that is not a regular expression. The configuration's own checks report
    /// all of them, with their keys, before this is called.
    pub fn new(users: &config::UsersConfig) -> Result<Self, regex::Error> {
        let compile_all = |patterns: &[String]| -> Result<Vec<Regex>, regex::Error> {
            patterns.iter().map(|pattern| compile(pattern)).collect()
        };
        let identity = |pattern: &config::IdentityPattern| {
            Ok(IdentityRule {
                provider: pattern.provider.clone(),
                extern_uid: compile(&pattern.extern_uid)?,
                template: pattern.template.clone(),
            })
        };
        Ok(Self {
            controls: users.control_people.clone(),
            exempt_usernames: users
                .exempt_usernames
                .iter()
                .map(|name| name.to_lowercase())
                .collect(),
            exempt_patterns: compile_all(&users.exempt_username_patterns)?,
            exempt_administrators: users.exempt_administrators,
            identities: users
                .identity_patterns
                .iter()
                .map(identity)
                .collect::<Result<_, _>>()?,
            external: compile_all(&users.external_patterns)?,
            usernames: compile_all(&users.username_patterns)?,
        })
    }

    /// Whether the directory's answers are judged by control people.
    pub const fn have_controls(&self) -> bool {
        !self.controls.is_empty()
    }

    /// The class of `account`; `own` is the id of the token's own account. The order is the rule:
    /// an identity outweighs the username, and what is exempt is nothing else.
    pub fn classify(&self, account: &Account, own: AccountId) -> Class {
        if self.is_exempt(account, own) {
            return Class::Exempt;
        }
        match self.unless_exempt(account) {
            Class::Member(person) if self.controls.contains(&person) => Class::Exempt,
            class => class,
        }
    }

    /// The class that `account` has unless somebody exempted it.
    pub fn unless_exempt(&self, account: &Account) -> Class {
        if !account.human {
            return Class::NotHuman;
        }
        match self.person_by_identity(&account.identities) {
            Named::One(crsid) => return Class::Member(crsid),
            Named::Several => return Class::OutOfScope,
            Named::Nobody => {}
        }
        if self
            .external
            .iter()
            .any(|pattern| pattern.is_match(&account.username))
        {
            return Class::External;
        }
        let by_username = self
            .usernames
            .iter()
            .find_map(|pattern| named_person(pattern, &account.username));
        by_username.map_or(Class::OutOfScope, Class::Member)
    }

    /// The identities under which `person` may sign in, where the configuration says how to make
    /// them.
    pub fn identities_of(&self, person: Crsid) -> Vec<Identity> {
        let identity = |rule: &IdentityRule| {
            let template = rule.template.as_ref()?;
            Some(Identity {
                provider: rule.provider.clone(),
                extern_uid: template.replace("{crsid}", person.as_str()),
            })
        };
        self.identities.iter().filter_map(identity).collect()
    }

    fn is_exempt(&self, account: &Account, own: AccountId) -> bool {
        account.id == own
            || account.exempt_attribute
            || (self.exempt_administrators && account.administrator)
            || self
                .exempt_usernames
                .contains(&account.username.to_lowercase())
            || self
                .exempt_patterns
                .iter()
                .any(|pattern| pattern.is_match(&account.username))
    }

    fn person_by_identity(&self, identities: &[Identity]) -> Named {
        let people = self.identities.iter().flat_map(|rule| {
            let of_provider = identities
                .iter()
                .filter(|identity| identity.provider == rule.provider);
            of_provider.filter_map(|identity| named_person(&rule.extern_uid, &identity.extern_uid))
        });
        people.fold(Named::Nobody, Named::and)
    }
}

/// GitLab compares usernames and `extern_uid` without case, and so do we: `AB50@EXAMPLE.AC.UK`
/// signs in as `ab50` does.
fn compile(pattern: &str) -> Result<Regex, regex::Error> {
    RegexBuilder::new(pattern).case_insensitive(true).build()
}

/// The configured patterns that were written as if case counted, so that they may match more than
/// was meant, or less.
pub fn relying_on_case(users: &config::UsersConfig) -> impl Iterator<Item = &str> {
    let by_identity = users
        .identity_patterns
        .iter()
        .map(|pattern| &pattern.extern_uid);
    users
        .exempt_username_patterns
        .iter()
        .chain(&users.external_patterns)
        .chain(&users.username_patterns)
        .chain(by_identity)
        .map(String::as_str)
        .filter(|pattern| relies_on_case(pattern))
}

/// Whether it switches case on (`(?-i)`), or has a class of one case alone.
fn relies_on_case(pattern: &str) -> bool {
    let switched_on = pattern.split("(?").skip(1).any(|group| {
        let flags = group.split([':', ')', '<']).next().unwrap_or_default();
        flags
            .split_once('-')
            .is_some_and(|(_, off)| off.contains('i'))
    });
    let of_one_case = pattern.split('[').skip(1).any(|class| {
        let class = class.split(']').next().unwrap_or_default();
        class.contains("A-Z") && !class.contains("a-z")
    });
    let named = [r"\p{Lu}", r"\p{Ll}", "[:upper:]", "[:lower:]"];
    switched_on || of_one_case || named.iter().any(|name| pattern.contains(name))
}

/// Whom an account's identities name. Two different people are nobody we can act on.
enum Named {
    Nobody,
    One(Crsid),
    Several,
}

impl Named {
    fn and(self, crsid: Crsid) -> Self {
        match self {
            Self::Nobody => Self::One(crsid),
            Self::One(known) if known == crsid => Self::One(known),
            Self::One(_) | Self::Several => Self::Several,
        }
    }
}

/// The well-formed CRSid that the group `crsid` of `pattern` captures in `text`.
fn named_person(pattern: &Regex, text: &str) -> Option<Crsid> {
    Crsid::parse(pattern.captures(text)?.name("crsid")?.as_str())
}
