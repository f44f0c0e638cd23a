//! Repositories of late: what a person most likely means when they start to type one.

use super::files;
use crate::places;
use oam_model::name::Repository;
use oam_model::record::Entry;
use std::collections::HashSet;

/// How much of the log's end is read: some five hundred records.
const TAIL: u64 = 256 * 1024;

/// How many are worth a person's look.
const MOST: usize = 30;

/// Repositories in the newest records, the newest first; none where the log can't be read.
pub fn recent_repositories() -> Vec<Repository> {
    let Some(folder) = places::audit_folder() else {
        return Vec::new();
    };
    let path = folder.join(files::CURRENT);
    let length = path.metadata().map_or(0, |about| about.len());
    let mut asked = Vec::new();
    // The first line may be cut, and is no record then.
    let read = files::each_from(&path, length.saturating_sub(TAIL), |line| {
        let entry = serde_json::from_slice::<Entry>(line).ok();
        asked.extend(entry.and_then(|entry| entry.record.repository));
    });
    if read.is_err() {
        return Vec::new();
    }
    let mut seen = HashSet::new();
    let newest = asked.into_iter().rev();
    let once = newest.filter(|repository| seen.insert(repository.clone()));
    once.take(MOST).collect()
}
