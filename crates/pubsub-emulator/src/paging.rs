//! Lists in pages, by name.

use std::collections::BTreeMap;
use std::ops::Bound;

const MAX_PAGE: usize = 1_000;

/// A page and the token of the next one, empty at the end.
#[derive(Debug)]
pub(super) struct ListPage<T> {
    pub(super) items: Vec<T>,
    pub(super) next: String,
}

impl<T> ListPage<T> {
    pub(super) fn map<U>(self, convert: impl FnMut(T) -> U) -> ListPage<U> {
        ListPage {
            items: self.items.into_iter().map(convert).collect(),
            next: self.next,
        }
    }
}

/// The entries after `token`, which is the last name of the page before. A size of zero or less
/// leaves it to the broker.
pub(super) fn page<'a, T>(
    all: &'a BTreeMap<String, T>,
    size: i32,
    token: &str,
    wanted: impl Fn(&str) -> bool,
) -> ListPage<&'a T> {
    let size = usize::try_from(size)
        .ok()
        .filter(|size| *size > 0)
        .unwrap_or(MAX_PAGE)
        .min(MAX_PAGE);
    let mut entries = all
        .range::<str, _>((Bound::Excluded(token), Bound::Unbounded))
        .filter(|(name, _)| wanted(name))
        .peekable();
    let mut page = ListPage {
        items: Vec::new(),
        next: String::new(),
    };
    while let Some((name, item)) = entries.next() {
        page.items.push(item);
        if page.items.len() == size {
            if entries.peek().is_some() {
                page.next.clone_from(name);
            }
            break;
        }
    }
    page
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_hold_every_entry_once() {
        let all: BTreeMap<String, i32> = (0..7).map(|n| (format!("name-{n}"), n)).collect();
        let mut token = String::new();
        let mut seen = Vec::new();
        loop {
            let page = page(&all, 3, &token, |_| true);
            seen.extend(page.items.into_iter().copied());
            if page.next.is_empty() {
                break;
            }
            token = page.next;
        }
        assert_eq!(seen, [0, 1, 2, 3, 4, 5, 6]);
    }
}
