//! Sentences, broken at spaces and nowhere else.

use console::measure_text_width;

/// The words of `text`; a date and the time after it are one.
pub(super) fn units(text: &str) -> Vec<String> {
    let mut units: Vec<String> = Vec::new();
    for word in text.split(' ').filter(|word| !word.is_empty()) {
        match units.last_mut() {
            Some(date) if is_date(date) && is_time(word) => {
                date.push(' ');
                date.push_str(word);
            }
            _ => units.push(word.to_owned()),
        }
    }
    units
}

/// Lines of at most `width`; `None` where a unit is wider.
pub(super) fn broken(units: &[String], width: usize) -> Option<Vec<String>> {
    let lines = filled(units, width);
    let fits = |line: &String| measure_text_width(line) <= width;
    lines.iter().all(fits).then_some(lines)
}

/// Lines of at most `width`, but for a unit that is wider, which has one of its own. A list without
/// spaces that is wider is broken after its commas.
pub(super) fn filled(units: &[String], width: usize) -> Vec<String> {
    let mut lines: Vec<(String, usize)> = Vec::new();
    for unit in units {
        let is_wider = measure_text_width(unit) > width;
        let parts: Vec<&str> = if is_wider {
            unit.split_inclusive(',').collect()
        } else {
            vec![unit]
        };
        for (index, part) in parts.into_iter().enumerate() {
            let gap = if index == 0 { " " } else { "" };
            let wide = measure_text_width(part);
            match lines.last_mut() {
                Some((line, taken)) if *taken + gap.len() + wide <= width => {
                    line.push_str(gap);
                    line.push_str(part);
                    *taken += gap.len() + wide;
                }
                _ => lines.push((part.to_owned(), wide)),
            }
        }
    }
    lines.into_iter().map(|(line, _)| line).collect()
}

/// Such as `2026-01-10`, with whatever stands before it.
fn is_date(word: &str) -> bool {
    let mut parts = word.rsplit('-');
    let digits = |part: Option<&str>, count| {
        part.is_some_and(|part| {
            part.len() == count && part.bytes().all(|byte| byte.is_ascii_digit())
        })
    };
    let (day, month) = (digits(parts.next(), 2), digits(parts.next(), 2));
    let year = parts
        .next()
        .and_then(|year| year.get(year.len().saturating_sub(4)..));
    day && month && digits(year, 4)
}

/// Such as `02:00` or `02:00:03,`.
fn is_time(word: &str) -> bool {
    matches!(word.as_bytes(), [h, i, b':', m, n, ..] if [h, i, m, n].iter().all(|byte| byte.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_stays_with_its_date() {
        assert_eq!(
            units("since  2026-01-10 02:00:03, by x-2026 12"),
            ["since", "2026-01-10 02:00:03,", "by", "x-2026", "12"]
        );
    }

    #[test]
    fn a_word_wider_than_the_line_has_one_of_its_own_and_is_refused_in_a_column() {
        let text = "a b external-dimitrova-2 c";
        assert_eq!(
            filled(&units(text), 8),
            ["a b", "external-dimitrova-2", "c"]
        );
        assert_eq!(broken(&units(text), 8), None);
        assert_eq!(broken(&units("a b c"), 3).unwrap(), ["a b", "c"]);
    }

    #[test]
    fn a_list_that_is_too_wide_is_broken_after_its_commas() {
        let list = units(r#"x ["duo_pro","duo_core"]"#);
        assert_eq!(filled(&list, 80), [r#"x ["duo_pro","duo_core"]"#]);
        assert_eq!(
            broken(&list, 16).unwrap(),
            [r#"x ["duo_pro","#, r#""duo_core"]"#]
        );
    }
}
