//! From the issuer's two files to its settings and its policy.

pub use super::agent::Source;
use super::fault::ConfigFault;
use crate::model::issuer::IssuerSettings;
use crate::model::policy::Policy;

/// Reads `issuer.toml`.
///
/// # Errors
/// All faults found, with line and column.
pub fn read_settings(source: Source<'_>) -> Result<IssuerSettings, Vec<ConfigFault>> {
    Err(vec![unread(source)])
}

/// Reads `policy.toml`. `settings` tells which sources and hubs there are.
///
/// # Errors
/// All faults found, with line and column.
pub fn read_policy(
    source: Source<'_>,
    _settings: &IssuerSettings,
) -> Result<Policy, Vec<ConfigFault>> {
    Err(vec![unread(source)])
}

fn unread(source: Source<'_>) -> ConfigFault {
    ConfigFault {
        file: source.name.to_owned(),
        line: 0,
        column: 0,
        sentence: "this build can't read the issuer's files".to_owned(),
        next: "merge the branch `policy` again".to_owned(),
    }
}
