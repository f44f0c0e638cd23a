//! Role tokens held, being minted, and waited for. The tokens themselves lie with the core; here
//! they are numbers.

use oam_model::name::{Repository, RoleName};
use oam_model::time::Moment;
use oam_model::token_key::TokenKey;
use std::collections::BTreeMap;

/// A token is never handed out with less life than this, ms.
pub const MARGIN_MS: u64 = 60_000;

/// A second rejection within this time stops the caller, ms.
pub const REJECTION_MEMORY_MS: u64 = 30_000;

/// Number of a token held by the core.
pub type TokenId = u64;

/// A token held.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CachedToken {
    /// Its number.
    pub token: TokenId,
    /// When it expires, on both clocks.
    pub expires: Moment,
    /// Its whole life, ms.
    pub life_ms: u64,
}

impl CachedToken {
    /// Whether it may still be handed out.
    pub fn is_servable(&self, now: Moment) -> bool {
        now.until(self.expires) >= MARGIN_MS
    }

    /// Life left at which a successor is minted, ms: the margin, and half of what the token has
    /// beyond it, one minute at most.
    pub fn renew_at_ms(&self) -> u64 {
        MARGIN_MS + (self.life_ms.saturating_sub(MARGIN_MS) / 2).min(60_000)
    }

    /// Whether a successor is due.
    pub fn is_due(&self, now: Moment) -> bool {
        now.until(self.expires) <= self.renew_at_ms()
    }
}

/// What is known of one order.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct CacheEntry<W> {
    /// The token held.
    pub held: Option<CachedToken>,
    /// Number of the exchange under way: at most one.
    pub flight: Option<u64>,
    /// Who waits for it.
    pub waiters: Vec<W>,
    /// The exchange refused the subject token once and the session was proven since.
    pub proven_again: bool,
}

/// All orders of one session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenCache<W> {
    slots: BTreeMap<TokenKey, CacheEntry<W>>,
    rejections: BTreeMap<(String, Option<Repository>), Rejection>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Rejection {
    at: Moment,
    repeated: bool,
}

impl<W> Default for TokenCache<W> {
    fn default() -> Self {
        Self {
            slots: BTreeMap::new(),
            rejections: BTreeMap::new(),
        }
    }
}

impl<W> TokenCache<W> {
    /// The slot of an order, made when it is new.
    pub fn slot(&mut self, order: &TokenKey) -> &mut CacheEntry<W> {
        self.slots
            .entry(order.clone())
            .or_insert_with(|| CacheEntry {
                held: None,
                flight: None,
                waiters: Vec::new(),
                proven_again: false,
            })
    }

    /// The token held for an order.
    pub fn held(&self, order: &TokenKey) -> Option<&CachedToken> {
        self.slots.get(order).and_then(|slot| slot.held.as_ref())
    }

    /// The order whose exchange has this number.
    pub fn order_of_flight(&self, flight: u64) -> Option<TokenKey> {
        self.slots
            .iter()
            .find(|(_, slot)| slot.flight == Some(flight))
            .map(|(order, _)| order.clone())
    }

    /// The roles of everything that is held or wanted.
    pub fn roles(&self) -> impl Iterator<Item = &RoleName> {
        self.slots.keys().map(|order| &order.role)
    }

    /// Whether the last exchange for this order was refused, and waits for a proof.
    pub fn is_proven_again(&self, order: &TokenKey) -> bool {
        self.slots.get(order).is_some_and(|slot| slot.proven_again)
    }

    /// Whether any exchange is under way.
    pub fn is_minting(&self) -> bool {
        self.slots.values().any(|slot| slot.flight.is_some())
    }

    /// Takes everything out: the tokens held and all who wait.
    pub fn clear(&mut self) -> (Vec<TokenId>, Vec<(TokenKey, W)>) {
        self.rejections.clear();
        let slots = std::mem::take(&mut self.slots);
        let mut tokens = Vec::new();
        let mut waiters = Vec::new();
        for (order, slot) in slots {
            tokens.extend(slot.held.map(|held| held.token));
            waiters.extend(
                slot.waiters
                    .into_iter()
                    .map(|waiter| (order.clone(), waiter)),
            );
        }
        (tokens, waiters)
    }

    /// Takes out everything of these roles.
    pub fn clear_roles(&mut self, roles: &[RoleName]) -> (Vec<TokenId>, Vec<(TokenKey, W)>) {
        let mut tokens = Vec::new();
        let mut waiters = Vec::new();
        let lost: Vec<TokenKey> = self
            .slots
            .keys()
            .filter(|order| roles.contains(&order.role))
            .cloned()
            .collect();
        for order in lost {
            if let Some(slot) = self.slots.remove(&order) {
                tokens.extend(slot.held.map(|held| held.token));
                waiters.extend(
                    slot.waiters
                        .into_iter()
                        .map(|waiter| (order.clone(), waiter)),
                );
            }
        }
        (tokens, waiters)
    }

    /// Takes out tokens that can no longer be handed out and are not being renewed.
    pub fn sweep(&mut self, now: Moment) -> Vec<TokenId> {
        let mut gone = Vec::new();
        self.slots.retain(|_, slot| {
            if slot
                .held
                .as_ref()
                .is_some_and(|held| !held.is_servable(now))
            {
                gone.extend(slot.held.take().map(|held| held.token));
            }
            slot.held.is_some()
                || slot.flight.is_some()
                || !slot.waiters.is_empty()
                || slot.proven_again
        });
        gone
    }

    /// The hub rejected this token: takes it out and remembers. Nothing happens for a token that is
    /// not held any more, so that `erase` can't be used to deny service.
    pub fn reject(&mut self, token: TokenId, now: Moment) -> bool {
        let found = self
            .slots
            .iter_mut()
            .find(|(_, slot)| slot.held.as_ref().is_some_and(|h| h.token == token));
        let Some((order, slot)) = found else {
            return false;
        };
        slot.held = None;
        let key = (order.hub_url.clone(), order.repository.clone());
        self.rejections
            .retain(|_, r| now.since(r.at) < REJECTION_MEMORY_MS);
        let repeated = self
            .rejections
            .get(&key)
            .is_some_and(|r| now.since(r.at) < REJECTION_MEMORY_MS);
        self.rejections.insert(key, Rejection { at: now, repeated });
        true
    }

    /// Whether two tokens for this hub and repository were rejected in a row just now.
    pub fn is_rejected(&self, order: &TokenKey, now: Moment) -> bool {
        let key = (order.hub_url.clone(), order.repository.clone());
        self.rejections
            .get(&key)
            .is_some_and(|r| r.repeated && now.since(r.at) < REJECTION_MEMORY_MS)
    }
}
