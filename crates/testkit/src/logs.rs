//! What a test's own thread logs.

use std::{
    io,
    sync::{Arc, Mutex},
};

use serde_json::Value;
use tracing::{Level, subscriber::DefaultGuard};
use tracing_subscriber::fmt::MakeWriter;

/// Bytes that a subscriber wrote; its copies share them.
#[derive(Clone, Debug, Default)]
pub struct LogBuffer(Arc<Mutex<Vec<u8>>>);

impl LogBuffer {
    /// All that was written so far.
    pub fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }

    /// The lines of a subscriber that writes JSON.
    pub fn json(&self) -> Vec<Value> {
        let text = self.text();
        let line = |line| serde_json::from_str(line).unwrap_or_else(|_| panic!("{line}"));
        text.lines().map(line).collect()
    }
}

impl io::Write for LogBuffer {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl MakeWriter<'_> for LogBuffer {
    type Writer = Self;

    fn make_writer(&self) -> Self {
        self.clone()
    }
}

/// What this thread logs from the beginning of the capture on, as long as this lives.
#[derive(Debug)]
pub struct CapturedLogs {
    written: LogBuffer,
    _guard: DefaultGuard,
}

impl CapturedLogs {
    /// Errors alone.
    pub fn errors() -> Self {
        Self::from_level(Level::ERROR)
    }

    /// Everything from `level` on.
    pub fn from_level(level: Level) -> Self {
        let written = LogBuffer::default();
        let subscriber = tracing_subscriber::fmt()
            .with_max_level(level)
            .with_ansi(false)
            .with_writer(written.clone())
            .finish();
        Self {
            written,
            _guard: tracing::subscriber::set_default(subscriber),
        }
    }

    /// All that was logged so far.
    pub fn text(&self) -> String {
        self.written.text()
    }
}
