//! The arguments of `oam login`.

use crate::complete;
use clap::{Args, ValueEnum};
use clap_complete::ArgValueCandidates;
use oam_model::name::{NameFault, OrgName};
use std::str::FromStr;

/// `oam login`.
#[derive(Debug, Args)]
pub struct LoginArgs {
    /// The organization (needed when there are several and no default), or the address of its issuer,
    /// which sets it up.
    #[arg(value_name = "ORG|URL", add = ArgValueCandidates::new(complete::orgs))]
    pub target: Option<LoginTarget>,
    /// Take over a set-up that replaces the one that is there, without asking.
    #[arg(long)]
    pub yes: bool,
    /// PEM file of roots to trust besides the system's for this organization; it is written into your
    /// configuration, and the session is bound to what stands in it.
    #[arg(long, value_name = "FILE")]
    pub ca: Option<std::path::PathBuf>,
    /// Proxy for all requests of this organization, `http://host:port`; written into your configuration.
    #[arg(long, value_name = "URL")]
    pub proxy: Option<String>,
    /// File of yours alone with one line, `USER:PASSWORD`, for a proxy that wants them; its path is written into
    /// your configuration.
    #[arg(long, value_name = "FILE", requires = "proxy")]
    pub proxy_auth_file: Option<std::path::PathBuf>,
    /// Print the address instead of opening a browser.
    #[arg(long)]
    pub no_browser: bool,
    /// Sign in by a code that you type at the provider's page, in a browser on any device. Chosen by itself
    /// over ssh without a browser, where organization and provider have it.
    #[arg(long, conflicts_with = "no_browser")]
    pub device: bool,
    /// Where the session is kept. Unless given: in the system's keyring, and on a machine without one in the
    /// kernel's or else in memory, which is said before you sign in.
    #[arg(long, value_enum)]
    pub store: Option<StoreArg>,
}

/// `oam update`.
#[derive(Debug, Args)]
pub struct UpdateArgs {
    /// The organization; needed when there are several and no default.
    #[arg(value_name = "ORG", add = ArgValueCandidates::new(complete::orgs))]
    pub org: Option<OrgName>,
    /// Take it over without asking.
    #[arg(long)]
    pub yes: bool,
    /// Print the address of a sign-in instead of opening a browser.
    #[arg(long, conflicts_with = "json")]
    pub no_browser: bool,
}

/// What `oam login` is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LoginTarget {
    /// An organization that is set up.
    Org(OrgName),
    /// An issuer's address as typed.
    Issuer(String),
}

impl FromStr for LoginTarget {
    type Err = NameFault;

    fn from_str(text: &str) -> Result<Self, NameFault> {
        if text.contains("://") {
            return Ok(Self::Issuer(text.to_owned()));
        }
        text.parse().map(Self::Org)
    }
}

/// Where a session is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum StoreArg {
    /// The system's keyring holds the key.
    Keyring,
    /// The kernel's keyring holds the key: gone at the next boot.
    Kernel,
    /// Nothing is stored: gone with the agent.
    Memory,
}

#[cfg(test)]
mod tests {
    use super::LoginTarget;

    #[test]
    fn an_address_is_told_from_a_name_by_its_scheme() {
        let read = |text: &str| text.parse::<LoginTarget>();
        assert_eq!(read("acme"), Ok(LoginTarget::Org("acme".parse().unwrap())));
        let address = "https://issuer.acme.example/";
        assert_eq!(read(address), Ok(LoginTarget::Issuer(address.into())));
        assert!(read("a b").is_err() && read("").is_err());
    }
}
