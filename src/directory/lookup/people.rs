//! How many people go into one `person/list`.

use crate::directory::Crsid;

/// Lookup documents about 8,000 characters of URL; what stands before it may allow fewer.
const LONGEST_URL: usize = 6_000;

/// A comma in a query.
pub(super) const SEPARATOR: usize = "%2C".len();

/// The value of `crsids`.
pub(super) fn joined(batch: &[Crsid]) -> String {
    let ids: Vec<_> = batch.iter().map(Crsid::as_str).collect();
    ids.join(",")
}

/// People of whatever length that are one batch, at least one.
pub(super) fn surely_in_one(size: usize, url: usize) -> usize {
    let room = LONGEST_URL.saturating_sub(url) / (Crsid::LONGEST + SEPARATOR);
    room.clamp(1, size.max(1))
}

/// Batches of distinct people, each within the configured size and the bound of the URL.
#[derive(Debug)]
pub(super) struct Batches {
    rest: std::iter::Peekable<std::vec::IntoIter<Crsid>>,
    size: usize,
    room: usize,
}

impl Batches {
    /// `url` is the length of the URL without any person.
    pub(super) fn new(people: &[Crsid], size: usize, url: usize) -> Self {
        let mut people = people.to_vec();
        people.sort_unstable();
        people.dedup();
        Self {
            rest: people.into_iter().peekable(),
            size,
            room: LONGEST_URL.saturating_sub(url),
        }
    }
}

impl Iterator for Batches {
    type Item = Vec<Crsid>;

    fn next(&mut self) -> Option<Vec<Crsid>> {
        let mut bytes = 0;
        let mut batch = Vec::new();
        while let Some(crsid) = self.rest.peek() {
            bytes += crsid.as_str().len() + SEPARATOR;
            let full = batch.len() >= self.size || bytes > self.room;
            if full && !batch.is_empty() {
                break;
            }
            batch.extend(self.rest.next());
        }
        (!batch.is_empty()).then_some(batch)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn every_person_is_in_one_batch_and_no_batch_is_too_long(
            ids in prop::collection::vec(0_u32..0x0fff_ffff, 0..900), size in 1_usize..900
        ) {
            // Made of numbers: strings from a pattern cost more than all the rest.
            let people: Vec<_> = ids.iter().filter_map(|id| Crsid::parse(&format!("a{id:x}"))).collect();
            let batches: Vec<_> = Batches::new(&people, size, 80).collect();
            for batch in &batches {
                prop_assert!(batch.len() <= size);
                prop_assert!(80 + joined(batch).replace(',', "%2C").len() <= LONGEST_URL);
            }
            let mut expected = people;
            expected.sort_unstable();
            expected.dedup();
            prop_assert_eq!(batches.concat(), expected);
        }
    }
}
