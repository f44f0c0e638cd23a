//! Why the store did not do it, and what that means for whoever asked.

use crate::model::refusal::{Refusal, RefusalCode};

/// Why the store did not do it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StoreFault {
    /// Nothing was written: disk full, file gone, damaged, busy. Our own words.
    Unavailable(String),
    /// [`super::Change::Issue`]: the person's epoch is another: something ended since they were admitted.
    /// Nothing of the batch was written.
    Overtaken,
    /// [`super::Change::Once`]: this signal was taken before. Nothing of the batch was written.
    Replayed,
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
            Self::Replayed => Refusal::denied(
                "this message was taken before",
                "send each message once, with its own id",
            ),
        }
    }
}
