//! "Did you mean": the known key nearest to an unknown one.

/// What stands behind a complaint about an unknown name.
pub(super) fn suggestion(meant: Option<&str>) -> String {
    meant.map_or_else(String::new, |meant| format!("; did you mean {meant}?"))
}

/// The candidate most like `path`: few edits away, or of the same last name in another section.
pub(super) fn nearest<'k>(
    path: &str,
    candidates: impl Iterator<Item = &'k str>,
) -> Option<&'k str> {
    let last = |path: &str| path.rsplit('.').next().unwrap_or_default().to_owned();
    let wanted = last(path);
    let allowed = (path.chars().count() / 4).clamp(1, 4);
    candidates
        .map(|candidate| match distance(path, candidate) {
            edits if edits > allowed && last(candidate) == wanted => (allowed, candidate),
            edits => (edits, candidate),
        })
        .filter(|(edits, _)| *edits <= allowed)
        .min()
        .map(|(_, candidate)| candidate)
}

/// Insertions, deletions, replacements and swaps of neighbours that make one text of the other.
fn distance(from: &str, to: &str) -> usize {
    let to: Vec<char> = to.chars().collect();
    let mut before_last: Vec<usize> = Vec::new();
    let mut last: Vec<usize> = (0..=to.len()).collect();
    let mut previous = None;
    for (row, a) in from.chars().enumerate() {
        let mut current = vec![row + 1];
        for (column, b) in to.iter().enumerate() {
            let at =
                |cells: &[usize], index: usize| cells.get(index).copied().unwrap_or(usize::MAX - 1);
            let replaced = at(&last, column) + usize::from(a != *b);
            let removed = at(&last, column + 1) + 1;
            let added = at(&current, column) + 1;
            let swapped = match column.checked_sub(1) {
                Some(left) if to.get(left) == Some(&a) && previous == Some(*b) => {
                    at(&before_last, left) + 1
                }
                _ => usize::MAX,
            };
            current.push(replaced.min(removed).min(added).min(swapped));
        }
        before_last = std::mem::replace(&mut last, current);
        previous = Some(a);
    }
    last.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::{distance, nearest};

    #[rstest]
    #[case("", "", 0)]
    #[case("", "abc", 3)]
    #[case("abc", "", 3)]
    #[case("kitten", "sitting", 3)]
    #[case("precent", "percent", 1)]
    #[case("ab", "ba", 1)]
    #[case("é", "e", 1)]
    fn edits_are_counted(#[case] from: &str, #[case] to: &str, #[case] edits: usize) {
        assert_eq!(distance(from, to), edits);
    }

    #[rstest]
    #[case("guard.max_block_precent", Some("guard.max_block_percent"))]
    #[case("gitlab.tokn", Some("gitlab.token"))]
    #[case("gitlb", Some("gitlab"))]
    #[case("floor", Some("guard.floor"))]
    #[case("entirely.different", None)]
    #[case("", None)]
    fn the_nearest_key_is_named(#[case] path: &str, #[case] meant: Option<&str>) {
        let keys = [
            "gitlab",
            "gitlab.token",
            "gitlab.url",
            "guard.floor",
            "guard.max_block_percent",
        ];
        assert_eq!(nearest(path, keys.into_iter()), meant);
    }
}
