//! The calls of the listing: a page of it, and what proves where it ends.

use std::time::Duration;

use super::{
    Client, ListingPosition, Page, User,
    client::{FULL, account},
    page::{self, cursor_at},
    refusal, rows,
};
use crate::{
    gate::ErrorKind,
    upstream::{CallError, Fault, Upstream, UpstreamRequest, UpstreamResponse},
};

/// How long one page may take. GitLab spends a second of one processor on a hundred accounts, one
/// after the other where several ask, and ends a request after a minute itself.
const PAGE_DEADLINE: Duration = Duration::from_mins(1);

/// The label of every call that lists accounts.
const LIST: &str = "list_users";

/// What stands at a place of the listing that is counted from its start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Position {
    /// Nobody: the listing ends before it.
    Nobody,
    /// An account.
    Somebody,
    /// GitLab does not count so far.
    NotCounted,
}

impl Client {
    /// One page of all human accounts by ascending id, with custom attributes; the first where no
    /// place is given. A page may take a minute, whatever `gitlab.calls.timeout` is.
    ///
    /// # Errors
    /// See [`CallError`]; a row without the admin-only keys refuses the credentials, and a page
    /// that does not go forward, or ends before its end, is an error.
    pub async fn users_page(&self, position: Option<&ListingPosition>) -> Result<Page, CallError> {
        let start = position.cloned().unwrap_or_default();
        let call = self.page_call(&start, FULL);
        self.patient()
            .read(
                &call,
                telling_why(|answer| page::page(answer, &start, FULL)),
            )
            .await
    }

    /// The page of at most `size` accounts at `position`, asked for once, or why GitLab cannot show
    /// it.
    pub(super) async fn try_page(
        &self,
        position: &ListingPosition,
        size: usize,
    ) -> Result<Result<Page, Fault>, CallError> {
        let call = self.page_call(position, size);
        self.patient()
            .try_read(
                &call,
                telling_why(|answer| page::page(answer, position, size)),
            )
            .await
    }

    /// The id of the last human account, or of the last before `below`; `None` where GitLab cannot
    /// show it, or there is none before.
    pub(super) async fn greatest(&self, below: Option<u64>) -> Result<Option<u64>, CallError> {
        let cursor = below.map(cursor_at);
        let call = self.list("desc", 1, cursor.as_deref());
        let read = self
            .patient()
            .try_read(&call, telling_why(|answer| rows::rows(answer, 1)))
            .await?;
        Ok(read.ok().and_then(|rows| rows.first().map(rows::Shown::id)))
    }

    /// Who is the `number`th of the listing, from 1, or why GitLab cannot show it.
    pub(super) async fn position(&self, number: u64) -> Result<Result<Position, Fault>, CallError> {
        let page = number.to_string();
        let query = [
            ("order_by", "id"),
            ("sort", "asc"),
            ("per_page", "1"),
            ("page", page.as_str()),
            ("humans", "true"),
            ("with_custom_attributes", "true"),
        ];
        let call = UpstreamRequest::get(LIST, self.url(&["users"], &query));
        let judge = |answer: &UpstreamResponse| {
            if answer.status.as_u16() == 405 {
                return Ok(Position::NotCounted);
            }
            let rows = rows::rows(answer, 1)?;
            Ok(if rows.is_empty() {
                Position::Nobody
            } else {
                Position::Somebody
            })
        };
        self.patient().try_read(&call, telling_why(judge)).await
    }

    /// Account `id`, asked for once, or why GitLab cannot show it; `Ok(None)` where there is no
    /// such account.
    ///
    /// # Errors
    /// See [`CallError`].
    pub async fn try_user(&self, id: u64) -> Result<Result<Option<User>, Fault>, CallError> {
        let query = [("with_custom_attributes", "true")];
        let call = UpstreamRequest::get("get_user", self.url(&["users", &id.to_string()], &query));
        self.upstream
            .try_read(&call, telling_why(|answer| account(answer, id)))
            .await
    }

    /// Whether GitLab answers who we are and shows our own account: then what it cannot show lies
    /// in that.
    ///
    /// # Errors
    /// Those of the calls: the trouble is GitLab's.
    pub async fn proves_well(&self) -> Result<(), CallError> {
        let own = self.current_user().await?.id;
        self.user(own).await.map(drop)
    }

    /// The error of a listing that failed with `fault` wherever it was asked.
    pub(super) fn listing_failed(&self, fault: Fault) -> CallError {
        self.upstream.blamed(LIST, fault)
    }

    /// The error of a listing that contradicts itself.
    pub(super) fn listing_contradicts(&self, how: &str) -> CallError {
        self.listing_failed(Fault::new(
            ErrorKind::Inconsistent,
            format!("gave a listing that contradicts itself: {how}"),
        ))
    }

    pub(super) fn patient(&self) -> Upstream {
        self.upstream.allowing(PAGE_DEADLINE)
    }

    fn page_call(&self, position: &ListingPosition, size: usize) -> UpstreamRequest {
        self.list("asc", size, position.cursor.as_deref())
    }

    fn list(&self, sort: &str, size: usize, cursor: Option<&str>) -> UpstreamRequest {
        let size = size.to_string();
        let mut query = vec![
            ("pagination", "keyset"),
            ("order_by", "id"),
            ("sort", sort),
            ("per_page", size.as_str()),
            ("humans", "true"),
            ("with_custom_attributes", "true"),
        ];
        query.extend(cursor.map(|cursor| ("cursor", cursor)));
        UpstreamRequest::get(LIST, self.url(&["users"], &query))
    }
}

/// `judge`, with GitLab's own reason where it refuses the token.
fn telling_why<T>(
    judge: impl Fn(&UpstreamResponse) -> Result<T, Fault>,
) -> impl Fn(&UpstreamResponse) -> Result<T, Fault> {
    move |answer| judge(answer).map_err(|fault| refusal::with_reason(answer, fault))
}
