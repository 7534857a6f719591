//! Who is in the simulated servers: the flags that `demo` and `simulate` share.

use std::path::PathBuf;

use jiff::{Timestamp, civil::Date, tz::TimeZone};
use simulator::population::Population;

use super::failure::CommandFailure;

/// A made-up population, or saved pages of the real APIs.
#[derive(Clone, Debug, clap::Args)]
#[group(skip)]
pub struct PopulationArgs {
    /// How many accounts to make up
    #[arg(
        long,
        value_name = "N",
        default_value_t = 2_000,
        conflicts_with = "gitlab_users"
    )]
    pub users: usize,
    /// The same seed makes the same accounts
    #[arg(
        long,
        value_name = "S",
        default_value_t = 1,
        conflicts_with = "gitlab_users"
    )]
    pub seed: u64,
    /// Real accounts: a JSON array of rows as GET /api/v4/users gives them to an administrator
    #[arg(long, value_name = "FILE", requires = "lookup_people")]
    pub gitlab_users: Option<PathBuf>,
    /// Accounts and tokens as recorded from a real GitLab: population.json and roles.json of this
    /// directory. The token of a role is role-NAME
    #[arg(long, value_name = "DIR", conflicts_with_all = ["users", "seed", "gitlab_users"])]
    pub gitlab_recording: Option<PathBuf>,
    /// Real people: a JSON array of people as Lookup's person/list gives them
    #[arg(long, value_name = "FILE", conflicts_with_all = ["users", "seed"])]
    pub lookup_people: Option<PathBuf>,
}

impl PopulationArgs {
    /// Makes or reads it.
    ///
    /// # Errors
    /// A file that is not there or not in the API's form.
    pub fn population(&self) -> Result<Population, CommandFailure> {
        let recorded = |directory| Population::from_recording(directory, today());
        Ok(
            match (
                &self.gitlab_recording,
                &self.gitlab_users,
                &self.lookup_people,
            ) {
                (Some(directory), _, None) => recorded(directory)?,
                (Some(directory), _, Some(people)) => recorded(directory)?.with_people(people)?,
                (None, Some(users), Some(people)) => Population::from_files(users, people)?,
                (None, _, None) => Population::generate(self.users, self.seed, today()),
                (None, None, Some(_)) => return Err(CommandFailure::usage(LOOKUP_ALONE)),
            },
        )
    }
}

/// Made-up accounts have people of their own.
const LOOKUP_ALONE: &str = "--lookup-people requires --gitlab-users or --gitlab-recording";

/// The day on which a population is made.
pub fn today() -> Date {
    Timestamp::now().to_zoned_datetime(TimeZone::UTC).date()
}
