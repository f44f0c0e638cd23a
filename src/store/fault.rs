//! Why the store did not do it, and what that means for whoever asked.

use oam_model::refusal::{Refusal, RefusalCode};

/// Why the store did not do it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StoreFault {
    /// Nothing was written: disk full, file gone, damaged, busy. Our own words.
    Unavailable(String),
    /// [`super::StoreChange::Issue`]: the person's epoch is another: something ended since they were admitted.
    /// Nothing of the batch was written.
    Overtaken,
    /// An administrator's order to end or lift what is so already. Nothing of the batch was written.
    Unchanged,
    /// [`super::StoreChange::Once`]: this signal was taken before. Nothing of the batch was written.
    Replayed,
    /// A record of a directory with a name that another one has already. Nothing of the batch was written.
    Taken,
    /// [`super::StoreChange::RecordQuota`]: the day's share of this person is used up. Nothing was written.
    Exhausted,
    /// What was to be written can't be kept, whoever keeps it. Nothing of the batch was written, and the
    /// store is as good as before.
    Invalid(&'static str),
}

impl StoreFault {
    /// The refusal: a store that is not there refuses, it never lets through (promise 4).
    pub fn refusal(&self) -> Refusal {
        match self {
            Self::Unavailable(why) => Refusal::unavailable(
                format!("the issuer's database is not available: {why}"),
                "try again; if it stays so, tell the issuer's administrators",
            ),
            Self::Overtaken => Refusal::new(
                RefusalCode::Busy,
                "something changed while this was decided, so nothing was done",
                "try again",
            ),
            Self::Exhausted => Refusal::new(
                RefusalCode::Busy,
                "this person's agents have sent as many records as are taken in one day",
                "wait until tomorrow; where that is too few, the administrators raise `records_per_day`",
            ),
            Self::Invalid(what) => Refusal::bad_request(
                format!("this can't be kept: {what}"),
                "correct it and send it again",
            ),
            Self::Taken => Refusal::bad_request(
                "another record has this name already",
                "change that one, or choose another name",
            ),
            Self::Unchanged => Refusal::denied("it is so already", "nothing has to be done"),
            Self::Replayed => Refusal::denied(
                "this message was taken before",
                "send each message once, with its own id",
            ),
        }
    }
}
