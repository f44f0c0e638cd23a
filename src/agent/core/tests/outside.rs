//! Ports that only remember, and do what the test says.

use super::issuer::FakeIssuer;
use super::screen::FakeScreen;
use super::*;
use crate::notice_memory::NoticeMemory;
use crate::ports::{
    Authentication, Configuration, LocalBoxFuture, Meanwhile, PendingLogin, Published, Returned,
    StoreWish, Tell, TokenKey, UserInfo,
};
use crate::state::Sealed;
use oam_config::agent::Org;
use oam_model::report::ProviderFault;
use std::cell::{Cell, RefCell};

/// A refresh that was sent: where to, with which token, and how to answer it.
pub(super) struct Refresh {
    pub(super) issuer: String,
    pub(super) token: String,
    pub(super) answer: oneshot::Sender<Result<Arrived, EndpointFault>>,
}

/// An exchange that was sent.
pub(super) struct Mint {
    pub(super) endpoint: String,
    pub(super) repository: String,
    pub(super) request_id: String,
    pub(super) answer: oneshot::Sender<Result<Minted, EndpointFault>>,
}

/// Everything outside.
pub(super) struct Fake {
    pub(super) now: Cell<Moment>,
    pub(super) rolls: Cell<u128>,
    /// What was done, in order.
    pub(super) trace: RefCell<Vec<String>>,
    pub(super) refreshes: RefCell<Vec<Refresh>>,
    /// What the provider says there.
    pub(super) userinfo: RefCell<UserInfo>,
    pub(super) mints: RefCell<Vec<Mint>>,
    pub(super) logins: RefCell<Vec<oneshot::Sender<Result<Arrived, Refusal>>>>,
    /// What each sign-in asked of the provider.
    pub(super) authentications: RefCell<Vec<Authentication>>,
    /// What browsers were shown: a refusal, or that somebody is signed in.
    pub(super) pages: Rc<RefCell<Vec<Option<RefusalCode>>>>,
    /// Calls with these names fail.
    pub(super) broken: RefCell<Vec<&'static str>>,
    /// What the configuration's files say.
    pub(super) written: RefCell<Settings>,
    pub(super) published: RefCell<Option<oam_model::organization::Organization>>,
    /// The disk.
    pub(super) sealed: RefCell<Option<String>>,
    pub(super) tombstones: RefCell<BTreeMap<OrgName, Tombstone>>,
    pub(super) told: RefCell<NoticeMemory>,
    pub(super) lines: RefCell<Vec<String>>,
    pub(super) files: RefCell<BTreeMap<String, String>>,
    pub(super) store: Cell<StoreChoice>,
    /// Held back until the test lets the sealed state open.
    pub(super) opens: RefCell<Vec<oneshot::Sender<()>>>,
    pub(super) slow_open: Cell<bool>,
    /// What another program did to the state; told once.
    pub(super) meanwhile: RefCell<Option<Meanwhile>>,
    /// What the organization's own issuer is asked.
    pub(super) issuer: Rc<FakeIssuer>,
    pub(super) screen: FakeScreen,
}

impl Fake {
    pub(super) fn new() -> Rc<Self> {
        Rc::new(Self {
            now: Cell::new(START),
            rolls: Cell::new(0),
            trace: RefCell::default(),
            refreshes: RefCell::default(),
            userinfo: RefCell::default(),
            mints: RefCell::default(),
            logins: RefCell::default(),
            authentications: RefCell::default(),
            pages: Rc::default(),
            broken: RefCell::default(),
            written: RefCell::default(),
            published: RefCell::default(),
            sealed: RefCell::default(),
            tombstones: RefCell::default(),
            told: RefCell::default(),
            lines: RefCell::default(),
            files: RefCell::default(),
            store: Cell::new(StoreChoice::Keyring),
            opens: RefCell::default(),
            slow_open: Cell::new(false),
            meanwhile: RefCell::default(),
            issuer: Rc::default(),
            screen: FakeScreen::default(),
        })
    }

    pub(super) fn note(&self, what: impl Into<String>) {
        self.trace.borrow_mut().push(what.into());
    }

    pub(super) fn call(&self, what: &'static str) -> Result<(), String> {
        self.note(what);
        if self.broken.borrow().contains(&what) {
            Err(format!("{what} is broken"))
        } else {
            Ok(())
        }
    }

    pub(super) fn breaks(&self, what: &'static str) {
        self.broken.borrow_mut().push(what);
    }

    pub(super) fn mend(&self) {
        self.broken.borrow_mut().clear();
    }

    pub(super) fn pass(&self, ms: u64) {
        self.now.set(self.now.get().plus(ms));
    }

    pub(super) fn traced(&self, what: &str) -> usize {
        self.trace.borrow().iter().filter(|t| *t == what).count()
    }

    pub(super) fn place_of(&self, what: &str) -> usize {
        let trace = self.trace.borrow();
        let found = trace.iter().position(|t| t.starts_with(what));
        found.unwrap_or_else(|| panic!("{what} is not in {trace:?}"))
    }

    pub(super) fn on_disk(&self) -> Option<Sealed> {
        (self.sealed.borrow().as_deref()).map(|s| serde_json::from_str(s).unwrap())
    }

    pub(super) fn refresh_on_disk(&self) -> Option<String> {
        let sealed = self.on_disk()?;
        let session = sealed.sessions.values().next()?;
        Some(session.tokens.refresh.expose().to_owned())
    }
}

impl Clock for Fake {
    fn now(&self) -> Moment {
        self.now.get()
    }
}

impl Rng for Fake {
    fn random(&self) -> u128 {
        self.rolls.set(self.rolls.get() + 1);
        self.rolls.get()
    }
}

impl IdentityProvider for Fake {
    fn begin(
        &self,
        _: &Org,
        authentication: Authentication,
        _: oam_model::sign_in::SignInBy,
    ) -> LocalBoxFuture<Result<PendingLogin, Refusal>> {
        let (sender, receiver) = oneshot::channel();
        self.logins.borrow_mut().push(sender);
        self.authentications.borrow_mut().push(authentication);
        let pages = Rc::clone(&self.pages);
        let tell: Tell = Box::new(move |refusal| {
            pages.borrow_mut().push(refusal.map(|refusal| refusal.code));
            Box::pin(async {})
        });
        Box::pin(async move {
            Ok(PendingLogin {
                url: "https://idp.acme.example/authorize".into(),
                device: None,
                arrival: Box::pin(async move {
                    let arrived = receiver.await.unwrap()?;
                    Ok(Returned { arrived, tell })
                }),
            })
        })
    }

    fn userinfo(&self, _: &Org, _: Arc<Secret>, _: Identity) -> LocalBoxFuture<UserInfo> {
        self.note(format!("userinfo, {:?} is on disk", self.refresh_on_disk()));
        Box::pin(std::future::ready(self.userinfo.borrow().clone()))
    }

    fn look(&self, _: &Org) -> LocalBoxFuture<Vec<ProviderFault>> {
        Box::pin(async { Vec::new() })
    }

    fn refresh(
        &self,
        org: &Org,
        tokens: SessionTokens,
        _: Identity,
    ) -> LocalBoxFuture<Result<Arrived, EndpointFault>> {
        self.note("refresh");
        let (answer, receiver) = oneshot::channel();
        self.refreshes.borrow_mut().push(Refresh {
            issuer: org.provider.issuer.clone(),
            token: tokens.refresh.expose().to_owned(),
            answer,
        });
        Box::pin(async move { receiver.await.unwrap() })
    }

    fn revoke(&self, org: &Org, refresh: Arc<Secret>) -> LocalBoxFuture<Result<(), String>> {
        let (issuer, token) = (&org.provider.issuer, refresh.expose());
        self.note(format!("revoke-session {issuer} {token}"));
        Box::pin(async { Ok(()) })
    }
}

impl TokenEndpoint for Fake {
    fn mint(
        &self,
        org: &Org,
        _: Arc<Secret>,
        order: TokenKey,
        request_id: String,
    ) -> LocalBoxFuture<Result<Minted, EndpointFault>> {
        let (answer, receiver) = oneshot::channel();
        self.mints.borrow_mut().push(Mint {
            endpoint: org.exchange.token_endpoint().to_owned(),
            repository: order.repository.map(|r| r.to_string()).unwrap_or_default(),
            request_id,
            answer,
        });
        Box::pin(async move { receiver.await.unwrap() })
    }

    fn revoke(&self, org: &Org, token: Arc<Secret>) -> LocalBoxFuture<Result<bool, String>> {
        let endpoint = org.exchange.token_endpoint();
        self.note(format!("revoke-token {endpoint} {}", token.expose()));
        Box::pin(async { Ok(true) })
    }
}

impl Vault for Fake {
    fn prepare(&self, wish: StoreWish) -> LocalBoxFuture<Result<StoreChoice, Refusal>> {
        self.store.set(wish.store);
        Box::pin(async move { Ok(wish.store) })
    }

    fn adopt(&self) {}

    fn abandon(&self) {}

    fn has_key(&self) -> bool {
        true
    }

    fn open(&self) -> LocalBoxFuture<Result<Option<Sealed>, Refusal>> {
        let fault = self
            .call("open")
            .map_err(|why| Refusal::unavailable(why, ""));
        let opened = fault.map(|()| self.on_disk());
        let wait = self.slow_open.get().then(oneshot::channel);
        let wait = wait.map(|(sender, receiver)| {
            self.opens.borrow_mut().push(sender);
            receiver
        });
        Box::pin(async move {
            if let Some(wait) = wait {
                wait.await.unwrap();
            }
            opened
        })
    }

    fn save(&self, sealed: &Sealed) -> Result<(), String> {
        self.call("save")?;
        if self.store.get() != StoreChoice::Memory {
            *self.sealed.borrow_mut() = Some(serde_json::to_string(sealed).unwrap());
        }
        Ok(())
    }

    fn meanwhile(&self) -> Meanwhile {
        self.meanwhile.take().unwrap_or(Meanwhile::Nothing)
    }

    fn discard_aside(&self) -> Result<(), String> {
        self.call("discard-aside")
    }

    fn discard(&self) -> Result<(), String> {
        self.call("discard")?;
        *self.sealed.borrow_mut() = None;
        Ok(())
    }

    fn store(&self) -> StoreChoice {
        self.store.get()
    }

    fn tombstones(&self) -> Result<BTreeMap<OrgName, Tombstone>, String> {
        self.call("tombstones")?;
        Ok(self.tombstones.borrow().clone())
    }

    fn persist_tombstone(&self, tombstones: &BTreeMap<OrgName, Tombstone>) -> Result<(), String> {
        self.call("persist_tombstone")?;
        self.tombstones.borrow_mut().clone_from(tombstones);
        Ok(())
    }

    fn notices(&self) -> NoticeMemory {
        self.told.borrow().clone()
    }

    fn persist_notices(&self, memory: &NoticeMemory) {
        self.told.borrow_mut().clone_from(memory);
    }
}

impl AuditFile for Fake {
    fn append(&self, line: &str) -> Result<(), String> {
        self.call("append")?;
        let entry: oam_model::record::Entry = serde_json::from_str(line).unwrap();
        self.note(format!("record {:?}", entry.record.what));
        self.lines.borrow_mut().push(line.to_owned());
        Ok(())
    }

    fn sync(&self) -> Result<(), String> {
        self.call("sync")
    }

    fn last_line(&self) -> Result<Option<String>, String> {
        Ok(self.lines.borrow().last().cloned())
    }

    fn line(&self, seq: u64) -> Result<Option<String>, String> {
        if self.broken.borrow().contains(&"line") {
            return Err("the disk does not read".into());
        }
        let start = format!("{{\"seq\":{seq},");
        let lines = self.lines.borrow();
        Ok(lines.iter().find(|l| l.starts_with(&start)).cloned())
    }

    fn each(&self, take: &mut dyn FnMut(&str)) -> Result<(), String> {
        self.lines.borrow().iter().for_each(|line| take(line));
        Ok(())
    }

    fn folder(&self) -> String {
        "audit".into()
    }

    fn lines(&self, from: u64, most: usize, _: usize) -> Result<Vec<String>, String> {
        let lines = self.lines.borrow();
        let after = lines.iter().skip(usize::try_from(from - 1).unwrap());
        Ok(after.take(most).cloned().collect())
    }
}

impl Published for Fake {
    fn organization(
        &self,
        url: &str,
        known: Option<&Org>,
        _: Option<oam_model::organization::Route>,
    ) -> LocalBoxFuture<Result<oam_model::organization::Organization, Refusal>> {
        self.note(format!("asked {url} {}", known.is_some()));
        let refusal = Refusal::unavailable("the issuer is not there", "try again");
        let answer = self.published.borrow().clone().ok_or(refusal);
        Box::pin(async move { answer })
    }
}

impl Configuration for Fake {
    fn load(&self) -> Result<Settings, String> {
        self.call("load")?;
        Ok(self.written.borrow().clone())
    }

    fn effective(&self, published: &oam_model::organization::Organization) -> Result<Org, String> {
        oam_config::organization::effective(published, None)
    }
}
