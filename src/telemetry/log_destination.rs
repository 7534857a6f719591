//! Who reads the log, and so which form it takes and where it goes.

/// How a line looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LineFormat {
    /// Readable text.
    Text {
        /// With terminal colours.
        colour: bool,
    },
    /// JSON lines as Cloud Logging reads them.
    Json,
}

/// Where lines go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogStream {
    /// Standard output: of a serving process the logs are all there is.
    Output,
    /// Standard error: standard output is for results.
    Error,
}

/// What the form of the lines depends on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "five facts, each true or not, and none implied by another"
)]
pub struct LogDestination {
    /// The process serves; it is no command that a person waits for.
    pub serving: bool,
    /// Cloud Run or Cloud Functions: one of [`GOOGLE_CLOUD_VARIABLES`] is set.
    pub on_google_cloud: bool,
    /// Standard error is a terminal.
    pub on_terminal: bool,
    /// Standard output is a terminal.
    pub output_on_terminal: bool,
    /// `NO_COLOR` is set.
    pub no_colour: bool,
}

/// What Cloud Run sets, see <https://docs.cloud.google.com/run/docs/container-contract#env-vars>.
pub const GOOGLE_CLOUD_VARIABLES: [&str; 4] = [
    "K_SERVICE",
    "K_REVISION",
    "CLOUD_RUN_WORKER_POOL",
    "CLOUD_RUN_JOB",
];

impl LogDestination {
    /// The form when nobody asked for one. A serving process that nobody watches writes for a log
    /// collector; a command writes for a person, unless it runs as a job on Google Cloud.
    pub fn usual_form(self) -> LineFormat {
        let collected = self.on_google_cloud || (self.serving && !self.on_terminal);
        if collected {
            LineFormat::Json
        } else {
            self.text()
        }
    }

    /// Text, with colours where they can be seen and are wanted.
    pub fn text(self) -> LineFormat {
        LineFormat::Text {
            colour: self.on_terminal && !self.no_colour,
        }
    }

    /// Where lines of `form` go. A terminal's person who sends standard error elsewhere means the
    /// log.
    pub fn stream(self, form: LineFormat) -> LogStream {
        match form {
            LineFormat::Json if self.serving && !self.output_on_terminal => LogStream::Output,
            LineFormat::Json | LineFormat::Text { .. } => LogStream::Error,
        }
    }

    /// Whether a person watches lines of `form` as they come.
    pub fn is_watched(self, form: LineFormat) -> bool {
        match form {
            LineFormat::Text { .. } => self.serving && self.on_terminal,
            LineFormat::Json => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::{LineFormat, LogDestination, LogStream};

    const TEXT: LineFormat = LineFormat::Text { colour: false };
    const COLOUR: LineFormat = LineFormat::Text { colour: true };

    #[rstest]
    #[case::command_on_a_terminal(false, false, true, COLOUR, LogStream::Error)]
    #[case::command_in_a_pipe(false, false, false, TEXT, LogStream::Error)]
    #[case::job_on_google_cloud(false, true, false, LineFormat::Json, LogStream::Error)]
    #[case::serve_on_a_terminal(true, false, true, COLOUR, LogStream::Error)]
    #[case::serve_in_a_container(true, false, false, LineFormat::Json, LogStream::Output)]
    #[case::serve_on_google_cloud(true, true, false, LineFormat::Json, LogStream::Output)]
    fn lines_go_where_they_are_read(
        #[case] serving: bool,
        #[case] on_google_cloud: bool,
        #[case] on_terminal: bool,
        #[case] form: LineFormat,
        #[case] stream: LogStream,
    ) {
        let destination = LogDestination {
            serving,
            on_google_cloud,
            on_terminal,
            output_on_terminal: on_terminal,
            no_colour: false,
        };
        assert_eq!(destination.usual_form(), form);
        assert_eq!(destination.stream(form), stream);
        let plain = LogDestination {
            no_colour: true,
            ..destination
        };
        assert_ne!(plain.usual_form(), COLOUR, "NO_COLOR is honoured");
        assert_eq!(destination.is_watched(form), serving && form == COLOUR);
    }

    #[test]
    fn a_log_goes_with_standard_error_that_a_person_sends_elsewhere() {
        let destination = LogDestination {
            serving: true,
            output_on_terminal: true,
            ..LogDestination::default()
        };
        let form = destination.usual_form();
        assert_eq!(form, LineFormat::Json);
        assert_eq!(destination.stream(form), LogStream::Error);
        assert!(!destination.is_watched(form));
    }
}
