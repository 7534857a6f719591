//! What a slip of the hand makes of a line: every mutant of a file, always the same ones in the same
//! order.

use std::collections::BTreeMap;

use regex::Regex;

/// A file with one mistake in it.
pub struct Mutant {
    /// The file's name.
    pub file: String,
    /// The line, from 1.
    pub line: usize,
    /// What was done to it.
    pub what: String,
    /// The whole text with the mistake.
    pub text: String,
}

/// The patterns, compiled once.
pub struct Operators {
    literal: Regex,
    number: Regex,
    argument: Regex,
    opening: Regex,
    element: Regex,
    reference: Regex,
    /// The names of each type of resource.
    names: BTreeMap<String, Vec<String>>,
}

/// Outside of strings, one for another.
const SWAPS: [(&str, &str); 11] = [
    (" == ", " != "),
    (" != ", " == "),
    (" >= ", " > "),
    (" <= ", " < "),
    (" > ", " < "),
    (" < ", " > "),
    (" && ", " || "),
    (" || ", " && "),
    (" true", " false"),
    (" false", " true"),
    ("min(", "max("),
];

impl Operators {
    /// For a module of these texts.
    pub fn new(module: &str) -> Self {
        let mut names: BTreeMap<String, Vec<String>> = BTreeMap::new();
        let declared = Regex::new(r#"(?m)^resource "(\w+)" "(\w+)""#).unwrap();
        for found in declared.captures_iter(module) {
            let of_type = names.entry(found[1].to_owned()).or_default();
            of_type.push(found[2].to_owned());
        }
        let regex = |pattern| Regex::new(pattern).unwrap();
        Self {
            literal: regex(r#""((?:[^"\\]|\\.)*)""#),
            number: regex(r"\b\d+(?:\.\d+)?\b"),
            argument: regex(r"^\s+[a-z_]+\s+= .*[^{\[(]$"),
            opening: regex(r#"^(\s+)(?:dynamic "\w+"|[a-z_]+) \{$"#),
            element: regex(r#"^\s+"?[\w./\[\]-]+"?,$"#),
            reference: regex(r"\b(google_\w+)\.(\w+)"),
            names,
        }
    }

    /// Every mutant of a file.
    pub fn mutants(&self, file: &str, text: &str) -> Vec<Mutant> {
        let lines: Vec<&str> = text.lines().collect();
        let mut mutants = Vec::new();
        let mut prose = false;
        for (index, line) in lines.iter().enumerate() {
            let trimmed = line.trim();
            if prose || trimmed.ends_with("<<-TEXT") {
                prose = trimmed != "TEXT";
                continue;
            }
            let told = file.starts_with("variables") || file == "outputs.tf";
            let is_told =
                trimmed.starts_with("description") || trimmed.starts_with("error_message");
            if trimmed.is_empty() || trimmed.starts_with('#') || (told && is_told) {
                continue;
            }
            let mut add = |what: &str, changed: Vec<String>| {
                mutants.push(Mutant {
                    file: file.to_owned(),
                    line: index + 1,
                    what: format!("{what}: {trimmed}"),
                    text: changed.join("\n") + "\n",
                });
            };
            for (what, changed) in self.changed(line, file.starts_with("variables")) {
                let mut lines: Vec<String> = lines.iter().map(|&line| line.to_owned()).collect();
                lines[index] = changed;
                add(&what, lines);
            }
            if let Some(length) = self.removable(&lines[index..], file) {
                let kept = lines.iter().enumerate();
                let kept = kept.filter(|(at, _)| *at < index || *at >= index + length);
                add("removed", kept.map(|(_, &line)| line.to_owned()).collect());
            }
        }
        mutants
    }

    /// How many lines go when what begins with the first of these is taken away.
    fn removable(&self, lines: &[&str], file: &str) -> Option<usize> {
        let first = *lines.first()?;
        if let Some(found) = self.opening.captures(first) {
            let end = format!("{}}}", &found[1]);
            return lines.iter().position(|line| **line == end).map(|at| at + 1);
        }
        let balanced = |open, close| first.matches(open).count() == first.matches(close).count();
        let whole = balanced('(', ')') && balanced('[', ']') && balanced('{', '}');
        let removable = self.element.is_match(first)
            || (self.argument.is_match(first) && !file.starts_with("variables"));
        (removable && whole).then_some(1)
    }

    /// A line with one thing otherwise, for each such thing.
    fn changed(&self, line: &str, is_variable: bool) -> Vec<(String, String)> {
        let mut changed = Vec::new();
        let strings: Vec<_> = self.literal.find_iter(line).map(|it| it.range()).collect();
        let in_string = |at: usize| strings.iter().any(|range| range.contains(&at));
        let mut put = |what: &str, range: std::ops::Range<usize>, new: &str| {
            changed.push((
                what.to_owned(),
                format!("{}{new}{}", &line[..range.start], &line[range.end..]),
            ));
        };
        let is_header = line.ends_with('{') && !line.contains('=');
        for found in self.literal.find_iter(line).filter(|_| !is_header) {
            let inner = found.start() + 1..found.end() - 1;
            let text = &line[inner.clone()];
            if is_variable && text.contains(['^', '$']) {
                for anchor in ["^", "$"] {
                    if let Some(at) = text.find(anchor) {
                        let at = inner.start + at;
                        put(&format!("without {anchor}"), at..at + 1, "");
                    }
                }
            } else if let Some(number) = self.number.find(text).filter(|it| it.start() == 0) {
                let at = inner.start..inner.start + number.end();
                put("another number", at, &one_more(number.as_str()));
            } else if !text.contains("${") {
                put("another string", inner.start..inner.start, "x");
            }
        }
        for number in self.number.find_iter(line) {
            let before = line[..number.start()].chars().next_back();
            if !in_string(number.start()) && before != Some('[') {
                put("another number", number.range(), &one_more(number.as_str()));
            }
        }
        for (from, to) in SWAPS {
            for (at, _) in line.match_indices(from).filter(|(at, _)| !in_string(*at)) {
                put(
                    &format!("{} for {}", to.trim(), from.trim()),
                    at..at + from.len(),
                    to,
                );
            }
        }
        for found in self.reference.captures_iter(line) {
            let (Some(name), Some(names)) = (found.get(2), self.names.get(&found[1])) else {
                continue;
            };
            if let Some(other) = names.iter().find(|other| *other != name.as_str()) {
                put(&format!("another {}", &found[1]), name.range(), other);
            }
        }
        changed
    }
}

/// The number after it.
fn one_more(number: &str) -> String {
    number.split_once('.').map_or_else(
        || (number.parse::<u64>().unwrap() + 1).to_string(),
        |(whole, rest)| format!("{}.{rest}", whole.parse::<u64>().unwrap() + 1),
    )
}
