//! How much a run may change: the guard that stands before the first message.
//!
//! Each kind of change has a percentage and a floor. What we changed in the last 24 hours counts
//! with this run's changes, so that many small runs cannot add up past it; and it counts in the
//! base too, so that a run redelivered half-way is judged as it was the first time. What earlier
//! runs have planned and no worker has done yet counts as well, until it can be done no more.

use std::fmt;

use jiff::{SignedDuration, Timestamp};

use super::{
    account::{Account, AccountId},
    ownership::{block_is_ours, our_last_block},
    policy::Decision,
};

/// How long a change of ours keeps counting.
pub const WINDOW: SignedDuration = SignedDuration::from_hours(24);

/// The allowed share of each kind of change.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct GuardLimits {
    /// Percent of the in-scope accounts that are active or deactivated.
    pub max_block_percent: f64,
    /// Percent of the accounts blocked by us.
    pub max_unblock_percent: f64,
    /// Changes of each kind that are always allowed.
    pub floor: u64,
    /// Blocks that are never exceeded, however large the share is. Five percent of a large server
    /// is many people.
    pub max_blocks: u64,
}

impl GuardLimits {
    /// The same with the percentages that a person asked for. One for blocks also lifts the cap on
    /// their number: who names a share has seen the plan.
    #[must_use]
    pub fn asked_for(self, block_percent: Option<f64>, unblock_percent: Option<f64>) -> Self {
        Self {
            max_block_percent: block_percent.unwrap_or(self.max_block_percent),
            max_unblock_percent: unblock_percent.unwrap_or(self.max_unblock_percent),
            max_blocks: block_percent.map_or(self.max_blocks, |_| u64::MAX),
            ..self
        }
    }
}

/// One kind of change, counted over a sweep.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ChangeCount {
    /// What this run would change.
    pub now: u64,
    /// What we changed in the last 24 hours.
    pub recent: u64,
    /// What earlier runs have planned and may still change; see [`super::on_its_way`].
    pub on_its_way: u64,
    /// The accounts that could be changed, those changed in the last 24 hours included.
    pub base: u64,
}

/// What the guard counts while accounts are decided.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct GuardTally {
    /// Blocks, over the in-scope accounts that can sign in.
    pub blocks: ChangeCount,
    /// Unblocks, over the accounts blocked by us.
    pub unblocks: ChangeCount,
}

/// What the guard must know of an in-scope account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GuardFacts {
    /// Which change it is open to.
    pub reach: PossibleChange,
    /// We blocked it in the last 24 hours, whatever its state is now.
    pub recently_blocked: bool,
    /// We unblocked it in the last 24 hours, whatever its state is now.
    pub recently_unblocked: bool,
}

/// Which change an account is open to in its present state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PossibleChange {
    /// Active or deactivated: it could be blocked.
    Block,
    /// Blocked by us: it could be unblocked.
    Unblock,
    /// Neither.
    Nothing,
}

impl GuardFacts {
    /// What the guard counts of `account` at `now`; `own` is the id of the token's own account.
    pub fn of(account: &Account, own: AccountId, now: Timestamp) -> Self {
        let reach = match account.state {
            state if state.is_open() => PossibleChange::Block,
            _ if block_is_ours(account, own) => PossibleChange::Unblock,
            _ => PossibleChange::Nothing,
        };
        Self {
            reach,
            recently_blocked: is_recent(our_last_block(account, own), now),
            recently_unblocked: is_recent(account.unblocked_by.when_by(own), now),
        }
    }
}

impl GuardTally {
    /// Counts one in-scope account and what was decided for it.
    pub fn add(&mut self, account: GuardFacts, decision: Decision) {
        self.blocks.base +=
            u64::from(account.reach == PossibleChange::Block || account.recently_blocked);
        self.unblocks.base +=
            u64::from(account.reach == PossibleChange::Unblock || account.recently_unblocked);
        self.blocks.recent += u64::from(account.recently_blocked);
        self.unblocks.recent += u64::from(account.recently_unblocked);
        match decision {
            Decision::Block(_) => self.blocks.now += 1,
            Decision::Unblock(_) => self.unblocks.now += 1,
            Decision::Keep(_) => {}
        }
    }

    /// What `limits` allow in these bases.
    pub fn allowed(&self, limits: &GuardLimits) -> AllowedChanges {
        let GuardLimits {
            max_block_percent,
            max_unblock_percent,
            floor,
            max_blocks,
        } = *limits;
        AllowedChanges {
            blocks: self.blocks.allowance(max_block_percent, floor, max_blocks),
            unblocks: self
                .unblocks
                .allowance(max_unblock_percent, floor, u64::MAX),
        }
    }

    /// Whether a run that counted this may change anything.
    ///
    /// # Errors
    /// The kinds of change that are over their limit.
    pub fn check(&self, limits: &GuardLimits) -> Result<(), GuardRefusal> {
        let allowed = self.allowed(limits);
        let refusal = GuardRefusal {
            blocks: self.blocks.over(allowed.blocks),
            unblocks: self.unblocks.over(allowed.unblocks),
        };
        if refusal.blocks.is_none() && refusal.unblocks.is_none() {
            Ok(())
        } else {
            Err(refusal)
        }
    }
}

/// How many changes of each kind are allowed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct AllowedChanges {
    /// Blocks.
    pub blocks: Allowance,
    /// Unblocks.
    pub unblocks: Allowance,
}

/// How many changes of one kind are allowed together with those of the last 24 hours.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Allowance {
    /// So many.
    pub changes: u64,
    /// What sets that number.
    pub bound: GuardBound,
}

/// What sets the number of changes that are allowed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum GuardBound {
    /// The percentage of the base.
    Percent(f64),
    /// `guard.floor`, which is more than the percentage.
    Floor,
    /// `guard.max_blocks`, which is less than the percentage.
    Cap,
}

impl fmt::Display for GuardBound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Percent(percent) => write!(f, "{percent} %"),
            Self::Floor => f.write_str("guard.floor"),
            Self::Cap => f.write_str("guard.max_blocks"),
        }
    }
}

impl ChangeCount {
    /// Everything that counts against the limit.
    pub const fn total(self) -> u64 {
        self.now + self.recent + self.on_its_way
    }

    /// `percent` of the base, or `floor` where that is more; at most `most`.
    fn allowance(self, percent: f64, floor: u64, most: u64) -> Allowance {
        let by_share = share(percent, self.base);
        let (changes, bound) = match by_share.max(floor) {
            changes if changes > most => (most, GuardBound::Cap),
            changes if changes > by_share => (changes, GuardBound::Floor),
            changes => (changes, GuardBound::Percent(percent)),
        };
        Allowance { changes, bound }
    }

    /// The smallest percentage, in hundredths, that would allow it; `None` where not even all of
    /// the base would be enough.
    fn enough(self) -> Option<f64> {
        let hundredths =
            |percent: u64| f64::from(u16::try_from(percent).unwrap_or(u16::MAX)) / 100.0;
        let exact = self
            .total()
            .saturating_mul(10_000)
            .div_ceil(self.base.max(1));
        // One more where the division of two floats comes out below what it stands for.
        [exact, exact + 1]
            .map(hundredths)
            .into_iter()
            .find(|percent| *percent <= 100.0 && share(*percent, self.base) >= self.total())
    }

    /// The excess over what is allowed; a run that changes nothing is never over.
    fn over(self, allowed: Allowance) -> Option<GuardExcess> {
        (self.now > 0 && self.total() > allowed.changes).then_some(GuardExcess {
            count: self,
            allowed,
        })
    }
}

/// `percent` of `base`, rounded down. Not a number allows nothing.
#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a count of accounts is far below 2^52, and the result lies between 0 and the base"
)]
fn share(percent: f64, base: u64) -> u64 {
    (percent.clamp(0.0, 100.0) * base as f64 / 100.0).floor() as u64
}

/// A kind of change that is over its limit.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct GuardExcess {
    /// What was counted.
    pub count: ChangeCount,
    /// How many would have been allowed.
    pub allowed: Allowance,
}

impl GuardExcess {
    /// The percentage that would be enough, if any is; with two decimals.
    pub fn enough(&self) -> Option<f64> {
        self.count.enough()
    }
}

impl fmt::Display for GuardExcess {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ChangeCount {
            now,
            recent,
            on_its_way,
            base,
        } = self.count;
        write!(f, "{now} now and {recent} in the last 24 hours")?;
        if on_its_way > 0 {
            write!(f, " and {on_its_way} on their way from earlier runs")?;
        }
        let Allowance { changes, bound } = self.allowed;
        write!(f, " of {base}, allowed {changes} ({bound})")?;
        match self.enough() {
            Some(percent) => write!(f, ", {percent} % would be enough"),
            None => f.write_str(", no percentage would be enough"),
        }
    }
}

/// Why a run may not go on.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct GuardRefusal {
    /// Too many blocks.
    pub blocks: Option<GuardExcess>,
    /// Too many unblocks.
    pub unblocks: Option<GuardExcess>,
}

impl fmt::Display for GuardRefusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kinds = [("blocks", self.blocks), ("unblocks", self.unblocks)];
        let mut separator = "";
        for (kind, excess) in kinds {
            if let Some(excess) = excess {
                write!(f, "{separator}{kind}: {excess}")?;
                separator = "; ";
            }
        }
        Ok(())
    }
}

impl std::error::Error for GuardRefusal {}

/// Whether a change of ours at `at` still counts at `now`.
fn is_recent(at: Option<Timestamp>, now: Timestamp) -> bool {
    at.is_some_and(|at| now.duration_since(at) < WINDOW)
}
