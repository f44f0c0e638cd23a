//! What goes back and forth between the client and the server.

use crate::support::{
    Agent, LONG, answers_of, asked, done, get, granted, say, token, token_answer,
};
use oam_agent::command::{ClientRequest, EpochGate, GatedReply};
use oam_host::socket::ConnectionLimits;
use oam_model::refusal::{Refusal, RefusalCode};
use oam_model::sign_in::SignInBy;
use oam_wire::message::{Following, Reply, Request, StoreChoice, VERSION};
use std::sync::mpsc;

#[test]
fn a_token_comes_back_and_the_agent_knows_who_asked() {
    let (tell, told) = mpsc::channel();
    let agent = Agent::new(ConnectionLimits::default(), move |command| {
        let ClientRequest {
            request: Request::Get { ask, front },
            caller,
            answers,
        } = asked(command)
        else {
            panic!("another request");
        };
        tell.send((ask.path, front, caller)).unwrap();
        say(&answers, token(3, "t0ken", EpochGate::new(3)));
    });
    let mut client = agent.client();
    assert_eq!(client.agent_version(), None);
    let frame = client
        .ask(get(), LONG)
        .unwrap_or_else(|refusal| panic!("{refusal:?}"));
    let Reply::Token(answer) = frame.reply else {
        panic!("no token");
    };
    assert_eq!(answer.token.expose(), "t0ken");
    assert_eq!(
        (client.agent_version(), client.other_version()),
        (Some(VERSION), None)
    );
    let (path, front, caller) = told.recv().unwrap();
    assert_eq!(
        (path.as_deref(), front.as_str()),
        (Some("acme/model"), "git")
    );
    assert_eq!(caller.pid, std::process::id());
}

#[test]
fn several_requests_follow_each_other_on_one_connection() {
    let agent = Agent::new(ConnectionLimits::default(), done);
    let mut client = agent.client();
    for _ in 0..3 {
        assert!(matches!(
            client.ask(get(), LONG).map(|f| f.reply),
            Ok(Reply::Done)
        ));
    }
    // Sent at once, answered in turn.
    client.send(Request::Roles).unwrap();
    client.send(Request::Status { proof: false }).unwrap();
    assert!(client.next(Some(LONG)).is_ok() && client.next(None).is_ok());
}

fn refusal(reply: Result<Reply, Refusal>) -> Refusal {
    match reply {
        Ok(Reply::Refused { refusal, .. }) => refusal,
        Ok(_) => panic!("not refused"),
        Err(refusal) => panic!("{refusal:?}"),
    }
}

#[test]
fn no_token_leaves_after_its_epoch() {
    let agent = Agent::new(ConnectionLimits::default(), move |command| {
        let gate = EpochGate::new(3);
        say(&answers_of(command), token(3, "t0ken", gate.clone()));
        // The session ends after the core answered and before the answer is written.
        gate.set(4);
    });
    let mut client = agent.client();
    client.send(get()).unwrap();
    let frame = client.next(Some(LONG)).unwrap();
    assert!(matches!(&frame.reply, Reply::Refused { epoch: 4, .. }));
    assert_eq!(refusal(Ok(frame.reply)).code, RefusalCode::Ended);
}

#[test]
fn a_full_mailbox_is_a_refusal_and_not_a_wait() {
    let agent = Agent::with_mailbox(ConnectionLimits::default(), 0, drop);
    let mut first = agent.client();
    first.send(Request::Status { proof: false }).unwrap();
    // Whichever of the two came second finds the mailbox full; the other one waits.
    let mut second = agent.client();
    second.send(Request::Status { proof: false }).unwrap();
    let (tell, told) = mpsc::channel();
    for mut client in [first, second] {
        let tell = tell.clone();
        std::thread::spawn(move || {
            let _ = tell.send(client.next(None).map(|frame| frame.reply));
        });
    }
    assert_eq!(refusal(told.recv().unwrap()).code, RefusalCode::Busy);
}

#[test]
fn an_agent_that_ended_is_a_refusal() {
    let agent = Agent::new(ConnectionLimits::default(), drop);
    let reply = agent.client().ask(get(), LONG).map(|frame| frame.reply);
    assert_eq!(refusal(reply).code, RefusalCode::Unreachable);
}

/// A following that began, with its token if that was asked for.
fn began(with_token: bool, gate: EpochGate) -> GatedReply {
    let reply = Reply::Following(Following {
        granted: granted(3),
        path: "/run/x/token".into(),
        name: "x".into(),
        hub_kind: "huggingface".into(),
        variables: vec!["HF_TOKEN".into()],
        on_disk: false,
        token: with_token.then(|| token_answer(3, "t0ken")),
    });
    GatedReply::gated(reply, &granted(3), gate)
}

fn follow(with_token: bool) -> Request {
    let ask = crate::support::ask();
    Request::Follow {
        ask,
        again: None,
        with_token,
    }
}

#[test]
fn a_follower_hears_of_renewal_and_withdrawal() {
    let agent = Agent::new(ConnectionLimits::default(), |command| {
        let ClientRequest {
            request, answers, ..
        } = asked(command);
        let Request::Follow { with_token, .. } = request else {
            return say(&answers, Reply::Done);
        };
        let refusal = Refusal::new(RefusalCode::Revoked, "it is over", "ask why");
        let unproven = Refusal::new(RefusalCode::Unproven, "not confirmed", "wait");
        say(&answers, began(with_token, EpochGate::new(3)));
        say(&answers, Reply::Renewed { expires_at: 9 });
        say(&answers, Reply::Paused { refusal: unproven });
        say(&answers, Reply::Renewed { expires_at: 19 });
        say(&answers, Reply::Withdrawn { refusal });
    });
    for with_token in [false, true] {
        let mut client = agent.client();
        client.send(follow(with_token)).unwrap();
        let Ok(Reply::Following(following)) = client.next(Some(LONG)).map(|f| f.reply) else {
            panic!("not following");
        };
        let token = following
            .token
            .map(|answer| answer.token.expose().to_owned());
        assert_eq!(token.as_deref(), with_token.then_some("t0ken"));
        assert_eq!(following.hub_kind, "huggingface");
        assert!(matches!(
            client.next(None).map(|f| f.reply),
            Ok(Reply::Renewed { expires_at: 9 })
        ));
        assert!(matches!(
            client.next(None).map(|f| f.reply),
            Ok(Reply::Paused { .. })
        ));
        assert!(matches!(
            client.next(None).map(|f| f.reply),
            Ok(Reply::Renewed { expires_at: 19 })
        ));
        assert!(matches!(
            client.next(None).map(|f| f.reply),
            Ok(Reply::Withdrawn { .. })
        ));
        assert!(matches!(
            client
                .ask(Request::Status { proof: false }, LONG)
                .map(|f| f.reply),
            Ok(Reply::Done)
        ));
    }
}

#[test]
fn a_following_that_never_began_is_a_refusal() {
    let agent = Agent::new(ConnectionLimits::default(), |command| {
        let ClientRequest {
            request: Request::Follow { again, .. },
            answers,
            ..
        } = asked(command)
        else {
            panic!()
        };
        if again.is_some() {
            say(&answers, Reply::NotOurs);
        } else {
            say(&answers, began(true, EpochGate::new(4)));
        }
    });
    let mut client = agent.client();
    client.send(follow(true)).unwrap();
    assert_eq!(
        refusal(client.next(Some(LONG)).map(|f| f.reply)).code,
        RefusalCode::Ended
    );
    let ask = crate::support::ask();
    let again = Some("x".to_owned());
    let reply = client.ask(
        Request::Follow {
            ask,
            again,
            with_token: false,
        },
        LONG,
    );
    assert!(matches!(reply.map(|f| f.reply), Ok(Reply::NotOurs)));
}

#[test]
fn a_follower_that_goes_is_noticed_at_once() {
    let (tell, told) = mpsc::channel();
    let agent = Agent::new(ConnectionLimits::default(), move |command| {
        let answers = answers_of(command);
        let tell = tell.clone();
        say(&answers, began(false, EpochGate::new(3)));
        tokio::task::spawn_local(async move {
            answers.closed().await;
            tell.send(()).unwrap();
        });
    });
    let mut client = agent.client();
    client.send(follow(false)).unwrap();
    assert!(client.next(Some(LONG)).is_ok());
    assert!(told.try_recv().is_err());
    drop(client);
    told.recv_timeout(LONG).unwrap();
}

fn login(org: Option<&str>) -> Request {
    Request::Login {
        org: org.map(|org| org.parse().unwrap()),
        store: StoreChoice::Memory,
        or_next_best: false,
        by: SignInBy::Browser,
    }
}

#[test]
fn somebody_signing_in_gets_the_address_and_the_end_and_leaving_cancels() {
    let (tell, told) = mpsc::channel();
    let agent = Agent::new(ConnectionLimits::default(), move |command| {
        let ClientRequest {
            request: Request::Login { org, .. },
            answers,
            ..
        } = asked(command)
        else {
            panic!()
        };
        let acme = || "acme".parse().unwrap();
        let (url, issuer) = (
            "https://id.example/a".to_owned(),
            "https://id.example".to_owned(),
        );
        let challenge = Reply::Challenge {
            url,
            org: acme(),
            issuer,
            device: None,
            kept_in: Some(StoreChoice::Memory),
        };
        say(&answers, challenge);
        if org.is_some() {
            let signed_in = Reply::SignedIn {
                org: acme(),
                subject: "u".to_owned(),
                email: None,
                roles: vec![],
                roles_unread: None,
            };
            return say(&answers, signed_in);
        }
        let tell = tell.clone();
        tokio::task::spawn_local(async move {
            answers.closed().await;
            tell.send(()).unwrap();
        });
    });
    let mut client = agent.client();
    client.send(login(Some("acme"))).unwrap();
    assert!(matches!(
        client.next(Some(LONG)).map(|f| f.reply),
        Ok(Reply::Challenge { .. })
    ));
    assert!(matches!(
        client.next(Some(LONG)).map(|f| f.reply),
        Ok(Reply::SignedIn { .. })
    ));
    client.send(login(None)).unwrap();
    assert!(matches!(
        client.next(Some(LONG)).map(|f| f.reply),
        Ok(Reply::Challenge { .. })
    ));
    drop(client);
    told.recv_timeout(LONG).unwrap();
}

#[test]
fn an_answer_in_the_works_leaves_before_the_server_stops() {
    let (tell, told) = mpsc::channel();
    let mut agent = Agent::new(ConnectionLimits::default(), move |command| {
        tell.send(answers_of(command)).unwrap();
    });
    let mut client = agent.client();
    client.send(Request::Status { proof: false }).unwrap();
    let answers = told.recv_timeout(LONG).unwrap();
    let stopping = std::thread::spawn(move || agent.stop());
    say(&answers, Reply::Done);
    drop(answers);
    assert!(client.next(Some(LONG)).is_ok());
    stopping.join().unwrap();
    assert_eq!(
        client.next(Some(LONG)).err().unwrap().code,
        RefusalCode::Unreachable
    );
}
