//! The forms of `--output`, as a program that reads them sees them.

use std::process::Output;

use serde_json::Value;

/// Whether standard output is of that form.
pub fn is_of_form(form: &str, output: &Output) -> Result<(), String> {
    let text = std::str::from_utf8(&output.stdout).unwrap();
    let is_json =
        |line: &str| serde_json::from_str::<Value>(line).is_ok_and(|json| json.is_object());
    let complaint = |line: &str| Err(format!("{form} is `{line}`"));
    match form {
        "json" => match text.lines().find(|line| !is_json(line)) {
            Some(line) => complaint(line),
            None => Ok(()),
        },
        "csv" => {
            let columns = text.lines().next().map(fields).ok_or("csv has no header")?;
            match text
                .lines()
                .find(|line| is_json(line) || fields(line) != columns)
            {
                Some(line) => complaint(line),
                None => Ok(()),
            }
        }
        "table" => match text.lines().find(|line| is_json(line)) {
            Some(line) => complaint(line),
            None => Ok(()),
        },
        other => Err(format!("unknown form {other}")),
    }
}

/// How many fields a line of CSV has.
fn fields(line: &str) -> usize {
    let mut quoted = false;
    let commas = line.chars().filter(|character| {
        quoted ^= *character == '"';
        *character == ',' && !quoted
    });
    commas.count() + 1
}
