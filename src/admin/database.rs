//! What commands about keys and secrets begin with: settings, organization, database.

use super::opening;
use crate::show::{Line, Printer, Style};
use oam_config::issuer::org_name;
use oam_model::issuer::IssuerSettings;
use oam_model::name::OrgName;
use oam_model::refusal::Refusal;
use oam_store::sqlite::SqliteStore;
use std::path::Path;

/// An organization's database with what is said about it.
pub(super) struct Database {
    /// The issuer's settings.
    pub(super) settings: IssuerSettings,
    /// The organization, for entries.
    pub(super) org: OrgName,
    /// The database.
    pub(super) store: SqliteStore,
}

/// The organization that the policy names, whatever else is wrong with it.
///
/// # Errors
/// It names none.
pub(super) fn organization(settings: &IssuerSettings) -> Result<OrgName, Refusal> {
    let policy = Path::new(&settings.policy);
    org_name(&opening::text(policy)?).ok_or_else(|| {
        Refusal::unavailable(
            format!(
                "{} does not say which organization it is for",
                policy.display()
            ),
            "add `name = …` to [org]; `oam-issuer policy check` tells more",
        )
    })
}

/// Opens the database that there is. None is begun: an administrator who runs a command before the first
/// start would leave one that the server's own user can't write.
///
/// # Errors
/// The configuration has faults, the policy names no organization, or there is no database of it. Other
/// faults of the policy do not matter: a key is rotated also while somebody repairs it.
pub(super) fn open(show: &Printer) -> Result<Database, Refusal> {
    let settings = opening::settings(show)?;
    let org = organization(&settings)?;
    let store = SqliteStore::open_existing(&settings, &org)?;
    if let Some(misfit) = store.misfit() {
        show.say(Line::new().look(Style::Warn, misfit.sentence.clone()));
        show.next(&misfit.next);
    }
    Ok(Database {
        settings,
        org,
        store,
    })
}
