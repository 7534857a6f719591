//! Whole numbers and percentages.

use std::{fmt, ops::RangeInclusive};

use super::{ParseError, RawValue, ValueType};

/// A whole number within bounds.
pub(in crate::config) struct Integer<N>(pub RangeInclusive<N>);

impl<N> ValueType for Integer<N>
where
    N: TryFrom<i128> + TryInto<u64> + PartialOrd + fmt::Display + Copy,
{
    type Value = N;

    fn allowed(&self) -> String {
        format!("a whole number from {} to {}", self.0.start(), self.0.end())
    }

    fn read(&self, given: &RawValue<'_>) -> Result<N, Vec<ParseError>> {
        let whole = given.integer()?;
        N::try_from(whole)
            .ok()
            .filter(|number| self.0.contains(number))
            .ok_or_else(|| ParseError::because(format!("is {whole}")))
    }

    fn show(&self, value: &N) -> serde_json::Value {
        let number: Option<u64> = (*value).try_into().ok();
        number.into()
    }
}

/// A share in percent.
pub(in crate::config) struct Percent;

impl ValueType for Percent {
    type Value = f64;

    fn allowed(&self) -> String {
        "a number from 0 to 100".to_owned()
    }

    fn read(&self, given: &RawValue<'_>) -> Result<f64, Vec<ParseError>> {
        let percent = given.number()?;
        // Not-a-number is in no range.
        if (0.0..=100.0).contains(&percent) {
            return Ok(percent);
        }
        Err(ParseError::because(format!("is {percent}")))
    }

    fn show(&self, value: &f64) -> serde_json::Value {
        (*value).into()
    }
}
