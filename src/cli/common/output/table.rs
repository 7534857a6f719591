//! A table for people, as wide as their terminal. No id, name, time or word of it is ever split:
//! what has no room in its row stands on a line below it.

use std::io::{self, Write};

use console::measure_text_width;
use jiff::Timestamp;

use super::sentence::{self, units};

/// Between two columns.
const GAP: usize = 2;
/// Before a row.
const MARGIN: usize = 1;
/// Before what stands below a row.
const INDENT: usize = 5;
/// The narrowest column of sentences beside one or two others; where there is less room, they stand
/// below the row.
const SENTENCE_WIDTH: usize = 16;
/// The same beside more, which a sentence of many lines would tear apart.
const SENTENCE_AMONG_MANY: usize = 32;
/// The narrowest line below a row.
const NARROWEST: usize = 16;

/// A column, and how wide it has to be.
pub(super) struct TableColumn {
    pub name: &'static str,
    /// Whether its cells may be broken at spaces.
    pub is_sentence: bool,
    /// The lower, the sooner it stands below the rows of a narrow table.
    pub rank: usize,
    /// As wide as its widest cell.
    natural: usize,
}

/// Rows to draw, each text safe to print.
pub(super) struct PlainTable {
    columns: Vec<TableColumn>,
    rows: Vec<PlainRow>,
}

struct PlainRow {
    cells: Vec<String>,
    detail: Option<String>,
}

impl TableColumn {
    pub(super) fn new(name: &'static str, is_sentence: bool, rank: usize) -> Self {
        Self {
            name,
            is_sentence,
            rank,
            natural: measure_text_width(name),
        }
    }

    /// The least that it takes in a row of so many columns.
    fn least(&self, columns: usize) -> usize {
        if !self.is_sentence {
            return self.natural;
        }
        let readable = if columns > 3 {
            SENTENCE_AMONG_MANY
        } else {
            SENTENCE_WIDTH
        };
        self.natural
            .min(readable.max(measure_text_width(self.name)))
    }
}

impl PlainTable {
    pub(super) fn new(columns: Vec<TableColumn>) -> Self {
        Self {
            columns,
            rows: Vec::new(),
        }
    }

    /// Adds a row, its times shortened. `detail` stands below it at any width.
    pub(super) fn push(&mut self, cells: Vec<String>, detail: Option<String>) {
        let cells: Vec<_> = cells.into_iter().map(short_time).collect();
        for (column, cell) in self.columns.iter_mut().zip(&cells) {
            column.natural = column.natural.max(measure_text_width(cell));
        }
        self.rows.push(PlainRow { cells, detail });
    }

    /// Draws it. Without a width each row is one line.
    pub(super) fn draw(
        &self,
        out: &mut impl Write,
        width: Option<usize>,
        colour: bool,
    ) -> io::Result<()> {
        let widths = self.widths(width.unwrap_or(usize::MAX));
        let below = width.unwrap_or(usize::MAX).saturating_sub(INDENT);
        let names = self.columns.iter().zip(&widths);
        let names = names.map(|(column, width)| width.map(|width| (column.name.to_owned(), width)));
        let heading = line(names.flatten());
        if colour {
            writeln!(out, "\u{1b}[1m{heading}\u{1b}[0m")?;
        } else {
            writeln!(out, "{heading}")?;
        }
        for row in &self.rows {
            self.draw_row(out, row, &widths, below.max(NARROWEST))?;
        }
        Ok(())
    }

    /// How wide each column is in a row; `None` stands below it.
    fn widths(&self, width: usize) -> Vec<Option<usize>> {
        let mut widths: Vec<_> = self
            .columns
            .iter()
            .map(|column| Some(column.least(self.columns.len())))
            .collect();
        let mut yielding: Vec<usize> = (1..self.columns.len()).collect();
        yielding.sort_by_key(|index| self.columns.get(*index).map(|column| column.rank));
        for index in yielding {
            if taken(&widths) <= width {
                break;
            }
            if let Some(yielded) = widths.get_mut(index) {
                *yielded = None;
            }
        }
        self.share(width.saturating_sub(taken(&widths)), &mut widths);
        widths
    }

    /// Gives sentences the `room` that is left, the one that lacks least first.
    fn share(&self, mut room: usize, widths: &mut [Option<usize>]) {
        let columns = self.columns.iter().zip(widths);
        let columns = columns.filter_map(|(column, width)| Some((column.natural, width.as_mut()?)));
        let mut lacking: Vec<_> = columns
            .filter(|(natural, width)| natural > *width)
            .collect();
        lacking.sort_by_key(|(natural, width)| natural - **width);
        let mut others = lacking.len();
        for (natural, width) in lacking {
            let more = (natural - *width).min(room / others);
            *width += more;
            room -= more;
            others -= 1;
        }
    }

    fn draw_row(
        &self,
        out: &mut impl Write,
        row: &PlainRow,
        widths: &[Option<usize>],
        below: usize,
    ) -> io::Result<()> {
        let mut in_row = Vec::new();
        let mut beside = Vec::new();
        for ((column, cell), width) in self.columns.iter().zip(&row.cells).zip(widths) {
            let lines = match width {
                Some(width) if measure_text_width(cell) <= *width => Some(vec![cell.clone()]),
                Some(width) => sentence::broken(&units(cell), *width),
                None => None,
            };
            if lines.is_none() {
                beside.push((column, cell.as_str()));
            }
            in_row.extend(width.map(|width| (lines.unwrap_or_default(), width)));
        }
        let height = in_row.iter().map(|(lines, _)| lines.len()).max();
        for index in 0..height.unwrap_or(0) {
            let cells = in_row.iter().map(|(lines, width)| {
                let text = lines.get(index).cloned().unwrap_or_default();
                (text, *width)
            });
            writeln!(out, "{}", line(cells))?;
        }
        for text in sentence::filled(&below_row(&beside, row.detail.as_deref()), below) {
            writeln!(out, "{:INDENT$}{text}", "")?;
        }
        Ok(())
    }
}

/// How wide a row is.
fn taken(widths: &[Option<usize>]) -> usize {
    let columns = widths.iter().flatten();
    let cells: usize = columns.clone().sum();
    MARGIN + cells + GAP * columns.count().saturating_sub(1)
}

/// What stands below a row, in parts that are not broken.
fn below_row(beside: &[(&TableColumn, &str)], detail: Option<&str>) -> Vec<String> {
    let mut parts: Vec<String> = Vec::new();
    let beside = beside
        .iter()
        .filter(|(_, cell)| !cell.is_empty() && *cell != "-");
    let texts = beside.map(|(column, cell)| {
        if column.is_sentence {
            units(cell)
        } else {
            vec![format!("{} {cell}", column.name)]
        }
    });
    for text in texts.chain(detail.map(units)) {
        if let Some(last) = parts.last_mut() {
            last.push(',');
        }
        parts.extend(text);
    }
    parts
}

/// Cells side by side, each in its width.
fn line(cells: impl Iterator<Item = (String, usize)>) -> String {
    let mut text = " ".repeat(MARGIN);
    for (cell, width) in cells {
        let padding = width.saturating_sub(measure_text_width(&cell)) + GAP;
        text.push_str(&cell);
        text.extend(std::iter::repeat_n(' ', padding));
    }
    text.truncate(text.trim_end().len());
    text
}

/// A cell that is a time, to the second and without the words of its format; it is UTC.
fn short_time(cell: String) -> String {
    if !(cell.ends_with('Z') && cell.contains('T')) {
        return cell;
    }
    match cell.parse::<Timestamp>() {
        Ok(time) => time.strftime("%Y-%m-%d %H:%M:%S").to_string(),
        Err(_) => cell,
    }
}

#[cfg(test)]
mod tests;
