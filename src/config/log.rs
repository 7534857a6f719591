//! `[log]`

use clap::ValueEnum;

use super::{
    reader::ConfigReader,
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
