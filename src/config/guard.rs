//! `[guard]`

use std::time::Duration;

use super::{
    reader::ConfigReader,
    values::{Bool, DurationRange, Integer, Percent},
};

/// How much a run may change.
#[derive(Clone, Debug, PartialEq)]
pub struct GuardConfig {
    /// Percent of the in-scope accounts that are active or deactivated. 5.
    pub max_block_percent: f64,
    /// Percent of the accounts blocked by us. 25.
    pub max_unblock_percent: f64,
    /// Changes of each kind always allowed. 10.
    pub floor: u32,
    /// Blocks never exceeded in 24 hours, whatever the share. 1,000. A tick's own share of blocks
    /// lifts it.
    pub max_blocks: u32,
    /// How long after a run was planned its messages may still change GitLab. Two hours; at most
    /// the 24 hours over which the guard counts.
    pub plan_lapses: Duration,
    /// Percent of the asked members that Lookup must know. 50.
    pub min_known_percent: f64,
}

impl Default for GuardConfig {
    fn default() -> Self {
        Self {
            max_block_percent: 5.0,
            max_unblock_percent: 25.0,
            floor: 10,
            max_blocks: 1_000,
            plan_lapses: Duration::from_hours(2),
            min_known_percent: 50.0,
        }
    }
}

/// A plan lapses within the time over which the guard counts, and lasts long enough to be applied.
const LAPSES: std::ops::RangeInclusive<Duration> =
    Duration::from_mins(1)..=Duration::from_hours(24);

/// The largest floor that still guards something.
const MAX_FLOOR: u32 = 1_000;

impl GuardConfig {
    pub(super) fn read(reader: &mut ConfigReader<'_>) -> Self {
        let default = Self::default();
        let guard = Self {
            max_block_percent: reader.value_or(
                "guard.max_block_percent",
                &Percent,
                default.max_block_percent,
            ),
            max_unblock_percent: reader.value_or(
                "guard.max_unblock_percent",
                &Percent,
                default.max_unblock_percent,
            ),
            floor: reader.value_or("guard.floor", &Integer(0..=u32::MAX), default.floor),
            max_blocks: reader.value_or(
                "guard.max_blocks",
                &Integer(0..=u32::MAX),
                default.max_blocks,
            ),
            plan_lapses: reader.value_or(
                "guard.plan_lapses",
                &DurationRange(LAPSES),
                default.plan_lapses,
            ),
            min_known_percent: reader.value_or(
                "guard.min_known_percent",
                &Percent,
                default.min_known_percent,
            ),
        };
        if guard.floor > guard.max_blocks && guard.floor <= MAX_FLOOR {
            let most = guard.max_blocks;
            let problem = format!("is more than guard.max_blocks; allowed: at most {most}");
            reader.reject("guard.floor", problem);
        }
        if !reader.value_or("guard.allow_everything", &Bool, false) {
            guard.object_to_being_off(reader);
        }
        guard
    }

    /// A guard that lets everything through must be intended.
    fn object_to_being_off(&self, reader: &mut ConfigReader<'_>) {
        let off = [
            ("guard.max_block_percent", self.max_block_percent >= 100.0),
            (
                "guard.max_unblock_percent",
                self.max_unblock_percent >= 100.0,
            ),
            ("guard.floor", self.floor > MAX_FLOOR),
            ("guard.min_known_percent", self.min_known_percent <= 0.0),
        ];
        for (key, _) in off.into_iter().filter(|(_, off)| *off) {
            let sense = match key {
                "guard.floor" => format!("at most {MAX_FLOOR}"),
                "guard.min_known_percent" => "more than 0".to_owned(),
                _ => "less than 100".to_owned(),
            };
            reader.reject(
                key,
                format!("switches the guard off; allowed: {sense}, unless guard.allow_everything = true confirms it"),
            );
        }
    }
}
