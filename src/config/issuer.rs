//! From the issuer's two files to its settings and its policy.

mod accounts;
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

pub use super::agent::SourceText;
use super::fault::ConfigFault;
use super::tree::{FaultCollector, Node, Span};
pub use accounts::read_accounts;
use oam_model::issuer::IssuerSettings;
use oam_model::line::is_mark;
use oam_model::name::OrgName;
use oam_model::policy::{Policy, PolicyCase};
use toml::de::DeTable;

/// Reads `issuer.toml`.
///
/// # Errors
/// All faults found, with line and column.
pub fn read_settings(source: SourceText<'_>) -> Result<IssuerSettings, Vec<ConfigFault>> {
    read(source, settings::read_settings)
}

/// Reads `policy.toml`. `settings` tells which sources and hubs there are.
///
/// # Errors
/// All faults found, with line and column.
pub fn read_policy(
    source: SourceText<'_>,
    settings: &IssuerSettings,
) -> Result<Policy, Vec<ConfigFault>> {
    read(source, |tree, report| {
        policy::read_policy(tree, settings, report)
    })
}

/// The organization's name in a policy, also in one that has faults elsewhere: a leaver's access must be ended
/// while somebody repairs the file.
pub fn org_name(text: &str) -> Option<OrgName> {
    let (table, _) = DeTable::parse_recoverable(text);
    let org = table.get_ref().get("org")?.get_ref().as_table()?;
    org.get("name")?.get_ref().as_str()?.parse().ok()
}

/// Reads a table of expected answers to this policy, for `oam-issuer policy test`.
///
/// # Errors
/// All faults found, with line and column.
pub fn read_cases(
    source: SourceText<'_>,
    settings: &IssuerSettings,
    policy: &Policy,
) -> Result<Vec<PolicyCase>, Vec<ConfigFault>> {
    read(source, |tree, report| {
        Some(cases::read_cases(tree, (settings, policy), report))
    })
}

fn read<T>(
    source: SourceText<'_>,
    part: impl FnOnce(&Node, &mut FaultCollector<'_>) -> Option<T>,
) -> Result<T, Vec<ConfigFault>> {
    let sources = [source];
    let mut report = FaultCollector::new(&sources);
    let tree = report.parse(0);
    invisible(&source, &mut report);
    // Half a tree would give faults that are none, so broken TOML is told alone.
    if !report.is_clean() {
        return Err(report.into_faults());
    }
    match part(&tree, &mut report) {
        Some(read) if report.is_clean() => Ok(read),
        _ => Err(report.into_faults()),
    }
}

/// Characters that nobody sees: in a name they make it another one than it looks like, and in a comment they hide what
/// is written (CVE-2021-42574). TOML has escapes for whoever means one.
fn invisible(source: &SourceText<'_>, report: &mut FaultCollector<'_>) {
    let mut found = source.text.char_indices().filter(|(at, c)| {
        // A byte order mark at the beginning is the encoding's.
        is_mark(*c) && !(*at == 0 && *c == '\u{feff}')
    });
    for (at, c) in found.by_ref().take(10) {
        report.add(
            Span { file: 0, at },
            format!("there is an invisible character, U+{:04X}", u32::from(c)),
            "remove it, or write it as an escape like \"\\u200B\" in a text where it is meant",
        );
    }
}

#[cfg(test)]
mod case_tests;
#[cfg(test)]
mod directory_tests;
#[cfg(test)]
mod fixture;
#[cfg(test)]
mod github_tests;
#[cfg(test)]
mod pin_tests;
#[cfg(test)]
mod policy_tests;
#[cfg(test)]
mod settings_tests;
#[cfg(test)]
mod size_tests;
