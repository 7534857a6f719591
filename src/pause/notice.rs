//! What is known of a pause, and its form as labels of a resource on Google Cloud.

use std::{collections::HashMap, fmt};

use jiff::Timestamp;

/// Since when, in seconds since 1970. Where it is there, writes are paused, whatever it says.
const PAUSED_AT: &str = "paused-at";
const PAUSED_BY: &str = "paused-by";
const PAUSE_REASON: &str = "pause-reason";

/// The labels that a pause is kept in. All others are somebody else's.
pub const PAUSE_LABELS: [&str; 3] = [PAUSED_AT, PAUSED_BY, PAUSE_REASON];

/// The longest value of a label.
const LONGEST_VALUE: usize = 63;

/// A pause as everybody sees it. Texts are slugs: a label takes nothing else.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PauseNotice {
    /// Since when, by the clock of who paused; `None` where that cannot be read.
    pub since: Option<Timestamp>,
    /// Who paused.
    pub by: Option<String>,
    /// Why.
    pub reason: Option<String>,
}

impl PauseNotice {
    /// A pause that begins at `since`.
    pub fn new(since: Timestamp, by: Option<&str>, reason: Option<&str>) -> Self {
        Self {
            since: Timestamp::from_second(since.as_second()).ok(),
            by: by.and_then(slug),
            reason: reason.and_then(slug),
        }
    }

    /// The pause that `labels` tell of. A time that cannot be read is a pause all the same: unknown
    /// never writes.
    pub fn from_labels(labels: &HashMap<String, String>) -> Option<Self> {
        let at = labels.get(PAUSED_AT)?;
        let text = |name| labels.get(name).filter(|text| !text.is_empty()).cloned();
        Some(Self {
            since: at
                .parse()
                .ok()
                .and_then(|seconds| Timestamp::from_second(seconds).ok()),
            by: text(PAUSED_BY),
            reason: text(PAUSE_REASON),
        })
    }

    /// Its labels.
    pub fn labels(&self) -> impl Iterator<Item = (String, String)> {
        let at = self.since.map_or(0, Timestamp::as_second).to_string();
        let texts = [
            (PAUSED_AT, Some(at)),
            (PAUSED_BY, self.by.clone()),
            (PAUSE_REASON, self.reason.clone()),
        ];
        texts
            .into_iter()
            .filter_map(|(name, text)| Some((name.to_owned(), text?)))
    }
}

impl fmt::Display for PauseNotice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.since {
            Some(since) => write!(f, "paused since {since}")?,
            None => f.write_str("paused since an unknown time")?,
        }
        if let Some(by) = &self.by {
            write!(f, " by {by}")?;
        }
        if let Some(reason) = &self.reason {
            write!(f, " ({reason})")?;
        }
        Ok(())
    }
}

/// `text` in the characters of a label; `None` where nothing of it is left.
fn slug(text: &str) -> Option<String> {
    let mut slug = String::new();
    for character in text.chars() {
        let character = character.to_ascii_lowercase();
        if character.is_ascii_lowercase() || character.is_ascii_digit() || character == '_' {
            slug.push(character);
        } else if !slug.is_empty() && !slug.ends_with('-') {
            slug.push('-');
        }
    }
    slug.truncate(LONGEST_VALUE);
    let slug = slug.trim_end_matches('-');
    (!slug.is_empty()).then(|| slug.to_owned())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rstest::rstest;

    use super::*;

    fn labels(given: &[(&str, &str)]) -> HashMap<String, String> {
        let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        given.iter().map(owned).collect()
    }

    #[rstest]
    #[case::nothing(&[], None)]
    #[case::labels_of_others(&[("app", "sync"), ("pause-reason", "left-over")], None)]
    #[case::all(&[("paused-at", "1795932000"), ("paused-by", "alice"), ("pause-reason", "scim-went-wrong")],
        Some("paused since 2026-11-29T06:00:00Z by alice (scim-went-wrong)"))]
    #[case::by_hand(&[("paused-at", "now")], Some("paused since an unknown time"))]
    #[case::empty(&[("paused-at", ""), ("paused-by", "")], Some("paused since an unknown time"))]
    fn a_time_that_cannot_be_read_is_a_pause_all_the_same(
        #[case] given: &[(&str, &str)],
        #[case] told: Option<&str>,
    ) {
        let notice = PauseNotice::from_labels(&labels(given));
        assert_eq!(notice.map(|notice| notice.to_string()).as_deref(), told);
    }

    #[rstest]
    #[case("Alice Examplé", Some("alice-exampl"))]
    #[case("  SCIM went wrong; see #42!  ", Some("scim-went-wrong-see-42"))]
    #[case("spqr1@example.ac.uk", Some("spqr1-example-ac-uk"))]
    #[case("学期末", None)]
    fn a_text_becomes_what_a_label_takes(#[case] text: &str, #[case] expected: Option<&str>) {
        assert_eq!(slug(text).as_deref(), expected);
    }

    proptest! {
        #[test]
        fn every_pause_is_read_back_from_labels_that_google_cloud_takes(
            seconds in 0_i64..4_102_444_800,
            by in proptest::option::of(".*"),
            reason in proptest::option::of(".*"),
        ) {
            let since = Timestamp::from_second(seconds).unwrap();
            let notice = PauseNotice::new(since, by.as_deref(), reason.as_deref());
            let labels: HashMap<_, _> = notice.labels().collect();
            for (name, value) in &labels {
                prop_assert!(PAUSE_LABELS.contains(&name.as_str()));
                prop_assert!(value.len() <= LONGEST_VALUE);
                prop_assert!(value.chars().all(|c| matches!(c, 'a'..='z' | '0'..='9' | '_' | '-')), "{value}");
            }
            prop_assert_eq!(PauseNotice::from_labels(&labels), Some(notice));
        }
    }
}
