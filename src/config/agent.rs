//! From the texts of the configuration files to the agent's settings.

pub use oam_model::settings::{
    Body, Exchange, Hub, HubKind, IssuerExchange, Org, Provider, Rfc8693, Settings, SubjectToken,
    UnknownIntent,
};

/// A configuration file's text and the name to show for it.
#[derive(Debug, Clone, Copy)]
pub struct SourceText<'a> {
    /// Name for faults, usually the path.
    pub name: &'a str,
    pub text: &'a str,
}

/// Merges the company's file and the user's and checks the result.
///
/// # Errors
/// All faults found, with line and column.
pub fn read(
    company: Option<SourceText<'_>>,
    user: Option<SourceText<'_>>,
) -> Result<Settings, Vec<super::fault::ConfigFault>> {
    super::read::read(company, user)
}
