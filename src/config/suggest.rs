//! "Did you mean": the known key nearest to an unknown one.

use strsim::osa_distance;

/// The end of an error about an unknown name.
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
        .map(|candidate| match osa_distance(path, candidate) {
            edits if edits > allowed && last(candidate) == wanted => (allowed, candidate),
            edits => (edits, candidate),
        })
        .filter(|(edits, _)| *edits <= allowed)
        .min()
        .map(|(_, candidate)| candidate)
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use strsim::osa_distance;

    use super::nearest;

    #[rstest]
    #[case("", "", 0)]
    #[case("", "abc", 3)]
    #[case("abc", "", 3)]
    #[case("kitten", "sitting", 3)]
    #[case("precent", "percent", 1)]
    #[case("ab", "ba", 1)]
    #[case("é", "e", 1)]
    fn edits_are_counted(#[case] from: &str, #[case] to: &str, #[case] edits: usize) {
        assert_eq!(osa_distance(from, to), edits);
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
