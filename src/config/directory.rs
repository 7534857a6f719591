//! `[directory]`

use std::path::PathBuf;

use clap::ValueEnum;
use url::Url;

use super::{
    calls::CallsConfig,
    reader::ConfigReader,
    secret::Secret,
    values::{
        CertificateAuthorityFile, CrsidList, HttpUrl, Integer, SECRET, TextValue, WordChoice,
    },
};
use crate::crsid::Crsid;

/// Which directory decides.
#[derive(Clone, Debug)]
#[expect(clippy::large_enum_variant, reason = "there is one of it in a process")]
pub enum DirectoryConfig {
    /// `kind = "lookup"`: the Lookup web service.
    Lookup(LookupConfig),
    /// `kind = "file"`: JSON lines `{"id","cancelled"}`.
    File(PathBuf),
}

/// The Lookup web service.
#[derive(Clone, Debug)]
pub struct LookupConfig {
    /// Base address, such as `https://api.apps.cam.ac.uk/lookup/v1`.
    pub url: Url,
    /// How to authenticate.
    pub credentials: LookupCredentials,
    /// CRSids in one `person/list` call, at most. 200.
    pub batch_size: usize,
    /// `[directory.calls]`
    pub calls: CallsConfig,
}

/// How to authenticate to Lookup.
#[derive(Clone, Debug)]
pub enum LookupCredentials {
    /// The API gateway: OAuth 2 client credentials.
    Gateway {
        /// The token endpoint, such as `https://api.apps.cam.ac.uk/oauth2/v1/token`.
        token_url: Url,
        /// Client id.
        client_id: String,
        /// Client secret.
        client_secret: Secret,
        /// Optional scope.
        scope: Option<String>,
    },
    /// Direct access: a group's short name and password, by HTTP Basic.
    Basic {
        /// Group short name.
        username: String,
        /// Group password.
        password: Secret,
    },
}

/// `[directory.controls]`: people whose standing is known for good. The directory is asked about them
/// in every question, and an answer that is wrong about one of them is not believed. Their accounts
/// in GitLab are never touched.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ControlsConfig {
    /// People who are cancelled, and stay so. None.
    pub cancelled: Vec<Crsid>,
    /// People who are not cancelled. None.
    pub current: Vec<Crsid>,
}

impl ControlsConfig {
    /// They are in every question: so many of each kind, at most.
    const MOST: usize = 5;

    pub(super) fn read(reader: &mut ConfigReader<'_>) -> Self {
        const CANCELLED: &str = "directory.controls.cancelled";
        const CURRENT: &str = "directory.controls.current";
        let list = CrsidList { most: Self::MOST };
        let read = Self {
            cancelled: reader.value_or(CANCELLED, &list, Vec::new()),
            current: reader.value_or(CURRENT, &list, Vec::new()),
        };
        let mut both = read
            .cancelled
            .iter()
            .filter(|one| read.current.contains(one));
        if let Some(person) = both.next() {
            let problem =
                format!("names {person}, whom {CANCELLED} names too; allowed: one of the two");
            reader.reject(CURRENT, problem);
        }
        read
    }

    /// All of them.
    pub fn people(&self) -> impl Iterator<Item = Crsid> {
        self.cancelled.iter().chain(&self.current).copied()
    }
}

#[derive(Clone, Copy, PartialEq, ValueEnum)]
enum DirectoryKind {
    Lookup,
    File,
}

const USERNAME: TextValue = TextValue {
    allowed: "text that is not empty, without a colon and control characters",
    accepts: |text| (TextValue::ANY.accepts)(text) && !text.contains(':'),
};

impl DirectoryConfig {
    pub(super) fn read(reader: &mut ConfigReader<'_>) -> Option<Self> {
        let kind = reader.value_or(
            "directory.kind",
            &WordChoice::<DirectoryKind>::new(),
            DirectoryKind::Lookup,
        );
        // Both kinds are read, whichever is chosen: an error in the other one is an error too.
        let path = reader.optional("directory.path", &TextValue::ANY);
        let given = PartialLookup::read(reader);
        match kind {
            DirectoryKind::Lookup => given.complete(reader).map(Self::Lookup),
            DirectoryKind::File => {
                if !reader.is_given("directory.path") {
                    reader.missing(
                        "directory.path",
                        "the name of a file of JSON lines {\"id\",\"cancelled\"}",
                    );
                }
                path.map(|path| Self::File(path.into()))
            }
        }
    }
}

/// The values given for Lookup, before it is known whether they are complete.
struct PartialLookup {
    url: Option<Url>,
    token_url: Option<Url>,
    client_id: Option<String>,
    client_secret: Option<Secret>,
    scope: Option<String>,
    username: Option<String>,
    password: Option<Secret>,
    batch_size: usize,
    calls: CallsConfig,
}

const GATEWAY: [&str; 4] = [
    "directory.token_url",
    "directory.client_id",
    "directory.client_secret",
    "directory.client_secret_file",
];
const BASIC: [&str; 3] = [
    "directory.username",
    "directory.password",
    "directory.password_file",
];

impl PartialLookup {
    fn read(reader: &mut ConfigReader<'_>) -> Self {
        let address = reader.api_address(None);
        Self {
            url: reader.optional("directory.url", &address),
            token_url: reader.optional("directory.token_url", &address),
            client_id: reader.optional("directory.client_id", &USERNAME),
            client_secret: reader.secret("directory.client_secret"),
            scope: reader.optional("directory.scope", &TextValue::ANY),
            username: reader.optional("directory.username", &USERNAME),
            password: reader.secret("directory.password"),
            batch_size: reader.value_or("directory.batch_size", &Integer(1..=500), 200),
            calls: CallsConfig {
                authority: reader.optional("directory.ca_file", &CertificateAuthorityFile),
                ..CallsConfig::read(reader, "directory.calls")
            },
        }
    }

    fn complete(self, reader: &mut ConfigReader<'_>) -> Option<LookupConfig> {
        if !reader.is_given("directory.url") {
            reader.missing("directory.url", HttpUrl::ALLOWED);
        }
        let given =
            |keys: &[&str], reader: &ConfigReader<'_>| keys.iter().any(|key| reader.is_given(key));
        let credentials = match (given(&GATEWAY, reader), given(&BASIC, reader)) {
            (true, true) => {
                let first = BASIC.into_iter().find(|key| reader.is_given(key));
                reader.reject(
                    first.unwrap_or("directory.username"),
                    "is given beside credentials of the API gateway; allowed: one of the two ways to authenticate",
                );
                None
            }
            (true, false) => {
                lacks_any(
                    reader,
                    &["directory.token_url", "directory.client_id"],
                    "directory.client_secret",
                );
                gateway(
                    self.token_url,
                    self.client_id,
                    self.client_secret,
                    self.scope,
                )
            }
            (false, true) => {
                lacks_any(reader, &["directory.username"], "directory.password");
                basic(self.username, self.password)
            }
            (false, false) => {
                reader.missing(
                    "directory.client_id",
                    "directory.token_url, client_id and client_secret for the API gateway, or directory.username and password for direct access",
                );
                None
            }
        };
        Some(LookupConfig {
            url: self.url?,
            credentials: credentials?,
            batch_size: self.batch_size,
            calls: self.calls,
        })
    }
}

fn lacks_any(reader: &mut ConfigReader<'_>, keys: &[&str], secret: &str) {
    for key in keys {
        if !reader.is_given(key) {
            reader.missing(key, "a value beside the other credentials of the same kind");
        }
    }
    if !reader.is_given(secret) && !reader.is_given(&format!("{secret}_file")) {
        reader.missing(secret, SECRET);
    }
}

fn gateway(
    token_url: Option<Url>,
    client_id: Option<String>,
    client_secret: Option<Secret>,
    scope: Option<String>,
) -> Option<LookupCredentials> {
    Some(LookupCredentials::Gateway {
        token_url: token_url?,
        client_id: client_id?,
        client_secret: client_secret?,
        scope,
    })
}

fn basic(username: Option<String>, password: Option<Secret>) -> Option<LookupCredentials> {
    Some(LookupCredentials::Basic {
        username: username?,
        password: password?,
    })
}
