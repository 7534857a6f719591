//! What no table does to a word, whatever stands in it.

use proptest::{collection::vec, prelude::*};

use super::*;

/// Names of columns, none of them a word that a cell can hold.
const NAMES: [&str; 8] = ["A", "BB", "CCC", "DD DD", "E", "FFFFFF", "GG", "H"];

/// What a table is made of: for each column whether it is of sentences, and its rank; rows of cells
/// with a detail.
#[derive(Clone, Debug)]
struct TableContent {
    columns: Vec<(bool, usize)>,
    rows: Vec<(Vec<String>, Option<String>)>,
}

impl TableContent {
    fn drawn(&self, width: Option<usize>) -> String {
        let columns = NAMES.into_iter().zip(&self.columns);
        let columns =
            columns.map(|(name, (is_sentence, rank))| TableColumn::new(name, *is_sentence, *rank));
        let mut table = PlainTable::new(columns.collect());
        for (cells, detail) in &self.rows {
            table.push(cells.clone(), detail.clone());
        }
        let mut out = Vec::new();
        table.draw(&mut out, width, false).unwrap();
        String::from_utf8(out).unwrap()
    }

    /// What must stand on one line each, row by row.
    fn unbroken(&self) -> impl Iterator<Item = Vec<String>> {
        self.rows.iter().map(|(cells, detail)| {
            let cells = cells.iter().zip(&self.columns);
            let parts = cells.map(|(cell, (is_sentence, _))| {
                if *is_sentence {
                    units(cell)
                } else {
                    vec![short_time(cell.clone())]
                }
            });
            let parts = parts.chain(detail.as_deref().map(units));
            let parts = parts.flatten();
            parts
                .filter(|part| !part.is_empty() && part != "-")
                .collect()
        })
    }
}

/// Ids, usernames, reasons and times, as long as they are in GitLab.
fn word() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => "[a-z0-9][a-z0-9_.-]{0,40}",
        1 => "[0-9]{16,20}",
        1 => Just("漢字".to_owned()),
        1 => Just("-".to_owned()),
        1 => Just(String::new()),
    ]
}

fn cell(is_sentence: bool) -> BoxedStrategy<String> {
    let time = Just("2026-01-10T02:00:03.123456Z".to_owned());
    if is_sentence {
        let part = prop_oneof![4 => word(), 1 => Just("2026-01-10 02:00".to_owned())];
        vec(part, 0..12).prop_map(|words| words.join(" ")).boxed()
    } else {
        prop_oneof![4 => word().boxed(), 1 => time.boxed(), 1 => Just("admin (17)".to_owned()).boxed()]
            .boxed()
    }
}

fn content() -> impl Strategy<Value = TableContent> {
    vec((any::<bool>(), 0..9_usize), 1..=NAMES.len()).prop_flat_map(|columns| {
        let cells: Vec<_> = columns
            .iter()
            .map(|(sentence, _)| cell(*sentence))
            .collect();
        let row = (cells, proptest::option::of(cell(true)));
        vec(row, 1..6).prop_map(move |rows| TableContent {
            columns: columns.clone(),
            rows,
        })
    })
}

/// Whether each of `parts` stands whole on a line of its own place, none of them used twice.
fn stand_whole(mut lines: Vec<String>, parts: &[String]) -> Result<(), String> {
    // The longest first, so that a short one does not use up a piece of a long one.
    let mut parts = parts.to_vec();
    parts.sort_by_key(|part| std::cmp::Reverse(part.len()));
    for part in parts {
        let place = lines.iter_mut().find_map(|line| {
            let start = line.find(&part)?;
            Some((line, start))
        });
        let Some((line, start)) = place else {
            return Err(part);
        };
        line.replace_range(start..start + part.len(), "\u{0}");
    }
    Ok(())
}

proptest! {
    #[test]
    fn no_id_name_time_or_word_is_split_and_no_line_is_wider_than_the_terminal(
        content in content(),
        width in prop_oneof![Just(80_usize), Just(120), 60..200_usize],
    ) {
        let drawn = content.drawn(Some(width));
        for line in drawn.lines() {
            prop_assert!(measure_text_width(line) <= width, "{line}");
        }
        let lines: Vec<_> = drawn.lines().skip(1).map(ToOwned::to_owned).collect();
        let parts: Vec<_> = content.unbroken().flatten().collect();
        let whole = stand_whole(lines, &parts);
        prop_assert!(whole.is_ok(), "{whole:?} in\n{drawn}");
    }

    #[test]
    fn in_a_pipe_each_row_is_one_line_and_a_detail_below_it(content in content()) {
        let drawn = content.drawn(None);
        let details = content.rows.iter().filter_map(|(_, detail)| detail.as_deref());
        let details = details.filter(|detail| !units(detail).is_empty()).count();
        prop_assert_eq!(drawn.lines().count(), 1 + content.rows.len() + details, "{}", drawn);
    }

    #[test]
    fn the_narrowest_terminal_is_no_failure(content in content(), width in 0..20_usize) {
        let parts: Vec<_> = content.unbroken().flatten().collect();
        let drawn = content.drawn(Some(width));
        let lines: Vec<_> = drawn.lines().skip(1).map(ToOwned::to_owned).collect();
        let whole = stand_whole(lines, &parts);
        prop_assert!(whole.is_ok(), "{whole:?} in\n{drawn}");
    }
}
