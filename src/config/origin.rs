//! Where a value came from.

use std::fmt;

use figment2::{Metadata, Source};

/// Where a value came from, from the weakest to the strongest.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ValueOrigin {
    /// The code.
    Default,
    /// The file of that name.
    File(String),
    /// The usual environment variable of that name, such as `GITLAB_URL`.
    UsualVariable(String),
    /// Our own environment variable of that name, such as `LOOKUP_GITLAB_SYNC__GITLAB__URL`.
    OwnVariable(String),
    /// The command line flag of that name.
    Flag(String),
}

const FILE: &str = "file";
const USUAL_VARIABLE: &str = "environment variable";
const OWN_VARIABLE: &str = "own environment variable";
const FLAG: &str = "flag";

impl ValueOrigin {
    /// Whether all its values are text, however typed the key is.
    pub(super) fn is_text(&self) -> bool {
        match self {
            Self::Default | Self::File(_) => false,
            Self::UsualVariable(_) | Self::OwnVariable(_) | Self::Flag(_) => true,
        }
    }

    /// How strong it is: of two origins the one of the higher rank wins.
    pub(super) fn rank(&self) -> u8 {
        match self {
            Self::Default => 0,
            Self::File(_) => 1,
            Self::UsualVariable(_) => 2,
            Self::OwnVariable(_) => 3,
            Self::Flag(_) => 4,
        }
    }

    /// The form in which figment carries it beside each value.
    pub(super) fn to_metadata(&self) -> Metadata {
        let (kind, name) = match self {
            Self::Default => return Metadata::default(),
            Self::File(name) => (FILE, name),
            Self::UsualVariable(name) => (USUAL_VARIABLE, name),
            Self::OwnVariable(name) => (OWN_VARIABLE, name),
            Self::Flag(name) => (FLAG, name),
        };
        Metadata::from(kind, Source::Custom(name.clone()))
    }

    /// Back from [`Self::to_metadata`].
    pub(super) fn from_metadata(metadata: Option<&Metadata>) -> Self {
        let Some((metadata, name)) = metadata.and_then(|m| Some((m, m.source.as_ref()?.custom()?)))
        else {
            return Self::Default;
        };
        let name = name.to_owned();
        match metadata.name.as_ref() {
            FILE => Self::File(name),
            USUAL_VARIABLE => Self::UsualVariable(name),
            OWN_VARIABLE => Self::OwnVariable(name),
            FLAG => Self::Flag(name),
            _ => Self::Default,
        }
    }
}

impl fmt::Display for ValueOrigin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::File(name) => write!(f, "file {name}"),
            Self::UsualVariable(name) | Self::OwnVariable(name) => {
                write!(f, "environment variable {name}")
            }
            Self::Flag(name) => write!(f, "flag {name}"),
        }
    }
}
