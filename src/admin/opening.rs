//! What most commands begin with: the configuration read from disk, and a runtime to ask the store with.

use crate::show::Printer;
use oam_config::fault::ConfigFault;
use oam_config::issuer::{SourceText, read_policy, read_settings};
use oam_issuer::files;
use oam_model::issuer::IssuerSettings;
use oam_model::policy::Policy;
use oam_model::refusal::Refusal;
use oam_model::system_error::reason;
use std::future::Future;
use std::path::Path;

/// The issuer's settings; faults are told here.
///
/// # Errors
/// The refusal that remains to be told: how many faults there are, or that the file can't be read.
pub fn settings(show: &Printer) -> Result<IssuerSettings, Refusal> {
    let path = show.config();
    let text = text(path)?;
    let name = path.display().to_string();
    let source = SourceText {
        name: &name,
        text: &text,
    };
    read_settings(source).map_err(|faults| told(show, path, &faults))
}

/// The policy at `path`; faults are told here.
///
/// # Errors
/// As [`settings`].
pub fn policy(show: &Printer, settings: &IssuerSettings, path: &Path) -> Result<Policy, Refusal> {
    let text = text(path)?;
    let name = path.display().to_string();
    let source = SourceText {
        name: &name,
        text: &text,
    };
    read_policy(source, settings).map_err(|faults| told(show, path, &faults))
}

/// Tells every fault, and gives the refusal that sums them up.
pub fn told(show: &Printer, path: &Path, faults: &[ConfigFault]) -> Refusal {
    show.faults(faults);
    let count = match faults.len() {
        1 => "a fault".to_owned(),
        several => format!("{several} faults"),
    };
    Refusal::unavailable(
        format!("{} has {count}", path.display()),
        "correct the file; nothing was done",
    )
}

/// A file's text.
///
/// # Errors
/// A refusal that names the file and the kind of the fault.
pub fn text(path: &Path) -> Result<String, Refusal> {
    files::text(path).map_err(|unread| {
        let sentence = format!("{} {}", path.display(), unread.words());
        Refusal::unavailable(sentence, unread.next())
    })
}

/// Waits for a future on a runtime of its own: a command has nothing else to do meanwhile.
///
/// # Errors
/// The system gave no runtime.
pub fn wait<T>(future: impl Future<Output = T>) -> Result<T, Refusal> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| {
            Refusal::unavailable(
                format!("the system gave no runtime: {}", reason(error.kind())),
                "look at the limits of this process (open files), then run the command again",
            )
        })?;
    Ok(runtime.block_on(future))
}
