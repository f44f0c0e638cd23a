//! Steps from the end of the identity on.

use super::browser::fetch;
use super::child::{EXIT, Saw, saw};
use super::programs::{DEADLINE, Ran, Running};
use super::reporter::{Failure, seconds};
use super::scenario::{Scenario, kill};
use super::seed::{HUB, ORG, REPOSITORY};
use super::upload;
use oam_model::report::TokenState;
use oam_model::standing::StandingWord;
use std::time::{Duration, Instant};

/// Longest time from the signal to the first refusal with the feed. No renewal at the
/// provider could bring it: that one goes on honouring the session.
const REFUSAL: Duration = Duration::from_secs(2);

/// When a push was refused for the first time.
struct Refusal {
    ran: Ran,
    after: Duration,
    /// Pushes that still went through while the signal was on its way.
    passed: u32,
}

impl Scenario<'_> {
    /// Ada leaves: her account is disabled at the provider, which tells the issuer; push, child and a
    /// token that was out already are refused.
    pub async fn leaver(&mut self, mut child: Running, mut upload: Running) -> Result<(), Failure> {
        let out = self
            .oam(&["token", "--hub", HUB, "--repo", REPOSITORY])
            .await?
            .expect(0, "`oam token` failed")?
            .stdout();
        let left = Instant::now();
        self.world.disable_account().await?;
        self.reporter
            .done("Ada leaves: the provider disables her account and tells the issuer");
        // Both at once: nobody asks for the child.
        let gone = async {
            let late = "the child's token file was not withdrawn";
            let found = child.until(REFUSAL, late, last_words).await?;
            Ok::<_, Failure>((found, left.elapsed()))
        };
        let cut = async {
            let late = "the upload was not cut";
            let found = upload.until(REFUSAL, late, upload::cut).await?;
            Ok::<_, Failure>((found, left.elapsed()))
        };
        let (push, gone, cut) = tokio::join!(self.push_until_refused(left), gone, cut);
        let (push, (found, gone_after), (part, cut_after)) = (push?, gone?, cut?);
        let lines = Self::refused(&push.ran)?;
        let late = match push.passed {
            0 => String::new(),
            n => format!(" ({n} went through before it)"),
        };
        self.reporter.done(&format!(
            "push refused {} after the signal, by the feed{late}",
            seconds(push.after)
        ));
        for line in &lines {
            self.reporter.note(line);
        }
        if found != Some(Saw::Gone) {
            return Err(child
                .end(DEADLINE)
                .await?
                .failure("the child's token file was not withdrawn"));
        }
        self.reporter.done(&format!(
            "the child's token file was gone {} after the signal",
            seconds(gone_after)
        ));
        let uploaded = upload.end(DEADLINE).await?;
        if part.is_none() {
            return Err(uploaded.failure("the upload ended before it was cut"));
        }
        self.is_not_whole().await?;
        self.reporter.done(&format!(
            "the open part of the upload was cut {} after the signal, and the hub does not have it",
            seconds(cut_after)
        ));
        self.old_token_is_dead(&out).await?;
        self.child_is_refused(child).await
    }

    /// A token that had left the agent before the end: the hub asks the issuer and refuses it.
    async fn old_token_is_dead(&mut self, token: &str) -> Result<(), Failure> {
        let address = format!("{}/api/whoami-v2", self.world.hub)
            .parse()
            .map_err(|error| Failure::new(format!("not a URL: {error}")))?;
        let page = fetch(&address, Some(&format!("Bearer {token}"))).await?;
        if page.status != 401 {
            let text = format!("the hub answered {} to a token of before", page.status);
            return Err(Failure::new(text));
        }
        self.reporter
            .done("a token that was out already is dead at the hub too (introspection)");
        Ok(())
    }

    async fn push_until_refused(&self, left: Instant) -> Result<Refusal, Failure> {
        let mut passed = 0;
        loop {
            let ran = self.git(&["push", "--quiet"]).await?;
            let after = left.elapsed();
            match ran.code {
                // A push that takes long is judged by its end, a refusal like one that went through.
                Some(0 | 128) if after > REFUSAL => {
                    return Err(ran.failure(format!(
                        "the first refusal came later than {}: a push ended {} after the signal",
                        seconds(REFUSAL),
                        seconds(after)
                    )));
                }
                Some(0) => passed += 1,
                Some(128) => return Ok(Refusal { ran, after, passed }),
                _ => return Err(ran.failure("the push failed in another way than by a refusal")),
            }
        }
    }

    async fn child_is_refused(&mut self, mut child: Running) -> Result<(), Failure> {
        let after = child
            .until(DEADLINE, "the child did not ask again", saw)
            .await?;
        let ran = child.end(DEADLINE).await?;
        if after != Some(Saw::After(128)) {
            return Err(ran.failure("the child was not refused"));
        }
        ran.expect(EXIT, "`oam exec` did not pass on its child's exit code")?;
        self.accepted_at_end = Some(self.world.ledger().accepted);
        self.reporter.done(&format!(
            "the child was refused too; its exit code {EXIT} is that of oam exec"
        ));
        Ok(())
    }

    /// A fetch is refused like a push, and `oam status` says how things stand.
    pub async fn status_tells_the_end(&mut self) -> Result<(), Failure> {
        let url = self.url();
        Self::refused(&self.git(&["ls-remote", &url]).await?)?;
        let (_, org) = self.status().await?;
        if org.standing != StandingWord::Revoked {
            return Err(Failure::new(format!(
                "after the end the standing is {}",
                org.standing.word()
            )));
        }
        if org
            .tokens
            .iter()
            .any(|token| token.state == TokenState::Held)
        {
            return Err(Failure::new("the agent still holds a token after the end"));
        }
        self.reporter.done(&format!(
            "ls-remote refused; oam status: {}",
            org.standing.word()
        ));
        Ok(())
    }

    /// The agent is killed; git starts another one, which refuses as well.
    pub async fn restart_changes_nothing(&mut self) -> Result<(), Failure> {
        let old = self
            .agent
            .ok_or_else(|| Failure::new("the agent's process is not known"))?;
        kill(self.home, self.programs, old).await;
        let url = self.url();
        let ran = self.git(&["ls-remote", &url]).await?;
        let took = seconds(ran.took);
        Self::refused(&ran)?;
        let (report, org) = self.status().await?;
        if report.agent_pid == old {
            return Err(Failure::new("the agent was not restarted"));
        }
        if org.standing == StandingWord::Active {
            return Err(Failure::new("the new agent takes the session for alive"));
        }
        let line = format!(
            "agent {old} killed; git started agent {} and was refused again in {took}",
            report.agent_pid
        );
        self.reporter.done(&line);
        Ok(())
    }

    /// What provider and hub counted.
    pub async fn summary(&mut self) -> Result<(), Failure> {
        let exchanges = self.company.exchanges().await?;
        let (traffic, ledger) = (self.world.traffic(), self.world.ledger());
        if traffic.sign_ins != 1 {
            return Err(Failure::new(format!(
                "the provider counts {} sign-ins",
                traffic.sign_ins
            )));
        }
        if ledger.tokens.len() > exchanges {
            return Err(Failure::new("the hub saw more tokens than were issued"));
        }
        if self.accepted_at_end != Some(ledger.accepted) {
            return Err(Failure::new(
                "the hub took a token after push and child had been refused",
            ));
        }
        let hub = format!(
            "hub: {} requests for {REPOSITORY} with {} tokens, each verified; {} bad tokens refused",
            ledger.accepted,
            ledger.tokens.len(),
            ledger.refused_tokens()
        );
        let provider = format!(
            "{ORG}: 1 sign-in, {} refreshes, {} identity for a CI job, {exchanges} role tokens issued",
            traffic.refreshes,
            self.world.job_tokens()
        );
        self.reporter.done("all of it happened");
        self.reporter.note(&hub);
        self.reporter.note(&provider);
        Ok(())
    }
}

/// The end of the file. A renewal that was under way when the identity ended is not what is waited for.
fn last_words(line: &super::programs::OutputLine) -> Option<Saw> {
    saw(line).filter(|saw| !matches!(saw, Saw::Token(_)))
}
