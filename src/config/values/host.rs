//! Hosts by name.

use url::Host;

use super::{ParseError, RawValue, ValueType, list::each};

/// A list of the hosts that plain `http://` may go to. Each is one name in full: nothing in it
/// stands for several hosts, and an address, which another machine may have tomorrow, is none.
pub(in crate::config) struct HostNameList;

impl ValueType for HostNameList {
    /// In lower case, as a parsed address has its host.
    type Value = Vec<String>;

    fn allowed(&self) -> String {
        "a list of names of hosts, such as [\"gitlab\", \"lookup\"], without scheme, user, port, path, wildcard and \
         dot at the end, and no IP address"
            .to_owned()
    }

    fn read(&self, given: &RawValue<'_>) -> Result<Self::Value, Vec<ParseError>> {
        let names = each(given, objection)?;
        Ok(names
            .into_iter()
            .map(|name| name.to_ascii_lowercase())
            .collect())
    }

    fn show(&self, value: &Self::Value) -> serde_json::Value {
        value.as_slice().into()
    }
}

fn objection(text: &str) -> Option<String> {
    // `Host::parse` also reads numbers such as 0x7f.1 as addresses, as every client does.
    match Host::parse(text) {
        Ok(Host::Domain(_)) if text.split('.').all(is_label) => None,
        Ok(Host::Ipv4(_) | Host::Ipv6(_)) => Some("is an IP address".to_owned()),
        Ok(Host::Domain(_)) | Err(_) => Some("is not the name of one host".to_owned()),
    }
}

/// Names of containers may contain underscores.
fn is_label(label: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    (1..=63).contains(&label.len()) && label.bytes().all(plain)
}
