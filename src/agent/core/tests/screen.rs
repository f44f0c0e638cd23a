//! What a person has to see or to do waits for one, and not without one (promise 7).

use super::*;
use crate::ports::{LocalBoxFuture, Notice, Notices, Screen};
use oam_session::screen::ScreenState;
use std::cell::{Cell, RefCell};

/// The screen of the person's desktop.
#[derive(Default)]
pub(super) struct FakeScreen {
    /// How it is.
    pub(super) state: Cell<ScreenState>,
    /// Those who wait for somebody to be at it.
    absent: RefCell<Vec<oneshot::Sender<ScreenState>>>,
}

impl Screen for Fake {
    fn state(&self, _: Option<u32>) -> LocalBoxFuture<ScreenState> {
        self.note("screen");
        Box::pin(std::future::ready(self.screen.state.get()))
    }

    fn person(&self) -> LocalBoxFuture<ScreenState> {
        let (back, returns) = oneshot::channel();
        self.screen.absent.borrow_mut().push(back);
        Box::pin(async move { returns.await.unwrap_or_default() })
    }
}

impl Notices for Fake {
    fn show(&self, _: Notice) {
        self.note("notice");
    }
}

impl TestAgent {
    /// A sign-in that waits for its person.
    async fn signing_in(&mut self) -> Heard {
        let mut heard = self.login_to("acme", StoreChoice::Keyring);
        self.settle().await;
        assert!(matches!(heard.try_recv(), Ok(Reply::Challenge { .. })));
        heard
    }

    /// The person comes back, or not.
    async fn signs_in(&mut self, result: Result<Arrived, Refusal>) {
        let arrival = self.fake.logins.borrow_mut().pop().unwrap();
        arrival.send(result).ok().unwrap();
        self.settle().await;
    }

    /// Somebody is at the screen again.
    async fn is_back(&mut self) {
        let back = self.fake.screen.absent.borrow_mut().pop().unwrap();
        self.fake.screen.state.set(ScreenState::InUse);
        back.send(ScreenState::InUse).ok().unwrap();
        self.settle().await;
    }
}

async fn nobody_signed_in() -> TestAgent {
    TestAgent::start(&Fake::new(), &settings()).await
}

fn refusal_of(heard: &mut Heard) -> Refusal {
    match heard.try_recv() {
        Ok(Reply::Refused { refusal, .. } | Reply::Withdrawn { refusal }) => refusal,
        _ => panic!("no refusal"),
    }
}

#[test]
fn a_notice_is_held_until_somebody_is_at_the_screen_and_dropped_when_it_is_not_so_any_more() {
    story(async {
        let mut agent = nobody_signed_in().await;
        agent.fake.screen.state.set(ScreenState::Locked);
        let mut asks: Vec<Heard> = (0..20).map(|_| agent.get()).collect();
        agent.settle().await;
        // They are answered at once; the notice waits.
        for heard in &mut asks {
            assert_eq!(refusal_of(heard).code, RefusalCode::SignedOut);
        }
        assert_eq!(agent.fake.traced("notice"), 0);
        assert_eq!(agent.fake.traced("screen"), 1);
        agent.is_back().await;
        assert_eq!(agent.fake.traced("notice"), 1);

        agent.fake.pass(3_600_000);
        agent.fake.screen.state.set(ScreenState::Idle);
        drop(agent.get());
        agent.settle().await;
        agent.fake.screen.state.set(ScreenState::InUse);
        agent.sign_in("rt1", identity()).await;
        agent.is_back().await;
        assert_eq!(
            agent.fake.traced("notice"),
            1,
            "somebody signed in meanwhile"
        );
    });
}

#[test]
fn a_notice_that_nobody_saw_is_told_by_the_next_agent_and_one_that_was_seen_is_not() {
    story(async {
        let mut agent = TestAgent::signed_in(&settings()).await;
        let fake = Rc::clone(&agent.fake);
        fake.screen.state.set(ScreenState::Locked);
        let over = IssuerEvent::Over(StandingWord::Revoked, None);
        agent.core.step(&acme(), over);
        agent.settle().await;
        for _ in 0..2 {
            agent = TestAgent::start(&fake, &settings()).await;
            assert_eq!(fake.traced("notice"), 0, "it is locked still");
        }
        agent.is_back().await;
        assert_eq!(fake.traced("notice"), 1);
        for notices in [1, 2, 2] {
            agent = TestAgent::start(&fake, &settings()).await;
            drop(agent.get());
            agent.settle().await;
            assert_eq!(fake.traced("notice"), notices, "once, and once an hour");
            fake.pass(if notices == 1 { 3_600_000 } else { 1_000 });
        }
    });
}

#[test]
fn one_sign_in_serves_all_who_wait_for_it() {
    story(async {
        let mut agent = nobody_signed_in().await;
        let mut login = agent.signing_in().await;
        let mut gets: Vec<Heard> = (0..20).map(|_| agent.get()).collect();
        let mut child = agent.follow();
        drop(agent.get());
        agent.settle().await;
        for heard in gets.iter_mut().chain([&mut child]) {
            assert!(heard.try_recv().is_err(), "it waits");
        }
        assert_eq!(agent.fake.traced("notice"), 0);
        agent.signs_in(Ok(arrived("rt1", identity()))).await;
        assert!(matches!(login.try_recv(), Ok(Reply::SignedIn { .. })));
        agent.mint("token").await;
        for heard in &mut gets {
            assert_eq!(token_of(heard.try_recv().unwrap()), "token");
        }
        assert!(matches!(child.try_recv(), Ok(Reply::Following(_))));
        assert!(agent.fake.mints.borrow().is_empty(), "one exchange for all");
        let grants = agent.fake.lines.borrow();
        let grants = grants.iter().filter(|line| line.contains("\"grant\""));
        assert_eq!(grants.count(), 21, "whoever hung up is served nothing");
    });
}

#[test]
fn a_sign_in_that_fails_or_takes_too_long_releases_those_who_wait_too() {
    story(async {
        let mut agent = nobody_signed_in().await;
        let _login = agent.signing_in().await;
        let (mut git, mut child) = (agent.get(), agent.follow());
        agent.fake.pass(8_000);
        agent.core.tick();
        let refusal = refusal_of(&mut git);
        assert_eq!(refusal.code, RefusalCode::SignedOut);
        assert!(
            refusal.next.contains("sign-in that is under way"),
            "{refusal:?}"
        );
        assert!(child.try_recv().is_err(), "it has more time");
        let failed = Refusal::new(RefusalCode::SignedOut, "the person said no", "ask again");
        agent.signs_in(Err(failed)).await;
        let refusal = refusal_of(&mut child);
        assert!(refusal.next.contains("oam login acme"), "{refusal:?}");
    });
}

#[test]
fn another_sign_in_takes_over_those_who_wait_and_the_last_that_is_given_up_releases_them() {
    story(async {
        let mut agent = nobody_signed_in().await;
        let _first = agent.signing_in().await;
        let mut waiting = agent.get();
        let second = agent.signing_in().await;
        assert!(waiting.try_recv().is_err(), "it waits for the second one");
        drop(second);
        agent.settle().await;
        assert!(refusal_of(&mut waiting).next.contains("oam login acme"));
    });
}

#[test]
fn without_somebody_at_its_screen_nothing_waits_for_a_person() {
    story(async {
        let mut agent = nobody_signed_in().await;
        let _login = agent.signing_in().await;
        agent.fake.screen.state.set(ScreenState::Locked);
        let (mut git, mut child) = (agent.get(), agent.follow());
        agent.settle().await;
        for heard in [&mut git, &mut child] {
            let refusal = refusal_of(heard);
            assert!(
                refusal.sentence.contains("the screen is locked"),
                "{refusal:?}"
            );
            assert!(refusal.next.contains("unlock it"), "{refusal:?}");
        }
        // A program that begins a sign-in there would wait for a person, too, and open a window that nobody sees.
        let mut other = agent.login_to("acme", StoreChoice::Keyring);
        agent.settle().await;
        assert!(refusal_of(&mut other).sentence.contains("locked"));
        assert_eq!(agent.fake.logins.borrow().len(), 1, "no second one began");
    });
}
