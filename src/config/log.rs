//! `[log]`

use clap::ValueEnum;

use super::{
    known_keys::KnownKeys,
    reader::ConfigReader,
    source::{MergedSources, Sources},
    values::{LogFilter, WordChoice},
};

/// Logging.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogConfig {
    /// A level or a `tracing` filter. `info`.
    pub level: String,
    /// How a line looks.
    pub format: LogFormat,
}

/// How a log line looks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// JSON on Google Cloud, and from `serve` wherever nobody watches a terminal; text otherwise.
    #[default]
    Auto,
    /// Readable text.
    Text,
    /// JSON lines as Cloud Logging reads them.
    Json,
}

impl Default for LogConfig {
    fn default() -> Self {
        Self {
            level: "info".to_owned(),
            format: LogFormat::default(),
        }
    }
}

impl LogConfig {
    /// What `given` says of the log, whatever else is wrong with it: a mistake is told in the log
    /// that was asked for.
    pub(crate) fn as_far_as_given(given: &Sources) -> Self {
        let sources = MergedSources::collect(given, &KnownKeys::new(super::keys()));
        Self::read(&mut ConfigReader::new(&sources))
    }

    pub(super) fn read(reader: &mut ConfigReader<'_>) -> Self {
        let default = Self::default();
        Self {
            level: reader.value_or("log.level", &LogFilter, default.level),
            format: reader.value_or(
                "log.format",
                &WordChoice::<LogFormat>::new(),
                default.format,
            ),
        }
    }
}
