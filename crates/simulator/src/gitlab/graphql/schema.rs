//! As much of GitLab's schema as was recorded: types, their fields, and what these take.

use super::super::settings::Conditions;

/// A type that has fields.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ObjectType {
    Query,
    Connection,
    User,
    CurrentUser,
    PageInfo,
    Complexity,
    CustomAttribute,
}

/// What a field is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum FieldType {
    /// A value without fields of its own.
    Leaf(&'static str),
    Object(ObjectType),
}

const USER: [(&str, FieldType); 10] = [
    ("id", FieldType::Leaf("UserID!")),
    ("username", FieldType::Leaf("String!")),
    ("state", FieldType::Leaf("UserState!")),
    ("lastActivityOn", FieldType::Leaf("Date")),
    ("createdAt", FieldType::Leaf("Time")),
    ("type", FieldType::Leaf("UserType!")),
    ("bot", FieldType::Leaf("Boolean!")),
    ("human", FieldType::Leaf("Boolean")),
    ("active", FieldType::Leaf("Boolean")),
    (
        "customAttributes",
        FieldType::Object(ObjectType::CustomAttribute),
    ),
];

const QUERY: [(&str, FieldType); 4] = [
    ("users", FieldType::Object(ObjectType::Connection)),
    ("user", FieldType::Object(ObjectType::User)),
    ("currentUser", FieldType::Object(ObjectType::CurrentUser)),
    ("queryComplexity", FieldType::Object(ObjectType::Complexity)),
];

const CONNECTION: [(&str, FieldType); 2] = [
    ("nodes", FieldType::Object(ObjectType::User)),
    ("pageInfo", FieldType::Object(ObjectType::PageInfo)),
];

const PAGE_INFO: [(&str, FieldType); 4] = [
    ("hasNextPage", FieldType::Leaf("Boolean!")),
    ("hasPreviousPage", FieldType::Leaf("Boolean!")),
    ("startCursor", FieldType::Leaf("String")),
    ("endCursor", FieldType::Leaf("String")),
];

const COMPLEXITY: [(&str, FieldType); 2] = [
    ("score", FieldType::Leaf("Int")),
    ("limit", FieldType::Leaf("Int")),
];

const CUSTOM_ATTRIBUTE: [(&str, FieldType); 2] = [
    ("key", FieldType::Leaf("String!")),
    ("value", FieldType::Leaf("String!")),
];

impl ObjectType {
    /// As errors name it.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Query => "Query",
            Self::Connection => "UserCoreConnection",
            Self::User => "UserCore",
            Self::CurrentUser => "CurrentUser",
            Self::PageInfo => "PageInfo",
            Self::Complexity => "QueryComplexity",
            Self::CustomAttribute => "CustomAttribute",
        }
    }

    /// A field, unless this GitLab is one that lacks it.
    pub(super) fn field(self, name: &str, conditions: &Conditions) -> Option<FieldType> {
        if name == "__typename" {
            return Some(FieldType::Leaf("String!"));
        }
        let fields: &[(&str, FieldType)] = match self {
            Self::Query => &QUERY,
            Self::Connection => &CONNECTION,
            Self::User | Self::CurrentUser => &USER,
            Self::PageInfo => &PAGE_INFO,
            Self::Complexity => &COMPLEXITY,
            Self::CustomAttribute => &CUSTOM_ATTRIBUTE,
        };
        let gone = conditions.graphql_without.iter().any(|gone| *gone == name);
        let field = fields.iter().find(|(known, _)| *known == name);
        field.filter(|_| !gone).map(|(_, kind)| *kind)
    }
}

/// The types of the arguments that a field of the root takes.
pub(super) fn arguments(field: &str) -> &'static [(&'static str, &'static str)] {
    match field {
        "users" => &[
            ("first", "Int"),
            ("last", "Int"),
            ("after", "String"),
            ("before", "String"),
            ("humans", "Boolean"),
            ("active", "Boolean"),
            ("sort", "Sort"),
            ("ids", "[ID!]"),
            ("usernames", "[String!]"),
        ],
        "user" => &[("id", "UserID"), ("username", "String")],
        _ => &[],
    }
}
