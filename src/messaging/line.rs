//! One line of text for an operator.

/// The longest `dead_letter_detail`, in bytes.
pub const MAX_DETAIL_BYTES: usize = 512;

/// Controls, and the two separators that some readers take for the end of a line.
pub fn breaks_a_line(character: char) -> bool {
    character.is_control() || matches!(character, '\u{2028}' | '\u{2029}')
}

/// `text` on one line of at most `max` bytes: controls and line separators become spaces, the rest
/// is cut.
pub fn one_line(text: &str, max: usize) -> String {
    let mut line = String::with_capacity(text.len().min(max));
    for character in text.chars() {
        let shown = if breaks_a_line(character) {
            ' '
        } else {
            character
        };
        if line.len() + shown.len_utf8() > max {
            break;
        }
        line.push(shown);
    }
    line
}

/// `text` as a `dead_letter_detail`.
pub fn detail(text: &str) -> String {
    one_line(text, MAX_DETAIL_BYTES)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_detail_is_one_line_of_at_most_512_bytes(text in "\\PC*|(?s).{0,900}") {
            let line = detail(&text);
            prop_assert!(line.len() <= MAX_DETAIL_BYTES);
            prop_assert!(!line.chars().any(char::is_control));
            prop_assert_eq!(detail(&line), line);
        }
    }
}
