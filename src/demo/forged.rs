//! The step that shows that the hub is no pushover: what it did not verify it refuses.

use super::board::Failure;
use super::browser::fetch;
use super::exchange::RoleClaims;
use super::key::Key;
use super::seed::{ADA, FOREIGN, REPOSITORY, ROLE_TOKEN_S};
use super::tour::Tour;
use super::world::{World, now_s};

/// A bad token and what the hub must say to it.
struct Case {
    what: &'static str,
    token: String,
    service: &'static str,
    status: u16,
}

/// One bad token of each kind. All but the first are signed with the provider's real key: it is
/// their content alone that is wrong.
fn cases(world: &World) -> Result<Vec<Case>, String> {
    let good = RoleClaims {
        iss: world.issuer.clone(),
        sub: ADA.subject.to_owned(),
        aud: world.hub.clone(),
        iat: now_s(),
        exp: now_s() + ROLE_TOKEN_S,
        jti: "forged".to_owned(),
        role: "model-publisher".to_owned(),
        repository: REPOSITORY.to_owned(),
        actions: vec!["read".to_owned()],
    };
    let late = RoleClaims {
        exp: now_s() - 1,
        ..good.clone()
    };
    let foreign = RoleClaims {
        aud: "https://hub.example".to_owned(),
        ..good.clone()
    };
    let elsewhere = RoleClaims {
        repository: FOREIGN.to_owned(),
        ..good.clone()
    };
    let case = |what, token, service, status| Case {
        what,
        token,
        service,
        status,
    };
    let (fetch, push) = ("git-upload-pack", "git-receive-pack");
    Ok(vec![
        case(
            "signed by another key",
            Key::generate()?.sign("at+jwt", &good)?,
            fetch,
            401,
        ),
        case("expired", world.signed(&late)?, fetch, 401),
        case("for another hub", world.signed(&foreign)?, fetch, 401),
        case(
            "for another repository",
            world.signed(&elsewhere)?,
            fetch,
            403,
        ),
        case("for reading, at a push", world.signed(&good)?, push, 403),
    ])
}

impl Tour<'_> {
    /// Shows the hub bad tokens.
    pub async fn forged_tokens_are_refused(&mut self) -> Result<(), Failure> {
        let before = self.world.ledger().accepted;
        let cases = cases(&self.world)?;
        for case in &cases {
            let address = format!("{}/info/refs?service={}", self.url(), case.service);
            let address = address
                .parse()
                .map_err(|error| Failure::new(format!("not a URL: {error}")))?;
            let page = fetch(&address, Some(&format!("Bearer {}", case.token))).await?;
            if page.status != case.status {
                let text = format!("the hub answered {} to a token {}", page.status, case.what);
                return Err(Failure::new(text));
            }
        }
        if self.world.ledger().accepted != before {
            return Err(Failure::new(
                "the hub accepted a token that it should not have",
            ));
        }
        let names: Vec<&str> = cases.iter().map(|case| case.what).collect();
        self.board
            .done(&format!("the hub refused {} bad tokens:", cases.len()));
        self.board.note(&names.join("; "));
        Ok(())
    }
}
