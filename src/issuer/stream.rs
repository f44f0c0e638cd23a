//! What one bearer hears: a look at the store, and what follows from it.

use super::authorize::{self, AuthorizeError};
use super::state::{Issuer, LiveConfig};
use oam_model::feed::{FeedEvent, FeedItem};
use oam_model::principal::{Groups, Principal};
use oam_policy::claims::Claims;
use oam_policy::feed::{Evidence, StreamAccess, as_of_ms, delivery};
use oam_store::{Cursor, StoreFault};
use oam_system::clock;
use std::sync::Arc;

/// A bearer with its place in the feed.
pub struct Listener {
    issuer: Arc<Issuer>,
    principal: Principal,
    cursor: Option<Cursor>,
    /// The cursor that was told last.
    told: Option<Cursor>,
}

/// One look.
pub struct StreamBatch {
    /// Messages, in order.
    pub items: Vec<FeedItem>,
    /// The stream ends after them.
    pub over: bool,
}

impl Listener {
    /// A listener from `after` on; none: from now on.
    pub fn new(issuer: Arc<Issuer>, mut principal: Principal, after: Option<Cursor>) -> Self {
        // What a stream keeps for hours is little: of the claims only what admission looks at.
        let mut looked_at = Claims::new();
        if let Some(iat) = principal.claims.get("iat") {
            looked_at.insert("iat".to_owned(), iat.clone());
        }
        principal.claims = Arc::new(looked_at);
        principal.groups = Groups::Known(Vec::new());
        Self {
            issuer,
            principal,
            cursor: after,
            told: None,
        }
    }

    /// Unix seconds at which the bearer expires.
    pub const fn expires_at(&self) -> u64 {
        self.principal.expires_at
    }

    /// Looks what came since the last look; with `beat` a heartbeat follows. The feed is read before the
    /// person: an end that is committed in between is then seen in the person.
    ///
    /// # Errors
    /// The store is not there: nothing is known, so nothing is said, above all no heartbeat.
    pub async fn look(&mut self, beat: bool) -> Result<StreamBatch, StoreFault> {
        let live_config = self.issuer.live_config();
        let store = &self.issuer.store;
        let key = &self.principal.key;
        let page = store.feed(key.clone(), self.cursor.clone()).await?;
        let row = store.person(key.clone()).await?;
        // A proof of another session says nothing of this one: the provider may have ended just this one.
        let proven_at = row
            .as_ref()
            .filter(|row| row.seen.session.is_some() && row.seen.session == self.principal.session)
            .map_or(0, |row| row.seen.proven_at);
        let since =
            authorize::session_since(&self.issuer, &live_config, &self.principal, row.as_ref());
        let since = since.await?;
        let bearer = match authorize::admit_by(&live_config, self.principal.clone(), row, since) {
            Err(AuthorizeError::Denied(barred)) => StreamAccess::Over(barred.event()),
            Ok(_) | Err(AuthorizeError::Unknown(_)) => StreamAccess::Admitted,
        };
        let sent = delivery(page.reset, page.events, bearer);
        let generation = page.head.generation.clone();
        let item = |(seq, event): (Option<u64>, FeedEvent)| FeedItem {
            id: seq.map(|seq| format!("{generation}.{seq}")),
            event,
        };
        let mut items: Vec<FeedItem> = sent.items.into_iter().map(item).collect();
        self.cursor = Some(page.head);
        if beat && !sent.over {
            items.push(self.heartbeat(&live_config, proven_at).await?);
        }
        Ok(StreamBatch {
            items,
            over: sent.over,
        })
    }

    async fn heartbeat(
        &mut self,
        live_config: &LiveConfig,
        proven_at: u64,
    ) -> Result<FeedItem, StoreFault> {
        let mut stream: Option<(u64, u64)> = None;
        for (transmitter, live_for_ms) in live_config.streams_of(&self.principal.key) {
            let verified = self.issuer.store.stream_verified(transmitter.to_owned());
            if let Some(at_ms) = verified.await? {
                stream = stream.max(Some((at_ms, live_for_ms)));
            }
        }
        let now_ms = clock::now_ms();
        let evidence = Evidence {
            bearer_ms: self.principal.proven_at.saturating_mul(1000),
            proven_ms: proven_at.saturating_mul(1000),
            stream,
        };
        let moved = self.told != self.cursor;
        self.told.clone_from(&self.cursor);
        Ok(FeedItem {
            id: self
                .cursor
                .as_ref()
                .filter(|_| moved)
                .map(|cursor| format!("{}.{}", cursor.generation, cursor.seq)),
            event: FeedEvent::Heartbeat {
                as_of_ms: as_of_ms(evidence, now_ms),
                sent_at_ms: now_ms,
                setup: Some(live_config.setup.clone()),
            },
        })
    }
}

/// A cursor as it was told: `GENERATION.SEQ`. What can't be one is a cursor of nobody, and answered
/// with a reset.
pub fn cursor(text: &str) -> Cursor {
    let unknown = || Cursor {
        generation: String::new(),
        seq: 0,
    };
    let Some((generation, seq)) = text.rsplit_once('.') else {
        return unknown();
    };
    seq.parse().map_or_else(
        |_| unknown(),
        |seq| Cursor {
            generation: generation.chars().take(64).collect(),
            seq,
        },
    )
}

#[cfg(test)]
mod tests {
    use super::cursor;

    #[test]
    fn a_cursor_is_read_as_it_was_told_and_anything_else_is_nobodys() {
        assert_eq!(cursor("abc.17").seq, 17);
        assert_eq!(cursor("abc.17").generation, "abc");
        for bad in [
            "",
            "17",
            "abc.",
            "abc.x",
            "abc.-1",
            "\u{1f4a9}.99999999999999999999999",
        ] {
            assert_eq!(cursor(bad).generation, "", "{bad}");
        }
    }
}
