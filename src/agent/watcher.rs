//! One gateway that watches a session.

use super::command::ReplySender;
use oam_model::caller::Caller;
use oam_model::name::HubName;
use oam_model::served::ServedTraffic;

/// A gateway whose process lives: its connection is open.
pub(super) struct Watcher {
    pub number: u64,
    pub answers: ReplySender,
    pub caller: Caller,
    pub hub: HubName,
    /// What it told last; none before its first token, and once its sum is on record.
    pub served: Option<ServedTraffic>,
    /// Its sum is on record: what was told before it and comes later adds nothing.
    pub summed: bool,
    /// It was told of the session's end.
    pub withdrawn: bool,
}
