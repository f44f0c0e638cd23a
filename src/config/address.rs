//! Which URLs are accepted, and in which spelling.

use url::{Host, Url};

/// Why a URL was not accepted: one sentence part after the key's name, and the next step. The URL
/// itself is not in it, because a URL with a password in it is one of the faults.
pub(super) struct AddressFault {
    pub(super) what: String,
    pub(super) next: String,
}

/// What is wrong with an address that says who asks.
const CREDENTIALS: &str = "holds a user name or password";

fn fault(what: impl Into<String>, next: impl Into<String>) -> AddressFault {
    AddressFault {
        what: what.into(),
        next: next.into(),
    }
}

/// A hub's address: the URL as it is kept, and its parts for comparing hubs.
pub(super) struct HubAddress {
    pub(super) url: String,
    pub(super) host_and_port: (String, u16),
    /// Without slashes at its ends; mostly empty.
    pub(super) path: String,
}

impl HubAddress {
    /// Whether there are URLs below both.
    pub(super) fn overlaps(&self, other: &Self) -> bool {
        let within = |outer: &str, inner: &str| {
            let rest = inner.strip_prefix(outer);
            outer.is_empty() || rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        };
        self.host_and_port == other.host_and_port
            && (within(&self.path, &other.path) || within(&other.path, &self.path))
    }
}

/// Text to URL: http or https, a host, nothing that two programs could read differently.
fn parse(text: &str) -> Result<Url, AddressFault> {
    // The parser drops blanks and turns `\` into `/` without a word; other programs do not.
    let odd = |c: char| !c.is_ascii() || c.is_ascii_whitespace() || c == '\\';
    if text.chars().any(odd) {
        return Err(fault(
            "holds a blank, a backslash or a letter outside ASCII",
            "write the URL in plain ASCII (an international name in its xn-- form)",
        ));
    }
    let url = Url::parse(text).map_err(|error| {
        fault(
            format!("is not a URL: {error}"),
            "write it like `https://name.example`",
        )
    })?;
    if !url.username().is_empty() || url.password().is_some() || has_at(text) {
        return Err(fault(CREDENTIALS, "remove everything before the `@`"));
    }
    if url.fragment().is_some() {
        return Err(fault(
            "ends in a `#` part",
            "remove the `#` and what follows",
        ));
    }
    if url.host().is_none() || !matches!(url.scheme(), "http" | "https") {
        return Err(fault(
            "is not an https URL",
            "write it like `https://name.example`",
        ));
    }
    if !text[url.scheme().len()..].starts_with("://") {
        return Err(fault("is not an https URL", "write `//` after the colon"));
    }
    Ok(url)
}

/// Whether the authority has an `@`, also an empty user name that the parser drops.
fn has_at(text: &str) -> bool {
    let after = text.split_once("://").map_or(text, |(_, rest)| rest);
    after
        .split(['/', '?', '#'])
        .next()
        .is_some_and(|authority| authority.contains('@'))
}

/// Whether the host is this machine for certain: an address of 127.0.0.0/8, `[::1]`, `localhost`.
fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        Some(Host::Domain(name)) => name == "localhost",
        None => false,
    }
}

fn secure(url: &Url) -> Result<(), AddressFault> {
    if url.scheme() == "https" || is_loopback(url) {
        return Ok(());
    }
    Err(fault(
        "is http, which anybody on the way can read",
        "write https; http is accepted for loopback addresses only",
    ))
}

/// Checks an endpoint; it is kept as written.
pub(super) fn endpoint(text: &str) -> Result<(), AddressFault> {
    secure(&parse(text)?)
}

/// Checks an issuer (OIDC Discovery §3: no query, no fragment); it is kept byte for
/// byte, because it is compared so (R29).
pub(super) fn issuer(text: &str) -> Result<(), AddressFault> {
    let url = parse(text)?;
    if url.query().is_some() {
        return Err(fault("has a `?` part", "write the issuer without a query"));
    }
    secure(&url)
}

/// Checks a proxy. No password in it: nothing long-lived lies on disk in the clear (promise 6).
pub(super) fn proxy(text: &str) -> Result<(), AddressFault> {
    let url = parse(text).map_err(|fault| match fault.what.as_str() {
        CREDENTIALS => AddressFault {
            next: "write the proxy without them, and them as USER:PASSWORD into a file of your own that `proxy_auth_file` names"
                .into(),
            ..fault
        },
        _ => fault,
    })?;
    if url.path() != "/" || url.query().is_some() {
        return Err(fault(
            "has a path",
            "write it like `http://proxy.example:3128`",
        ));
    }
    Ok(())
}

/// Checks the URL of a server that has no path, and gives it in the one spelling that is kept.
pub(super) fn origin(text: &str) -> Result<HubAddress, AddressFault> {
    let address = hub(text)?;
    if address.path.is_empty() {
        return Ok(address);
    }
    Err(fault(
        "has a path",
        "write scheme and host only; repositories are named in the roles' grants",
    ))
}

/// Checks a hub's URL and gives it in the one spelling that is kept: scheme, host in lower case,
/// port unless it is the scheme's own, and the path without a slash at its end.
pub(super) fn hub(text: &str) -> Result<HubAddress, AddressFault> {
    let url = parse(text)?;
    if url.query().is_some() {
        return Err(fault("has a `?` part", "write the hub without a query"));
    }
    secure(&url)?;
    let (typed, path) = cut(text);
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | '~');
    let odd = |segment: &str| matches!(segment, "" | "." | "..") || !segment.chars().all(plain);
    if !path.is_empty() && path.split('/').any(odd) {
        return Err(fault(
            "has a path that can be read in two ways",
            "use letters, digits and `-_.~` between single slashes",
        ));
    }
    let host = url.host_str().unwrap_or_default().to_owned();
    let port = url.port_or_known_default().unwrap_or_default();
    let origin = match url.port() {
        Some(port) => format!("{}://{host}:{port}", url.scheme()),
        None => format!("{}://{host}", url.scheme()),
    };
    // Git sends the host as typed, and it is compared as bytes (R5): a host that the URL parser
    // rewrote (`0x7f.1`, `%61.example`) would never match, or match what nobody meant.
    let own_port = format!(":{port}");
    let typed = typed.to_ascii_lowercase();
    let typed = typed.strip_suffix(&own_port).unwrap_or(&typed);
    if typed != origin.strip_suffix(&own_port).unwrap_or(&origin) || host.ends_with('.') {
        return Err(fault(
            "spells its host in an unusual way",
            format!(
                "write `{}`",
                origin.replacen("./", "/", 1).trim_end_matches('.')
            ),
        ));
    }
    let url = if path.is_empty() {
        origin
    } else {
        format!("{origin}/{path}")
    };
    Ok(HubAddress {
        url,
        host_and_port: (host, port),
        path: path.to_owned(),
    })
}

/// Scheme with host and port, and the path without slashes at its ends, as typed.
fn cut(text: &str) -> (&str, &str) {
    let start = text.find("://").map_or(0, |at| at + 3);
    match text[start..].find('/') {
        Some(at) => {
            let (origin, path) = text.split_at(start + at);
            let path = &path[1..];
            (origin, path.strip_suffix('/').unwrap_or(path))
        }
        None => (text, ""),
    }
}

#[cfg(test)]
mod tests {
    use super::{endpoint, hub, issuer, origin, proxy};

    #[test]
    fn a_hub_is_kept_in_one_spelling() {
        for (typed, kept) in [
            ("https://hub.acme.example", "https://hub.acme.example"),
            ("https://Hub.Acme.Example/", "https://hub.acme.example"),
            ("HTTPS://hub.acme.example:443/", "https://hub.acme.example"),
            (
                "https://hub.acme.example:8443",
                "https://hub.acme.example:8443",
            ),
            ("http://127.0.0.1:8080", "http://127.0.0.1:8080"),
            ("http://127.1.2.3", "http://127.1.2.3"),
            ("http://[::1]:80/", "http://[::1]"),
            ("http://localhost:99", "http://localhost:99"),
            (
                "https://Acme.Example:443/artifactory/api/HF/",
                "https://acme.example/artifactory/api/HF",
            ),
        ] {
            let address = hub(typed).map_err(|f| f.what);
            assert_eq!(address.map(|a| a.url), Ok(kept.to_owned()), "{typed}");
        }
    }

    #[test]
    fn a_hub_that_could_be_read_in_two_ways_is_refused() {
        for bad in [
            "http://hub.acme.example",
            "http://127.0.0.1.evil.example",
            "http://localhost.evil.example",
            "http://0.0.0.0",
            "http://0x7f.1",
            "http://2130706433",
            "http://127.1",
            "https://%68ub.example",
            "https://hub.example.",
            "https://hub.example.:8443",
            "https://user@hub.example",
            "https://@hub.example",
            "https://:p@hub.example",
            "https://hub.example/base//x",
            "https://hub.example/base/../x",
            "https://hub.example/./base",
            "https://hub.example/%62ase",
            "https://hub.example/base//",
            "https://hub.example/base?x=1",
            "https://hub.example?x=1",
            "https://hub.example?",
            "https://hub.example#x",
            "https://hub.example:0443",
            "https://hub.example:",
            "https://hüb.example",
            "https:hub.example",
            "https:/hub.example",
            "https://hub.example\\x",
            " https://hub.example",
            "https://hub.\texample",
            "https://",
            "ssh://hub.example",
            "hub.example",
            "file:///etc/passwd",
        ] {
            assert!(hub(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn hubs_overlap_where_one_lies_below_the_other() {
        let at = |text: &str| hub(text).map_err(|fault| fault.what).unwrap();
        let one = at("https://acme.example/api/hf");
        for (other, overlaps) in [
            ("https://acme.example", true),
            ("https://acme.example/api", true),
            ("https://acme.example/api/hf/x", true),
            ("https://acme.example/api/hf2", false),
            ("https://acme.example/git", false),
            ("https://acme.example:8443/api/hf", false),
        ] {
            assert_eq!(one.overlaps(&at(other)), overlaps, "{other}");
            assert_eq!(at(other).overlaps(&one), overlaps, "{other}");
        }
        assert!(origin("https://acme.example/api").is_err());
        assert!(origin("https://acme.example/").is_ok());
    }

    #[test]
    fn a_password_in_a_url_is_not_repeated_in_the_fault() {
        let said = proxy("http://me:hunter2@proxy:3128").err().unwrap();
        assert!(!said.what.contains("hunter2") && !said.next.contains("hunter2"));
    }

    #[test]
    fn endpoints_are_https_or_loopback() {
        assert!(endpoint("https://issuer.example/oauth/token?tenant=1").is_ok());
        assert!(endpoint("http://127.0.0.1:9/token").is_ok());
        assert!(endpoint("http://issuer.example/token").is_err());
        assert!(issuer("https://login.example/realms/acme").is_ok());
        assert!(issuer("https://login.example/?x").is_err());
        assert!(proxy("http://proxy.example:3128").is_ok());
    }
}
