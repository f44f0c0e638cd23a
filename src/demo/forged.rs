//! The step that shows that the hub is no pushover: what it did not verify it refuses.

use super::browser::{Sent, fetch, send};
use super::hub::RoleClaims;
use super::key::SigningKey;
use super::reporter::Failure;
use super::scenario::Scenario;
use super::seed::{HUB, MIRROR, REPOSITORY, ROLE_TOKEN_S, SECOND};
use super::world::{World, now_s};

/// A bad token and what the hub must say to it.
struct Case {
    what: &'static str,
    token: String,
    service: &'static str,
    status: u16,
}

/// A token that says all the right things, signed by somebody else.
fn forged(world: &World) -> Result<String, String> {
    let claims = RoleClaims {
        iss: world.issuer.clone(),
        sub: "role:model-publisher".to_owned(),
        aud: world.hub.clone(),
        iat: now_s(),
        exp: now_s() + ROLE_TOKEN_S,
        jti: "forged".to_owned(),
        role: "model-publisher".to_owned(),
        repository: REPOSITORY.to_owned(),
        actions: vec!["read".to_owned(), "write".to_owned()],
    };
    SigningKey::generate()?.sign("at+jwt", &claims)
}

impl Scenario<'_> {
    /// One bad token of each kind. All but the first come from the issuer itself: it is what they are
    /// for that is wrong, or that they were revoked.
    async fn cases(&self) -> Result<Vec<Case>, Failure> {
        let case = |what, token, service, status| Case {
            what,
            token,
            service,
            status,
        };
        let (fetch, push) = ("git-upload-pack", "git-receive-pack");
        let mirror = self.token(&["--hub", MIRROR, "--repo", REPOSITORY]).await?;
        let second = self.token(&["--hub", HUB, "--repo", SECOND]).await?;
        let reading = self.token(&["--hub", HUB, "--repo", REPOSITORY]).await?;
        let writing = self
            .token(&["--hub", HUB, "--repo", SECOND, "--write"])
            .await?;
        self.revoke(&writing).await?;
        Ok(vec![
            case("signed by another key", forged(&self.world)?, fetch, 401),
            case("for another hub", mirror, fetch, 401),
            case("for another repository", second, fetch, 403),
            case("for reading, at a push", reading, push, 403),
            case("revoked by its holder", writing, fetch, 401),
        ])
    }

    async fn token(&self, which: &[&str]) -> Result<String, Failure> {
        let mut args = vec!["token"];
        args.extend(which);
        let ran = self.oam(&args).await?.expect(0, "`oam token` failed")?;
        Ok(ran.stdout())
    }

    /// RFC 7009: who has a token may revoke it.
    async fn revoke(&self, token: &str) -> Result<(), Failure> {
        let address = format!("{}/oauth/revoke", self.world.issuer)
            .parse()
            .map_err(|error| Failure::new(format!("not a URL: {error}")))?;
        let form = url::form_urlencoded::Serializer::new(String::new())
            .append_pair("token", token)
            .finish();
        let sent = Sent {
            authorization: None,
            body: Some(("application/x-www-form-urlencoded", &form)),
        };
        match send(&address, sent).await?.status {
            200 => Ok(()),
            status => Err(Failure::new(format!(
                "the issuer answered {status} to a revocation"
            ))),
        }
    }

    /// Shows the hub bad tokens.
    pub async fn bad_tokens_are_refused(&mut self) -> Result<(), Failure> {
        let cases = self.cases().await?;
        let before = self.world.ledger().accepted;
        for case in &cases {
            // The revoked one is for the other repository: there only its end can be what is wrong.
            let repository = if case.what.starts_with("revoked") {
                SECOND
            } else {
                REPOSITORY
            };
            let address = format!(
                "{}/{repository}/info/refs?service={}",
                self.world.hub, case.service
            );
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
        self.reporter
            .done(&format!("the hub refused {} bad tokens:", cases.len()));
        self.reporter.note(&names.join("; "));
        Ok(())
    }
}
