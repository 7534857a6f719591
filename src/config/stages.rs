//! `[fan_out]`, `[sweep]`, `[worker]` and `[serve]`

use std::time::Duration;

use clap::ValueEnum;

use super::{
    reader::ConfigReader,
    values::{DurationRange, Integer, WordChoice},
};

/// The fan-out stage.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FanOutConfig {
    /// Which accounts get a message.
    pub messages: FanOutMessages,
}

/// Which accounts get a message.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum FanOutMessages {
    /// Every in-scope account.
    #[default]
    All,
    /// Only accounts that need a write.
    Changes,
}

impl FanOutConfig {
    pub(super) fn read(reader: &mut ConfigReader<'_>) -> Self {
        Self {
            messages: reader.value_or(
                "fan_out.messages",
                &WordChoice::<FanOutMessages>::new(),
                FanOutMessages::default(),
            ),
        }
    }
}

/// Reading all of both sides.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SweepConfig {
    /// What was read longer ago than this is read again where a sweep goes on after an
    /// interruption. 1 h.
    pub max_age: Duration,
    /// How all accounts are read where an earlier sweep is known. `light`.
    pub kind: SweepKind,
    /// How often they are all read exactly, whatever `kind` says. 24 h.
    pub full_every: Duration,
}

/// How the accounts of GitLab are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum SweepKind {
    /// By GraphQL, and exactly where a decision could change.
    Light,
    /// All of them exactly, by REST.
    Full,
}

impl Default for SweepConfig {
    fn default() -> Self {
        Self {
            max_age: Duration::from_hours(1),
            kind: SweepKind::Light,
            full_every: Duration::from_hours(24),
        }
    }
}

impl SweepConfig {
    pub(super) fn read(reader: &mut ConfigReader<'_>) -> Self {
        let bounds = DurationRange(Duration::from_mins(1)..=Duration::from_hours(24));
        let default = Self::default();
        Self {
            max_age: reader.value_or("sweep.max_age", &bounds, default.max_age),
            kind: reader.value_or("sweep.kind", &WordChoice::new(), default.kind),
            full_every: reader.value_or("sweep.full_every", &bounds, default.full_every),
        }
    }
}

/// The user worker.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WorkerConfig {
    /// Messages leased at once. 1,000: the client acks every 100 ms, so throughput is about ten
    /// times this.
    pub max_outstanding: usize,
    /// Resyncs this process writes for in an hour. 50.
    pub resyncs_per_hour: u32,
}

impl Default for WorkerConfig {
    fn default() -> Self {
        Self {
            max_outstanding: 1_000,
            resyncs_per_hour: 50,
        }
    }
}

impl WorkerConfig {
    pub(super) fn read(reader: &mut ConfigReader<'_>) -> Self {
        let default = Self::default();
        Self {
            max_outstanding: reader.value_or(
                "worker.max_outstanding",
                &Integer(1..=10_000),
                default.max_outstanding,
            ),
            resyncs_per_hour: reader.value_or(
                "worker.resyncs_per_hour",
                &Integer(0..=100_000),
                default.resyncs_per_hour,
            ),
        }
    }
}

/// The serving process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServeConfig {
    /// Port of the stages that are asked over HTTP; of health and metrics where there is none.
    /// 8080; 0 takes any free one.
    pub port: u16,
    /// Port of health and metrics. [`Self::port`] unless a stage is asked over HTTP, else 8081; 0
    /// takes any free one.
    pub health_port: Option<u16>,
    /// Time to finish after SIGTERM. 8 s; Cloud Run kills at 10.
    pub grace: Duration,
}

impl Default for ServeConfig {
    fn default() -> Self {
        Self {
            port: 8080,
            health_port: None,
            grace: Duration::from_secs(8),
        }
    }
}

/// Cloud Run kills 10 s after SIGTERM; the last second is for nacks, publishers and telemetry.
const MAX_GRACE: Duration = Duration::from_secs(9);

impl ServeConfig {
    pub(super) fn read(reader: &mut ConfigReader<'_>) -> Self {
        let default = Self::default();
        Self {
            port: reader.value_or("serve.port", &Integer(0..=u16::MAX), default.port),
            health_port: reader.optional("serve.health_port", &Integer(0..=u16::MAX)),
            grace: reader.value_or(
                "serve.grace",
                &DurationRange(Duration::ZERO..=MAX_GRACE),
                default.grace,
            ),
        }
    }
}
