//! Reads names out of the source, where no single list of them exists in code.

use std::collections::{BTreeMap, BTreeSet};

use regex::Regex;

use testkit::project;

/// The source of the service and of the crates that it is made of, without tests.
pub struct Source(Vec<String>);

/// What one log event looks like.
#[derive(Default)]
pub struct Event {
    pub levels: BTreeSet<String>,
    pub fields: BTreeSet<String>,
}

impl Source {
    pub fn read() -> Self {
        let files = project::files("src", ".rs")
            .into_iter()
            .chain(project::files("crates", ".rs"));
        let texts = files
            .filter(|(path, _)| {
                let path = path.strip_prefix(project::root()).unwrap();
                let path = path.to_string_lossy();
                !path.starts_with("crates/testkit/")
                    && !path.ends_with("/tests.rs")
                    && !path.contains("/tests/")
            })
            .map(|(_, text)| production(&text));
        Self(texts.collect())
    }

    /// What the only group of `pattern` finds.
    pub fn find(&self, pattern: &str) -> BTreeSet<String> {
        let pattern = Regex::new(pattern).unwrap();
        let found = self.0.iter().flat_map(|text| pattern.captures_iter(text));
        found.map(|found| found[1].to_owned()).collect()
    }

    /// Whether `word` is a literal, or a variant that a derive spells in this way.
    pub fn spells(&self, word: &str) -> bool {
        let literal = format!("\"{word}\"");
        let variant = Regex::new(&format!(r"\b{}\b", camel(word))).unwrap();
        let derived =
            Regex::new(r#"= "(?:snake_case|kebab-case|lowercase)"|\bValueEnum\b"#).unwrap();
        self.0.iter().any(|text| {
            text.contains(&literal) || (derived.is_match(text) && variant.is_match(text))
        })
    }

    /// Every log event. A macro of our own that logs several events has its fields in its
    /// definition.
    pub fn events(&self) -> BTreeMap<String, Event> {
        let mut events = BTreeMap::<String, Event>::new();
        let name = Regex::new(r#"^event = "([a-z_]+)"$"#).unwrap();
        for (level, arguments) in self.calls(r"\b(error|warn|info|debug|trace)!\(") {
            let named = arguments
                .iter()
                .find_map(|argument| name.captures(argument));
            if let Some(named) = named {
                let event = events.entry(named[1].to_owned()).or_default();
                event.levels.insert(level);
                event.fields.extend(fields(&arguments));
            }
        }
        let shared: BTreeSet<String> = self
            .calls(r"\$(level)!\(")
            .iter()
            .flat_map(|(_, arguments)| fields(arguments))
            .collect();
        let name = Regex::new(r#"^"([a-z_]+)"$"#).unwrap();
        for (_, arguments) in self.calls(r"\b(log_record)!\(") {
            let event = events
                .entry(name.captures(&arguments[1]).unwrap()[1].to_owned())
                .or_default();
            event.levels.insert(arguments[0].clone());
            event.fields.extend(shared.iter().cloned());
        }
        events
    }

    /// Every metric that is counted: its kind and its labels.
    pub fn metrics(&self) -> BTreeMap<String, (String, BTreeSet<String>)> {
        let label = Regex::new(r#"^"([a-z_]+)" =>"#).unwrap();
        let mut metrics = BTreeMap::new();
        for (kind, arguments) in self.calls(r"\b(counter|gauge|histogram)!\(") {
            let labels = arguments[1..].iter().map(|argument| {
                let label = label.captures(argument);
                label.unwrap_or_else(|| panic!("{argument}: no label"))[1].to_owned()
            });
            let (_, all) = metrics
                .entry(arguments[0].trim_matches('"').to_owned())
                .or_insert_with(|| (kind, BTreeSet::new()));
            all.extend(labels);
        }
        metrics
    }

    /// What the only group of `opening` finds, and the arguments between its parenthesis and the
    /// one that closes it.
    fn calls(&self, opening: &str) -> Vec<(String, Vec<String>)> {
        let opening = Regex::new(opening).unwrap();
        let calls = self.0.iter().flat_map(|text| {
            opening.captures_iter(text).map(|found| {
                let after = found.get(0).unwrap().end();
                (found[1].to_owned(), arguments(&text[after..]))
            })
        });
        calls.collect()
    }
}

/// `text` without comments and without the module of tests at its end.
fn production(text: &str) -> String {
    let code = text.split("#[cfg(test)]\nmod tests {").next().unwrap();
    code.lines()
        .filter(|line| !line.trim_start().starts_with("//"))
        .collect::<Vec<_>>()
        .join("\n")
}

/// The arguments that `text` begins with, up to the parenthesis that ends them.
fn arguments(text: &str) -> Vec<String> {
    let mut arguments = vec![String::new()];
    let mut depth = 0;
    let mut quoted = false;
    let mut escaped = false;
    for character in text.chars() {
        if quoted {
            quoted = escaped || character != '"';
            escaped = !escaped && character == '\\';
        } else {
            match character {
                '"' => quoted = true,
                '(' | '[' | '{' => depth += 1,
                ')' | ']' | '}' if depth == 0 => break,
                ')' | ']' | '}' => depth -= 1,
                ',' if depth == 0 => {
                    arguments.push(String::new());
                    continue;
                }
                _ => {}
            }
        }
        arguments.last_mut().unwrap().push(character);
    }
    arguments.retain_mut(|argument| {
        *argument = argument.split_whitespace().collect::<Vec<_>>().join(" ");
        !argument.is_empty()
    });
    arguments
}

/// The keys of the fields of a log event: what stands before the message, the event's own name
/// aside.
fn fields(arguments: &[String]) -> Vec<String> {
    let key = Regex::new(r"^[%?]?([a-z_][A-Za-z0-9_.]*)(?: = .*)?$").unwrap();
    arguments
        .iter()
        .take_while(|argument| !argument.starts_with('"'))
        .filter_map(|argument| Some(key.captures(argument)?[1].to_owned()))
        .filter(|key| key != "event")
        .collect()
}

/// `dead_letter` and `dead-letter` as a variant is called.
fn camel(word: &str) -> String {
    word.split(['_', '-'])
        .filter_map(|part| {
            let (first, rest) = part.split_at_checked(1)?;
            Some(first.to_uppercase() + rest)
        })
        .collect()
}

#[test]
fn the_arguments_of_a_call_are_read_to_its_end() {
    let text =
        "event = \"x\", a = f(1, [2]), %b,\n    c = ?d, \"text, \\\"with) {}\", e.f) + (g, h)";
    let read = arguments(text);
    let message = "\"text, \\\"with) {}\"";
    assert_eq!(
        read,
        [
            "event = \"x\"",
            "a = f(1, [2])",
            "%b",
            "c = ?d",
            message,
            "e.f"
        ]
    );
    assert_eq!(fields(&read), ["a", "b", "c"]);
}
