//! Lists of objects with two plain values each, such as identities: read as they come, bounded, and
//! never an error of the page they stand in.

use std::{fmt, marker::PhantomData};

use serde::{
    Deserialize, Deserializer,
    de::{Error, IgnoredAny, MapAccess, SeqAccess, Visitor},
};

use crate::upstream::LenientValue;

/// So many are kept of one list. Nobody has as many; a list that is longer is odd.
const MOST: usize = 1_000;

/// The names of the two values.
pub(super) trait Keys {
    const FIRST: &'static str;
    const SECOND: &'static str;
}

/// A list of objects with the values `K`.
#[derive(Debug, Default)]
pub(super) enum Pairs<'a, K> {
    /// The key is not there.
    #[default]
    Absent,
    /// The list; null is an empty one.
    Listed(Vec<Pair<'a>>, PhantomData<K>),
    /// Not a list, too long a one, or one that holds something other than objects.
    Odd,
}

/// The two values of one object.
#[derive(Debug, Default)]
pub(super) struct Pair<'a> {
    pub(super) first: LenientValue<'a>,
    pub(super) second: LenientValue<'a>,
}

impl<'de: 'a, 'a, K: Keys> Deserialize<'de> for Pairs<'a, K> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ListReader(PhantomData))
    }
}

/// What stands in a list: an object, or anything else.
struct Element<'a, K>(Option<Pair<'a>>, PhantomData<K>);

impl<'de: 'a, 'a, K: Keys> Deserialize<'de> for Element<'a, K> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let pair = deserializer.deserialize_any(PairReader::<K>(PhantomData))?;
        Ok(Self(pair, PhantomData))
    }
}

struct ListReader<K>(PhantomData<K>);
struct PairReader<K>(PhantomData<K>);

/// Plain values where a list or an object should be: `$odd`, whichever they are.
macro_rules! plain_values {
    ($odd:expr) => {
        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("any value")
        }

        fn visit_bool<E: Error>(self, _: bool) -> Result<Self::Value, E> {
            Ok($odd)
        }

        fn visit_u64<E: Error>(self, _: u64) -> Result<Self::Value, E> {
            Ok($odd)
        }

        fn visit_i64<E: Error>(self, _: i64) -> Result<Self::Value, E> {
            Ok($odd)
        }

        fn visit_f64<E: Error>(self, _: f64) -> Result<Self::Value, E> {
            Ok($odd)
        }

        fn visit_str<E: Error>(self, _: &str) -> Result<Self::Value, E> {
            Ok($odd)
        }
    };
}

impl<'de, K: Keys> Visitor<'de> for ListReader<K> {
    type Value = Pairs<'de, K>;

    plain_values!(Pairs::Odd);

    fn visit_unit<E: Error>(self) -> Result<Self::Value, E> {
        Ok(Pairs::Listed(Vec::new(), PhantomData))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<Self::Value, A::Error> {
        let mut pairs = Vec::new();
        while let Some(Element(pair, _)) = elements.next_element::<Element<'_, K>>()? {
            match pair {
                Some(pair) if pairs.len() < MOST => pairs.push(pair),
                Some(_) | None => {
                    while elements.next_element::<IgnoredAny>()?.is_some() {}
                    return Ok(Pairs::Odd);
                }
            }
        }
        Ok(Pairs::Listed(pairs, PhantomData))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Self::Value, A::Error> {
        while entries.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(Pairs::Odd)
    }
}

impl<'de, K: Keys> Visitor<'de> for PairReader<K> {
    type Value = Option<Pair<'de>>;

    plain_values!(None);

    fn visit_unit<E: Error>(self) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<Self::Value, A::Error> {
        while elements.next_element::<IgnoredAny>()?.is_some() {}
        Ok(None)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Self::Value, A::Error> {
        let mut pair = Pair::default();
        while let Some(key) = entries.next_key::<LenientValue<'de>>()? {
            match key.text() {
                Some(key) if key == K::FIRST => pair.first = entries.next_value()?,
                Some(key) if key == K::SECOND => pair.second = entries.next_value()?,
                Some(_) | None => drop(entries.next_value::<IgnoredAny>()?),
            }
        }
        Ok(Some(pair))
    }
}
