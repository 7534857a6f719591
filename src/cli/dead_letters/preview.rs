//! What would become of a dead letter now. Each side is asked only where a letter concerns it: who runs namespaces alone
//! needs neither GitLab nor a directory.

use std::time::Duration;

use tokio::sync::OnceCell;

use super::ledger_view::LedgerView;
use crate::{
    app::{clients::UserClients, context::ProcessContext, namespace_clients::ledger_for_reading},
    cli::Failure,
    config::{Config, NamespacesConfig},
    messaging::{Stage, dead_letters::Letter},
    namespaces::{
        ledger::{Ledger, LedgerError},
        worker::unrecorded,
    },
    upstream::CallError,
    users::forecast::{Forecast, Forecaster, of_namespace},
};

/// Looks ahead. The ledger is asked afresh for each letter, and none of its tables is created.
pub(super) struct Foresight<'a> {
    context: &'a ProcessContext,
    ledger: Option<Result<Ledger, LedgerError>>,
    settle: Duration,
    forecaster: OnceCell<Forecaster>,
}

/// What would become of a letter.
#[derive(Debug)]
pub(super) struct Foreseen {
    /// One word of a closed list, for programs.
    pub(super) word: &'static str,
    /// In one sentence.
    pub(super) detail: String,
    /// What the ledger says, where the letter is about a namespace.
    pub(super) ledger: Option<LedgerView>,
    /// Why it cannot be told, where GitLab or the directory gave no usable answer.
    pub(super) unknown: Option<CallError>,
}

impl<'a> Foresight<'a> {
    /// Nothing is asked yet, and nothing but Pub/Sub need be configured for what is not asked.
    pub(super) fn new(context: &'a ProcessContext, namespaces: &NamespacesConfig) -> Self {
        Self {
            context,
            ledger: ledger_for_reading(namespaces),
            settle: namespaces.settle,
            forecaster: OnceCell::new(),
        }
    }

    /// What the service would do with `letter` now.
    ///
    /// # Errors
    /// When what the letter concerns is not configured.
    pub(super) async fn of(&self, letter: &Letter) -> Result<Foreseen, Failure> {
        match letter.seen.stage {
            Stage::FanOut | Stage::UserWorker => self.of_users(letter).await,
            Stage::NamespaceWorker => Ok(self.of_namespace(letter).await),
        }
    }

    async fn of_users(&self, letter: &Letter) -> Result<Foreseen, Failure> {
        let forecaster = self.forecaster.get_or_try_init(async || {
            let config: Config = self.context.load()?.config;
            Ok::<_, Failure>(UserClients::for_reading(&config)?.forecaster())
        });
        let run = letter.seen.run.as_deref().unwrap_or(&letter.seen.id);
        let forecast = forecaster
            .await?
            .forecast(letter.seen.stage, &letter.body, run)
            .await;
        Ok(match forecast {
            Ok(forecast) => Foreseen::from(forecast),
            Err(error) => Foreseen {
                word: "unknown",
                detail: format!("cannot be told: {error}"),
                ledger: None,
                unknown: Some(error),
            },
        })
    }

    async fn of_namespace(&self, letter: &Letter) -> Foreseen {
        let forecast = of_namespace(&letter.body);
        let Forecast::Namespace(id) = forecast else {
            return Foreseen::from(forecast);
        };
        let view = LedgerView::of(id, self.ledger.as_ref(), self.settle).await;
        let known = match &view {
            LedgerView::NotConfigured | LedgerView::Unreadable { .. } => Foreseen::from(forecast),
            LedgerView::Unrecorded => {
                let letter = unrecorded(id);
                Foreseen::from(Forecast::DeadLetter(letter.reason, letter.detail))
            }
            LedgerView::Recorded(outlook) => {
                let sync = outlook.newest.id;
                let (word, detail) = if outlook.due {
                    (
                        forecast.as_str(),
                        format!("sync {sync} of namespace {id} is sent"),
                    )
                } else {
                    (
                        "nothing",
                        format!("nothing: sync {sync} was answered, and nobody has asked since"),
                    )
                };
                Foreseen {
                    word,
                    detail,
                    ledger: None,
                    unknown: None,
                }
            }
        };
        Foreseen {
            ledger: Some(view),
            ..known
        }
    }
}

impl From<Forecast> for Foreseen {
    fn from(forecast: Forecast) -> Self {
        Self {
            word: forecast.as_str(),
            detail: forecast.to_string(),
            ledger: None,
            unknown: None,
        }
    }
}
