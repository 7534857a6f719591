//! `[users]`

use super::{
    reader::ConfigReader,
    values::{AccountIdList, Bool, IdentityPatternList, Integer, PatternList, StringList},
};
use crate::crsid::Crsid;

/// Who is who. Patterns are regular expressions, compared without case, as GitLab compares
/// usernames and identities.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UsersConfig {
    /// Accounts that this service used before its present one. What they blocked counts as blocked
    /// by this service.
    pub former_ids: Vec<u64>,
    /// Accounts of an earlier service. What they blocked counts as blocked by this service once
    /// `adopt` has marked it.
    pub predecessors: Vec<u64>,
    /// The directory's control people, of `[directory.controls]`. Their accounts are never touched.
    pub control_people: Vec<Crsid>,
    /// Usernames never touched.
    pub exempt_usernames: Vec<String>,
    /// Patterns of usernames never touched.
    pub exempt_username_patterns: Vec<String>,
    /// Whether administrators are never touched. False.
    pub exempt_administrators: bool,
    /// Identities that name a member, tried in order.
    pub identity_patterns: Vec<IdentityPattern>,
    /// Usernames of external accounts. `^external-`.
    pub external_patterns: Vec<String>,
    /// Usernames that are CRSids, with a group `crsid`. `^(?<crsid>[a-z][a-z0-9]{1,7})$`.
    pub username_patterns: Vec<String>,
    /// Calendar months without activity after which an external account is blocked. 24.
    pub inactive_months: u32,
}

/// An identity that names a member.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IdentityPattern {
    /// Provider, exactly, such as `saml`.
    pub provider: String,
    /// Pattern of `extern_uid` with a group `crsid`.
    pub extern_uid: String,
    /// How to make an `extern_uid` of a crsid, such as `{crsid}@example.ac.uk`; lets a resync by
    /// CRSid find it.
    pub template: Option<String>,
}

impl Default for UsersConfig {
    fn default() -> Self {
        Self {
            former_ids: Vec::new(),
            predecessors: Vec::new(),
            control_people: Vec::new(),
            exempt_usernames: Vec::new(),
            exempt_username_patterns: Vec::new(),
            exempt_administrators: false,
            identity_patterns: Vec::new(),
            external_patterns: vec!["^external-".to_owned()],
            username_patterns: vec!["^(?<crsid>[a-z][a-z0-9]{1,7})$".to_owned()],
            inactive_months: 24,
        }
    }
}

impl UsersConfig {
    pub(super) fn read(reader: &mut ConfigReader<'_>) -> Self {
        let d = Self::default();
        Self {
            former_ids: reader.value_or("users.former_ids", &AccountIdList, d.former_ids),
            predecessors: reader.value_or("users.predecessors", &AccountIdList, d.predecessors),
            control_people: d.control_people,
            exempt_usernames: reader.value_or(
                "users.exempt_usernames",
                &StringList,
                d.exempt_usernames,
            ),
            exempt_username_patterns: reader.value_or(
                "users.exempt_username_patterns",
                &PatternList::PLAIN,
                d.exempt_username_patterns,
            ),
            exempt_administrators: reader.value_or(
                "users.exempt_administrators",
                &Bool,
                d.exempt_administrators,
            ),
            identity_patterns: reader.value_or(
                "users.identity_patterns",
                &IdentityPatternList,
                d.identity_patterns,
            ),
            external_patterns: reader.value_or(
                "users.external_patterns",
                &PatternList::PLAIN,
                d.external_patterns,
            ),
            username_patterns: reader.value_or(
                "users.username_patterns",
                &PatternList::NAME_CRSID,
                d.username_patterns,
            ),
            inactive_months: reader.value_or(
                "users.inactive_months",
                &Integer(1..=1200),
                d.inactive_months,
            ),
        }
    }
}
