//! The committed list of the commands and flags that the documents and pipelines use.
//!
//! An entry is a synopsis, and below it, indented, where it was read: a page, or the help of a
//! release of the tool. In the synopsis `WORD` is an argument, `[WORD]` one that may be absent,
//! `WORD…` one or more, `[COMMAND…]` the words of another program; a flag that ends in `=` takes a
//! value. An entry of a tool alone holds the flags that each of its commands takes.

use std::collections::{BTreeMap, BTreeSet};

/// All entries, by the words of their commands.
pub struct Grammar {
    entries: BTreeMap<Vec<String>, Entry>,
}

/// What the list says of one command.
pub struct Entry {
    flags: BTreeMap<String, bool>,
    least: usize,
    most: usize,
    ends_in_a_command: bool,
    /// Where it was read.
    pub source: String,
}

/// How a line was read.
pub struct Parsed<'grammar> {
    /// The words of its command, such as `gcloud pubsub topics publish`.
    pub command: &'grammar [String],
    /// Its flags, without their values.
    pub flags: BTreeSet<String>,
}

impl Grammar {
    /// The list.
    pub fn committed() -> Self {
        Self::parse(include_str!("grammar.txt"))
    }

    fn parse(text: &str) -> Self {
        let mut entries = BTreeMap::new();
        let mut lines = text
            .lines()
            .filter(|line| !line.starts_with('#') && !line.is_empty())
            .peekable();
        while let Some(synopsis) = lines.next() {
            let source = lines.next_if(|line| line.starts_with("    "));
            let source = source.unwrap_or_else(|| panic!("{synopsis}: no source"));
            let (command, entry) = Entry::parse(synopsis, source.trim());
            let twice = entries.insert(command, entry).is_some();
            assert!(!twice, "{synopsis} is there twice");
        }
        Self { entries }
    }

    /// The tools that the list knows.
    pub fn tools(&self) -> BTreeSet<&str> {
        self.entries.keys().map(|it| it[0].as_str()).collect()
    }

    /// Every command with what the list says of it.
    pub fn entries(&self) -> impl Iterator<Item = (&[String], &Entry)> {
        self.entries
            .iter()
            .map(|(command, entry)| (command.as_slice(), entry))
    }

    /// Reads a line, which `whole` says to be complete: in a sentence, arguments may be left out.
    pub fn judge(&self, line: &[String], whole: bool) -> Result<Parsed<'_>, String> {
        let wide = self.entries.get(&line[..1]);
        let leading = line[1..]
            .iter()
            .take_while(|it| it.starts_with('-'))
            .count();
        let (leading, rest) = line[1..].split_at(leading);
        let mut named = vec![line[0].clone()];
        named.extend(rest.iter().take_while(|it| !it.starts_with('-')).cloned());
        while !self.entries.contains_key(&named) || (named.len() == 1 && !rest.is_empty()) {
            if named.len() == 1 {
                return Err("the list has no such command".to_owned());
            }
            named.pop();
        }
        let (command, entry) = self.entries.get_key_value(&named).unwrap();
        let words = leading.iter().chain(&rest[named.len() - 1..]);
        let (flags, arguments) = entry.read(wide, words)?;
        let least = if whole { entry.least } else { 0 };
        if arguments < least || arguments > entry.most {
            return Err(format!("{arguments} arguments"));
        }
        Ok(Parsed { command, flags })
    }
}

impl Entry {
    fn parse(synopsis: &str, source: &str) -> (Vec<String>, Self) {
        let mut command = Vec::new();
        let mut entry = Self {
            flags: BTreeMap::new(),
            least: 0,
            most: 0,
            ends_in_a_command: synopsis.contains("[COMMAND…]"),
            source: source.to_owned(),
        };
        for word in synopsis.split(' ') {
            if word.starts_with('-') {
                let name = word.trim_end_matches('=');
                entry.flags.insert(name.to_owned(), name != word);
            } else if word.chars().all(|it| !it.is_ascii_lowercase()) {
                entry.least += usize::from(!word.starts_with('['));
                entry.most = if word.contains('…') {
                    usize::MAX
                } else {
                    entry.most + 1
                };
            } else {
                command.push(word.to_owned());
            }
        }
        (command, entry)
    }

    /// The flags that the list has for this command.
    pub fn flags(&self) -> impl Iterator<Item = &str> {
        self.flags.keys().map(String::as_str)
    }

    /// Whether what follows is another program's.
    fn is_over(&self, arguments: usize) -> bool {
        self.ends_in_a_command && arguments > 0
    }

    /// The flags of a line and the number of its arguments.
    fn read<'word>(
        &self,
        wide: Option<&Self>,
        mut words: impl Iterator<Item = &'word String>,
    ) -> Result<(BTreeSet<String>, usize), String> {
        let mut flags = BTreeSet::new();
        let mut arguments = 0;
        while let Some(word) = words.next() {
            if word == "$@" {
                // What else a function is given, which stands where it is called.
            } else if word == "--" {
                arguments += words.by_ref().count();
            } else if word.starts_with('-') && word != "-" && !self.is_over(arguments) {
                let (name, value) = word
                    .split_once('=')
                    .map_or((word.as_str(), None), |(name, value)| (name, Some(value)));
                let known = self.flags.get(name);
                let known = known.or_else(|| wide?.flags.get(name));
                let takes_value = known.ok_or_else(|| format!("the list has no flag {name}"))?;
                let value = value.or_else(|| {
                    let follows = takes_value.then(|| words.next())?;
                    follows.map(String::as_str)
                });
                if *takes_value && value.is_none() {
                    return Err(format!("{name} has no value"));
                }
                if !takes_value && value.is_some() {
                    return Err(format!("{name} takes no value"));
                }
                flags.insert(name.to_owned());
            } else {
                arguments += 1;
            }
        }
        Ok((flags, arguments))
    }
}
