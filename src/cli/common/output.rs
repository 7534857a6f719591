//! Results on standard output: a table for people, JSON lines or CSV for programs.

mod sentence;
mod table;

use std::{
    env,
    io::{self, IsTerminal, Write},
};

use clap::ValueEnum;
use console::Term;
use serde::Serialize;

use self::table::{PlainTable, TableColumn};
use super::quiet;
use crate::telemetry::{escape, escape_json};

/// How results are printed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum OutputFormat {
    /// A table as wide as the terminal
    #[default]
    Table,
    /// One JSON object a line
    Json,
    /// Comma-separated values with a header
    Csv,
}

/// How a report that is one document is printed: it has no rows that a spreadsheet could hold.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum ReportFormat {
    /// As it goes, for people
    #[default]
    Table,
    /// One JSON document at the end
    Json,
}

/// One line of a result. Its JSON form is what `Serialize` says.
pub trait OutputRow: Serialize {
    /// The names of the columns.
    const COLUMNS: &'static [&'static str];
    /// How many of them, from the first, a table shows.
    const IN_TABLES: usize = Self::COLUMNS.len();
    /// Columns of sentences, which a table may break at spaces. It breaks no other cell.
    const SENTENCES: &'static [&'static str] = &[];
    /// Columns that a narrow table shows below the row, in the order in which they leave it; after
    /// them all others leave it, from the last.
    const YIELDING: &'static [&'static str] = &[];

    /// A text for each column.
    fn cells(&self) -> Vec<String>;

    /// What a table says of the row on a line below it.
    fn detail(&self) -> Option<String> {
        None
    }
}

impl<R: OutputRow> OutputRow for &R {
    const COLUMNS: &'static [&'static str] = R::COLUMNS;
    const IN_TABLES: usize = R::IN_TABLES;
    const SENTENCES: &'static [&'static str] = R::SENTENCES;
    const YIELDING: &'static [&'static str] = R::YIELDING;

    fn cells(&self) -> Vec<String> {
        R::cells(self)
    }

    fn detail(&self) -> Option<String> {
        R::detail(self)
    }
}

/// Prints rows on standard output. A reader that goes away early, such as `head`, is no failure.
///
/// A table is as wide as `COLUMNS` says, else as the terminal is; in a pipe each of its rows is one
/// line. Without rows nothing is printed but the header of CSV.
///
/// # Errors
/// When standard output cannot be written.
pub fn print<R: OutputRow>(output: OutputFormat, rows: &[R]) -> io::Result<()> {
    let colour =
        io::stdout().is_terminal() && env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
    let mut out = io::stdout().lock();
    unless_gone(write(&mut out, output, rows, colour, columns()).and_then(|()| out.flush()))
}

/// The width that the environment asks for, else the terminal's, if it is one.
fn columns() -> Option<u16> {
    let asked = env::var("COLUMNS")
        .ok()
        .and_then(|width| width.parse().ok());
    asked
        .or_else(|| Term::stdout().size_checked().map(|(_, width)| width))
        .filter(|width| *width > 0)
}

/// A reader that went away is no failure.
fn unless_gone(written: io::Result<()>) -> io::Result<()> {
    match written {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        result => result,
    }
}

/// Tells a person something as part of the result, on standard output.
///
/// # Errors
/// When standard output cannot be written.
pub fn say(text: &str) -> io::Result<()> {
    unless_gone(writeln!(io::stdout(), "{text}"))
}

/// Tells a person something beside the result, on standard error, so that the result can be piped.
/// With `--quiet` nothing is told.
///
/// # Errors
/// When standard error cannot be written.
pub fn note(text: &str) -> io::Result<()> {
    if quiet::is_asked_for() {
        return Ok(());
    }
    unless_gone(writeln!(io::stderr(), "{text}"))
}

/// Writes rows. `width` stands in for the terminal's.
///
/// # Errors
/// When `out` cannot be written.
pub fn write<R: OutputRow>(
    out: &mut impl Write,
    output: OutputFormat,
    rows: &[R],
    colour: bool,
    width: Option<u16>,
) -> io::Result<()> {
    match output {
        OutputFormat::Table if rows.is_empty() => Ok(()),
        OutputFormat::Table => write_table(out, rows, colour, width),
        OutputFormat::Json => rows.iter().try_for_each(|row| {
            let json = serde_json::to_string(row)?;
            writeln!(out, "{}", escape_json(&json))
        }),
        OutputFormat::Csv => {
            write_record(out, R::COLUMNS.iter().copied())?;
            rows.iter()
                .try_for_each(|row| write_record(out, row.cells().iter().map(String::as_str)))
        }
    }
}

fn write_table<R: OutputRow>(
    out: &mut impl Write,
    rows: &[R],
    colour: bool,
    width: Option<u16>,
) -> io::Result<()> {
    let names = R::COLUMNS.iter().take(R::IN_TABLES);
    let columns = names.enumerate().map(|(index, name)| {
        let first = R::YIELDING.iter().position(|yielding| yielding == name);
        let rank = first.unwrap_or(R::YIELDING.len() + R::COLUMNS.len() - index);
        TableColumn::new(name, R::SENTENCES.contains(name), rank)
    });
    let mut table = PlainTable::new(columns.collect());
    for row in rows {
        let cells = row.cells();
        let cells = cells.iter().take(R::IN_TABLES);
        let cells = cells.map(|cell| escape(cell).into_owned());
        let detail = row.detail().map(|detail| escape(&detail).into_owned());
        table.push(cells.collect(), detail);
    }
    table.draw(out, width.map(usize::from), colour)
}

/// What a spreadsheet takes for the beginning of a formula, in either width.
const FORMULA: [char; 8] = [
    '=', '+', '-', '@', '\u{ff1d}', '\u{ff0b}', '\u{ff0d}', '\u{ff20}',
];

/// A record of RFC 4180, each text made printable first: a field with a line break in it would be a
/// line of its own for every tool that reads line by line. A text that a spreadsheet would compute
/// gets an apostrophe before it, which spreadsheets read as "this is text".
fn write_record<'c>(out: &mut impl Write, cells: impl Iterator<Item = &'c str>) -> io::Result<()> {
    for (index, cell) in cells.enumerate() {
        if index > 0 {
            write!(out, ",")?;
        }
        let mut cell = escape(cell);
        if cell.trim_start_matches([' ', '"']).starts_with(FORMULA) {
            cell.to_mut().insert(0, '\'');
        }
        if cell.contains([',', '"']) || cell.trim() != cell {
            write!(out, "\"{}\"", cell.replace('"', "\"\""))?;
        } else {
            write!(out, "{cell}")?;
        }
    }
    writeln!(out)
}

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use serde::Serialize;

    use super::{OutputFormat, OutputRow, write};

    #[derive(Serialize)]
    struct ExampleRow {
        username: &'static str,
        reason: &'static str,
    }

    impl OutputRow for ExampleRow {
        const COLUMNS: &'static [&'static str] = &["username", "reason"];
        const SENTENCES: &'static [&'static str] = &["reason"];

        fn cells(&self) -> Vec<String> {
            vec![self.username.to_owned(), self.reason.to_owned()]
        }
    }

    const LINES: [ExampleRow; 3] = [
        ExampleRow {
            username: "spqr1",
            reason: "cancelled_in_lookup",
        },
        ExampleRow {
            username: "a\n\u{1b}[2Jb",
            reason: "a, \"quoted\" text that is longer than the terminal is wide",
        },
        ExampleRow {
            username: " 漢字",
            reason: "",
        },
    ];

    fn printed(output: OutputFormat, colour: bool, width: Option<u16>) -> String {
        let mut out = Vec::new();
        write(&mut out, output, &LINES, colour, width).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn a_table_fits_the_terminal_and_its_cells_cannot_escape() {
        insta::assert_snapshot!(printed(OutputFormat::Table, false, Some(44)));
    }

    #[test]
    fn csv_has_a_header_and_one_line_a_row() {
        insta::assert_snapshot!(printed(OutputFormat::Csv, false, None));
    }

    #[test]
    fn json_is_one_object_a_line() {
        insta::assert_snapshot!(printed(OutputFormat::Json, false, None));
    }

    #[rstest]
    #[case(true)]
    #[case(false)]
    fn a_table_has_colour_only_when_asked_for(#[case] colour: bool) {
        assert_eq!(
            printed(OutputFormat::Table, colour, Some(80)).contains('\u{1b}'),
            colour
        );
    }
}
