//! Where an operator looks when the calls of an upstream fail.

/// Which settings an operator looks at when a call fails; they appear in the text of a
/// [`super::CallError`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UpstreamSettings {
    /// The setting that holds the address, such as `GITLAB_URL`.
    pub url: &'static str,
    /// The setting or settings that hold the credentials, such as `GITLAB_TOKEN`.
    pub credentials: &'static str,
    /// What the credentials have to be allowed, as a phrase.
    pub rights: &'static str,
    /// The setting that names an authority to trust beside the system's own.
    pub authority: &'static str,
}
