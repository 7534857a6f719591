//! Which token a client shows: one that may write, or one that only reads.

use std::sync::Arc;

use reqwest::header::HeaderName;

use super::Client;
use crate::{
    config::{self, Secret},
    upstream::{Authorize, BuildError, SecretHeader, UpstreamSettings, credential_of},
};

pub(super) static READING: UpstreamSettings = UpstreamSettings {
    url: "GITLAB_URL",
    authority: "gitlab.ca_file",
    credentials: "GITLAB_READ_TOKEN",
    rights: "an administrator's token with the scope read_user, and admin_mode where Admin Mode is on",
};

impl Client {
    /// The same GitLab for who only reads, as `GITLAB_READ_TOKEN` sees it where there is one. No
    /// permit to write can be had of it. The rate budget and the slots are shared: GitLab counts
    /// all tokens of one account together.
    ///
    /// # Errors
    /// A token that HTTP cannot carry.
    pub fn for_reading(&self, config: &config::GitLabConfig) -> Result<Self, BuildError> {
        let same_token = || Self {
            writes_when: None,
            ..self.clone()
        };
        Ok(self.with_read_token(config)?.unwrap_or_else(same_token))
    }

    /// The same GitLab as `GITLAB_READ_TOKEN` sees it, if there is one.
    ///
    /// # Errors
    /// A token that HTTP cannot carry.
    pub fn with_read_token(
        &self,
        config: &config::GitLabConfig,
    ) -> Result<Option<Self>, BuildError> {
        let Some(token) = &config.read_token else {
            return Ok(None);
        };
        let token = credentials(token, READING.credentials)?;
        let upstream = self.upstream.beside(&READING, token);
        upstream.keep_time();
        Ok(Some(Self {
            upstream,
            base: Arc::clone(&self.base),
            writes_when: None,
            own: Arc::default(),
            expiry: Arc::default(),
        }))
    }
}

/// The header that shows `token`, which the setting `setting` holds.
pub(super) fn credentials(
    token: &Secret,
    setting: &'static str,
) -> Result<Box<dyn Authorize>, BuildError> {
    let header = HeaderName::from_static("private-token");
    let credential = credential_of(setting, token, str::to_owned);
    let credential = credential.ok_or(BuildError::Credentials(setting))?;
    Ok(Box::new(SecretHeader::new(header, credential)))
}
