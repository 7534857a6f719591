//! The address of a database: what it may contain. No error repeats its content.

use std::net::IpAddr;

use url::Url;

/// What an address may be.
pub(super) const DATABASE: &str = "a postgres:// address";

/// The values of `sslmode`.
const SSL_MODES: [&str; 6] = [
    "disable",
    "allow",
    "prefer",
    "require",
    "verify-ca",
    "verify-full",
];

/// Whether a text can be the value of a parameter.
type ParameterCheck = fn(&str) -> bool;

/// The parameters that the client reads. It would log any other, and its value with it.
const PARAMETERS: [(&str, ParameterCheck); 18] = [
    ("application_name", any),
    ("dbname", any),
    ("host", any),
    ("hostaddr", |text| text.parse::<IpAddr>().is_ok()),
    ("options", any),
    ("password", any),
    ("port", |text| text.parse::<u16>().is_ok()),
    ("ssl-ca", any),
    ("ssl-cert", any),
    ("ssl-key", any),
    ("ssl-mode", is_ssl_mode),
    ("ssl-root-cert", any),
    ("sslcert", any),
    ("sslkey", any),
    ("sslmode", is_ssl_mode),
    ("sslrootcert", any),
    ("statement-cache-capacity", |text| {
        text.parse::<usize>().is_ok()
    }),
    ("user", any),
];

/// What is wrong with an address. Of the address only the name of a parameter is repeated.
pub fn database_url_objection(text: &str) -> Option<String> {
    let is_one = |url: &Url| matches!(url.scheme(), "postgres" | "postgresql");
    let Some(url) = Url::parse(text).ok().filter(is_one) else {
        return Some(format!("is not a PostgreSQL address; allowed: {DATABASE}"));
    };
    if url.fragment().is_some() {
        return Some(
            "contains a #; allowed: a postgres:// address, with %23 for a # in a password"
                .to_owned(),
        );
    }
    let mut parameters = url.query_pairs();
    parameters.find_map(|(name, value)| objection_to(&name, &value))
}

fn objection_to(name: &str, value: &str) -> Option<String> {
    let known = PARAMETERS.iter().find(|(known, _)| *known == name);
    match known {
        Some((_, accepts)) if accepts(value) => None,
        Some((name, _)) if *name == "sslmode" || *name == "ssl-mode" => Some(format!(
            "has an unknown value for the parameter {name}; allowed: {}",
            SSL_MODES.join(", ")
        )),
        Some((name, _)) => Some(format!("has an invalid value for the parameter {name}")),
        None if name.starts_with("options[") && name.ends_with(']') => None,
        None => Some(format!(
            "has {}, which is not known; allowed: {}",
            plain(name),
            names()
        )),
    }
}

fn any(_: &str) -> bool {
    true
}

fn is_ssl_mode(text: &str) -> bool {
    SSL_MODES.contains(&text)
}

/// The parameter by its name, if that looks like one. Otherwise it may be a part of a password with
/// a `?` or a `&` in it.
fn plain(name: &str) -> String {
    let looks = |name: &&str| {
        (1..=32).contains(&name.len())
            && name
                .chars()
                .all(|letter| letter.is_ascii_lowercase() || matches!(letter, '_' | '-'))
    };
    Some(name).filter(looks).map_or_else(
        || {
            "a parameter with an invalid name (a ? or & in a password is written %3F, %26)"
                .to_owned()
        },
        |name| format!("the parameter {name}"),
    )
}

fn names() -> String {
    let known: Vec<&str> = PARAMETERS.iter().map(|(name, _)| *name).collect();
    known.join(", ")
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::database_url_objection;

    #[rstest]
    #[case("postgres://sync:hush@db.example.ac.uk/ledger")]
    #[case(
        "postgresql://sync:hush@db.example.ac.uk:5432/ledger?sslmode=verify-full&sslrootcert=/ca.pem"
    )]
    #[case("postgres://ledger:hush@localhost/ledger?host=/cloudsql/project:region:lookup-sync")]
    #[case(
        "postgres:///ledger?user=sync&password=hush&port=5433&hostaddr=127.0.0.1&options=-c%20a%3Db"
    )]
    #[case("postgres://h/d?options[search_path]=x&application_name=x&statement-cache-capacity=5")]
    fn what_the_client_reads_is_allowed(#[case] address: &str) {
        assert_eq!(database_url_objection(address), None);
    }

    #[rstest]
    #[case(
        "sslpassword=hush",
        "has the parameter sslpassword, which is not known"
    )]
    #[case("passwd=hush", "has the parameter passwd, which is not known")]
    #[case(
        "sslmode=require&connect_timeout=hush",
        "has the parameter connect_timeout"
    )]
    #[case("username=hush", "has the parameter username, which is not known")]
    #[case("PASSWORD=hush", "has a parameter with an invalid name")]
    #[case("hush", "has the parameter hush")]
    #[case("Hush!x", "with an invalid name")]
    #[case(
        "sslmode=hush",
        "has an unknown value for the parameter sslmode; allowed: disable"
    )]
    #[case("port=hush", "has an invalid value for the parameter port")]
    #[case("hostaddr=hush", "has an invalid value for the parameter hostaddr")]
    #[case("sslmode=require#hush", "contains a #")]
    fn what_it_does_not_read_is_named_without_its_value(#[case] query: &str, #[case] said: &str) {
        let address = format!("postgres://sync:hush@db.example.ac.uk/ledger?{query}");
        let objection = database_url_objection(&address).unwrap();
        assert!(objection.contains(said), "{objection}");
        assert!(
            !objection.contains("hush") || query == "hush",
            "{objection}"
        );
    }

    #[rstest]
    #[case("mysql://sync:hush@db/ledger")]
    #[case("db.example.ac.uk/ledger?password=hush")]
    #[case("")]
    fn another_address_is_told_without_a_word_of_it(#[case] address: &str) {
        let objection = database_url_objection(address).unwrap();
        assert_eq!(
            objection,
            "is not a PostgreSQL address; allowed: a postgres:// address"
        );
    }
}
