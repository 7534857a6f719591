//! Pages of `GET /users`: by a cursor on the key, or by offset up to GitLab's limit.

use std::{cmp::Ordering, ops::Bound};

use axum::{
    Json,
    http::{HeaderValue, StatusCode},
    response::{IntoResponse, Response},
};
use base64::{Engine, engine::general_purpose::URL_SAFE};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{
    account::Account,
    answers,
    filters::{Filter, Invalid, Parameters},
    store::Store,
};

/// Rows that offset pages reach at most (`plan_limits.offset_pagination_limit`).
pub(super) const OFFSET_LIMIT: usize = 50_000;

/// `_kd` in a cursor.
const FORWARD: &str = "n";
const BACKWARD: &str = "p";

/// Past so many rows GitLab does not say how many there are.
const COUNTED: usize = 10_000;

/// The way a listing is cut into pages.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Paging {
    order: Order,
    descending: bool,
    per_page: usize,
    place: Place,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Place {
    Cursor(Option<Cursor>),
    Page(usize),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Order {
    Id,
    Key(&'static str),
}

/// The last row of the page before.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Cursor {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    key: Option<String>,
    id: String,
    #[serde(rename = "_kd")]
    direction: String,
}

/// A listing that cannot be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Refused {
    Invalid(Invalid),
    /// Keyset in an order it has no index for.
    NoKeyset,
    TooFar,
}

/// One page.
pub(super) struct Page<'a> {
    pub(super) accounts: Vec<&'a Account>,
    headers: Vec<(&'static str, String)>,
    /// Relation and the parameters that lead there.
    links: Vec<(&'static str, Vec<(&'static str, String)>)>,
}

impl From<Invalid> for Refused {
    fn from(invalid: Invalid) -> Self {
        Self::Invalid(invalid)
    }
}

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        match self {
            Self::Invalid(Invalid(what)) => answers::error(StatusCode::BAD_REQUEST, &what),
            Self::NoKeyset => answers::error(
                StatusCode::METHOD_NOT_ALLOWED,
                "Keyset pagination is not yet available for this type of request",
            ),
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
    /// Reads the parameters. Who is no administrator has `order_by` and `sort` silently ignored.
    pub(super) fn new(parameters: &Parameters, admin: bool) -> Result<Self, Refused> {
        let (order_by, sort) = if admin {
            (parameters.get("order_by"), parameters.get("sort"))
        } else {
            (None, None)
        };
        let keyset = parameters.get("pagination") == Some("keyset");
        let order = match order_by.unwrap_or("id") {
            "id" => Order::Id,
            "name" => Order::Key("name"),
            "username" => Order::Key("username"),
            "created_at" => Order::Key("created_at"),
            "updated_at" => Order::Key("updated_at"),
            _ if keyset => return Err(Refused::NoKeyset),
            _ => return Err(Invalid("order_by does not have a valid value".to_owned()).into()),
        };
        let descending = match sort.unwrap_or("desc") {
            "asc" => false,
            "desc" => true,
            _ => return Err(Invalid("sort does not have a valid value".to_owned()).into()),
        };
        let per_page = number(parameters, "per_page", 20)?.min(100);
        let place = if keyset {
            Place::Cursor(parameters.get("cursor").map(Cursor::decode).transpose()?)
        } else {
            Place::Page(number(parameters, "page", 1)?)
        };
        if let Place::Page(page) = place
            && page.saturating_mul(per_page) > OFFSET_LIMIT
        {
            return Err(Refused::TooFar);
        }
        Ok(Self {
            order,
            descending,
            per_page,
            place,
        })
    }

    /// The rows of this page, out of those that `filter` admits.
    pub(super) fn cut<'a>(&self, store: &'a Store, filter: &Filter) -> Page<'a> {
        match &self.place {
            Place::Cursor(cursor) => self.after(cursor.as_ref(), store, filter),
            Place::Page(page) => self.numbered(*page, store, filter),
        }
    }

    fn after<'a>(&self, cursor: Option<&Cursor>, store: &'a Store, filter: &Filter) -> Page<'a> {
        if let Some(cursor) = cursor.filter(|cursor| cursor.direction == BACKWARD) {
            return self.before(cursor, store, filter);
        }
        // The order of every sweep reads only its page; the others may sort all rows for each.
        let mut rows: Vec<_> = if self.order == Order::Id && !self.descending {
            let from = cursor.map_or(Bound::Unbounded, |cursor| Bound::Excluded(cursor.id()));
            let rows = store
                .accounts
                .range((from, Bound::Unbounded))
                .map(|(_, account)| account);
            rows.filter(|account| filter.admits(account))
                .take(self.per_page + 1)
                .collect()
        } else {
            let rows = self.sorted(store, filter).into_iter();
            rows.filter(|account| cursor.is_none_or(|cursor| self.is_after(account, cursor)))
                .collect()
        };
        let more = rows.len() > self.per_page;
        rows.truncate(self.per_page);
        self.page(rows, cursor.is_some(), more)
    }

    fn before<'a>(&self, cursor: &Cursor, store: &'a Store, filter: &Filter) -> Page<'a> {
        let mut rows = self.sorted(store, filter);
        rows.retain(|account| !self.is_after(account, cursor) && account.id != cursor.id());
        let earlier = rows.len().saturating_sub(self.per_page);
        let rows = rows.split_off(earlier);
        self.page(rows, earlier > 0, true)
    }

    fn page<'a>(&self, accounts: Vec<&'a Account>, earlier: bool, later: bool) -> Page<'a> {
        let next = accounts
            .last()
            .filter(|_| later)
            .map(|last| Cursor::at(last, self.order, FORWARD));
        let previous = accounts
            .first()
            .filter(|_| earlier)
            .map(|first| Cursor::at(first, self.order, BACKWARD));
        let mut page = Page {
            accounts,
            headers: Vec::new(),
            links: Vec::new(),
        };
        if let Some(previous) = previous {
            page.headers.push(("x-prev-cursor", previous.encode()));
        }
        if let Some(next) = next {
            page.headers.push(("x-next-cursor", next.encode()));
            page.links.push(("next", vec![("cursor", next.encode())]));
        }
        page
    }

    fn numbered<'a>(&self, number: usize, store: &'a Store, filter: &Filter) -> Page<'a> {
        let rows = self.sorted(store, filter);
        let total = rows.len();
        let pages = total.div_ceil(self.per_page).max(1);
        let next = (number < pages).then_some(number + 1);
        let previous = (number > 1).then(|| number - 1);
        let shown = |page: Option<usize>| page.map(|page| page.to_string()).unwrap_or_default();
        let mut headers = vec![
            ("x-page", number.to_string()),
            ("x-per-page", self.per_page.to_string()),
            ("x-next-page", shown(next)),
            ("x-prev-page", shown(previous)),
        ];
        let mut links: Vec<_> = [("prev", previous), ("next", next), ("first", Some(1))]
            .into_iter()
            .collect();
        if total <= COUNTED {
            headers.extend([
                ("x-total", total.to_string()),
                ("x-total-pages", pages.to_string()),
            ]);
            links.push(("last", Some(pages)));
        }
        let links = links
            .into_iter()
            .filter_map(|(rel, page)| Some((rel, vec![("page", page?.to_string())])))
            .collect();
        let accounts = rows
            .into_iter()
            .skip((number - 1).saturating_mul(self.per_page))
            .take(self.per_page)
            .collect();
        Page {
            accounts,
            headers,
            links,
        }
    }

    fn sorted<'a>(&self, store: &'a Store, filter: &Filter) -> Vec<&'a Account> {
        let mut rows: Vec<_> = store
            .accounts
            .values()
            .filter(|account| filter.admits(account))
            .collect();
        rows.sort_by(|a, b| {
            let ascending = (self.order.key(a), a.id).cmp(&(self.order.key(b), b.id));
            if self.descending {
                ascending.reverse()
            } else {
                ascending
            }
        });
        rows
    }

    fn is_after(&self, account: &Account, cursor: &Cursor) -> bool {
        let ascending =
            (self.order.key(account), account.id).cmp(&(cursor.key.as_deref(), cursor.id()));
        ascending
            == if self.descending {
                Ordering::Less
            } else {
                Ordering::Greater
            }
    }
}

impl Order {
    fn key(self, account: &Account) -> Option<&str> {
        match self {
            Self::Id => None,
            Self::Key("username") => Some(&account.username),
            Self::Key(key) => account.others.get(key).and_then(Value::as_str),
        }
    }
}

impl Cursor {
    fn at(account: &Account, order: Order, direction: &str) -> Self {
        let key = order.key(account).map(str::to_owned);
        Self {
            key,
            id: account.id.to_string(),
            direction: direction.to_owned(),
        }
    }

    fn id(&self) -> u64 {
        self.id.parse().unwrap_or(0)
    }

    fn encode(&self) -> String {
        URL_SAFE.encode(serde_json::to_vec(self).unwrap_or_default())
    }

    fn decode(text: &str) -> Result<Self, Invalid> {
        let bytes = URL_SAFE.decode(text).ok();
        bytes
            .and_then(|bytes| serde_json::from_slice(&bytes).ok())
            .ok_or_else(|| Invalid("cursor is invalid".to_owned()))
    }
}

impl Page<'_> {
    /// The rows with the headers that lead on. The `Link` has the host GitLab is configured with, `url`, whatever
    /// host it was asked by.
    pub(super) fn respond(self, rows: &[Value], url: &str, query: &str) -> Response {
        let links: Vec<String> = self
            .links
            .iter()
            .map(|(rel, set)| format!("<{}>; rel=\"{rel}\"", address(url, query, set)))
            .collect();
        let mut response = Json(rows).into_response();
        let link = (!links.is_empty()).then(|| ("link", links.join(", ")));
        for (name, value) in self.headers.into_iter().chain(link) {
            if let Ok(value) = HeaderValue::from_str(&value) {
                response.headers_mut().insert(name, value);
            }
        }
        response
    }
}

/// The same listing with some parameters set anew.
fn address(url: &str, query: &str, set: &[(&'static str, String)]) -> String {
    let kept = url::form_urlencoded::parse(query.as_bytes())
        .filter(|(name, _)| set.iter().all(|(key, _)| key != name));
    let mut next = url::form_urlencoded::Serializer::new(String::new());
    next.extend_pairs(kept).extend_pairs(set);
    format!("{url}/api/v4/users?{}", next.finish())
}

/// A whole number from 1 on.
fn number(parameters: &Parameters, name: &str, default: usize) -> Result<usize, Invalid> {
    match parameters.get(name).filter(|text| !text.is_empty()) {
        None => Ok(default),
        Some(text) => match text.parse() {
            Ok(0) | Err(_) => Err(Invalid(format!("{name} is invalid"))),
            Ok(number) => Ok(number),
        },
    }
}
