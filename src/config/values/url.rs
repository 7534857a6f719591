//! Addresses: of HTTP APIs, and of a broker.

use url::{Host, Url};

use super::{ParseError, RawValue, ValueType};

/// The address of an HTTP API: `https`, or `http` to this machine and to hosts that are named.
#[derive(Default)]
pub(in crate::config) struct HttpUrl {
    /// A path that the client adds itself and that people tend to give.
    pub without: Option<&'static str>,
    /// Who else may be called in plaintext, in lower case; `None` where nobody may, whatever
    /// `insecure_hosts` says.
    pub insecure_hosts: Option<Vec<String>>,
}

impl HttpUrl {
    /// What is allowed where `insecure_hosts` counts.
    pub(in crate::config) const ALLOWED: &'static str = "an https:// address without user, query and fragment; http:// only to this machine and to insecure_hosts";
}

impl ValueType for HttpUrl {
    type Value = Url;

    fn allowed(&self) -> String {
        let allowed = match self.insecure_hosts {
            Some(_) => Self::ALLOWED,
            None => {
                "an https:// address without user, query and fragment; http:// only to this machine"
            }
        };
        allowed.to_owned()
    }

    fn read(&self, given: &RawValue<'_>) -> Result<Url, Vec<ParseError>> {
        let text = given.text()?;
        if text.is_empty() {
            return Err(ParseError::because("is empty"));
        }
        let url = Url::parse(text)
            .map_err(|problem| ParseError::because(format!("is not an address ({problem})")))?;
        match self.objection(&url) {
            None => Ok(url),
            Some(objection) => Err(ParseError::because(objection)),
        }
    }

    fn show(&self, value: &Url) -> serde_json::Value {
        value.as_str().into()
    }
}

impl HttpUrl {
    fn objection(&self, url: &Url) -> Option<String> {
        if !url.username().is_empty() || url.password().is_some() {
            return Some("contains a user or a password".to_owned());
        }
        if url.query().is_some() || url.fragment().is_some() {
            return Some("contains a query or a fragment".to_owned());
        }
        match url.scheme() {
            "https" => {}
            "http" if url.host().is_some_and(|host| self.is_plaintext(&host)) => {}
            "http" => return Some(
                "is plain http:// to another machine, which would show the token to the network"
                    .to_owned(),
            ),
            _ => return Some("has an unknown scheme".to_owned()),
        }
        let ending = self.without?;
        let has_it = url.path().trim_end_matches('/').ends_with(ending);
        has_it.then(|| format!("ends in {ending}, which the client adds itself"))
    }

    /// Whether `host` may be called in plaintext.
    fn is_plaintext(&self, host: &Host<&str>) -> bool {
        let is_named = |name: &str| {
            let hosts = self.insecure_hosts.iter().flatten();
            hosts.into_iter().any(|known| known == name)
        };
        is_loopback(host) || matches!(host, Host::Domain(name) if is_named(name))
    }
}

/// The parser of the address has put its host into lower case.
fn is_loopback(host: &Host<&str>) -> bool {
    match host {
        Host::Domain(name) => *name == "localhost" || name.ends_with(".localhost"),
        Host::Ipv4(address) => address.is_loopback(),
        Host::Ipv6(address) => address.is_loopback(),
    }
}

/// `host:port`, as `PUBSUB_EMULATOR_HOST` has it.
pub(in crate::config) struct HostPort;

impl ValueType for HostPort {
    type Value = String;

    fn allowed(&self) -> String {
        "host:port, such as \"127.0.0.1:8085\"".to_owned()
    }

    fn read(&self, given: &RawValue<'_>) -> Result<String, Vec<ParseError>> {
        let text = given.text()?;
        let parts = text.rsplit_once(':').filter(|(host, port)| {
            let plain = !host.is_empty() && !host.contains(['/', '@', '?', '#']);
            plain && port.parse::<u16>().is_ok_and(|port| port > 0) && Host::parse(host).is_ok()
        });
        match parts {
            Some(_) => Ok(text.to_owned()),
            None if text.is_empty() => Err(ParseError::because("is empty")),
            None => Err(ParseError::because("has the wrong form")),
        }
    }

    fn show(&self, value: &String) -> serde_json::Value {
        value.as_str().into()
    }
}

#[cfg(test)]
mod tests {
    use figment2::value::Value;
    use rstest::rstest;

    use super::{HostPort, HttpUrl, RawValue, ValueType};

    fn accepts<F: ValueType>(form: &F, text: &str) -> bool {
        let given = RawValue {
            value: &Value::from(text),
            from_text: true,
        };
        form.read(&given).is_ok()
    }

    #[rstest]
    #[case("https://gitlab.example.ac.uk", true)]
    #[case("https://gitlab.example.ac.uk/sub/", true)]
    #[case("http://127.0.0.1:8080", true)]
    #[case("http://127.8.8.8", true)]
    #[case("http://[::1]:8080", true)]
    #[case("http://localhost:1", true)]
    #[case("http://gitlab.localhost", true)]
    #[case("http://gitlab.example.ac.uk", false)]
    #[case("http://10.0.0.1", false)]
    #[case("http://localhost.example.ac.uk", false)]
    #[case("http://127.0.0.1.example.ac.uk", false)]
    #[case("http://[::ffff:8.8.8.8]", false)]
    #[case("https://me:secret@gitlab.example.ac.uk", false)]
    #[case("https://gitlab.example.ac.uk/?private_token=x", false)]
    #[case("https://gitlab.example.ac.uk/#x", false)]
    #[case("https://gitlab.example.ac.uk/api/v4", false)]
    #[case("https://gitlab.example.ac.uk/api/v4/", false)]
    #[case("ftp://gitlab.example.ac.uk", false)]
    #[case("file:///etc/passwd", false)]
    #[case("gitlab.example.ac.uk", false)]
    #[case("https://", false)]
    #[case("", false)]
    fn an_address_is_https_or_of_this_machine(#[case] text: &str, #[case] accepted: bool) {
        assert_eq!(
            accepts(
                &HttpUrl {
                    without: Some("/api/v4"),
                    ..HttpUrl::default()
                },
                text
            ),
            accepted
        );
    }

    #[rstest]
    #[case("127.0.0.1:8085", true)]
    #[case("[::1]:8085", true)]
    #[case("pubsub:8085", true)]
    #[case("pubsub", false)]
    #[case("pubsub:", false)]
    #[case("pubsub:0", false)]
    #[case("pubsub:99999", false)]
    #[case(":8085", false)]
    #[case("http://pubsub:8085", false)]
    #[case("user@pubsub:8085", false)]
    #[case("", false)]
    fn a_broker_is_named_by_host_and_port(#[case] text: &str, #[case] accepted: bool) {
        assert_eq!(accepts(&HostPort, text), accepted);
    }
}
