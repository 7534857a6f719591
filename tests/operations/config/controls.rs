//! Who may be named as a control of the directory.

use rstest::rstest;

use super::*;

#[rstest]
#[case::no_crsid(
    "cancelled = ['a b']",
    "directory.controls.cancelled[0]",
    "is no CRSid"
)]
#[case::no_text("current = [7]", "directory.controls.current[0]", "not text")]
#[case::too_many(
    "current = ['ab1', 'ab2', 'ab3', 'ab4', 'ab5', 'ab6']",
    "directory.controls.current",
    "holds 6; allowed: a list of at most 5 CRSids"
)]
#[case::both_ways(
    "cancelled = ['ab1']\ncurrent = ['AB1']",
    "directory.controls.current",
    "names ab1, whom directory.controls.cancelled names too"
)]
fn a_control_that_is_none_is_told_with_its_key(
    #[case] text: &str,
    #[case] key: &str,
    #[case] problem: &str,
) {
    let text = format!("[directory.controls]\n{text}\n");
    let start = Start::new().environment(&[]).file(&text);
    let mistakes = AnyConfig::load(&start.given).unwrap_err();
    let told: Vec<_> = mistakes.iter().collect();
    assert_eq!(told.len(), 1, "{mistakes}");
    assert_eq!(told[0].key, key);
    assert!(told[0].to_string().contains(problem), "{mistakes}");
}

#[test]
fn the_accounts_of_controls_are_exempt() {
    let text = "[directory.controls]\ncancelled = ['GONE1']\ncurrent = ['here1', 'here1']\n";
    let start = Start::new().environment(&[]).file(text);
    let config = AnyConfig::load(&start.given).unwrap().config;
    let named: Vec<_> = config
        .users
        .control_people
        .iter()
        .map(ToString::to_string)
        .collect();
    assert_eq!(named, ["gone1", "here1"]);
}
