//! Whose rows changed, by the numbers of Lookup's transactions.

use super::{Lookup, envelope};
use crate::{
    directory::{ChangedPeople, Crsid, DirectoryMark},
    upstream::{CallError, Fault, UpstreamRequest, UpstreamResponse},
};

impl Lookup {
    /// Whose rows changed after the transaction at `mark`: one call where no transaction came after
    /// it.
    ///
    /// The rows themselves are not believed, since the controls are not among them: a person who is
    /// named has yet to be asked about. A list that fails while Lookup is well is no outage.
    ///
    /// # Errors
    /// See [`CallError`].
    pub(super) async fn modified_people(
        &self,
        DirectoryMark(mark): DirectoryMark,
    ) -> Result<ChangedPeople, CallError> {
        let last = self.last_transaction().await?;
        if last < mark {
            let why = format!("its last transaction was {mark} and is {last} now");
            return Ok(ChangedPeople::NotTold(why));
        }
        if last == mark {
            return Ok(these(Vec::new(), last));
        }
        match self.try_modified_since(mark).await? {
            Ok(people) => Ok(these(people, last)),
            Err(fault) => {
                self.last_transaction().await?;
                Ok(ChangedPeople::NotTold(fault.to_string()))
            }
        }
    }

    /// The list, asked for once.
    async fn try_modified_since(&self, mark: u64) -> Result<Result<Vec<Crsid>, Fault>, CallError> {
        let read = |answer: &UpstreamResponse| envelope::modified_people(answer);
        let call = self.modified_call(mark);
        self.upstream.try_read(&call, read).await
    }

    /// By default the cancelled are left out, who matter most.
    fn modified_call(&self, mark: u64) -> UpstreamRequest {
        let path = ["person", "modified-people"];
        let mut call = self.call("modified_people", &path, None);
        call.url
            .query_pairs_mut()
            .append_pair("minTxId", &mark.to_string())
            .append_pair("includeCancelled", "true");
        call
    }
}

fn these(mut people: Vec<Crsid>, last: u64) -> ChangedPeople {
    people.sort_unstable();
    people.dedup();
    ChangedPeople::These {
        people,
        mark: DirectoryMark(last),
    }
}
