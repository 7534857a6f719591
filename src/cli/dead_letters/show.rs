//! `dead-letters show`.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Serialize;
use tokio_util::sync::CancellationToken;

use super::{
    filter::FilterArgs,
    ledger_view::LedgerView,
    preview::{LetterPreview, LetterPreviewer},
    text::{self, BodyText},
};
use crate::{
    app::{clients::connect, context::ProcessContext},
    cli::{
        CommandFailure,
        common::output::{self, OutputFormat, OutputRow},
    },
    config::MessagingConfig,
    messaging::{
        PubSubError,
        dead_letters::{GivenUpBy, History, Letter, Scan},
    },
};

/// How much of a body a table shows, in characters.
const SHOWN: usize = 4_000;

/// Shows one dead letter whole, and what the service would do with it now
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  lookup-gitlab-sync dead-letters show 12083918203912")]
pub(super) struct ShowArgs {
    /// The id, as `dead-letters list` shows it
    id: String,
    /// How it is printed
    #[arg(long, value_enum, default_value_t)]
    output: OutputFormat,
}

impl ShowArgs {
    pub(super) async fn run(
        self,
        context: &ProcessContext,
        stopping: &CancellationToken,
    ) -> Result<(), CommandFailure> {
        let config: MessagingConfig = context.load()?.config;
        let connection = connect(&config.pubsub).await?;
        let selection = FilterArgs::default().selection(vec![self.id.clone()], Timestamp::now());
        let mut scan = Scan::new(&connection, &selection, stopping.clone());
        let letter = first(&mut scan).await;
        scan.release().await;
        let Some(letter) = letter? else {
            return Err(anyhow::anyhow!(
                "dead letter {} was not found: `dead-letters list` shows those that can be seen now",
                self.id
            )
            .into());
        };
        let previewer = LetterPreviewer::new(context, &config.namespaces);
        let now = previewer.of(&letter).await?;
        self.print(&letter, &now)?;
        now.unknown.map_or(Ok(()), |error| Err(error.into()))
    }

    fn print(&self, letter: &Letter, now: &LetterPreview) -> Result<(), CommandFailure> {
        match self.output {
            OutputFormat::Json => {
                output::print(self.output, &[DeadLetterDocument::of(letter, now)])?;
            }
            OutputFormat::Table | OutputFormat::Csv => {
                output::print(self.output, &fields(letter, now))?;
            }
        }
        Ok(())
    }
}

async fn first(scan: &mut Scan) -> Result<Option<Letter>, PubSubError> {
    Ok(scan.next().await?.into_iter().flatten().next())
}

#[derive(Serialize)]
struct DeadLetterField {
    field: String,
    value: String,
}

impl OutputRow for DeadLetterField {
    const COLUMNS: &'static [&'static str] = &["field", "value"];
    const SENTENCES: &'static [&'static str] = &["value"];

    fn cells(&self) -> Vec<String> {
        vec![self.field.clone(), self.value.clone()]
    }
}

fn fields(letter: &Letter, now: &LetterPreview) -> Vec<DeadLetterField> {
    let Letter {
        seen,
        body,
        attributes,
    } = letter;
    let mut fields = vec![
        ("id".to_owned(), seen.id.clone()),
        ("topic".to_owned(), seen.stage.topic().as_str().to_owned()),
        ("about".to_owned(), text::about(&seen.about)),
        ("history".to_owned(), history(&seen.history, seen.died())),
    ];
    fields.extend(
        attributes
            .iter()
            .map(|(name, value)| (format!("attribute {name}"), value.clone())),
    );
    fields.push(match BodyText::of(body) {
        BodyText::Text(text) => ("body".to_owned(), cut(text)),
        BodyText::Base64(text) => ("body, base64".to_owned(), cut(&text)),
    });
    fields.extend(now.ledger.iter().flat_map(LedgerView::fields));
    fields.push(("now".to_owned(), now.detail.clone()));
    fields
        .into_iter()
        .map(|(field, value)| DeadLetterField { field, value })
        .collect()
}

fn cut(text: &str) -> String {
    let shown: String = text.chars().take(SHOWN).collect();
    if shown.len() == text.len() {
        shown
    } else {
        format!(
            "{shown} ... ({} bytes; --output json shows all)",
            text.len()
        )
    }
}

/// In one sentence.
fn history(history: &History, died: Option<Timestamp>) -> String {
    let by = match history.by {
        GivenUpBy::Service => history
            .stage
            .map_or("the service".to_owned(), |stage| format!("the {stage}")),
        GivenUpBy::PubSub => "Pub/Sub itself".to_owned(),
        GivenUpBy::Unknown => "an unknown sender".to_owned(),
    };
    let attempt = history
        .delivery_attempt
        .map(|attempt| format!(" at delivery {attempt}"))
        .unwrap_or_default();
    let detail = history
        .detail
        .as_ref()
        .map(|detail| format!(": {detail}"))
        .unwrap_or_default();
    let first = history
        .first_reason
        .as_ref()
        .map(|reason| format!(", first because of {reason}"))
        .unwrap_or_default();
    format!(
        "dead-lettered by {by}{attempt}, {}, {}{detail}; died {}{first}; replayed {}",
        text::time(died),
        history.why(),
        times(u64::from(history.deaths)),
        times(u64::from(history.replays)),
    )
}

fn times(count: u64) -> String {
    match count {
        1 => "1 time".to_owned(),
        many => format!("{many} times"),
    }
}

/// Everything, for programs.
#[derive(Serialize)]
struct DeadLetterDocument<'a> {
    id: &'a str,
    topic: &'static str,
    published: Option<Timestamp>,
    attributes: &'a BTreeMap<String, String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    body: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    body_base64: Option<String>,
    history: DeathRecord<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ledger: Option<&'a LedgerView>,
    now: &'static str,
    now_detail: &'a str,
}

#[derive(Serialize)]
struct DeathRecord<'a> {
    reason: &'static str,
    detail: Option<&'a str>,
    deaths: u32,
    replays: u32,
    delivery_attempt: Option<u32>,
    original_message_id: Option<&'a str>,
    original_publish_time: Option<Timestamp>,
    first_reason: Option<&'a str>,
    first_at: Option<Timestamp>,
}

impl<'a> DeadLetterDocument<'a> {
    fn of(letter: &'a Letter, now: &'a LetterPreview) -> Self {
        let Letter {
            seen, attributes, ..
        } = letter;
        let (body, body_base64) = match BodyText::of(&letter.body) {
            BodyText::Text(text) => (Some(text), None),
            BodyText::Base64(text) => (None, Some(text)),
        };
        let past = &seen.history;
        Self {
            id: &seen.id,
            topic: seen.stage.topic().as_str(),
            published: seen.published,
            attributes,
            body,
            body_base64,
            history: DeathRecord {
                reason: past.why().as_str(),
                detail: past.detail.as_deref(),
                deaths: past.deaths,
                replays: past.replays,
                delivery_attempt: past.delivery_attempt,
                original_message_id: past.message_id.as_deref(),
                original_publish_time: past.publish_time,
                first_reason: past.first_reason.as_deref(),
                first_at: past.first_at,
            },
            ledger: now.ledger.as_ref(),
            now: now.word,
            now_detail: &now.detail,
        }
    }
}

impl OutputRow for DeadLetterDocument<'_> {
    const COLUMNS: &'static [&'static str] = &["id", "topic", "now"];

    fn cells(&self) -> Vec<String> {
        vec![
            self.id.to_owned(),
            self.topic.to_owned(),
            self.now_detail.to_owned(),
        ]
    }
}
