//! Log lines: which form they take, where they go, what is let through.

use std::{fmt, io, sync::Arc};

use jiff::Timestamp;
use tracing::{Event, Level, Metadata, Subscriber};
use tracing_subscriber::{
    EnvFilter, Registry,
    filter::{FilterFn, LevelFilter},
    fmt::{
        FmtContext, FormatEvent, MakeWriter,
        format::{JsonFields, Writer},
        writer::BoxMakeWriter,
    },
    layer::SubscriberExt,
    registry::LookupSpan,
    util::{SubscriberInitExt, TryInitError},
};

pub use super::log_destination::{GOOGLE_CLOUD_VARIABLES, LineFormat, LogDestination, LogStream};
use super::{digest::UnchangedDigest, json, record::LogRecord, text};

/// A log filter that nobody can act on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("is not a log filter")]
pub struct BadFilter;

/// Reads a level, or a filter of `tracing_subscriber`.
///
/// # Errors
/// For what is neither. A bare word that is not a level is one: the filter's own syntax would take
/// it for the name of a module, and `verbose` would silently switch everything off.
pub fn filter(text: &str) -> Result<EnvFilter, BadFilter> {
    let mut parts = text.split(',').map(str::trim);
    let plain = |part: &str| part.contains(['=', '[']) || part.parse::<LevelFilter>().is_ok();
    if parts.all(|part| !part.is_empty() && plain(part)) {
        return EnvFilter::builder().parse(text).map_err(|_| BadFilter);
    }
    Err(BadFilter)
}

/// All that decides about a process's log.
#[derive(Debug)]
pub struct LogOptions {
    /// What is let through; see [`filter`].
    pub filter: EnvFilter,
    /// How lines look.
    pub form: LineFormat,
    /// Where they go.
    pub stream: LogStream,
    /// Whether a person watches them as they come: what a run left as it was is then told in one
    /// line, unless the filter lets DEBUG through.
    pub is_watched: bool,
    /// The Google Cloud project, in which Cloud Logging looks for the traces that lines belong to.
    pub project: Option<String>,
}

/// Sends the log of this process where `options` say, from now on and for good. Of a log that a
/// person watches a task is begun.
///
/// # Errors
/// When it was installed before.
pub fn install(options: LogOptions) -> Result<(), TryInitError> {
    let writer = match options.stream {
        LogStream::Output => BoxMakeWriter::new(io::stdout),
        LogStream::Error => BoxMakeWriter::new(io::stderr),
    };
    let lines = LogLines::new(options.form, options.project, Timestamp::now);
    let is_watched =
        options.is_watched && options.filter.max_level_hint() < Some(LevelFilter::DEBUG);
    let all = subscriber(options.filter, lines, writer);
    if !is_watched {
        return all.try_init();
    }
    let digest = UnchangedDigest::default();
    all.with(digest.clone()).try_init()?;
    tokio::spawn(digest.tell());
    Ok(())
}

/// Puts the parts together; separate from [`install`] for tests, which bring their own clock and
/// writer.
pub fn subscriber<W>(
    filter: EnvFilter,
    lines: LogLines,
    writer: W,
) -> impl Subscriber + Send + Sync + for<'a> LookupSpan<'a>
where
    W: for<'w> MakeWriter<'w> + Send + Sync + 'static,
{
    let layer = tracing_subscriber::fmt::layer()
        .with_ansi(false)
        // It would be told on standard error by a macro that panics where that is gone as well.
        .log_internal_errors(false)
        .fmt_fields(JsonFields::new())
        .event_format(lines)
        .with_writer(writer);
    let told = FilterFn::new(is_told_at_all);
    Registry::default().with(filter).with(told).with(layer)
}

/// The events of libraries that are told, by their targets, from WARN up. What they say has been
/// read: no address, header, statement, parameter or body is in it. Nothing else of a library is,
/// at any level: what its next version tells is not ours to say, and what goes wrong in it reaches
/// the log as an error of the part that asked.
const TOLD_LIBRARIES: [&str; 1] = [
    // How long a connection was waited for.
    "sqlx::pool::acquire",
];

/// The crates of this project that tell something.
const OWN_CRATES: [&str; 2] = [env!("CARGO_CRATE_NAME"), "pubsub_emulator"];

/// What a filter can let through.
fn is_told_at_all(metadata: &Metadata<'_>) -> bool {
    let own = OWN_CRATES.iter().any(|name| {
        let inside = metadata.target().strip_prefix(name);
        inside.is_some_and(|rest| rest.is_empty() || rest.starts_with("::"))
    });
    let listed = *metadata.level() <= Level::WARN && TOLD_LIBRARIES.contains(&metadata.target());
    own || listed
}

/// Writes an event as one line of the chosen form.
#[derive(Clone)]
pub struct LogLines {
    form: LineFormat,
    project: Option<String>,
    clock: Arc<dyn Fn() -> Timestamp + Send + Sync>,
}

impl LogLines {
    /// Lines of `form`, with times of `clock`.
    pub fn new(
        form: LineFormat,
        project: Option<String>,
        clock: impl Fn() -> Timestamp + Send + Sync + 'static,
    ) -> Self {
        Self {
            form,
            project,
            clock: Arc::new(clock),
        }
    }
}

impl fmt::Debug for LogLines {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LogLines")
            .field("form", &self.form)
            .finish_non_exhaustive()
    }
}

impl<S> FormatEvent<S, JsonFields> for LogLines
where
    S: Subscriber + for<'a> LookupSpan<'a>,
{
    fn format_event(
        &self,
        context: &FmtContext<'_, S, JsonFields>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let record = LogRecord::gather(context, event, (self.clock)());
        let line = match self.form {
            LineFormat::Text { colour } => text::line(&record, colour),
            LineFormat::Json => json::line(&record, self.project.as_deref()),
        };
        writeln!(writer, "{line}")
    }
}

#[cfg(test)]
mod tests {
    use std::{
        error::Error,
        io,
        sync::{Arc, Mutex},
    };

    use rstest::rstest;

    use super::{LineFormat, LogLines, filter, subscriber};

    #[rstest]
    #[case("info", true)]
    #[case("OFF", true)]
    #[case("info,lookup_gitlab_sync=debug", true)]
    #[case("warn,lookup_gitlab_sync[run]=trace", true)]
    #[case("verbose", false)]
    #[case("info,verbose", false)]
    #[case("lookup_gitlab_sync=loud", false)]
    #[case("", false)]
    #[case("info,", false)]
    fn a_filter_has_levels_that_exist(#[case] text: &str, #[case] good: bool) {
        assert_eq!(filter(text).is_ok(), good);
    }

    const TEXT: LineFormat = LineFormat::Text { colour: false };
    const COLOUR: LineFormat = LineFormat::Text { colour: true };

    /// What a log holds in memory.
    #[derive(Clone, Default)]
    struct Buffer(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Buffer {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    /// The lines that `speak` logs, at a fixed time and without the numbers of source lines.
    fn log_of(form: LineFormat, speak: impl FnOnce()) -> String {
        log_through("debug", form, speak)
    }

    fn log_through(level: &str, form: LineFormat, speak: impl FnOnce()) -> String {
        let buffer = Buffer::default();
        let writer = buffer.clone();
        let clock = || "2026-11-01T02:00:03.000456Z".parse().unwrap();
        let lines = LogLines::new(form, Some("example-project".to_owned()), clock);
        let subscriber = subscriber(filter(level).unwrap(), lines, move || writer.clone());
        tracing::subscriber::with_default(subscriber, speak);
        let text = String::from_utf8(buffer.0.lock().unwrap().clone()).unwrap();
        let numbers = regex::Regex::new(r#""line":"[0-9]+""#).unwrap();
        numbers.replace_all(&text, r#""line":"0""#).into_owned()
    }

    #[derive(Debug, thiserror::Error)]
    #[error("list_users got no answer")]
    struct Outer(#[source] io::Error);

    fn a_run() {
        let traceparent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
        let run = tracing::info_span!("run", run = "run-1", traceparent, attempt = 1);
        run.in_scope(|| {
            tracing::info!(
                event = "user_blocked",
                account = 42,
                username = "spqr1",
                applied = true,
                "blocked"
            );
            tracing::info_span!("message", attempt = 2, username = tracing::field::Empty).in_scope(
                || {
                    tracing::Span::current().record("username", "abc12");
                    tracing::warn!(event = "look_again", milliseconds = 12.5);
                },
            );
            let cause = Outer(io::Error::other("connection refused"));
            tracing::error!(
                event = "gitlab_unavailable",
                error = &cause as &(dyn Error + 'static),
                "GitLab does not answer"
            );
        });
        tracing::debug!(answer = ?Some("text"), empty = "", severity = "none of ours", "outside of every span");
    }

    #[test]
    fn json_lines_are_as_cloud_logging_reads_them() {
        insta::assert_snapshot!(log_of(LineFormat::Json, a_run));
    }

    #[test]
    fn text_lines_are_as_a_person_reads_them() {
        insta::assert_snapshot!(log_of(TEXT, a_run));
    }

    #[test]
    fn a_username_can_not_forge_a_line_or_move_the_cursor() {
        let hostile =
            "spqr1\n2026-11-01T00:00:00Z ERROR forged\r\u{1b}[2J\u{9b}1A\u{202e}\u{2028}\u{7f}\0";
        let speak =
            || tracing::info!(event = "seen", username = hostile, whole = ?hostile, "{hostile}");
        for form in [LineFormat::Json, TEXT] {
            let log = log_of(form, speak);
            assert_eq!(log.matches('\n').count(), 1, "one line: {log:?}");
            let line = log.trim_end_matches('\n');
            assert!(
                !line.contains(crate::telemetry::escape::is_unsafe),
                "{line:?}"
            );
        }
        let json: serde_json::Value =
            serde_json::from_str(&log_of(LineFormat::Json, speak)).unwrap();
        assert_eq!(
            json["username"], hostile,
            "JSON says the same text, escaped"
        );
    }

    #[rstest]
    #[case("trace")]
    #[case(
        "hyper=trace,h2::codec=trace,sqlx=trace,lookup_gitlab_sync_of_another=trace,lookup_gitlab_sync=trace"
    )]
    fn no_filter_lets_a_library_tell_what_is_not_on_the_list(#[case] level: &str) {
        let log = log_through(level, TEXT, || {
            tracing::trace!(target: "hyper", "private-token");
            tracing::debug!(target: "h2::codec", "private-token");
            tracing::debug!(target: "lookup_gitlab_sync_of_another", "private-token");
            tracing::warn!(target: "sqlx_postgres::options::parse", value = "private-token");
            tracing::warn!(target: "sqlx::query", statement = "private-token");
            tracing::error!(target: "google_cloud_auth", "private-token");
            tracing::info!(target: "sqlx::pool::acquire", "private-token");
            let request = tracing::info_span!(target: "hyper", "request", header = "private-token");
            request.in_scope(|| tracing::trace!("ours"));
            tracing::warn!(target: "sqlx::pool::acquire", "theirs");
        });
        assert!(!log.contains("private-token"), "{log}");
        assert!(log.contains("ours"), "{log}");
        assert!(log.contains("theirs"), "{log}");
    }

    #[test]
    fn colours_are_there_only_when_asked_for() {
        let speak = || tracing::error!(event = "failed", "no");
        assert!(log_of(COLOUR, speak).contains("\u{1b}[31mERROR\u{1b}[0m"));
        assert!(!log_of(TEXT, speak).contains('\u{1b}'));
    }
}
