//! The proxy that the environment names.

use std::{env, error::Error};

use reqwest::{NoProxy, Proxy};
use url::Url;

use super::BuildError;

/// The usual variables that name a proxy for `https://`, first come first.
const VARIABLES: [&str; 4] = ["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"];

/// The proxy for `https://` addresses. Plain `http://` is for this machine and for the hosts that
/// `insecure_hosts` names, and a proxy of it, such as `HTTP_PROXY` would name, would read the
/// token.
pub(super) struct ProxySetting {
    /// The variable that names it.
    pub variable: &'static str,
    address: Url,
}

/// The first that a variable names.
///
/// # Errors
/// [`BuildError::Proxy`] where that is none.
pub(super) fn named() -> Result<Option<ProxySetting>, BuildError> {
    let set = |variable| Some((variable, env::var_os(variable)?));
    let given = VARIABLES
        .into_iter()
        .filter_map(set)
        .find(|(_, value)| value.to_str().is_none_or(|text| !text.trim().is_empty()));
    let Some((variable, value)) = given else {
        return Ok(None);
    };
    let address = value.to_str().and_then(address);
    let address = address.ok_or(BuildError::Proxy(variable))?;
    Ok(Some(ProxySetting { variable, address }))
}

impl ProxySetting {
    /// As reqwest takes it, with the hosts that `NO_PROXY` names left out.
    pub(super) fn reqwest(&self) -> Result<Proxy, BuildError> {
        let proxy =
            Proxy::https(self.address.as_str()).map_err(|_| BuildError::Proxy(self.variable))?;
        Ok(proxy.no_proxy(NoProxy::from_env()))
    }
}

/// An address without a scheme is one of `http://`, as everywhere.
fn address(text: &str) -> Option<Url> {
    let text = text.trim();
    let address = if text.contains("://") {
        Url::parse(text)
    } else {
        Url::parse(&format!("http://{text}"))
    };
    address
        .ok()
        .filter(|address| matches!(address.scheme(), "http" | "https") && address.has_host())
}

/// A connection that did not come about while a variable names a proxy.
#[derive(Debug, thiserror::Error)]
#[error("{variable} is set")]
pub(super) struct BehindProxy {
    /// The variable.
    pub variable: &'static str,
    /// Why.
    #[source]
    pub source: Box<dyn Error + Send + Sync>,
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::address;

    #[rstest]
    #[case("http://proxy.example.ac.uk:3128", true)]
    #[case(" https://user:pass@proxy.example.ac.uk/ ", true)]
    #[case("proxy.example.ac.uk:3128", true)]
    #[case("10.0.0.1:3128", true)]
    #[case("not a proxy", false)]
    #[case("http://", false)]
    #[case("::::", false)]
    #[case("socks5://proxy.example.ac.uk", false)]
    #[case("ftp://proxy.example.ac.uk", false)]
    fn a_proxy_is_an_http_address_with_or_without_its_scheme(#[case] text: &str, #[case] is: bool) {
        assert_eq!(address(text).is_some(), is, "{text}");
    }
}
