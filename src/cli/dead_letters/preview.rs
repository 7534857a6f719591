//! What would become of a dead letter now. Each side is asked only where a letter concerns it: who
//! runs namespaces alone needs neither GitLab nor a directory.

use std::time::Duration;

use tokio::sync::OnceCell;

use super::ledger_view::LedgerView;
use crate::{
    app::{clients::UserClients, context::ProcessContext, namespace_clients::ledger_for_reading},
    cli::CommandFailure,
    config::{Config, NamespacesConfig},
    messaging::{Stage, dead_letters::Letter, wire::NamespaceRequest},
    namespaces::{
        ledger::{Ledger, LedgerError},
        worker::unrecorded,
    },
    upstream::CallError,
    users::preview::{Preview, Previewer},
};

/// The word for a namespace whose newest recorded sync would be sent.
const SYNC_SENT: &str = "namespace_sync";

/// Previews letters. The ledger is asked afresh for each letter, and none of its tables is created.
pub(super) struct LetterPreviewer<'a> {
    context: &'a ProcessContext,
    ledger: Option<Result<Ledger, LedgerError>>,
    settle: Duration,
    users: OnceCell<Previewer>,
}

/// What would become of a letter.
#[derive(Debug)]
pub(super) struct LetterPreview {
    /// One word of a closed list, for programs.
    pub(super) word: &'static str,
    /// In one sentence.
    pub(super) detail: String,
    /// What the ledger says, where the letter is about a namespace.
    pub(super) ledger: Option<LedgerView>,
    /// Why it cannot be told, where GitLab or the directory gave no usable answer.
    pub(super) unknown: Option<CallError>,
}

impl<'a> LetterPreviewer<'a> {
    /// Nothing is asked yet, and nothing but Pub/Sub need be configured for what is not asked.
    pub(super) fn new(context: &'a ProcessContext, namespaces: &NamespacesConfig) -> Self {
        Self {
            context,
            ledger: ledger_for_reading(namespaces),
            settle: namespaces.settle,
            users: OnceCell::new(),
        }
    }

    /// What the service would do with `letter` now.
    ///
    /// # Errors
    /// When what the letter concerns is not configured.
    pub(super) async fn of(&self, letter: &Letter) -> Result<LetterPreview, CommandFailure> {
        Ok(match letter.seen.stage {
            Stage::FanOut => self.users().await?.tick(&letter.body).await.into(),
            Stage::UserWorker => {
                let run = letter.seen.run.as_deref().unwrap_or(&letter.seen.id);
                self.users().await?.user(&letter.body, run).await.into()
            }
            Stage::NamespaceWorker => self.of_namespace(letter).await,
        })
    }

    async fn users(&self) -> Result<&Previewer, CommandFailure> {
        self.users
            .get_or_try_init(async || {
                let config: Config = self.context.load()?.config;
                Ok(UserClients::for_reading(&config)?.previewer())
            })
            .await
    }

    /// Any such message means the newest sync; what the ledger says of it is asked for beside.
    async fn of_namespace(&self, letter: &Letter) -> LetterPreview {
        let id = match NamespaceRequest::decode(&letter.body) {
            Ok(request) => request.namespace_id,
            Err(error) => return Preview::from(error).into(),
        };
        let view = LedgerView::of(id, self.ledger.as_ref(), self.settle).await;
        let known = match &view {
            LedgerView::NotConfigured | LedgerView::Unreadable { .. } => LetterPreview::new(
                SYNC_SENT,
                format!("the newest recorded sync of namespace {id} is sent"),
            ),
            LedgerView::Unrecorded => {
                let letter = unrecorded(id);
                Preview::DeadLetter(letter.reason, letter.detail).into()
            }
            LedgerView::Recorded(preview) => {
                let sync = preview.newest.id;
                if preview.due {
                    LetterPreview::new(SYNC_SENT, format!("sync {sync} of namespace {id} is sent"))
                } else {
                    LetterPreview::new(
                        "nothing",
                        format!("nothing: sync {sync} was answered, and not requested since"),
                    )
                }
            }
        };
        LetterPreview {
            ledger: Some(view),
            ..known
        }
    }
}

impl LetterPreview {
    fn new(word: &'static str, detail: String) -> Self {
        Self {
            word,
            detail,
            ledger: None,
            unknown: None,
        }
    }
}

impl From<Preview> for LetterPreview {
    fn from(preview: Preview) -> Self {
        Self::new(preview.as_str(), preview.to_string())
    }
}

impl From<Result<Preview, CallError>> for LetterPreview {
    fn from(preview: Result<Preview, CallError>) -> Self {
        preview.map_or_else(
            |error| Self {
                unknown: Some(error.clone()),
                ..Self::new("unknown", format!("cannot be told: {error}"))
            },
            Self::from,
        )
    }
}
