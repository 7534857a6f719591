//! `[log]`

use super::{
    reader::Reader,
    values::{Choice, Filter},
};

/// Logging.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Log {
    /// A level or a `tracing` filter. `info`.
    pub level: String,
    /// How a line looks.
    pub format: LogFormat,
}

/// How a log line looks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LogFormat {
    /// JSON on Google Cloud, and from `serve` wherever nobody watches a terminal; text otherwise.
    #[default]
    Auto,
    /// Readable text.
    Text,
    /// JSON lines as Cloud Logging reads them.
    Json,
}

const FORMATS: Choice<LogFormat> = Choice(&[
    ("auto", LogFormat::Auto),
    ("text", LogFormat::Text),
    ("json", LogFormat::Json),
]);

impl Default for Log {
    fn default() -> Self {
        Self {
            level: "info".to_owned(),
            format: LogFormat::default(),
        }
    }
}

impl Log {
    pub(super) fn read(reader: &mut Reader<'_>) -> Self {
        let default = Self::default();
        Self {
            level: reader.value_or("log.level", &Filter, default.level),
            format: reader.value_or("log.format", &FORMATS, default.format),
        }
    }
}
