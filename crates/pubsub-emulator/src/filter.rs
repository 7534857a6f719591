//! Subscription filters over attributes.
//!
//! The grammar of <https://cloud.google.com/pubsub/docs/subscription-message-filter>: presence,
//! equality, prefix, `NOT`, `AND`, `OR`, parentheses. `AND` and `OR` in one group need parentheses.

use std::collections::HashMap;

use tonic::Status;

const MAX_BYTES: usize = 256;

/// A filter that was understood. Messages it does not match never enter the subscription.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum MessageFilter {
    Everything,
    Has(String),
    Equals(String, String),
    Prefix(String, String),
    Not(Box<MessageFilter>),
    All(Vec<MessageFilter>),
    Any(Vec<MessageFilter>),
}

impl MessageFilter {
    /// Reads a filter; the empty text matches everything.
    ///
    /// # Errors
    /// `INVALID_ARGUMENT` for a text that is longer than 256 bytes or not understood.
    pub(super) fn parse(text: &str) -> Result<Self, Status> {
        if text.is_empty() {
            return Ok(Self::Everything);
        }
        let refuse =
            |why: &str| Status::invalid_argument(format!("Invalid filter: {why} (filter={text})"));
        if text.len() > MAX_BYTES {
            return Err(refuse("longer than 256 bytes"));
        }
        let mut parser = FilterParser {
            tokens: tokens(text).map_err(refuse)?.into_iter().peekable(),
        };
        let filter = parser.expression().map_err(refuse)?;
        match parser.tokens.next() {
            None => Ok(filter),
            Some(_) => Err(refuse("text follows its end")),
        }
    }

    pub(super) fn matches(&self, attributes: &HashMap<String, String>) -> bool {
        match self {
            Self::Everything => true,
            Self::Has(key) => attributes.contains_key(key),
            Self::Equals(key, value) => attributes.get(key) == Some(value),
            Self::Prefix(key, prefix) => attributes
                .get(key)
                .is_some_and(|value| value.starts_with(prefix)),
            Self::Not(inner) => !inner.matches(attributes),
            Self::All(inner) => inner.iter().all(|filter| filter.matches(attributes)),
            Self::Any(inner) => inner.iter().any(|filter| filter.matches(attributes)),
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum FilterToken {
    Word(String),
    Quoted(String),
    Sign(char),
    NotEqual,
}

type ParseResult<T> = Result<T, &'static str>;

fn tokens(text: &str) -> ParseResult<Vec<FilterToken>> {
    let mut letters = text.chars().peekable();
    let mut out = Vec::new();
    while let Some(letter) = letters.next() {
        match letter {
            letter if letter.is_whitespace() => {}
            '"' => out.push(FilterToken::Quoted(quoted(&mut letters)?)),
            '!' if letters.next_if_eq(&'=').is_some() => out.push(FilterToken::NotEqual),
            '.' | ':' | '=' | '(' | ')' | ',' | '-' => out.push(FilterToken::Sign(letter)),
            letter if in_word(letter) => {
                let mut word = String::from(letter);
                while let Some(next) = letters.next_if(|next| in_word(*next) || *next == '-') {
                    word.push(next);
                }
                out.push(FilterToken::Word(word));
            }
            _ => return Err("a character that is not expected"),
        }
    }
    Ok(out)
}

fn in_word(letter: char) -> bool {
    letter.is_alphanumeric() || letter == '_'
}

fn quoted(letters: &mut impl Iterator<Item = char>) -> ParseResult<String> {
    let mut out = String::new();
    while let Some(letter) = letters.next() {
        match letter {
            '"' => return Ok(out),
            '\\' => out.push(letters.next().ok_or("a text that does not end")?),
            letter => out.push(letter),
        }
    }
    Err("a text that does not end")
}

struct FilterParser {
    tokens: std::iter::Peekable<std::vec::IntoIter<FilterToken>>,
}

impl FilterParser {
    fn expression(&mut self) -> ParseResult<MessageFilter> {
        let first = self.unary()?;
        let Some(operator) = self.operator() else {
            return Ok(first);
        };
        let mut parts = vec![first, self.unary()?];
        while let Some(next) = self.operator() {
            if next != operator {
                return Err("AND and OR need parentheses");
            }
            parts.push(self.unary()?);
        }
        Ok(if operator == "AND" {
            MessageFilter::All(parts)
        } else {
            MessageFilter::Any(parts)
        })
    }

    fn operator(&mut self) -> Option<&'static str> {
        ["AND", "OR"]
            .into_iter()
            .find(|operator| self.word(operator))
    }

    fn unary(&mut self) -> ParseResult<MessageFilter> {
        if self.word("NOT") || self.sign('-') {
            return Ok(MessageFilter::Not(Box::new(self.unary()?)));
        }
        if self.sign('(') {
            let inner = self.expression()?;
            self.expect(')')?;
            return Ok(inner);
        }
        if self.word("hasPrefix") {
            return self.prefix();
        }
        self.term()
    }

    fn prefix(&mut self) -> ParseResult<MessageFilter> {
        self.expect('(')?;
        if !self.word("attributes") {
            return Err("hasPrefix looks at attributes only");
        }
        self.expect('.')?;
        let key = self.key()?;
        self.expect(',')?;
        let prefix = self.value()?;
        self.expect(')')?;
        Ok(MessageFilter::Prefix(key, prefix))
    }

    fn term(&mut self) -> ParseResult<MessageFilter> {
        if !self.word("attributes") {
            return Err("a term is about attributes");
        }
        if self.sign(':') {
            return Ok(MessageFilter::Has(self.key()?));
        }
        self.expect('.')?;
        let key = self.key()?;
        if self.tokens.next_if_eq(&FilterToken::NotEqual).is_some() {
            return Ok(MessageFilter::Not(Box::new(MessageFilter::Equals(
                key,
                self.value()?,
            ))));
        }
        self.expect('=')?;
        Ok(MessageFilter::Equals(key, self.value()?))
    }

    fn key(&mut self) -> ParseResult<String> {
        match self.tokens.next() {
            Some(FilterToken::Word(key) | FilterToken::Quoted(key)) => Ok(key),
            Some(FilterToken::Sign(_) | FilterToken::NotEqual) | None => {
                Err("the name of an attribute is missing")
            }
        }
    }

    fn value(&mut self) -> ParseResult<String> {
        match self.tokens.next() {
            Some(FilterToken::Quoted(value)) => Ok(value),
            Some(FilterToken::Word(_) | FilterToken::Sign(_) | FilterToken::NotEqual) | None => {
                Err("a value must stand in double quotes")
            }
        }
    }

    fn word(&mut self, expected: &str) -> bool {
        self.tokens
            .next_if(|token| matches!(token, FilterToken::Word(word) if word == expected))
            .is_some()
    }

    fn sign(&mut self, expected: char) -> bool {
        self.tokens
            .next_if_eq(&FilterToken::Sign(expected))
            .is_some()
    }

    fn expect(&mut self, expected: char) -> ParseResult<()> {
        if self.sign(expected) {
            Ok(())
        } else {
            Err("a sign is missing")
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed parse is the test's failure")]

    use super::*;

    fn attributes() -> HashMap<String, String> {
        [("kind", "user"), ("run", "r1"), ("iana.org/lang", "en-GB")]
            .map(|(key, value)| (key.to_owned(), value.to_owned()))
            .into()
    }

    #[rstest::rstest]
    #[case(r#"attributes.kind = "user""#, true)]
    #[case(r#"attributes.kind="group""#, false)]
    #[case(r#"attributes.kind != "group""#, true)]
    #[case(r#"attributes.absent != "x""#, true)]
    #[case("attributes:run", true)]
    #[case("attributes:absent", false)]
    #[case("NOT attributes:absent", true)]
    #[case("-attributes:run", false)]
    #[case(r#"hasPrefix(attributes."iana.org/lang", "en")"#, true)]
    #[case(
        r#"attributes.kind = "user" AND attributes.run = "r1" AND attributes:run"#,
        true
    )]
    #[case(r#"attributes.kind = "user" AND attributes.run = "r2""#, false)]
    #[case(
        r#"(attributes.kind = "x" OR attributes.run = "r1") AND attributes:kind"#,
        true
    )]
    #[case(r#"attributes.kind = "us\"er""#, false)]
    #[case("", true)]
    fn a_filter_matches_what_it_says(#[case] text: &str, #[case] matches: bool) {
        assert_eq!(
            MessageFilter::parse(text).unwrap().matches(&attributes()),
            matches
        );
    }

    #[rstest::rstest]
    #[case("bogus")]
    #[case("attributes.kind = user")]
    #[case(r#"attributes.kind = "user"#)]
    #[case(r#"attributes.kind == "user""#)]
    #[case(r#"attributes.kind > "user""#)]
    #[case(r#"attributes.a = "1" AND attributes.b = "2" OR attributes.c = "3""#)]
    #[case(r#"attributes.a = "1" attributes.b = "2""#)]
    #[case(r#"data = "x""#)]
    #[case("()")]
    fn a_filter_that_is_not_understood_is_refused(#[case] text: &str) {
        assert_eq!(
            MessageFilter::parse(text).unwrap_err().code(),
            tonic::Code::InvalidArgument
        );
    }

    #[test]
    fn a_filter_longer_than_the_service_takes_is_refused() {
        let long = format!(r#"attributes.k = "{}""#, "v".repeat(MAX_BYTES));
        assert!(MessageFilter::parse(&long).is_err());
    }
}
