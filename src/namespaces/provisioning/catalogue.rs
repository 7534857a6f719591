//! The add-ons there are.

/// An add-on, in the order of GitLab's numbers for them (`subscription_add_ons.name`;
/// `GitlabSubscriptions::AddOn`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum AddOn {
    CodeSuggestions,
    ProductAnalytics,
    DuoEnterprise,
    DuoAmazonQ,
    DuoCore,
    SelfHostedDap,
    GitlabCredits,
    SecretsManager,
    FlexOffline,
}

impl AddOn {
    /// The add-on of this name in a document. Duo Pro is sold under one name and stored under
    /// another, which is no name in a document.
    pub(super) fn from_name(name: &str) -> Option<Self> {
        match name {
            "duo_pro" => Some(Self::CodeSuggestions),
            "product_analytics" => Some(Self::ProductAnalytics),
            "duo_enterprise" => Some(Self::DuoEnterprise),
            "duo_amazon_q" => Some(Self::DuoAmazonQ),
            "duo_core" => Some(Self::DuoCore),
            "self_hosted_dap" => Some(Self::SelfHostedDap),
            "gitlab_credits" => Some(Self::GitlabCredits),
            "secrets_manager" => Some(Self::SecretsManager),
            "flex_offline" => Some(Self::FlexOffline),
            _ => None,
        }
    }

    /// GitLab's number for it, which is not the id of its row.
    pub(super) fn uid(self) -> i16 {
        match self {
            Self::CodeSuggestions => 1,
            Self::ProductAnalytics => 2,
            Self::DuoEnterprise => 3,
            Self::DuoAmazonQ => 4,
            Self::DuoCore => 5,
            Self::SelfHostedDap => 6,
            Self::GitlabCredits => 7,
            Self::SecretsManager => 8,
            Self::FlexOffline => 9,
        }
    }

    /// What a new row of `subscription_add_ons` says it is.
    pub(super) fn description(self) -> &'static str {
        match self {
            Self::CodeSuggestions => "GitLab Duo Pro",
            Self::ProductAnalytics => "Product Analytics",
            Self::DuoEnterprise => "GitLab Duo Enterprise",
            Self::DuoAmazonQ => "GitLab Duo with Amazon Q",
            Self::DuoCore => "GitLab Duo Core",
            Self::SelfHostedDap => "Self-hosted Duo Agent Platform",
            Self::GitlabCredits => "GitLab Credits",
            Self::SecretsManager => "Secrets Manager",
            Self::FlexOffline => "Flex, offline",
        }
    }

    /// The add-on that takes turns with this one on a row of a namespace.
    pub(super) fn rival(self) -> Option<Self> {
        match self {
            Self::CodeSuggestions => Some(Self::DuoEnterprise),
            Self::DuoEnterprise => Some(Self::CodeSuggestions),
            Self::ProductAnalytics
            | Self::DuoAmazonQ
            | Self::DuoCore
            | Self::SelfHostedDap
            | Self::GitlabCredits
            | Self::SecretsManager
            | Self::FlexOffline => None,
        }
    }
}
