//! Text from elsewhere, made safe to print on one line of a terminal.

use std::{borrow::Cow, fmt::Write};

/// `text` with every character escaped that could forge a line, move the cursor or turn the reading
/// direction.
pub fn escape(text: &str) -> Cow<'_, str> {
    if is_safe(text) {
        return Cow::Borrowed(text);
    }
    let mut safe = String::with_capacity(text.len() + 8);
    for character in text.chars() {
        if is_unsafe(character) {
            safe.extend(character.escape_default());
        } else {
            safe.push(character);
        }
    }
    Cow::Owned(safe)
}

/// The same for a JSON document on one line, which stays the same document. JSON leaves alone what
/// matters to terminals only, but a person may look at it with `cat`. Outside of strings there is
/// none of it, and inside `\u` is the same text.
pub fn escape_json(json: &str) -> Cow<'_, str> {
    if is_safe(json) {
        return Cow::Borrowed(json);
    }
    let mut safe = String::with_capacity(json.len() + 16);
    for character in json.chars() {
        if is_unsafe(character) {
            for unit in character.encode_utf16(&mut [0; 2]) {
                // Memory does not fail to be written.
                let _ = write!(safe, "\\u{unit:04x}");
            }
        } else {
            safe.push(character);
        }
    }
    Cow::Owned(safe)
}

/// Whether nothing is unsafe. Nearly every line is plain ASCII, which is seen many bytes at a time.
fn is_safe(text: &str) -> bool {
    let other = |byte: &u8| !matches!(byte, b' '..=b'~');
    text.bytes().filter(other).count() == 0 || !text.contains(is_unsafe)
}

/// Control characters, line and paragraph separators, and what hides or reorders text.
pub(super) fn is_unsafe(character: char) -> bool {
    character.is_control()
        || matches!(
            character,
            '\u{061c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}'
        )
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::{escape, escape_json, is_unsafe};

    #[rstest]
    #[case("spqr1", "spqr1")]
    #[case("Zoë Müller 漢字", "Zoë Müller 漢字")]
    #[case("a\nERROR forged", r"a\nERROR forged")]
    #[case("a\r\u{1b}[2Jb", r"a\r\u{1b}[2Jb")]
    #[case("\u{9b}31m", r"\u{9b}31m")]
    #[case("\u{202e}gpj.exe", r"\u{202e}gpj.exe")]
    #[case("a\u{2028}b", r"a\u{2028}b")]
    fn nothing_printed_can_forge_a_line_or_move_the_cursor(#[case] text: &str, #[case] safe: &str) {
        assert_eq!(escape(text), safe);
    }

    #[rstest]
    #[case("a\u{9b}31m\u{202e}\u{7f}\u{2028}b")]
    #[case("nothing to escape")]
    fn printable_json_is_the_same_document(#[case] text: &str) {
        let json = serde_json::to_string(text).unwrap();
        let safe = escape_json(&json);
        assert!(!safe.contains(is_unsafe));
        assert_eq!(serde_json::from_str::<String>(&safe).unwrap(), text);
    }
}
