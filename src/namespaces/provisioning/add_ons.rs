//! The step `add_on_purchases`: rows of `subscription_add_on_purchases`.
//!
//! A purchase that breaks a rule is left out and spares the others, so the step applies what it can
//! and says the rest. Both kinds of Duo share one row: what is bought takes it over, so that there
//! is no longer anything to end in it.

use std::collections::BTreeMap;

use sqlx::PgConnection;

use super::{
    catalogue::AddOn,
    duo,
    purchases::{self, PurchaseRow, PurchaseValues},
    service::StepContext,
};
use crate::namespaces::contract::document::{AddOnPurchase, rules::DocumentRules};

/// The longest `purchase_xid`, in characters.
const MAX_XID: usize = 255;

const XID_BLANK: &str = "Purchase xid can't be blank.";
const XID_TOO_LONG: &str = "Purchase xid is too long (maximum is 255 characters).";

/// What the portal sends: purchases by name.
pub(super) type AddOnPurchases = BTreeMap<String, Vec<AddOnPurchase>>;

/// One thing to do: what was sent for an add-on.
struct AddOnRequest<'a> {
    name: &'a str,
    add_on: AddOn,
    sent: &'a AddOnPurchase,
}

/// Whether nothing is sent at all: GitLab looks at a name only where there is something under it.
pub(super) fn is_nothing(part: &AddOnPurchases) -> bool {
    let mut lists = part.iter();
    lists.all(|(name, list)| list.is_empty() && AddOn::from_name(name).is_none())
}

/// Applies every purchase that breaks no rule. The answer is the rules broken by the others.
///
/// # Errors
/// Only those of the database.
pub(super) async fn apply(
    connection: &mut PgConnection,
    scene: &StepContext<'_>,
    part: &AddOnPurchases,
) -> Result<Vec<String>, sqlx::Error> {
    let (mut requests, mut problems) = requests(scene.rules, part);
    // What is bought in the order of the numbers: two namespaces that both need a new row of
    // `subscription_add_ons` then wait for each other in one direction only.
    requests.sort_by_key(|request| (!request.sent.buys(), request.add_on));
    let enterprise_wins = requests
        .iter()
        .any(|request| request.add_on == AddOn::DuoEnterprise && request.sent.buys());
    requests.retain(|request| {
        !(enterprise_wins && request.add_on == AddOn::CodeSuggestions && request.sent.buys())
    });
    let mut duo = None;
    for request in requests {
        if request.sent.buys() {
            match request.buy(connection, scene).await? {
                Ok(bought) if bought.add_on.rival().is_some() => duo = Some(bought),
                Ok(_) => {}
                Err(broken) => problems.extend(broken),
            }
        } else {
            problems.extend(request.end(connection, scene, duo.as_ref()).await?);
        }
    }
    if let Some(bought) = duo {
        let rival = bought.add_on.rival();
        for row in rows(connection, scene, rival, None).await? {
            if let Some(shorter) = duo::gives_way(&bought, &row.1) {
                purchases::update(connection, scene.tables, &row, &shorter).await?;
            }
        }
    }
    Ok(problems)
}

async fn rows(
    connection: &mut PgConnection,
    scene: &StepContext<'_>,
    add_on: Option<AddOn>,
    xid: Option<&str>,
) -> Result<Vec<PurchaseRow>, sqlx::Error> {
    match add_on {
        Some(add_on) => {
            purchases::of(connection, scene.tables, scene.namespace.id, add_on, xid).await
        }
        None => Ok(Vec::new()),
    }
}

/// The first purchase of each list that has one, and what is wrong with the others.
fn requests<'a>(
    rules: &DocumentRules,
    part: &'a AddOnPurchases,
) -> (Vec<AddOnRequest<'a>>, Vec<String>) {
    let mut requests = Vec::new();
    let mut problems = Vec::new();
    for (name, purchases) in part {
        let Some(sent) = purchases.first() else {
            continue;
        };
        let known = AddOn::from_name(name).filter(|_| rules.knows_add_on(name));
        let Some(add_on) = known else {
            problems.push(format!("'{name}' is not a valid name"));
            continue;
        };
        let broken = broken_rules(name, purchases);
        if !broken.is_empty() {
            problems.extend(broken);
        } else if *sent != AddOnPurchase::default() {
            // GitLab takes an empty purchase for none.
            requests.push(AddOnRequest { name, add_on, sent });
        }
    }
    (requests, problems)
}

/// What can be judged without the rows, of every purchase of a list: in GitLab's words what GitLab
/// refuses, and what it would carry out and must not.
fn broken_rules(name: &str, purchases: &[AddOnPurchase]) -> Vec<String> {
    purchases
        .iter()
        .flat_map(|purchase| {
            let negative = matches!(purchase.quantity.value(), Some(..0));
            let xid = purchase.purchase_xid.as_value();
            let blank = purchase.buys() && xid.is_some_and(String::is_empty);
            let too_long = xid.is_some_and(|xid| xid.chars().count() > MAX_XID);
            let dates = (purchase.started_on.value(), purchase.expires_on.value());
            [
                negative.then(|| format!("'{name}' quantity must be greater than or equal to 0")),
                blank.then(|| XID_BLANK.to_owned()),
                too_long.then(|| XID_TOO_LONG.to_owned()),
                matches!(dates, (Some(started), Some(expires)) if expires < started)
                    .then(|| backward(name)),
            ]
        })
        .flatten()
        .collect()
}

fn backward(name: &str) -> String {
    format!("'{name}' expires_on must not be before started_on")
}

impl AddOnRequest<'_> {
    /// On the add-on's own row, else on one of its rival, else on a new one.
    async fn buy(
        &self,
        connection: &mut PgConnection,
        scene: &StepContext<'_>,
    ) -> Result<Result<PurchaseValues, Vec<String>>, sqlx::Error> {
        if scene.namespace.personal {
            return Ok(Err(vec!["Namespace is invalid.".to_owned()]));
        }
        let mut candidates = rows(connection, scene, Some(self.add_on), self.xid()).await?;
        if candidates.is_empty() {
            candidates = rows(connection, scene, self.add_on.rival(), self.xid()).await?;
        }
        let bought = match candidates.first() {
            Some(row) => self.change(connection, scene, row).await?,
            None => self.create(connection, scene).await?,
        };
        let begins =
            self.add_on == AddOn::DuoCore && self.sent.new_subscription.value() == Some(true);
        if scene.tables.duo_nano && begins && bought.is_ok() {
            duo::switch_on_smallest_features(connection, scene.namespace.id).await?;
        }
        Ok(bought)
    }

    /// Writes what was sent to the add-on's own row, if there is one, and leaves its quantity.
    /// Further rows of it, which only a newer GitLab has, do not outlast it; nor does it outlast
    /// the beginning of its rival `bought`.
    async fn end(
        &self,
        connection: &mut PgConnection,
        scene: &StepContext<'_>,
        bought: Option<&PurchaseValues>,
    ) -> Result<Vec<String>, sqlx::Error> {
        let own = rows(connection, scene, Some(self.add_on), self.xid()).await?;
        let Some((row, further)) = own.split_first() else {
            return Ok(Vec::new());
        };
        let ended = match self.over(&row.1, row.1.quantity) {
            Ok(ended) => ended,
            Err(broken) => return Ok(broken),
        };
        let rival = bought.filter(|bought| bought.add_on.rival() == Some(self.add_on));
        let shorter = rival.and_then(|bought| duo::gives_way(bought, &ended));
        let ended = shorter.unwrap_or(ended);
        purchases::update(connection, scene.tables, row, &ended).await?;
        for row in further {
            let shorter = row.1.clone().until(ended.expires_on);
            purchases::update(connection, scene.tables, row, &shorter).await?;
        }
        Ok(Vec::new())
    }

    async fn change(
        &self,
        connection: &mut PgConnection,
        scene: &StepContext<'_>,
        row: &PurchaseRow,
    ) -> Result<Result<PurchaseValues, Vec<String>>, sqlx::Error> {
        let changed = self.over(&row.1, self.sent.quantity.value());
        if let Ok(purchase) = &changed {
            purchases::update(connection, scene.tables, row, purchase).await?;
        }
        Ok(changed)
    }

    async fn create(
        &self,
        connection: &mut PgConnection,
        scene: &StepContext<'_>,
    ) -> Result<Result<PurchaseValues, Vec<String>>, sqlx::Error> {
        let sent = self.sent;
        let xid = sent.purchase_xid.as_value();
        let (Some(started_on), Some(expires_on), Some(xid)) =
            (sent.started_on.value(), sent.expires_on.value(), xid)
        else {
            return Ok(Err(self.blanks()));
        };
        let purchase = PurchaseValues {
            add_on: self.add_on,
            quantity: sent.quantity.value(),
            started_on,
            expires_on,
            xid: Some(xid.clone()),
            trial: self.trial(),
        };
        purchases::insert(connection, scene.tables, scene.namespace, &purchase).await?;
        Ok(Ok(purchase))
    }

    /// The row with what was sent: dates and name are kept where they are null, `trial` is false
    /// where it is absent.
    fn over(
        &self,
        row: &PurchaseValues,
        quantity: Option<i32>,
    ) -> Result<PurchaseValues, Vec<String>> {
        let sent = self.sent;
        let xid = sent.purchase_xid.as_value();
        if xid.is_some_and(String::is_empty) {
            return Err(vec![XID_BLANK.to_owned()]);
        }
        let after = PurchaseValues {
            add_on: self.add_on,
            quantity,
            started_on: sent.started_on.value().unwrap_or(row.started_on),
            expires_on: sent.expires_on.value().unwrap_or(row.expires_on),
            xid: xid.cloned().or_else(|| row.xid.clone()),
            trial: self.trial(),
        };
        if after.expires_on < after.started_on {
            Err(vec![backward(self.name)])
        } else {
            Ok(after)
        }
    }

    fn trial(&self) -> bool {
        self.sent.trial.value().unwrap_or(false)
    }

    fn xid(&self) -> Option<&str> {
        self.sent.purchase_xid.as_value().map(String::as_str)
    }

    /// The required fields that are missing, in GitLab's words.
    fn blanks(&self) -> Vec<String> {
        let sent = self.sent;
        [
            ("Started at", sent.started_on.value().is_none()),
            ("Expires on", sent.expires_on.value().is_none()),
            ("Purchase xid", sent.purchase_xid.as_value().is_none()),
        ]
        .into_iter()
        .filter(|(_, blank)| *blank)
        .map(|(field, _)| format!("{field} can't be blank."))
        .collect()
    }
}
