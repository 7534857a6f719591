//! `[gitlab]`

use secrecy::SecretString;
use url::Url;

use super::{
    calls::Calls,
    form::{Address, SECRET},
    reader::Reader,
};

/// GitLab: where it is and who we are there.
#[derive(Clone, Debug)]
pub struct GitLab {
    /// Base address without `/api/v4`, such as `https://gitlab.example.ac.uk`.
    pub url: Url,
    /// An administrator's token (scope `api`, and `admin_mode` where Admin Mode is on).
    pub token: SecretString,
    /// `[gitlab.calls]`
    pub calls: Calls,
}

/// A message has its place among the calls from its look to its last write, and Lookup's answer comes between them: of
/// 24 places about fifteen are calls under way.
const CALLS: Calls = Calls {
    concurrency: 24,
    ..Calls::DEFAULT
};

impl GitLab {
    pub(super) fn read(reader: &mut Reader<'_>) -> Option<Self> {
        let url = reader.required(
            "gitlab.url",
            &Address {
                without: Some("/api/v4"),
            },
        );
        let token = reader.secret("gitlab.token");
        if !reader.is_given("gitlab.token") && !reader.is_given("gitlab.token_file") {
            reader.lacks("gitlab.token", SECRET);
        }
        let calls = Calls::read_over(reader, "gitlab.calls", &CALLS);
        Some(Self {
            url: url?,
            token: token?,
            calls,
        })
    }
}
