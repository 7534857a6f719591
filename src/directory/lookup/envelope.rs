//! Lookup's answers: `{"result": {…}}`, with `result.error` on any status, or a fault of the
//! gateway before it.

use std::fmt;

use serde::{
    Deserialize, Deserializer,
    de::{Error as _, SeqAccess, Visitor},
};

use crate::{
    directory::{Crsid, Standing},
    gate::ErrorKind,
    upstream::{Fault, LenientValue, UpstreamResponse},
};

/// More people than the address of any question has room for, and than are asked about because
/// they changed.
const MOST_PEOPLE: usize = 3_000;

#[derive(Deserialize)]
struct Envelope<'a> {
    #[serde(borrow, default)]
    result: Option<Content<'a>>,
    #[serde(borrow, default)]
    fault: Option<GatewayFault<'a>>,
}

#[derive(Deserialize)]
struct Content<'a> {
    #[serde(borrow, default)]
    error: Option<Error<'a>>,
    #[serde(borrow, default)]
    people: Option<PersonRows<'a>>,
    #[serde(borrow, default)]
    value: LenientValue<'a>,
}

/// Its `message` and `details` can hold anything, a stack trace included, and are not read.
#[derive(Deserialize)]
struct Error<'a> {
    #[serde(borrow, default)]
    status: LenientValue<'a>,
}

#[derive(Deserialize)]
struct GatewayFault<'a> {
    #[serde(borrow, default)]
    detail: Option<FaultDetail<'a>>,
}

#[derive(Deserialize)]
struct FaultDetail<'a> {
    #[serde(borrow, default)]
    errorcode: LenientValue<'a>,
}

#[derive(Deserialize)]
struct PersonRow<'a> {
    #[serde(borrow, default)]
    cancelled: LenientValue<'a>,
    #[serde(borrow, default)]
    identifier: Option<Identifier<'a>>,
}

#[derive(Deserialize)]
struct Identifier<'a> {
    #[serde(borrow, default)]
    scheme: LenientValue<'a>,
    #[serde(borrow, default)]
    value: LenientValue<'a>,
}

/// The people of an answer, no more than an answer is read for.
struct PersonRows<'a>(Vec<PersonRow<'a>>);

impl<'de: 'a, 'a> Deserialize<'de> for PersonRows<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_seq(PeopleReader).map(Self)
    }
}

struct PeopleReader;

impl<'de> Visitor<'de> for PeopleReader {
    type Value = Vec<PersonRow<'de>>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of people")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Self::Value, A::Error> {
        let mut people = Vec::new();
        while let Some(person) = items.next_element()? {
            if people.len() == MOST_PEOPLE {
                return Err(A::Error::custom("more people than were asked for"));
            }
            people.push(person);
        }
        Ok(people)
    }
}

/// Reads the answer to `person/list`: the standing of each of `asked`, which is sorted; `None` of
/// whom it says nothing. Unknown is who is in it with a `cancelled` that is missing, not a boolean,
/// or contradicted.
pub(super) fn people(
    answer: &UpstreamResponse,
    asked: &[Crsid],
) -> Result<Vec<Option<Standing>>, Fault> {
    let mut standings = vec![None; asked.len()];
    let people = content(answer)?.people.map(|PersonRows(people)| people);
    let people = people.unwrap_or_default();
    if people.len() > asked.len() {
        return Err(Fault::new(
            ErrorKind::Unreadable,
            format!(
                "answered with {} people when asked for {}",
                people.len(),
                asked.len()
            ),
        ));
    }
    for person in people {
        let place = crsid_of(&person)
            .and_then(|crsid| asked.binary_search(&crsid).ok())
            .and_then(|place| standings.get_mut(place));
        let Some(standing) = place else {
            continue;
        };
        let told = standing_of(&person);
        if *standing.get_or_insert(told) != told {
            *standing = Some(Standing::Unknown);
        }
    }
    Ok(standings)
}

/// Reads the answer to `person/modified-people`: who is in it, whatever it says of them. Rows
/// without a `CRSid` are of people who have no account by one.
pub(super) fn modified_people(answer: &UpstreamResponse) -> Result<Vec<Crsid>, Fault> {
    let PersonRows(people) = content(answer)?
        .people
        .ok_or_else(|| Fault::new(ErrorKind::Unreadable, "answered without a list of people"))?;
    Ok(people.iter().filter_map(crsid_of).collect())
}

/// Reads the answer to `last-transaction`; whether its value is a number or a string is not
/// documented.
pub(super) fn number(answer: &UpstreamResponse) -> Result<u64, Fault> {
    content(answer)?
        .value
        .whole_number()
        .ok_or_else(|| Fault::new(ErrorKind::Unreadable, "answered without a number"))
}

fn content(answer: &UpstreamResponse) -> Result<Content<'_>, Fault> {
    if !answer.status.is_success() {
        return Err(refused(answer));
    }
    let envelope: Envelope<'_> = answer.body_as_json()?;
    if let Some(fault) = envelope.fault {
        return Err(Fault::new(
            ErrorKind::Unavailable,
            "answered 200 with a fault of its gateway",
        )
        .noting(fault.code().unwrap_or("no known code")));
    }
    let content = envelope.result.ok_or_else(|| {
        Fault::new(
            ErrorKind::Unreadable,
            "answered with JSON that holds no result",
        )
    })?;
    match &content.error {
        Some(error) => Err(error_of(error)),
        None => Ok(content),
    }
}

/// Every identifier we send is well-formed, so no refusal is the question's own fault: not even
/// 400.
fn refused(answer: &UpstreamResponse) -> Fault {
    let mut fault = answer.fault();
    if fault.kind() == ErrorKind::BadRequest {
        fault = fault.of_kind(ErrorKind::UnexpectedStatus);
    }
    let envelope = answer.body_as_json::<Envelope<'_>>().ok();
    match envelope
        .as_ref()
        .and_then(|envelope| envelope.fault.as_ref()?.code())
    {
        Some(code) => fault.noting(code),
        None => fault,
    }
}

/// `result.error`, whose own status counts: the HTTP status may be 200.
fn error_of(error: &Error<'_>) -> Fault {
    let Some(status) = error.status.whole_number() else {
        return Fault::new(
            ErrorKind::UnexpectedStatus,
            "answered with an error in its result",
        );
    };
    let kind = match status {
        401 => ErrorKind::Unauthenticated,
        403 => ErrorKind::Forbidden,
        429 => ErrorKind::Throttled,
        500 => ErrorKind::ServerError,
        501..=599 => ErrorKind::Unavailable,
        _ => ErrorKind::UnexpectedStatus,
    };
    Fault::new(
        kind,
        format!("answered with an error in its result (status {status})"),
    )
}

impl GatewayFault<'_> {
    /// The code, if it is one of the gateway's own name spaces, which hold no person.
    fn code(&self) -> Option<&str> {
        let code = self.detail.as_ref()?.errorcode.text()?;
        let known = [
            "keymanagement.",
            "oauth.",
            "policies.",
            "messaging.",
            "protocol.",
            "steps.",
        ];
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
        let ours = known.iter().any(|space| code.starts_with(space));
        (ours && code.len() <= 80 && code.bytes().all(plain)).then_some(code)
    }
}

/// `identifier` is the person's primary identifier, whichever one was asked for.
fn crsid_of(person: &PersonRow<'_>) -> Option<Crsid> {
    let identifier = person.identifier.as_ref()?;
    (identifier.scheme.text()? == "crsid")
        .then(|| Crsid::parse(identifier.value.text()?))
        .flatten()
}

fn standing_of(person: &PersonRow<'_>) -> Standing {
    match person.cancelled {
        LenientValue::Bool(true) => Standing::Cancelled,
        LenientValue::Bool(false) => Standing::Current,
        LenientValue::Absent
        | LenientValue::Null
        | LenientValue::Number(_)
        | LenientValue::Text(_)
        | LenientValue::Other => Standing::Unknown,
    }
}
