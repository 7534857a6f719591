//! How one API is called.

use std::time::Duration;

use super::{
    authority::CertificateAuthority,
    pubsub::ACK_DEADLINE,
    reader::ConfigReader,
    values::{DurationRange, Integer},
};

/// How one API is called: the same knobs for each upstream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CallsConfig {
    /// Deadline of one attempt. 10 s.
    pub timeout: Duration,
    /// Calls in flight at once. 8, and 24 to GitLab.
    pub concurrency: usize,
    /// Upper bound of calls a minute, if the API has one. None.
    pub requests_per_minute: Option<u32>,
    /// Attempts of a read that fails transiently, the first included. 4.
    pub read_attempts: usize,
    /// The largest answer accepted, in bytes. 16 MiB.
    pub max_response_bytes: usize,
    /// Authorities trusted beside the system's own, `ca_file` of the upstream's section. None.
    pub authority: Option<CertificateAuthority>,
}

impl Default for CallsConfig {
    fn default() -> Self {
        Self::DEFAULT
    }
}

impl CallsConfig {
    /// The defaults for most APIs.
    pub(super) const DEFAULT: Self = Self {
        timeout: Duration::from_secs(10),
        concurrency: 8,
        requests_per_minute: None,
        read_attempts: 4,
        max_response_bytes: 16 << 20,
        authority: None,
    };

    /// Reads `section`, such as `gitlab.calls`.
    ///
    /// All attempts of a call fit into the ack deadline, so that a message whose lease could not be
    /// extended once is not redelivered meanwhile.
    pub(super) fn read(reader: &mut ConfigReader<'_>, section: &str) -> Self {
        Self::read_over(reader, section, &Self::default())
    }

    /// [`Self::read`] with other defaults.
    pub(super) fn read_over(reader: &mut ConfigReader<'_>, section: &str, default: &Self) -> Self {
        let key = |name: &str| format!("{section}.{name}");
        let time = DurationRange(Duration::from_millis(100)..=Duration::from_mins(2));
        let calls = Self {
            timeout: reader.value_or(&key("timeout"), &time, default.timeout),
            concurrency: reader.value_or(
                &key("concurrency"),
                &Integer(1..=256),
                default.concurrency,
            ),
            requests_per_minute: reader
                .optional(&key("requests_per_minute"), &Integer(1..=1_000_000)),
            read_attempts: reader.value_or(
                &key("read_attempts"),
                &Integer(1..=10),
                default.read_attempts,
            ),
            max_response_bytes: reader.value_or(
                &key("max_response_bytes"),
                &Integer(1 << 10..=1 << 30),
                default.max_response_bytes,
            ),
            authority: default.authority.clone(),
        };
        let attempts = u32::try_from(calls.read_attempts).unwrap_or(u32::MAX);
        if calls.timeout.saturating_mul(attempts) > ACK_DEADLINE {
            reader.reject(
                &key("timeout"),
                format!(
                    "times {} is longer than the 60 s ack deadline of the subscriptions",
                    key("read_attempts")
                ),
            );
        }
        calls
    }
}
