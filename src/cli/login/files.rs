//! The configuration's files as a set-up sees them.

use crate::places;
use crate::setup::disk;
use oam_config::agent::{Settings, SourceText, read};
use oam_model::refusal::Refusal;
use std::path::PathBuf;

/// Both files as they are now.
pub struct SetUpFiles {
    /// The company's text.
    pub company: Option<String>,
    company_path: PathBuf,
    /// The user's text.
    pub user: Option<String>,
    /// Where the user's file lies, or will.
    pub user_path: PathBuf,
}

impl SetUpFiles {
    /// Reads them.
    pub fn find() -> Result<Self, Refusal> {
        let user_path = places::user_config().ok_or_else(|| {
            Refusal::unavailable("your configuration folder is not known", "set HOME")
        })?;
        Self::at(places::company_config(), user_path)
    }

    /// Reads these.
    pub fn at(company_path: PathBuf, user_path: PathBuf) -> Result<Self, Refusal> {
        Ok(Self {
            company: disk::read_text(&company_path)?,
            user: disk::read_text(&user_path)?,
            company_path,
            user_path,
        })
    }

    /// The settings with this text as the user's.
    pub fn settings(&self, user: Option<&str>) -> Result<Settings, Refusal> {
        let (company_name, user_name) = (
            self.company_path.display().to_string(),
            self.user_path.display().to_string(),
        );
        read(
            self.company.as_deref().map(|text| SourceText {
                name: &company_name,
                text,
            }),
            user.map(|text| SourceText {
                name: &user_name,
                text,
            }),
        )
        .map_err(|faults| {
            let first = faults.into_iter().next();
            let (what, next) = first.map_or_else(Default::default, |fault| {
                (
                    format!("{}:{}: {}", fault.file, fault.line, fault.sentence),
                    fault.next,
                )
            });
            Refusal::unavailable(format!("nothing was set up: {what}"), next)
        })
    }
}
