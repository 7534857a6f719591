//! The one harness of the tests. It knows nothing of the service's own types: it starts programs,
//! servers and databases, waits for conditions, and reads what was said.
//!
//! | to | use |
//! | --- | --- |
//! | wait for a condition, with the one deadline there is | [`wait::until`], [`wait::within`] |
//! | listen on an address that is known beforehand | [`port::free_port`] |
//! | run the service as a child, whatever this environment holds | [`service_binary!`], [`command::isolated`] |
//! | leave a child running and read what it logs | [`process::ChildProcess`] |
//! | the simulated servers, and the service at work on them | [`environment::ServiceEnvironment`] |
//! | publish, read and acknowledge | [`pubsub::PubsubClient`] |
//! | a stage of the service as a child | [`service`] |
//! | a portal with keys, and tokens of every kind | [`portal::TestPortal`] |
//! | identity tokens as on Google Cloud | [`metadata_server::MetadataServer`] |
//! | read what a test's own thread logs | [`logs::CapturedLogs`] |
//! | a fresh `PostgreSQL` database, or a server to restart | [`postgres`] |
//! | hold a transaction in its middle | [`row_gate::RowGate`] |
//! | a pooler before `PostgreSQL` | [`pgbouncer::PgBouncer`] |
//! | Google's own Pub/Sub emulator | [`google_emulator::GoogleEmulator`] |
//! | TLS before a plain server | [`tls::Authority`] |
//! | cut connections, or be away for a while | [`proxy::FaultProxy`] |
//! | published Python packages | [`python::environment`] |
//! | a number that a person asks for | [`variable::number`] |
//! | a file of the project | [`project::root`], [`project::read`] |
//!
//! A panic is how a harness fails a test, so nothing here returns an error that no test looks at.

pub mod clock;
pub mod command;
pub mod environment;
pub mod google_emulator;
pub mod logs;
pub mod metadata_server;
pub mod output_form;
pub mod pgbouncer;
pub mod port;
pub mod portal;
pub mod postgres;
pub mod process;
pub mod project;
pub mod proxy;
pub mod pubsub;
pub mod python;
pub mod row_gate;
pub mod service;
pub mod tls;
pub mod variable;
pub mod wait;

/// The path of the service's binary. Cargo tells it to the integration tests of the root package
/// alone, so it is a macro.
#[macro_export]
macro_rules! service_binary {
    () => {
        ::std::path::Path::new(::core::env!("CARGO_BIN_EXE_lookup-gitlab-sync"))
    };
}
