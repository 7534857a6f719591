//! What goes wrong on the way to an upstream and back.

use std::time::Duration;

use rand::Rng;
use rand_chacha::ChaCha8Rng;
use reqwest::{Method, Request};

/// Which upstream a request goes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    GitLab,
    Lookup,
}

/// What holds for a while.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub enum Conditions {
    /// Nothing goes wrong.
    #[default]
    Calm,
    /// That share of the requests meets something.
    Flaky(f64),
    /// No connection at all.
    Down(Side),
    /// GitLab reads and does not write.
    Maintenance,
    /// GitLab reads and stores attributes, and every block and unblock ends with 500.
    NoChanges,
    /// 429 with that many seconds of `Retry-After`.
    Throttled(Side, u64),
    /// 401.
    Refused(Side),
    /// Every answer takes that long.
    Slow(Side, Duration),
    /// Nothing goes wrong, and quickly.
    Fine,
}

/// What one request meets.
#[derive(Clone, Debug, PartialEq)]
pub enum Fate {
    /// It takes effect and is answered, each after a pause.
    Answered(Duration, Duration),
    /// It never arrives.
    NoConnection,
    /// It arrives, takes effect after a pause, whoever still waits, and its answer is lost.
    AnswerLost(Duration),
    /// It arrives, takes effect, and something on the way back answers instead.
    EffectThen(u16),
    /// It takes no effect and is answered so, with seconds of `Retry-After`.
    Instead(u16, Option<u64>),
    /// An HTML page of a proxy.
    Page(u16),
    /// It takes effect only after so long that nobody waits any more.
    Late(Duration),
}

impl Conditions {
    /// What is next, and for how long.
    pub fn draw(rng: &mut ChaCha8Rng) -> (Self, Duration) {
        let side = if rng.random_bool(0.7) {
            Side::GitLab
        } else {
            Side::Lookup
        };
        let conditions = match rng.random_range(0..14) {
            0..=4 => Self::Flaky(rng.random_range(0.05..0.5)),
            5 => Self::Down(side),
            6 => Self::Maintenance,
            7 => Self::Throttled(side, rng.random_range(1..120)),
            8 => Self::Refused(side),
            9 => Self::Slow(side, Duration::from_millis(rng.random_range(500..9_500))),
            10 => Self::NoChanges,
            _ => Self::Calm,
        };
        (conditions, Duration::from_secs(rng.random_range(5..240)))
    }

    pub fn fate(self, side: Side, request: &Request, rng: &mut ChaCha8Rng) -> Fate {
        let is_change = request.method() != Method::GET && request.url().path() != "/api/graphql";
        match self {
            Self::Down(down) if down == side => Fate::NoConnection,
            Self::Throttled(at, seconds) if at == side => Fate::Instead(429, Some(seconds)),
            Self::Refused(at) if at == side => Fate::Instead(401, None),
            Self::Slow(at, pause) if at == side => {
                let before = pause * rng.random_range(0..10) / 10;
                Fate::Answered(before, pause.saturating_sub(before))
            }
            Self::Maintenance if side == Side::GitLab && is_change => Fate::Instead(503, Some(300)),
            Self::NoChanges
                if side == Side::GitLab && is_change && request.method() == Method::POST =>
            {
                Fate::Instead(500, None)
            }
            Self::Flaky(share) if rng.random_bool(share) => strange(rng),
            Self::Fine => {
                let pause = Duration::from_millis(10);
                Fate::Answered(pause, pause)
            }
            _ => Fate::Answered(short(rng), short(rng)),
        }
    }
}

fn short(rng: &mut ChaCha8Rng) -> Duration {
    Duration::from_millis(rng.random_range(1..400))
}

fn strange(rng: &mut ChaCha8Rng) -> Fate {
    match rng.random_range(0..14) {
        0 => Fate::NoConnection,
        1..=3 => Fate::AnswerLost(short(rng)),
        4 => Fate::Instead(500, None),
        5 => Fate::Instead(503, Some(rng.random_range(1..30))),
        6 => Fate::Instead(429, Some(rng.random_range(1..60))),
        7 => Fate::Instead(502, None),
        8 => Fate::EffectThen(500),
        9 => Fate::EffectThen(504),
        10 => Fate::Page(200),
        11 => Fate::Page(404),
        12 => Fate::Late(Duration::from_secs(rng.random_range(11..60))),
        _ => Fate::Answered(
            Duration::from_millis(rng.random_range(0..9_000)),
            Duration::from_millis(rng.random_range(0..9_000)),
        ),
    }
}
