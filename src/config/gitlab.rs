//! `[gitlab]`

use secrecy::ExposeSecret;
use url::Url;

use super::{
    authority::CertificateAuthority,
    calls::CallsConfig,
    reader::ConfigReader,
    secret::Secret,
    values::{CertificateAuthorityFile, SECRET},
};

/// GitLab: where it is and who we are there.
#[derive(Clone, Debug)]
pub struct GitLabConfig {
    /// Base address without `/api/v4`, such as `https://gitlab.example.ac.uk`.
    pub url: Url,
    /// An administrator's token (scope `api`, and `admin_mode` where Admin Mode is on). Where only
    /// `read_token` is given, that one.
    pub token: Secret,
    /// An administrator's token that only reads (scope `read_user`, and `admin_mode`), for the
    /// fan-out and for commands that look.
    pub read_token: Option<Secret>,
    /// `[gitlab.calls]`
    pub calls: CallsConfig,
}

/// A message holds a slot from its observation to its last write, and releases it while it waits
/// for Lookup.
fn calls(authority: Option<CertificateAuthority>) -> CallsConfig {
    CallsConfig {
        concurrency: 24,
        authority,
        ..CallsConfig::DEFAULT
    }
}

impl GitLabConfig {
    /// Whether there is a token that may write.
    pub fn has_token_for_writing(&self) -> bool {
        let reading = self.read_token.as_ref().map(ExposeSecret::expose_secret);
        reading != Some(self.token.expose_secret())
    }

    pub(super) fn read(reader: &mut ConfigReader<'_>) -> Option<Self> {
        let url = reader.required("gitlab.url", &reader.api_address(Some("/api/v4")));
        let token = reader.secret("gitlab.token");
        let read_token = reader.secret("gitlab.read_token");
        let keys = [
            "gitlab.token",
            "gitlab.token_file",
            "gitlab.read_token",
            "gitlab.read_token_file",
        ];
        if !keys.iter().any(|key| reader.is_given(key)) {
            reader.missing("gitlab.token", SECRET);
        }
        let authority = reader.optional("gitlab.ca_file", &CertificateAuthorityFile);
        let calls = CallsConfig::read_over(reader, "gitlab.calls", &calls(authority));
        Some(Self {
            url: url?,
            token: token.or_else(|| read_token.clone())?,
            read_token,
            calls,
        })
    }
}
