//! What a store's fault means for whoever asked.

use super::store::StoreFault;
use crate::model::refusal::{Refusal, RefusalCode};

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
