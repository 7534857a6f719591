//! Runs a query that fits the schema: what each field answers, and to whom.

use serde_json::{Value, json};

use super::{
    super::{
        account::SimulatedUser,
        authorization::Caller,
        cost::QueryRows,
        json::JsonRow,
        kinds::{Kind, UserState},
        store::GitLabStore,
    },
    connection::{ConnectionPage, CursorError, RowPosition, UserQuery, UserSort, created_at},
    document::SelectedField,
    errors::QueryError,
    variables::{QueryVariables, argument, flag, text, texts, whole},
};

/// What a query sees.
pub(super) struct QueryExecution<'a> {
    pub(super) store: &'a GitLabStore,
    pub(super) caller: Option<Caller>,
    pub(super) variables: &'a QueryVariables,
    pub(super) complexity: u64,
    pub(super) limit: u64,
    pub(super) errors: Vec<QueryError>,
    pub(super) rows: QueryRows,
}

/// GitLab fails over the whole query.
#[derive(Debug)]
pub(super) struct QueryFailure(pub(super) String);

/// Why one field has no answer.
enum FieldRefusal {
    Error(QueryError),
    Failure(QueryFailure),
}

impl QueryExecution<'_> {
    /// `data`
    pub(super) fn data(&mut self, fields: &[SelectedField]) -> Result<JsonRow, QueryFailure> {
        let mut data = JsonRow::default();
        for field in distinct(fields) {
            match field.name.as_str() {
                "users" => match self.users(field) {
                    Ok(page) => data.push(&field.key, &page),
                    Err(FieldRefusal::Error(error)) => {
                        self.errors.push(error);
                        data.push(&field.key, &Value::Null);
                    }
                    Err(FieldRefusal::Failure(failure)) => return Err(failure),
                },
                "user" => match self.user(field) {
                    Ok(user) => data.push(&field.key, &user),
                    Err(error) => {
                        self.errors.push(error);
                        data.push(&field.key, &Value::Null);
                    }
                },
                "currentUser" => {
                    let account = self.caller.map(|caller| caller.user_id);
                    let account = account.and_then(|id| self.store.accounts.get(&id));
                    let user =
                        account.map(|account| self.row(account, &field.fields, "CurrentUser"));
                    data.push(&field.key, &user);
                }
                "queryComplexity" => data.push(&field.key, &self.complexity(&field.fields)),
                _ => data.push(&field.key, &"Query"),
            }
        }
        Ok(data)
    }

    fn complexity(&self, fields: &[SelectedField]) -> JsonRow {
        let mut row = JsonRow::default();
        for field in distinct(fields) {
            match field.name.as_str() {
                "score" => row.push(&field.key, &self.complexity),
                "limit" => row.push(&field.key, &self.limit),
                _ => row.push(&field.key, &"QueryComplexity"),
            }
        }
        row
    }

    fn users(&mut self, field: &SelectedField) -> Result<JsonRow, FieldRefusal> {
        let caller = self.caller.ok_or_else(|| denied(field))?;
        let query = self.query(field)?;
        let page = query.page(self.store, caller);
        let mut row = JsonRow::default();
        for inner in distinct(&field.fields) {
            match inner.name.as_str() {
                "nodes" => {
                    let mut nodes = Vec::with_capacity(page.accounts.len());
                    for account in &page.accounts {
                        nodes.push(self.row(account, &inner.fields, "UserCore"));
                    }
                    row.push(&inner.key, &nodes);
                }
                "pageInfo" => row.push(&inner.key, &page_info(&page, &inner.fields)),
                _ => row.push(&inner.key, &"UserCoreConnection"),
            }
        }
        Ok(row)
    }

    fn query(&self, field: &SelectedField) -> Result<UserQuery, FieldRefusal> {
        let refuse = |said: &str| {
            FieldRefusal::Error(QueryError::new(said).at(field.at).on([field.key.as_str()]))
        };
        let ids = texts(field, "ids", self.variables);
        let usernames = texts(field, "usernames", self.variables);
        if ids.is_some() && usernames.is_some() {
            return Err(refuse("Provide either a list of usernames or ids"));
        }
        let sort = text(field, "sort", self.variables);
        let sort = sort.unwrap_or_else(|| "CREATED_DESC".to_owned());
        let sort = UserSort::named(&sort)
            .ok_or_else(|| refuse(&format!("Invalid value for Sort: {sort:?}")))?;
        let ids = ids
            .map(|ids| ids.iter().map(|id| account_id(id)).collect())
            .transpose()
            .map_err(|said: String| refuse(&said))?;
        Ok(UserQuery {
            sort,
            ids,
            usernames,
            humans: flag(field, "humans", self.variables) == Some(true),
            active: flag(field, "active", self.variables) == Some(true),
            first: whole(field, "first", self.variables),
            last: whole(field, "last", self.variables),
            after: self.mark(field, "after", sort)?,
            before: self.mark(field, "before", sort)?,
        })
    }

    /// A cursor. One that is none is noticed at the first value that needs the page.
    fn mark(
        &self,
        field: &SelectedField,
        name: &str,
        sort: UserSort,
    ) -> Result<Option<RowPosition>, FieldRefusal> {
        let Some(cursor) = text(field, name, self.variables).filter(|text| !text.is_empty()) else {
            return Ok(None);
        };
        sort.read(&cursor).map(Some).map_err(|error| match error {
            CursorError::Nonsense => {
                let inner = field.fields.first();
                let leaf = inner
                    .filter(|inner| inner.name == "pageInfo")
                    .and_then(|inner| inner.fields.first());
                let at = leaf.or(inner).map_or(field.at, |deepest| deepest.at);
                let path = [Some(field), inner, leaf];
                let path = path.into_iter().flatten().map(|field| field.key.as_str());
                let said = format!("Invalid input: {cursor:?}");
                FieldRefusal::Error(QueryError::new(said).at(at).on(path))
            }
            CursorError::OtherKeys(said) => FieldRefusal::Failure(QueryFailure(said)),
        })
    }

    fn user(&mut self, field: &SelectedField) -> Result<Option<JsonRow>, QueryError> {
        let refuse = |said: &str| QueryError::new(said).at(field.at).on([field.key.as_str()]);
        if self.caller.is_none() {
            return Ok(None);
        }
        let id = argument(field, "id", self.variables);
        let name = text(field, "username", self.variables);
        let account = match (id, name) {
            (Some(id), None) => {
                let id = id.as_str().map_or_else(|| id.to_string(), str::to_owned);
                let id = account_id(&id).map_err(|said| refuse(&said))?;
                self.store.accounts.get(&id)
            }
            (None, Some(name)) => {
                let mut all = self.store.accounts.values();
                all.find(|account| account.username.eq_ignore_ascii_case(&name))
            }
            _ => return Err(refuse("Provide either a single username or id")),
        };
        Ok(account.map(|account| self.row(account, &field.fields, "UserCore")))
    }

    /// One account, among them those that GitLab's REST API cannot show.
    fn row(&mut self, account: &SimulatedUser, fields: &[SelectedField], kind: &str) -> JsonRow {
        self.rows.accounts += 1;
        let admin = self.caller.is_some_and(|caller| caller.admin);
        let mut row = JsonRow::default();
        for field in distinct(fields) {
            let key = &field.key;
            match field.name.as_str() {
                "id" => row.push(key, &format!("gid://gitlab/User/{}", account.id)),
                "username" => row.push(key, &account.username),
                "state" => row.push(key, &account.state),
                "lastActivityOn" => row.push(key, &self.last_activity_on(account)),
                "createdAt" => {
                    let at = created_at(account);
                    row.push(
                        key,
                        &at.map(|at| at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()),
                    );
                }
                "type" => {
                    let kind = json!(account.kind).as_str().map(str::to_uppercase);
                    row.push(key, &kind);
                }
                "bot" => row.push(key, &account.kind.is_bot()),
                "human" => row.push(key, &(account.kind == Kind::Human)),
                "active" => row.push(key, &(account.state == UserState::Active)),
                "customAttributes" => {
                    self.rows.with_attributes += 1;
                    row.push(key, &admin.then(|| attributes(account, &field.fields)));
                }
                _ => row.push(key, &kind),
            }
        }
        row
    }

    fn last_activity_on(&self, account: &SimulatedUser) -> Value {
        match self.store.activity.seen_on(account.id) {
            Some(day) => json!(day),
            None => account
                .others
                .get("last_activity_on")
                .cloned()
                .unwrap_or_default(),
        }
    }
}

/// Custom attributes, in the order of the rows.
fn attributes(account: &SimulatedUser, fields: &[SelectedField]) -> Vec<JsonRow> {
    let pairs = account.custom_attributes.iter();
    let pairs = pairs.map(|(key, value)| {
        let mut row = JsonRow::default();
        for field in distinct(fields) {
            match field.name.as_str() {
                "key" => row.push(&field.key, key),
                "value" => row.push(&field.key, value),
                _ => row.push(&field.key, &"CustomAttribute"),
            }
        }
        row
    });
    pairs.collect()
}

fn page_info(page: &ConnectionPage<'_>, fields: &[SelectedField]) -> JsonRow {
    let mut row = JsonRow::default();
    for field in distinct(fields) {
        match field.name.as_str() {
            "hasNextPage" => row.push(&field.key, &page.has_next),
            "hasPreviousPage" => row.push(&field.key, &page.has_previous),
            "startCursor" => row.push(&field.key, &page.start),
            "endCursor" => row.push(&field.key, &page.end),
            _ => row.push(&field.key, &"PageInfo"),
        }
    }
    row
}

/// Who has not signed in lists nobody.
fn denied(field: &SelectedField) -> FieldRefusal {
    let said = "The resource that you are attempting to access does not exist or you don't have permission to \
                perform this action";
    FieldRefusal::Error(QueryError::new(said).at(field.at).on([field.key.as_str()]))
}

/// The number of `gid://gitlab/User/N`.
fn account_id(gid: &str) -> Result<u64, String> {
    let rest = gid.strip_prefix("gid://gitlab/");
    match rest.and_then(|rest| rest.split_once('/')) {
        None => Err(format!("{gid} is not a valid GitLab ID.")),
        Some(("User", id)) => Ok(id.parse().unwrap_or(0)),
        Some(_) => Err(format!("{gid} is not a valid ID for User.")),
    }
}

/// The fields, each key once: GraphQL merges what is asked for twice.
fn distinct(fields: &[SelectedField]) -> impl Iterator<Item = &SelectedField> {
    fields.iter().enumerate().filter_map(|(position, field)| {
        let mut earlier = fields.iter().take(position);
        (!earlier.any(|other| other.key == field.key)).then_some(field)
    })
}
