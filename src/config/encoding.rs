//! Text files in another encoding than UTF-8.

/// What is wrong with the first bytes of a text file, to be read after "the file"; `None` if
/// nothing is. Editors do not show a byte order mark, and an error about what follows it would
/// mislead.
pub fn objection(bytes: &[u8]) -> Option<&'static str> {
    const MARKED: &str = "begins with a byte order mark: save it as UTF-8 without one";
    const UTF_16: &str = "is UTF-16: save it as UTF-8";
    match bytes {
        [0xef, 0xbb, 0xbf, ..] => Some(MARKED),
        [0xff, 0xfe, ..] | [0xfe, 0xff, ..] => Some(UTF_16),
        // Every text that this service reads begins with ASCII.
        [0, byte, ..] | [byte, 0, ..] if *byte != 0 => Some(UTF_16),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::objection;

    #[rstest]
    #[case(b"{}", None)]
    #[case(b"", None)]
    #[case(b"{", None)]
    #[case("ü".as_bytes(), None)]
    #[case(b"\xef\xbb\xbf{}", Some("byte order mark"))]
    #[case(b"\xff\xfe{\0}\0", Some("UTF-16"))]
    #[case(b"\xfe\xff\0{\0}", Some("UTF-16"))]
    #[case(b"{\0}\0", Some("UTF-16"))]
    #[case(b"\0{\0}", Some("UTF-16"))]
    fn other_encodings_are_told_by_name(#[case] bytes: &[u8], #[case] told: Option<&str>) {
        let objection = objection(bytes);
        assert_eq!(objection.is_some(), told.is_some());
        assert!(told.is_none_or(|told| objection.unwrap().contains(told)));
    }
}
