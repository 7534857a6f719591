//! The step `add_on_purchases`: rows of `subscription_add_on_purchases`.
//!
//! A purchase that breaks a rule is left out and spares the others, so the step applies what it can and says the rest.

use std::collections::BTreeMap;

use jiff::civil::Date;
use sqlx::PgConnection;

use super::{
    catalogue::AddOn,
    namespace::Namespace,
    purchases::{self, Purchase},
};
use crate::namespaces::document::AddOnPurchase;

/// The longest `purchase_xid`, in characters.
const MAX_XID: usize = 255;

const BACKWARD: &str = "expires_on must not be before started_on";

/// One thing to do: what was sent under a name.
struct Request<'a> {
    name: &'a str,
    sent: &'a AddOnPurchase,
}

/// Applies every purchase that breaks no rule. The answer is the rules broken by the others.
///
/// # Errors
/// Only those of the database.
pub async fn apply(
    connection: &mut PgConnection,
    namespace: &Namespace,
    part: &BTreeMap<String, Vec<AddOnPurchase>>,
) -> Result<Vec<String>, sqlx::Error> {
    let (requests, mut problems) = requests(part);
    // In the order of the uids: two namespaces that both need a new row of `subscription_add_ons` then wait for each
    // other in one direction only.
    for (add_on, request) in requests {
        let broken = request.broken_rules();
        if broken.is_empty() {
            problems.extend(request.apply(connection, namespace, add_on).await?);
        } else {
            problems.extend(broken);
        }
    }
    Ok(problems)
}

/// The first purchase of each list that has one, less what has to give way on the row that both kinds of Duo share, and
/// the names that are none. What gives way is still held to the rules.
fn requests(
    part: &BTreeMap<String, Vec<AddOnPurchase>>,
) -> (BTreeMap<AddOn, Request<'_>>, Vec<String>) {
    let mut requests: BTreeMap<AddOn, Request> = BTreeMap::new();
    let mut problems = Vec::new();
    for (name, purchases) in part {
        let Some(add_on) = AddOn::from_name(name) else {
            problems.push(format!("'{name}' is not a valid name"));
            continue;
        };
        let Some(sent) = purchases.first() else {
            continue;
        };
        match requests.remove(&add_on) {
            None => drop(requests.insert(add_on, Request { name, sent })),
            // Which of the two is meant, nobody can say.
            Some(other) => {
                problems.push(format!("'{}' and '{name}' are the same add-on", other.name));
            }
        }
    }
    if let Some(loser) = losing_duo(&requests)
        && let Some(request) = requests.remove(&loser)
    {
        problems.extend(request.broken_rules());
    }
    (requests, problems)
}

fn losing_duo(requests: &BTreeMap<AddOn, Request<'_>>) -> Option<AddOn> {
    let wanted = |add_on| requests.get(&add_on).is_some_and(Request::is_wanted);
    if wanted(AddOn::DuoEnterprise) {
        Some(AddOn::CodeSuggestions)
    } else if wanted(AddOn::CodeSuggestions) {
        Some(AddOn::DuoEnterprise)
    } else {
        None
    }
}

impl Request<'_> {
    fn is_wanted(&self) -> bool {
        self.sent.buys()
    }

    fn problem(&self, rule: &str) -> String {
        format!("'{}' {rule}", self.name)
    }

    /// The rules that can be judged without the database.
    fn broken_rules(&self) -> Vec<String> {
        let sent = self.sent;
        let xid = sent.purchase_xid.as_value().map_or("", String::as_str);
        [
            (sent.quantity.value().is_some_and(|quantity| quantity < 0))
                .then_some("quantity must be greater than or equal to 0"),
            (xid.chars().count() > MAX_XID)
                .then_some("purchase_xid is too long (maximum is 255 characters)"),
            (backward(sent.started_on.value(), sent.expires_on.value())).then_some(BACKWARD),
        ]
        .into_iter()
        .flatten()
        .map(|rule| self.problem(rule))
        .collect()
    }

    async fn apply(
        &self,
        connection: &mut PgConnection,
        namespace: &Namespace,
        add_on: AddOn,
    ) -> Result<Vec<String>, sqlx::Error> {
        if !self.is_wanted() {
            return self.take_away(connection, namespace, add_on).await;
        }
        if namespace.personal {
            return Ok(vec![
                self.problem("cannot be bought by a personal namespace"),
            ]);
        }
        match purchases::find(connection, namespace.id, add_on, &add_on.sharing_row()).await? {
            Some((id, row)) => self.change(connection, add_on, id, &row).await,
            None => self.create(connection, namespace, add_on).await,
        }
    }

    /// Overwrites the dates of the add-on's own row, if there is one, and nothing else of it.
    async fn take_away(
        &self,
        connection: &mut PgConnection,
        namespace: &Namespace,
        add_on: AddOn,
    ) -> Result<Vec<String>, sqlx::Error> {
        let Some((id, row)) = purchases::find(connection, namespace.id, add_on, &[add_on]).await?
        else {
            return Ok(Vec::new());
        };
        let (Some(started_on), Some(expires_on)) =
            (self.sent.started_on.value(), self.sent.expires_on.value())
        else {
            return Ok(self.blanks(false));
        };
        let after = Purchase {
            started_on,
            expires_on,
            ..row.clone()
        };
        write(connection, id, &row, &after).await?;
        Ok(Vec::new())
    }

    /// What is absent is kept.
    async fn change(
        &self,
        connection: &mut PgConnection,
        add_on: AddOn,
        id: i64,
        row: &Purchase,
    ) -> Result<Vec<String>, sqlx::Error> {
        let after = Purchase {
            add_on,
            quantity: self.sent.quantity.value(),
            started_on: self.sent.started_on.value().unwrap_or(row.started_on),
            expires_on: self.sent.expires_on.value().unwrap_or(row.expires_on),
            xid: self.xid().or_else(|| row.xid.clone()),
            trial: self.sent.trial.value().unwrap_or(row.trial),
        };
        if after.expires_on < after.started_on {
            return Ok(vec![self.problem(BACKWARD)]);
        }
        write(connection, id, row, &after).await?;
        Ok(Vec::new())
    }

    async fn create(
        &self,
        connection: &mut PgConnection,
        namespace: &Namespace,
        add_on: AddOn,
    ) -> Result<Vec<String>, sqlx::Error> {
        let (Some(started_on), Some(expires_on), Some(xid)) = (
            self.sent.started_on.value(),
            self.sent.expires_on.value(),
            self.xid(),
        ) else {
            return Ok(self.blanks(true));
        };
        let purchase = Purchase {
            add_on,
            quantity: self.sent.quantity.value(),
            started_on,
            expires_on,
            xid: Some(xid),
            trial: self.sent.trial.value().unwrap_or(false),
        };
        purchases::insert(connection, namespace, &purchase).await?;
        Ok(Vec::new())
    }

    /// An empty name is no name.
    fn xid(&self) -> Option<String> {
        let xid = self.sent.purchase_xid.as_value();
        xid.filter(|xid| !xid.is_empty()).cloned()
    }

    /// The required fields that are missing.
    fn blanks(&self, with_xid: bool) -> Vec<String> {
        [
            ("started_on", self.sent.started_on.value().is_none()),
            ("expires_on", self.sent.expires_on.value().is_none()),
            ("purchase_xid", with_xid && self.xid().is_none()),
        ]
        .into_iter()
        .filter(|(_, blank)| *blank)
        .map(|(field, _)| self.problem(&format!("{field} can't be blank")))
        .collect()
    }
}

fn backward(started_on: Option<Date>, expires_on: Option<Date>) -> bool {
    matches!((started_on, expires_on), (Some(started), Some(expires)) if expires < started)
}

/// What is as it was is not written.
async fn write(
    connection: &mut PgConnection,
    id: i64,
    before: &Purchase,
    after: &Purchase,
) -> Result<(), sqlx::Error> {
    if before == after {
        return Ok(());
    }
    purchases::update(connection, id, before, after).await
}
