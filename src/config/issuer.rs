//! From the issuer's two files to its settings and its policy.

mod cases;
mod hub;
mod include;
mod listen;
mod member;
mod place;
mod policy;
mod preset;
mod settings;
mod source;
mod transmitter;

pub use super::agent::Source;
use super::fault::ConfigFault;
use super::tree::{Node, Report};
use crate::model::issuer::IssuerSettings;
use crate::model::policy::{Policy, PolicyCase};

/// Reads `issuer.toml`.
///
/// # Errors
/// All faults found, with line and column.
pub fn read_settings(source: Source<'_>) -> Result<IssuerSettings, Vec<ConfigFault>> {
    read(source, settings::read_settings)
}

/// Reads `policy.toml`. `settings` tells which sources and hubs there are.
///
/// # Errors
/// All faults found, with line and column.
pub fn read_policy(
    source: Source<'_>,
    settings: &IssuerSettings,
) -> Result<Policy, Vec<ConfigFault>> {
    read(source, |tree, report| {
        policy::read_policy(tree, settings, report)
    })
}

/// Reads a table of expected answers, for `oam-issuer policy test`.
///
/// # Errors
/// All faults found, with line and column.
pub fn read_cases(
    source: Source<'_>,
    settings: &IssuerSettings,
) -> Result<Vec<PolicyCase>, Vec<ConfigFault>> {
    read(source, |tree, report| {
        Some(cases::read_cases(tree, settings, report))
    })
}

fn read<T>(
    source: Source<'_>,
    part: impl FnOnce(&Node, &mut Report<'_>) -> Option<T>,
) -> Result<T, Vec<ConfigFault>> {
    let sources = [source];
    let mut report = Report::new(&sources);
    let tree = report.parse(0);
    // Half a tree would give faults that are none, so broken TOML is told alone.
    if !report.is_clean() {
        return Err(report.into_faults());
    }
    match part(&tree, &mut report) {
        Some(read) if report.is_clean() => Ok(read),
        _ => Err(report.into_faults()),
    }
}

#[cfg(test)]
mod fixture;
#[cfg(test)]
mod policy_tests;
#[cfg(test)]
mod settings_tests;
