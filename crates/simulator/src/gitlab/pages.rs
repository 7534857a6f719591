//! Pages of `GET /users`: by a cursor on the key, or by offset up to GitLab's limit.

use axum::{
    http::StatusCode,
    response::{IntoResponse, Response},
};

use super::{
    account::SimulatedUser,
    answers,
    cursor::{Cursor, Direction, Order},
    filters::UserFilter,
    parameters::{InvalidParameter, Parameters},
    store::GitLabStore,
};

/// Rows that offset pages reach at most (`plan_limits.offset_pagination_limit`).
const OFFSET_LIMIT: usize = 50_000;

/// Past so many rows GitLab does not say how many there are.
const COUNTED: usize = 10_000;

/// Rows on a page that nobody asked for otherwise.
const USUAL: usize = 20;

/// Rows on an offset page at most; pages by cursor have no such bound (seen: 1,000 rows in one
/// answer).
const LARGEST: usize = 100;

/// The way a listing is cut into pages.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Paging {
    order: Order,
    descending: bool,
    per_page: usize,
    start: PageStart,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum PageStart {
    Cursor(Option<Cursor>),
    Page(usize),
}

/// A listing that cannot be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum ListingError {
    Invalid(InvalidParameter),
    /// Past what offset pages reach.
    TooFar,
    /// GitLab fails over it.
    Broken,
}

/// One page, and where it leads.
pub(super) struct UserPage<'a> {
    pub(super) accounts: Vec<&'a SimulatedUser>,
    pub(super) headers: Vec<(&'static str, String)>,
    /// Relation, and the parameter that leads there.
    pub(super) links: Vec<(&'static str, (&'static str, String))>,
}

impl From<InvalidParameter> for ListingError {
    fn from(invalid: InvalidParameter) -> Self {
        Self::Invalid(invalid)
    }
}

impl IntoResponse for ListingError {
    fn into_response(self) -> Response {
        match self {
            Self::Invalid(InvalidParameter(what)) => answers::error(StatusCode::BAD_REQUEST, &what),
            Self::Broken => answers::internal_error(),
            Self::TooFar => answers::error(
                StatusCode::METHOD_NOT_ALLOWED,
                &format!(
                    "Offset pagination has a maximum allowed offset of {OFFSET_LIMIT} for requests that return objects \
                     of type User. Remaining records can be retrieved using keyset pagination."
                ),
            ),
        }
    }
}

impl Paging {
    /// Reads the parameters. Offset pages have no order but that of the ids for who is no
    /// administrator.
    pub(super) fn new(parameters: &Parameters, admin: bool) -> Result<Self, ListingError> {
        let keyset = parameters.get("pagination") == Some("keyset");
        let invalid = |name: &str| InvalidParameter(format!("{name} does not have a valid value"));
        let order = parameters.get("order_by").unwrap_or("id");
        let order = Order::named(order).ok_or_else(|| invalid("order_by"))?;
        let descending = match parameters.get("sort").unwrap_or("desc") {
            "asc" => false,
            "desc" => true,
            _ => return Err(invalid("sort").into()),
        };
        let per_page = per_page(parameters, keyset)?;
        let start = if keyset {
            let cursor = parameters.text("cursor");
            PageStart::Cursor(cursor.map(|cursor| order.read(&cursor)).transpose()?)
        } else {
            let page = parameters.number("page")?.unwrap_or(1).max(1);
            PageStart::Page(usize::try_from(page).map_err(|_| ListingError::TooFar)?)
        };
        match start {
            PageStart::Page(page) if page.saturating_mul(per_page) > OFFSET_LIMIT => {
                Err(ListingError::TooFar)
            }
            PageStart::Page(_) if !admin => Ok(Self {
                order: Order::Id,
                descending: true,
                per_page,
                start,
            }),
            PageStart::Page(_) | PageStart::Cursor(_) => Ok(Self {
                order,
                descending,
                per_page,
                start,
            }),
        }
    }

    /// The rows of this page, out of those that `filter` admits. An empty page behind a cursor
    /// breaks GitLab.
    pub(super) fn cut<'a>(
        &self,
        store: &'a GitLabStore,
        filter: &UserFilter,
    ) -> Result<UserPage<'a>, ListingError> {
        let cursor = match &self.start {
            PageStart::Page(page) => return Ok(self.numbered(*page, store, filter)),
            PageStart::Cursor(cursor) => cursor.as_ref(),
        };
        let backwards = |cursor: &&Cursor| cursor.direction == Some(Direction::Previous);
        let (rows, earlier, later) = match cursor.filter(backwards) {
            Some(cursor) => self.before(cursor, store, filter),
            None => self.after(cursor, store, filter),
        };
        if cursor.is_some() && rows.is_empty() {
            return Err(ListingError::Broken);
        }
        let silent = cursor.is_some_and(|cursor| cursor.direction.is_none());
        Ok(self.page(store, rows, earlier && !silent, later && !silent))
    }

    fn after<'a>(
        &self,
        cursor: Option<&Cursor>,
        store: &'a GitLabStore,
        filter: &UserFilter,
    ) -> (Vec<&'a SimulatedUser>, bool, bool) {
        // The order of every sweep reads only its page; the others may sort all rows for each.
        let mut rows: Vec<_> = if self.order == Order::Id && !self.descending {
            let from = cursor.map_or(0, |cursor| cursor.place.2.saturating_add(1));
            let rows = store.accounts.range(from..).map(|(_, account)| account);
            rows.filter(|account| filter.admits(account))
                .take(self.per_page + 1)
                .collect()
        } else {
            let mut rows = self.sorted(store, filter);
            rows.retain(|account| {
                cursor.is_none_or(|cursor| self.is_after(account, cursor, store))
            });
            rows
        };
        let later = rows.len() > self.per_page;
        rows.truncate(self.per_page);
        (rows, cursor.is_some(), later)
    }

    fn before<'a>(
        &self,
        cursor: &Cursor,
        store: &'a GitLabStore,
        filter: &UserFilter,
    ) -> (Vec<&'a SimulatedUser>, bool, bool) {
        let mut rows = self.sorted(store, filter);
        rows.retain(|account| {
            !self.is_after(account, cursor, store) && account.id != cursor.place.2
        });
        let earlier = rows.len().saturating_sub(self.per_page);
        (rows.split_off(earlier), earlier > 0, true)
    }

    fn page<'a>(
        &self,
        store: &GitLabStore,
        accounts: Vec<&'a SimulatedUser>,
        earlier: bool,
        later: bool,
    ) -> UserPage<'a> {
        let cursor =
            |account: &&&SimulatedUser, to| self.order.cursor(account, &store.activity, to);
        let next = accounts.last().filter(|_| later);
        let next = next.map(|last| cursor(&last, Direction::Next));
        let previous = accounts.first().filter(|_| earlier);
        let previous = previous.map(|first| cursor(&first, Direction::Previous));
        let links = next.clone().map(|next| ("next", ("cursor", next)));
        let next = next.map(|next| ("x-next-cursor", next));
        let previous = previous.map(|previous| ("x-prev-cursor", previous));
        UserPage {
            accounts,
            headers: next.into_iter().chain(previous).collect(),
            links: links.into_iter().collect(),
        }
    }

    fn numbered<'a>(
        &self,
        number: usize,
        store: &'a GitLabStore,
        filter: &UserFilter,
    ) -> UserPage<'a> {
        let rows = self.sorted(store, filter);
        let total = rows.len();
        let pages = total.div_ceil(self.per_page).max(1);
        let next = (number < pages).then_some(number + 1);
        let previous = (number > 1 && number <= pages).then(|| number - 1);
        let shown = |page: Option<usize>| page.map(|page| page.to_string()).unwrap_or_default();
        let mut headers = vec![
            ("x-page", number.to_string()),
            ("x-per-page", self.per_page.to_string()),
            ("x-next-page", shown(next)),
            ("x-prev-page", shown(previous)),
        ];
        let mut links = vec![("prev", previous), ("next", next), ("first", Some(1))];
        if total <= COUNTED {
            headers.push(("x-total", total.to_string()));
            headers.push(("x-total-pages", pages.to_string()));
            links.push(("last", Some(pages)));
        }
        let links = links
            .into_iter()
            .filter_map(|(rel, page)| Some((rel, ("page", page?.to_string()))))
            .collect();
        let accounts = rows
            .into_iter()
            .skip((number - 1).saturating_mul(self.per_page))
            .take(self.per_page)
            .collect();
        UserPage {
            accounts,
            headers,
            links,
        }
    }

    fn sorted<'a>(&self, store: &'a GitLabStore, filter: &UserFilter) -> Vec<&'a SimulatedUser> {
        let rows = store.accounts.values();
        let mut rows: Vec<_> = rows.filter(|account| filter.admits(account)).collect();
        // By id they are in order already.
        if self.order != Order::Id {
            rows.sort_by_cached_key(|account| self.order.place(account, &store.activity));
        }
        if self.descending {
            rows.reverse();
        }
        rows
    }

    fn is_after(&self, account: &SimulatedUser, cursor: &Cursor, store: &GitLabStore) -> bool {
        let place = self.order.place(account, &store.activity);
        if self.descending {
            place < cursor.place
        } else {
            place > cursor.place
        }
    }
}

fn per_page(parameters: &Parameters, keyset: bool) -> Result<usize, ListingError> {
    let asked = match parameters.number("per_page")? {
        None => return Ok(USUAL),
        Some(0) => {
            return Err(InvalidParameter("per_page has a value not allowed".to_owned()).into());
        }
        Some(asked) => usize::try_from(asked).ok(),
    };
    match asked {
        Some(asked) if keyset => Ok(asked),
        Some(asked) => Ok(asked.min(LARGEST)),
        None if keyset => Err(ListingError::Broken),
        None => Ok(USUAL),
    }
}
