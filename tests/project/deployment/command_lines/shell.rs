//! The commands of a shell script, each by its words.

use std::{iter::Peekable, str::Chars};

/// Words that stand before a command and are none.
const BEFORE: [&str; 13] = [
    "!", "do", "elif", "else", "exec", "if", "step", "sudo", "then", "until", "while", "{", "}",
];

/// What stands in a word in place of `$(…)`, whose commands are told by themselves.
const SUBSTITUTED: &str = "$(…)";

/// Every command of a script, those within `$(…)` and quotes too. Redirections, assignments and
/// comments are left out.
pub fn commands(script: &str) -> Vec<Vec<String>> {
    let mut reader = Reader {
        rest: script.chars().peekable(),
        found: Vec::new(),
    };
    reader.list(None);
    reader.found
}

struct Reader<'script> {
    rest: Peekable<Chars<'script>>,
    found: Vec<Vec<String>>,
}

impl Reader<'_> {
    /// Reads commands up to `closing`, or to the end.
    fn list(&mut self, closing: Option<char>) {
        let mut words = Vec::new();
        let mut word: Option<String> = None;
        while let Some(next) = self.rest.next() {
            match next {
                _ if Some(next) == closing => break,
                '\\' if self.rest.next_if_eq(&'\n').is_some() => (),
                '#' if word.is_none() => while self.rest.next_if(|it| *it != '\n').is_some() {},
                ' ' | '\t' => words.extend(word.take()),
                '\n' | ';' | '|' | '&' | '(' | ')' => {
                    words.extend(word.take());
                    self.end(&mut words);
                }
                '<' | '>' => {
                    // A number before it names what is redirected.
                    words.extend(word.take().filter(|it| it.parse::<u8>().is_err()));
                    self.redirection();
                }
                _ => self.part(next, word.get_or_insert_default()),
            }
        }
        words.extend(word);
        self.end(&mut words);
    }

    /// What `next` begins, at the end of `word`.
    fn part(&mut self, next: char, word: &mut String) {
        match next {
            '\\' => word.extend(self.rest.next().filter(|it| *it != '\n')),
            '\'' => {
                while let Some(inner) = self.rest.next_if(|it| *it != '\'') {
                    word.push(inner);
                }
                self.rest.next();
            }
            '"' => self.quoted(word),
            '$' => self.expansion(word),
            other => word.push(other),
        }
    }

    fn quoted(&mut self, word: &mut String) {
        while let Some(next) = self.rest.next() {
            match next {
                '"' => return,
                '\\' => word.extend(self.rest.next().filter(|it| *it != '\n')),
                '$' => self.expansion(word),
                other => word.push(other),
            }
        }
    }

    fn expansion(&mut self, word: &mut String) {
        if self.rest.next_if_eq(&'(').is_some() {
            self.list(Some(')'));
            word.push_str(SUBSTITUTED);
        } else if self.rest.next_if_eq(&'{').is_some() {
            word.push_str("${");
            word.extend(self.rest.by_ref().take_while(|it| *it != '}'));
            word.push('}');
        } else {
            word.push('$');
        }
    }

    /// Leaves out the operator and the word after it.
    fn redirection(&mut self) {
        while self.rest.next_if(|it| "<>& ".contains(*it)).is_some() {}
        let mut target = String::new();
        while let Some(next) = self.rest.next_if(|it| !" \t\n;|&)".contains(*it)) {
            self.part(next, &mut target);
        }
    }

    fn end(&mut self, words: &mut Vec<String>) {
        let leading = words
            .iter()
            .take_while(|word| BEFORE.contains(&word.as_str()) || is_assignment(word))
            .count();
        words.drain(..leading);
        if !words.is_empty() {
            self.found.push(std::mem::take(words));
        }
    }
}

fn is_assignment(word: &str) -> bool {
    word.split_once('=').is_some_and(|(name, _)| {
        !name.is_empty()
            && name
                .chars()
                .all(|it| it.is_ascii_alphanumeric() || it == '_')
    })
}

#[test]
fn commands_are_found_wherever_a_script_has_them() {
    let script = "set -eu  # a comment; docker ps\n\
                  NAME=one A=$(gcloud config get project) terraform -chdir=\"$X/y\" plan \\\n  -var 'a=b c' 2>&1 | tee log\n\
                  if ! crane digest \"$(cat image)\" > digest; then (docker ps && exit 1); fi\n";
    let found: Vec<String> = commands(script)
        .iter()
        .map(|words| words.join("·"))
        .collect();
    assert_eq!(
        found,
        [
            "set·-eu",
            "gcloud·config·get·project",
            "terraform·-chdir=$X/y·plan·-var·a=b c",
            "tee·log",
            "cat·image",
            "crane·digest·$(…)",
            "docker·ps",
            "exit·1",
            "fi"
        ]
    );
}
