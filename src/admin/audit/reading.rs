//! The log page by page: a log of any length needs the memory of one page.

use crate::show::Printer;
use oam_model::refusal::Refusal;
use oam_store::{AuditFilter, AuditLine, AuditTrail};
use std::time::{Duration, Instant};

/// Entries of one page.
pub(super) const PAGE: usize = 1_000;

/// What is shown while a work takes longer than a person waits.
pub(super) struct Progress<'a> {
    show: &'a Printer,
    next: Instant,
    shown: bool,
}

impl<'a> Progress<'a> {
    /// Says nothing for the first second.
    pub(super) fn new(show: &'a Printer) -> Self {
        Self {
            show,
            next: Instant::now() + Duration::from_secs(1),
            shown: false,
        }
    }

    /// So many are done.
    pub(super) fn at(&mut self, count: u64, what: &str) {
        if Instant::now() >= self.next {
            self.next = Instant::now() + Duration::from_millis(250);
            self.shown = true;
            self.show.progress(&format!("{count} {what}"));
        }
    }
}

impl Drop for Progress<'_> {
    fn drop(&mut self) {
        if self.shown {
            self.show.progress("");
        }
    }
}

/// Gives each page after `after` to `each`, until it says enough.
///
/// # Errors
/// The store's fault.
pub(super) async fn pages(
    store: &dyn AuditTrail,
    filter: &AuditFilter,
    mut after: u64,
    mut each: impl FnMut(&[AuditLine]) -> bool,
) -> Result<u64, Refusal> {
    loop {
        let page = store
            .audit(filter.clone(), after, PAGE)
            .await
            .map_err(|fault| fault.refusal())?;
        let Some(last) = page.last() else {
            return Ok(after);
        };
        after = last.seq;
        if !each(&page) || page.len() < PAGE {
            return Ok(after);
        }
    }
}

/// Number of the last entry; 0 when there is none. Found by halves, because numbers have no gaps.
///
/// # Errors
/// The store's fault.
pub(super) async fn head(store: &dyn AuditTrail) -> Result<u64, Refusal> {
    let (mut least, mut most) = (0u64, u64::from(u32::MAX) << 16);
    while least < most {
        let middle = least + (most - least) / 2;
        let beyond = store
            .audit(AuditFilter::default(), middle, 1)
            .await
            .map_err(|fault| fault.refusal())?;
        match beyond.first() {
            Some(line) => least = line.seq,
            None => most = middle,
        }
    }
    Ok(least)
}
