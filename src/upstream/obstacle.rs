//! Why no connection came about, read off the innermost cause, which is all that tells an expired
//! certificate from a mistyped name.

use std::{error::Error, iter};

use super::UpstreamSettings;
use crate::telemetry::{causes, escape};

/// The most that is told of a cause, in characters.
const LONGEST: usize = 240;

/// What stands between this machine and an upstream, where the address alone is not to be doubted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Obstacle {
    /// The time of its certificate is over, or has not come.
    Expired,
    /// Nobody whom this machine knows signed its certificate.
    UnknownAuthority,
    /// Its certificate names other hosts.
    OtherHost,
    /// Something else about its certificate.
    Certificate,
    /// What answers there speaks no TLS.
    NoTls,
    /// Its name cannot be looked up.
    UnknownName,
}

impl Obstacle {
    /// What `error` tells of it. rustls says each in words of its own (`rustls::CertificateError`),
    /// and the resolver in those of the system, below an error that hyper calls "dns error".
    pub(super) fn of(error: &(dyn Error + 'static)) -> Option<Self> {
        let says = |words: &str| {
            iter::once(error)
                .chain(causes::of(error))
                .any(|cause| cause.to_string().to_ascii_lowercase().contains(words))
        };
        if says("dns error") || says("failed to lookup address") {
            return Some(Self::UnknownName);
        }
        if says("invalidcontenttype") {
            return Some(Self::NoTls);
        }
        if !says("invalid peer certificate") {
            return None;
        }
        // An authority whose name is known and whose key is another's is an unknown one. The names
        // first: they stand in the text, and may hold any of the other words.
        let kinds: [(Self, &[&str]); 3] = [
            (
                Self::OtherHost,
                &[
                    "not valid for name",
                    "notvalidforname",
                    "not valid for any names",
                ],
            ),
            (Self::Expired, &["expired", "not valid yet", "notvalidyet"]),
            (
                Self::UnknownAuthority,
                &[
                    "unknownissuer",
                    "unknown issuer",
                    "causedasendentity",
                    "badsignature",
                ],
            ),
        ];
        let kind = kinds
            .into_iter()
            .find(|(_, words)| words.iter().any(|words| says(words)));
        Some(kind.map_or(Self::Certificate, |(kind, _)| kind))
    }

    /// What an operator does about it.
    pub(super) fn advice(self, settings: &UpstreamSettings) -> String {
        let UpstreamSettings { url, authority, .. } = settings;
        match self {
            Self::Expired => {
                "its certificate has expired or is not valid yet: renew it there, or set this machine's clock right"
                    .to_owned()
            }
            Self::UnknownAuthority => format!(
                "its certificate is signed by an authority that this machine does not know: name that authority's \
                 file in {authority}, or have the server send its intermediate certificates"
            ),
            Self::OtherHost => {
                format!("its certificate is for another host: write {url} with the host that the certificate names")
            }
            Self::Certificate => "its certificate cannot be used: ask those who run it".to_owned(),
            Self::NoTls => format!("it does not speak TLS there: are the scheme and port of {url} right?"),
            Self::UnknownName => {
                format!("its name cannot be looked up: is {url} spelt right, and does this machine's DNS know it?")
            }
        }
    }
}

/// The innermost cause in one line. It is the system's, the resolver's or the TLS library's own
/// sentence: neither secrets nor bodies come that far down.
pub(crate) fn innermost(error: &(dyn Error + 'static)) -> String {
    let cause = causes::innermost(error).to_string();
    // The number beside the system's own words tells a person nothing.
    let words = cause.split(" (os error ").next().unwrap_or(&cause);
    escape(words).chars().take(LONGEST).collect()
}

#[cfg(test)]
mod tests {
    use std::io;

    use rstest::rstest;

    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("client error (Connect)")]
    struct ConnectError(#[source] io::Error);

    fn met(words: &str) -> ConnectError {
        ConnectError(io::Error::other(words.to_owned()))
    }

    #[rstest]
    #[case("invalid peer certificate: Expired", Obstacle::Expired)]
    #[case(
        "invalid peer certificate: certificate expired: verification time 2 (UNIX), but certificate is not valid after 1 (1 seconds ago)",
        Obstacle::Expired
    )]
    #[case(
        "invalid peer certificate: certificate not valid yet: verification time 1 (UNIX)",
        Obstacle::Expired
    )]
    #[case("invalid peer certificate: UnknownIssuer", Obstacle::UnknownAuthority)]
    #[case(
        "invalid peer certificate: certificate not valid for name \"gitlab.expired.example\"; certificate is only valid for DnsName(\"x\")",
        Obstacle::OtherHost
    )]
    #[case("invalid peer certificate: BadEncoding", Obstacle::Certificate)]
    #[case("received corrupt message of type InvalidContentType", Obstacle::NoTls)]
    #[case(
        "failed to lookup address information: Name or service not known",
        Obstacle::UnknownName
    )]
    fn the_innermost_cause_is_told_and_understood(#[case] words: &str, #[case] obstacle: Obstacle) {
        let error = met(words);
        assert_eq!(Obstacle::of(&error), Some(obstacle));
        assert_eq!(innermost(&error), escape(words));
    }

    #[test]
    fn other_causes_are_told_and_explain_nothing_further() {
        let error = ConnectError(io::Error::from_raw_os_error(111));
        assert_eq!(
            (Obstacle::of(&error), innermost(&error).as_str()),
            (None, "Connection refused")
        );
        assert_eq!(innermost(&met("a\nb")), r"a\nb");
        assert_eq!(innermost(&met(&"x".repeat(1_000))).len(), LONGEST);
    }
}
