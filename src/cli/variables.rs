//! Variables of this shell that the agent takes over from nobody: whom TLS trusts and through whom requests go
//! is bound to the sign-in.

use oam_config::agent::{Org, Settings};
use oam_model::organization::Route;

const ROOTS: [&str; 2] = ["SSL_CERT_FILE", "SSL_CERT_DIR"];
const PROXIES: [&str; 4] = ["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"];

/// What to do where they are needed.
pub const NEXT: &str = "where an organization is reached only so: `ca_file` and `proxy` in config.toml, or `oam login URL --ca FILE --proxy URL`, which writes them";

/// What no word of the person's decides, so that the variables for it would have counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Unsaid {
    roots: bool,
    proxy: bool,
}

impl Unsaid {
    fn by(orgs: &[Org]) -> Self {
        Self {
            roots: orgs.iter().any(|org| org.provider.ca_file.is_none()),
            proxy: orgs.iter().any(|org| org.provider.proxy.is_none()),
        }
    }

    const fn on(route: &Route) -> Self {
        Self {
            roots: route.ca_file.is_none(),
            proxy: route.proxy.is_none(),
        }
    }
}

/// One sentence about those that are set here and have no word in the configuration.
pub fn ignored_here(settings: &Settings) -> Option<String> {
    ignored(Unsaid::by(&settings.orgs), is_set)
}

/// The same where nothing is configured yet: an issuer is asked by this route.
pub fn ignored_on(route: &Route) -> Option<String> {
    ignored(Unsaid::on(route), is_set)
}

fn is_set(name: &str) -> bool {
    std::env::var_os(name).is_some_and(|value| !value.is_empty())
}

fn ignored(unsaid: Unsaid, set: impl Fn(&str) -> bool) -> Option<String> {
    let Unsaid { roots, proxy } = unsaid;
    let counted = ROOTS.iter().filter(|_| roots);
    let names: Vec<&str> = counted
        .chain(PROXIES.iter().filter(|_| proxy))
        .copied()
        .filter(|name| set(name))
        .collect();
    let (is, last) = match names.as_slice() {
        [] => return None,
        [_] => ("is", "it"),
        _ => ("are", "them"),
    };
    Some(format!(
        "{} {is} set in this shell, and the agent does not take {last} over from it",
        names.join(" and ")
    ))
}

#[cfg(test)]
mod tests {
    use super::{Unsaid, ignored};
    use oam_config::organization::{fixture::acme, settings};
    use oam_model::organization::Route;

    #[test]
    fn only_variables_that_are_set_and_have_no_word_in_the_configuration_are_named() {
        let mut org = settings(&acme()).unwrap();
        let both = |name: &str| matches!(name, "SSL_CERT_FILE" | "HTTPS_PROXY");
        let one =
            |org: &oam_config::agent::Org| ignored(Unsaid::by(std::slice::from_ref(org)), both);
        let told = one(&org).unwrap();
        assert!(
            told.starts_with("SSL_CERT_FILE and HTTPS_PROXY are set"),
            "{told}"
        );
        org.provider.ca_file = Some("/etc/ssl/acme.pem".into());
        assert!(one(&org).unwrap().starts_with("HTTPS_PROXY is set"));
        org.provider.proxy = Some("http://proxy.acme.example:3128".into());
        assert_eq!(one(&org), None);
        assert_eq!(ignored(Unsaid::by(&[org]), |_| false), None);
    }

    #[test]
    fn on_the_way_to_an_issuer_only_what_the_command_does_not_say_is_named() {
        let all = |_: &str| true;
        let mut route = Route::default();
        let told = ignored(Unsaid::on(&route), all).unwrap();
        assert!(told.contains("SSL_CERT_FILE") && told.contains("https_proxy"));
        route.ca_file = Some("/etc/ssl/acme.pem".into());
        let told = ignored(Unsaid::on(&route), all).unwrap();
        assert!(!told.contains("SSL_CERT_FILE") && told.contains("https_proxy"));
        route.proxy = Some("http://proxy.acme.example:3128".into());
        assert_eq!(ignored(Unsaid::on(&route), all), None);
    }
}
