//! Dates and instants as `PostgreSQL` sends and takes them.
//!
//! `jiff-sqlx` does this for jiff 0.2 only. The binary forms are those of `PostgreSQL`'s
//! `src/backend/utils/adt/date.c` and `timestamp.c`: days and microseconds from 1 January 2000.

use jiff::{SignedDuration, Span, Timestamp, civil};
use sqlx::{
    Decode, Encode, Postgres, Type,
    encode::IsNull,
    error::BoxDynError,
    postgres::{PgArgumentBuffer, PgTypeInfo, PgValueFormat, PgValueRef, types::Oid},
};

/// Day 0 of `PostgreSQL`'s `date`.
const EPOCH_DAY: civil::Date = civil::date(2000, 1, 1);
/// Microsecond 0 of `PostgreSQL`'s `timestamptz`.
const EPOCH: Timestamp = Timestamp::constant(946_684_800, 0);
/// The OIDs of both types, fixed in `PostgreSQL`'s `pg_type.dat`.
const DATE: Oid = Oid(1082);
const TIMESTAMPTZ: Oid = Oid(1184);

/// A value of the type `date`. `infinity` is an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct SqlDate(pub(super) civil::Date);

/// A value of the type `timestamptz`. `infinity` is an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct SqlTimestamp(pub(super) Timestamp);

impl Type<Postgres> for SqlDate {
    fn type_info() -> PgTypeInfo {
        PgTypeInfo::with_oid(DATE)
    }
}

impl Encode<'_, Postgres> for SqlDate {
    fn encode_by_ref(&self, buffer: &mut PgArgumentBuffer) -> Result<IsNull, BoxDynError> {
        let days = EPOCH_DAY.until(self.0)?.get_days();
        Encode::<Postgres>::encode(days, buffer)
    }
}

impl Decode<'_, Postgres> for SqlDate {
    fn decode(value: PgValueRef<'_>) -> Result<Self, BoxDynError> {
        let date = match value.format() {
            PgValueFormat::Binary => {
                let days: i32 = Decode::<Postgres>::decode(value)?;
                EPOCH_DAY.checked_add(Span::new().try_days(days)?)?
            }
            PgValueFormat::Text => value.as_str()?.parse()?,
        };
        Ok(Self(date))
    }
}

impl Type<Postgres> for SqlTimestamp {
    fn type_info() -> PgTypeInfo {
        PgTypeInfo::with_oid(TIMESTAMPTZ)
    }
}

impl Encode<'_, Postgres> for SqlTimestamp {
    fn encode_by_ref(&self, buffer: &mut PgArgumentBuffer) -> Result<IsNull, BoxDynError> {
        let microseconds = self.0.duration_since(EPOCH).as_micros();
        Encode::<Postgres>::encode(i64::try_from(microseconds)?, buffer)
    }
}

impl Decode<'_, Postgres> for SqlTimestamp {
    fn decode(value: PgValueRef<'_>) -> Result<Self, BoxDynError> {
        let instant = match value.format() {
            PgValueFormat::Binary => {
                let microseconds: i64 = Decode::<Postgres>::decode(value)?;
                EPOCH.checked_add(SignedDuration::from_micros(microseconds))?
            }
            PgValueFormat::Text => value.as_str()?.parse()?,
        };
        Ok(Self(instant))
    }
}
