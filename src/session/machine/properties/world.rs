//! The world of a session machine: does what it says, remembers, and checks each effect.

use super::super::fixture::{LIMITS, START, live, order};
use super::super::*;
use super::Move;
use crate::standing::{Meaning, MintMeaning};
use oam_model::name::RoleName;
use std::collections::{BTreeMap, BTreeSet};

/// A core that does nothing but remember.
pub(super) struct World {
    machine: SessionMachine,
    now: Moment,
    asked: u64,
    pub(super) open: BTreeSet<u64>,
    strict: BTreeMap<u64, bool>,
    refresh: Option<Flight>,
    mints: BTreeSet<u64>,
    tokens: BTreeMap<u64, Moment>,
    next_token: u64,
    signed_in: bool,
    last_proof: Option<Moment>,
    bound: bool,
    limits: SessionLimits,
    /// In doubt: nothing may leave until a refresh that was sent later brings a proof.
    doubted: bool,
    /// The refresh that was under way when the doubt came.
    too_early: Option<u64>,
    /// Tokens of the role that can be lost.
    of_publisher: BTreeSet<u64>,
}

impl World {
    pub(super) fn new(fresh_ms: u64) -> Self {
        let limits = SessionLimits { fresh_ms, ..LIMITS };
        Self {
            machine: SessionMachine::new("acme", limits, 0, 0),
            bound: true,
            limits,
            now: START,
            asked: 0,
            open: BTreeSet::new(),
            strict: BTreeMap::new(),
            refresh: None,
            mints: BTreeSet::new(),
            tokens: BTreeMap::new(),
            next_token: 0,
            signed_in: false,
            last_proof: None,
            doubted: false,
            too_early: None,
            of_publisher: BTreeSet::new(),
        }
    }

    fn event(&mut self, event: impl Into<Event>) {
        let event = event.into();
        let effects = self.machine.step(event, self.now);
        for effect in effects {
            self.check(&effect);
        }
    }

    fn check(&mut self, effect: &Effect) {
        match *effect {
            Effect::End { .. } => {
                self.signed_in = false;
                self.tokens.clear();
                self.refresh = None;
                self.mints.clear();
                self.last_proof = None;
                self.doubted = false;
            }
            Effect::Drop(token) => {
                self.tokens.remove(&token);
            }
            Effect::Grant { ticket, token } => {
                assert!(self.open.remove(&ticket), "a second answer to {ticket}");
                self.check_served(token, self.strict[&ticket]);
            }
            Effect::Deliver { token, follower } => {
                self.check_served(token, self.strict[&follower]);
            }
            Effect::Refuse { ticket, .. } => {
                assert!(self.open.remove(&ticket), "a second answer to {ticket}");
            }
            Effect::Refresh(flight) => {
                let retry = self
                    .refresh
                    .is_some_and(|f| f.id == flight.id && flight.attempt == 2 && f.attempt == 1);
                assert!(self.refresh.is_none() || retry, "two renewals at once");
                self.refresh = Some(flight);
            }
            Effect::Mint { flight, .. } => {
                assert!(self.signed_in);
                assert!(!self.doubted, "an exchange in doubt");
                assert!(self.bound, "an exchange under an edited configuration");
                assert!(self.mints.insert(flight));
            }
            Effect::Withdraw { .. } | Effect::Notify(_) | Effect::Doubt(_) => {}
        }
    }

    fn check_served(&self, token: u64, strict: bool) {
        assert!(self.signed_in, "a token left after the end");
        assert!(!self.doubted, "a token left in doubt");
        assert!(self.bound, "a token left under an edited configuration");
        let expires = self
            .tokens
            .get(&token)
            .expect("a token of an earlier epoch left");
        assert!(self.now.until(*expires) >= 60_000, "less than the margin");
        let age = self.last_proof.map_or(u64::MAX, |at| self.now.since(at));
        // An exchange for a strict role began with a fresh proof; its end may lie later.
        assert!(strict || age <= self.limits.lease_ms, "beyond the lease");
    }

    pub(super) fn play(&mut self, step: &Move) {
        match *step {
            Move::Ask(n, strict) => {
                self.asked += 1;
                let ticket = self.asked;
                self.open.insert(ticket);
                self.strict.insert(ticket, strict);
                self.event(PersonEvent::Asked {
                    who: Who::Ticket(ticket),
                    order: wanted(n),
                    offline: rule(strict),
                });
            }
            Move::Follow(n, strict) => {
                self.asked += 1;
                let who = Who::Follower(self.asked);
                self.strict.insert(self.asked, strict);
                self.event(PersonEvent::Asked {
                    who,
                    order: wanted(n),
                    offline: rule(strict),
                });
            }
            Move::Unfollow => self.event(PersonEvent::Unfollowed(self.asked)),
            Move::Pass(ms) => self.pass(u64::from(ms)),
            Move::RefreshOk(life) => self.refresh_ok(u64::from(life)),
            Move::RefreshBad(n) => self.refresh_bad(n),
            Move::MintOk(life) => self.mint_ok(u64::from(life)),
            Move::MintBad(n) => self.mint_bad(n),
            Move::Reject => self.event(PersonEvent::Rejected(self.next_token)),
            Move::SignIn(life) => self.sign_in(u64::from(life)),
            Move::SignOut => self.event(PersonEvent::SignedOut),
            Move::Revoke => self.event(IssuerEvent::Over(StandingWord::Revoked, None)),
            Move::Vouch(age) => self.vouch(u64::from(age)),
            Move::Doubt => self.doubt(),
            Move::RolesLost(said) => self.lose(said),
            Move::MintDenied(n) => self.mint_denied(n),
            Move::Renew => self.event(IssuerEvent::Renew),
            Move::Prove => self.event(PersonEvent::ProofWanted),
            Move::Bind(bound) => {
                self.bound = bound || self.machine.standing().live().is_none();
                self.event(HostEvent::Bound(bound));
            }
        }
    }

    fn vouch(&mut self, age: u64) {
        let at = Moment::new(self.now.boot_ms - age, self.now.wall_ms - age);
        let live = self.machine.standing().live().is_some();
        if live && self.bound && !self.doubted {
            let known = self.last_proof.map_or(u64::MAX, |at| self.now.since(at));
            if age < known {
                self.last_proof = Some(at);
            }
        }
        self.event(IssuerEvent::Vouched(at));
        if !self.doubted {
            let known = self
                .machine
                .standing()
                .live()
                .and_then(|live| live.last_proof);
            assert_eq!(known, self.last_proof);
        }
    }

    fn doubt(&mut self) {
        if self.machine.standing().live().is_some() {
            self.doubted = true;
            self.too_early = self.refresh.map(|flight| flight.id);
            self.last_proof = None;
            // What is on its way is of before.
            self.mints.clear();
        }
        self.event(IssuerEvent::Doubted("logout".into()));
    }

    fn lose(&mut self, said: bool) {
        let publisher: RoleName = "publisher".parse().unwrap();
        let held = vec!["reader".parse().unwrap()];
        for token in std::mem::take(&mut self.of_publisher) {
            self.tokens.remove(&token);
        }
        let lost = if said { vec![publisher] } else { vec![] };
        self.event(IssuerEvent::RolesChanged { held, lost });
    }

    fn mint_denied(&mut self, n: u8) {
        let Some(flight) = self.mints.pop_first() else {
            return;
        };
        let meaning = [
            MintMeaning::Revoked,
            MintMeaning::Ended,
            MintMeaning::Denied,
            MintMeaning::SubjectRefused,
        ][usize::from(n)];
        let awaited = self.machine.awaits_mint(flight);
        if meaning == MintMeaning::Ended && awaited {
            // Whether it is the first time the session machine knows; then it is in doubt.
            let before = self.refresh;
            let refusal = Refusal::denied("ended", "sign in");
            let effects = self.machine.step(
                IssuerEvent::MintDenied {
                    flight,
                    meaning,
                    refusal,
                },
                self.now,
            );
            let suspicion = self
                .machine
                .standing()
                .live()
                .and_then(|l| l.suspicion.clone());
            if suspicion.is_some() && !self.doubted {
                self.doubted = true;
                self.too_early = before.map(|flight| flight.id);
                self.last_proof = None;
                self.mints.clear();
            }
            for effect in effects {
                self.check(&effect);
            }
            return;
        }
        self.event(IssuerEvent::MintDenied {
            flight,
            meaning,
            refusal: Refusal::denied("no", "ask"),
        });
    }

    pub(super) fn sign_in(&mut self, seconds: u64) {
        self.doubted = false;
        self.signed_in = true;
        self.bound = true;
        self.last_proof = Some(self.now);
        self.refresh = None;
        self.mints.clear();
        let mut live = live(self.now);
        live.subject_expires = Some(self.now.unix() + seconds);
        self.event(PersonEvent::SignedIn(live));
    }

    /// A wake that changes nothing would be a loop without a pause.
    pub(super) fn check_wake(&mut self) {
        if self.machine.next_wake(self.now) == Some(0) {
            self.event(HostEvent::Tick);
            assert_ne!(
                self.machine.next_wake(self.now),
                Some(0),
                "{:?}",
                self.machine
            );
        }
    }

    fn pass(&mut self, ms: u64) {
        self.now = self.now.plus(ms);
        self.event(HostEvent::Tick);
    }

    fn refresh_ok(&mut self, life: u64) {
        if let Some(flight) = self.refresh.take() {
            if self.doubted && self.too_early == Some(flight.id) {
                // Asked for before the doubt: no proof.
            } else {
                self.doubted = false;
                self.last_proof = Some(self.now);
            }
            let identity = super::super::fixture::identity();
            self.event(ProviderEvent::Refreshed {
                flight: flight.id,
                identity,
                subject_expires: Some(self.now.unix() + life),
            });
        }
    }

    fn refresh_bad(&mut self, n: u8) {
        let Some(flight) = self.refresh else { return };
        let meanings = [
            Meaning::Ended,
            Meaning::EndedIfRepeated,
            Meaning::Ambiguous,
            Meaning::Untouched,
            Meaning::OurMistake,
        ];
        let meaning = meanings[usize::from(n)];
        let retried =
            flight.attempt == 1 && matches!(meaning, Meaning::EndedIfRepeated | Meaning::Ambiguous);
        if !retried {
            self.refresh = None;
        }
        self.event(ProviderEvent::RefreshFailed {
            flight: flight.id,
            meaning,
            words: "down".into(),
        });
    }

    fn mint_ok(&mut self, life: u64) {
        if let Some(flight) = self.mints.pop_first() {
            self.next_token += 1;
            let order = self.machine.cache.order_of_flight(flight);
            if order.is_some_and(|order| order.role.as_str() == "publisher") {
                self.of_publisher.insert(self.next_token);
            }
            self.tokens
                .insert(self.next_token, self.now.plus(life * 1000));
            self.event(IssuerEvent::Minted {
                flight,
                token: self.next_token,
                expires_in_s: life,
            });
        }
    }

    fn mint_bad(&mut self, n: u8) {
        if let Some(flight) = self.mints.pop_first() {
            let meaning = [
                MintMeaning::SubjectRefused,
                MintMeaning::Denied,
                MintMeaning::Unavailable,
                MintMeaning::OurMistake,
            ][usize::from(n)];
            self.event(IssuerEvent::MintFailed {
                flight,
                by: TokenServer::Endpoint,
                meaning,
                words: "no".into(),
            });
        }
    }

    /// The network answers everything, time passes: nobody may be left waiting.
    pub(super) fn settle(&mut self) {
        for _ in 0..8 {
            self.pass(2_000);
            self.refresh_bad(3);
            while !self.mints.is_empty() {
                self.mint_bad(2);
            }
        }
    }
}

/// The third order is for a role that can be lost.
fn wanted(n: u8) -> TokenKey {
    let mut order = order(n);
    if n == 2 {
        order.role = "publisher".parse().unwrap();
    }
    order
}

fn rule(strict: bool) -> OfflineRule {
    if strict {
        OfflineRule::Strict
    } else {
        OfflineRule::Grace
    }
}
