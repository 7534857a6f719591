//! The servers that the pipeline is played on: portal, worker, provisioning API, Pub/Sub and the
//! tables.

use std::{
    fs::OpenOptions,
    io::{self, Write},
    net::Ipv4Addr,
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use aws_lc_rs::{
    encoding::{AsDer, Pkcs8V1Der},
    rsa::{KeyPair, KeySize},
};
use axum::{
    Json, Router,
    extract::Request,
    http::{Method, StatusCode},
    middleware::{self, Next},
    response::IntoResponse,
};
use base64::{Engine, engine::general_purpose::STANDARD};
use pubsub_emulator::{Broker, BrokerSettings};
use serde_json::json;
use simulator::postgres::Postgres;
use sqlx::PgPool;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::{
    app::{
        clients::connect, consumers::StageConsumers, context::ProcessContext, namespace_clients,
    },
    cli::{CommandFailure, common::global::GlobalOptions},
    config::{Environment, MessagingConfig},
    messaging::{Connection, Topology},
    namespaces::{ledger::Ledger, provisioning},
};

/// Everything at work.
pub struct NamespaceEnvironment {
    /// Where the portal is.
    pub portal: String,
    /// What its clients show.
    pub token: String,
    /// Where the provisioning API is.
    pub api: String,
    /// Pub/Sub, as an operator sees it.
    pub connection: Connection,
    /// The portal's record.
    pub ledger: Ledger,
    /// The tables of GitLab.
    pub gitlab: PgPool,
    /// How many of the next calls the provisioning API answers with 503.
    pub failures: Arc<AtomicU32>,
    broker: Broker,
    stages: StageConsumers,
    grace: Duration,
    provisioning: provisioning::ProvisioningState,
    stopping: CancellationToken,
}

impl NamespaceEnvironment {
    /// Starts them all in this process, with both databases in `postgres`.
    pub async fn start(
        global: &GlobalOptions,
        postgres: &Postgres,
    ) -> Result<Self, CommandFailure> {
        let broker = Broker::start(BrokerSettings::default()).await?;
        let (portal, api) = (listener().await?, listener().await?);
        let token = Uuid::new_v4().to_string();
        let environment = [
            ("GOOGLE_CLOUD_PROJECT", "simulated".to_owned()),
            ("PUBSUB_EMULATOR_HOST", broker.host()),
            ("DATABASE_URL", postgres.url()),
            ("PORTAL_URL", address(&portal)?),
            ("PORTAL_TOKEN", token.clone()),
            (
                "PORTAL_SIGNING_KEY_FILE",
                signing_key(postgres.folder())?.display().to_string(),
            ),
            ("GITLAB_URL", address(&api)?),
        ];
        let environment = environment.into_iter().collect();
        let config: MessagingConfig = only_of(environment, global).start(false)?;
        let connection = connect(&config.pubsub).await?;
        Topology::new(&connection)
            .with_namespaces(true)
            .apply()
            .await?;
        let recorder = namespace_clients::recorder(&config.namespaces, &connection).await?;
        let mut scene = Self {
            portal: address(&portal)?,
            token,
            api: address(&api)?,
            ledger: recorder.ledger().clone(),
            gitlab: PgPool::connect(&postgres.url()).await?,
            failures: Arc::default(),
            broker,
            stages: StageConsumers::default(),
            grace: config.serve.grace,
            provisioning: namespace_clients::provisioning(&config.namespaces).await?,
            stopping: CancellationToken::new(),
            connection: connection.clone(),
        };
        let routes = namespace_clients::portal(&config.namespaces, recorder)?.router();
        scene.serve(portal, routes);
        let routes = provisioning::router(scene.provisioning.clone());
        scene.serve(api, failing(routes, &scene.failures));
        scene
            .stages
            .add_namespace_worker(&config.namespaces, &config.serve, &connection)
            .await?;
        scene.stages.consume();
        Ok(scene)
    }

    /// Ends them, the worker first.
    pub async fn stop(mut self) {
        let mut ledgers = std::mem::take(&mut self.stages.ledgers);
        ledgers.push(self.ledger);
        self.stages.stop(self.grace).await;
        self.stopping.cancel();
        for ledger in ledgers {
            ledger.close().await;
        }
        self.provisioning.close().await;
        self.gitlab.close().await;
        self.broker.stop().await;
    }

    fn serve(&self, listener: TcpListener, routes: Router) {
        let stopped = self.stopping.clone().cancelled_owned();
        let serving = axum::serve(listener, routes).with_graceful_shutdown(stopped);
        tokio::spawn(serving.into_future());
    }
}

/// Nothing of the user's has a say, and nothing is logged unless asked for: that a part fails is
/// one of the acts.
fn only_of(environment: Environment, global: &GlobalOptions) -> ProcessContext {
    let mut global = global.clone();
    global.log_level.get_or_insert_with(|| "off".to_owned());
    global.context_within(environment)
}

async fn listener() -> io::Result<TcpListener> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await
}

fn address(listener: &TcpListener) -> io::Result<String> {
    Ok(format!("http://{}", listener.local_addr()?))
}

/// `routes`, except that as many posts as `failures` says are answered with 503.
fn failing(routes: Router, failures: &Arc<AtomicU32>) -> Router {
    let failures = Arc::clone(failures);
    let answer = move |request: Request, next: Next| {
        let failures = Arc::clone(&failures);
        async move {
            let one_less = |left: u32| left.checked_sub(1);
            let fails = request.method() == Method::POST
                && failures
                    .fetch_update(Ordering::SeqCst, Ordering::SeqCst, one_less)
                    .is_ok();
            if fails {
                let body = Json(json!({ "message": "503 Service Unavailable" }));
                (StatusCode::SERVICE_UNAVAILABLE, body).into_response()
            } else {
                next.run(request).await
            }
        }
    };
    routes.layer(middleware::from_fn(answer))
}

/// A new key for the portal in a file that only this user reads.
fn signing_key(folder: &Path) -> Result<PathBuf, CommandFailure> {
    let pair = KeyPair::generate(KeySize::Rsa2048)?;
    let der: Pkcs8V1Der<'_> = pair.as_der()?;
    let mut lines = STANDARD.encode(der.as_ref());
    for end in (64..lines.len()).step_by(64).rev() {
        lines.insert(end, '\n');
    }
    let path = folder.join("signing-key.pem");
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&path)?;
    writeln!(
        file,
        "-----BEGIN PRIVATE KEY-----\n{lines}\n-----END PRIVATE KEY-----"
    )?;
    Ok(path)
}
