//! Ack ids, as text on the wire.

use std::fmt;
use std::str::FromStr;

use tonic::Status;

use super::queue::LeaseId;

/// Names one delivery of one message in one subscription.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct AckId {
    pub(super) subscription: u64,
    pub(super) ticket: LeaseId,
}

impl AckId {
    /// Reads the ids of a request.
    ///
    /// # Errors
    /// `INVALID_ARGUMENT` for one that the broker cannot have given out.
    pub(super) fn parse_all(ids: &[String]) -> Result<Vec<Self>, Status> {
        ids.iter().map(|id| id.parse()).collect()
    }
}

impl fmt::Display for AckId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}-{}-{}",
            self.subscription, self.ticket.message, self.ticket.generation
        )
    }
}

impl FromStr for AckId {
    type Err = Status;

    fn from_str(text: &str) -> Result<Self, Status> {
        read(text)
            .ok_or_else(|| Status::invalid_argument(format!("Invalid ack id (ack_id={text})")))
    }
}

fn read(text: &str) -> Option<AckId> {
    let mut parts = text.split('-');
    let id = AckId {
        subscription: parts.next()?.parse().ok()?,
        ticket: LeaseId {
            message: parts.next()?.parse().ok()?,
            generation: parts.next()?.parse().ok()?,
        },
    };
    parts.next().is_none().then_some(id)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_ack_id_is_read_as_it_was_written() {
        let id = AckId {
            subscription: 7,
            ticket: LeaseId {
                message: u64::MAX,
                generation: 3,
            },
        };
        assert_eq!(id.to_string().parse::<AckId>().ok(), Some(id));
    }

    #[rstest::rstest]
    #[case("")]
    #[case("rubbish")]
    #[case("1-2")]
    #[case("1-2-3-4")]
    #[case("1-2--3")]
    fn an_ack_id_nobody_gave_out_is_refused(#[case] text: &str) {
        let refused = text.parse::<AckId>().map_err(|status| status.code());
        assert_eq!(refused, Err(tonic::Code::InvalidArgument));
    }
}
