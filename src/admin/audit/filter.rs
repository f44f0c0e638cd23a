//! Which entries are meant.

use clap::Args;
use oam_issuer::when;
use oam_model::refusal::Refusal;
use oam_store::AuditFilter;

/// Filters of the log. Everything given must match.
#[derive(Debug, Clone, Default, Args)]
pub struct FilterArgs {
    /// Stable key, `source:key`, user name, subject or e-mail of a person or job.
    #[arg(long, value_name = "USER")]
    pub person: Option<String>,
    /// The acting role.
    #[arg(long)]
    pub role: Option<String>,
    /// The repository, e.g. acme/model.
    #[arg(long, value_name = "REPO")]
    pub repo: Option<String>,
    /// SHA-256 of a token, hex.
    #[arg(long, value_name = "HEX")]
    pub token_sha256: Option<String>,
    /// The id that both sides recorded.
    #[arg(long, value_name = "ID")]
    pub request_id: Option<String>,
    /// From this time: 2h, 30d, 2026-07-01, or RFC 3339.
    #[arg(long, value_name = "TIME")]
    pub since: Option<String>,
    /// Up to this time.
    #[arg(long, value_name = "TIME")]
    pub until: Option<String>,
}

impl FilterArgs {
    /// Reads the times; `now_ms` Unix milliseconds.
    ///
    /// # Errors
    /// A time that can't be read.
    pub fn read(&self, now_ms: u64) -> Result<AuditFilter, Refusal> {
        let time = |text: &Option<String>| {
            text.as_deref()
                .map(|text| when::read(text, now_ms))
                .transpose()
                .map_err(|why| Refusal::bad_request(why, "run `oam-issuer audit export --help`"))
        };
        Ok(AuditFilter {
            person: self.person.clone(),
            role: self.role.clone(),
            repository: self.repo.as_deref().map(bare),
            token_sha256: self.token_sha256.as_deref().map(str::to_ascii_lowercase),
            request_id: self.request_id.clone(),
            from_ms: time(&self.since)?,
            to_ms: time(&self.until)?,
        })
    }
}

/// The repository as entries spell it.
fn bare(text: &str) -> String {
    let text = text.trim_matches('/');
    text.strip_suffix(".git").unwrap_or(text).to_owned()
}
