//! The stages of the service, and what each needs of the configuration.

use super::{context::ProcessContext, error::AppError};
use crate::{
    config::{
        AnyConfig, Config, MessagingConfig, Mode, NamespacesConfig, PubSubConfig, ServeConfig,
    },
    messaging::Stage,
};

/// A stage that `serve` runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ServedStage {
    /// Consumes a subscription.
    Consumer(Stage),
    /// Records syncs over HTTP and publishes the keys.
    Portal,
    /// GitLab's internal endpoint that provisions a namespace.
    ProvisioningApi,
}

impl ServedStage {
    /// Every stage.
    pub const ALL: [Self; 5] = [
        Self::Consumer(Stage::FanOut),
        Self::Consumer(Stage::UserWorker),
        Self::Consumer(Stage::NamespaceWorker),
        Self::Portal,
        Self::ProvisioningApi,
    ];

    /// The stages of the user pipeline.
    pub const USERS: [Self; 2] = [
        Self::Consumer(Stage::FanOut),
        Self::Consumer(Stage::UserWorker),
    ];

    /// The stage's name on the command line and in logs.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Consumer(stage) => stage.as_str(),
            Self::Portal => "portal",
            Self::ProvisioningApi => "provisioning-api",
        }
    }

    /// Whether clients other than the platform call it over HTTP.
    pub const fn is_public(self) -> bool {
        match self {
            Self::Portal | Self::ProvisioningApi => true,
            Self::Consumer(Stage::FanOut | Stage::UserWorker | Stage::NamespaceWorker) => false,
        }
    }
}

/// The stages of one process, with the configuration that they need.
pub(super) struct StagePlan {
    pub mode: Mode,
    pub insecure_hosts: Vec<String>,
    pub serve: ServeConfig,
    pub namespaces: NamespacesConfig,
    pub messaging: Option<MessagingStages>,
    pub provisioning_api: bool,
}

/// The stages that use Pub/Sub.
pub(super) struct MessagingStages {
    pub pubsub: PubSubConfig,
    pub users: Option<(UserStages, Config)>,
    pub namespace_worker: bool,
    pub portal: bool,
}

/// Which stages of the user pipeline a process runs.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct UserStages {
    pub fan_out: bool,
    pub user_worker: bool,
}

impl UserStages {
    /// Both.
    #[cfg(feature = "simulate")]
    pub const ALL: Self = Self {
        fan_out: true,
        user_worker: true,
    };

    fn is_empty(self) -> bool {
        !self.fan_out && !self.user_worker
    }
}

impl StagePlan {
    /// Loads the configuration with the sections that `stages` need, and starts the log. A
    /// namespace stage needs no administrator's token, and the provisioning API no Pub/Sub.
    ///
    /// # Errors
    /// Every mistake of the configuration.
    pub fn load(context: &ProcessContext, stages: &[ServedStage]) -> Result<Self, AppError> {
        let mut users = UserStages::default();
        let (mut namespace_worker, mut portal, mut provisioning_api) = (false, false, false);
        for stage in stages {
            match stage {
                ServedStage::Consumer(Stage::FanOut) => users.fan_out = true,
                ServedStage::Consumer(Stage::UserWorker) => users.user_worker = true,
                ServedStage::Consumer(Stage::NamespaceWorker) => namespace_worker = true,
                ServedStage::Portal => portal = true,
                ServedStage::ProvisioningApi => provisioning_api = true,
            }
        }
        if !users.is_empty() {
            let config: Config = context.start(true)?;
            let messaging = MessagingStages {
                pubsub: config.pubsub.clone(),
                users: Some((users, config.clone())),
                namespace_worker,
                portal,
            };
            return Ok(Self::new(config, Some(messaging), provisioning_api));
        }
        if namespace_worker || portal {
            let config: MessagingConfig = context.start(true)?;
            let messaging = MessagingStages {
                pubsub: config.pubsub.clone(),
                users: None,
                namespace_worker,
                portal,
            };
            return Ok(Self::new(config, Some(messaging), provisioning_api));
        }
        let config: AnyConfig = context.start(true)?;
        Ok(Self::new(config, None, provisioning_api))
    }

    fn new<G, D, P>(
        config: Config<G, D, P>,
        messaging: Option<MessagingStages>,
        provisioning_api: bool,
    ) -> Self {
        Self {
            mode: config.mode,
            insecure_hosts: config.insecure_hosts,
            serve: config.serve,
            namespaces: config.namespaces,
            messaging,
            provisioning_api,
        }
    }

    /// Whether a stage among them is public; see [`ServedStage::is_public`].
    pub fn is_public(&self) -> bool {
        self.provisioning_api || self.messaging.as_ref().is_some_and(|stages| stages.portal)
    }

    /// Whether a stage among them writes to users, or plans what is written.
    pub fn has_user_stages(&self) -> bool {
        self.messaging
            .as_ref()
            .is_some_and(|stages| stages.users.is_some())
    }
}
