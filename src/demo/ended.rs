//! Steps from the end of the identity on.

use super::board::{Failure, seconds};
use super::child::{EXIT, Saw, saw};
use super::programs::{DEADLINE, Ran, Running};
use super::seed::{FRESH_S, ORG, REPOSITORY};
use super::tour::{Tour, kill};
use crate::model::report::TokenState;
use crate::model::standing::StandingWord;
use std::time::{Duration, Instant};

/// Longest time from the end of the identity to the first refusal: the proof may be as old as
/// `fresh`, then one is asked for.
const REFUSAL: Duration = Duration::from_secs(FRESH_S + 8);

/// When a push was refused for the first time.
struct Refusal {
    ran: Ran,
    after: Duration,
    /// Pushes that still went through, on a proof not yet `fresh` seconds old.
    passed: u32,
}

impl Tour<'_> {
    /// The company switches Ada off; push and child are refused.
    pub async fn end_of_the_identity(&mut self, mut child: Running) -> Result<(), Failure> {
        let ended = Instant::now();
        if self.world.end_identity() == 0 {
            return Err(Failure::new(
                "nobody was signed in at the provider any more",
            ));
        }
        self.board.done("the identity ends at the provider");
        // Both at once: the agent proves in the background for the child, and on ask for the push.
        let gone = async {
            let found = child
                .until(
                    REFUSAL,
                    "the child's token file was not withdrawn",
                    last_words,
                )
                .await?;
            Ok::<_, Failure>((found, ended.elapsed()))
        };
        let (push, gone) = tokio::join!(self.push_until_refused(ended), gone);
        let (push, (found, gone_after)) = (push?, gone?);
        let lines = Self::refused(&push.ran)?;
        let late = match push.passed {
            0 => String::new(),
            n => format!(" ({n} before it on a proof younger than {FRESH_S} s)"),
        };
        self.board.done(&format!(
            "push refused {} after the end{late}",
            seconds(push.after)
        ));
        for line in &lines {
            self.board.note(line);
        }
        if found != Some(Saw::Gone) {
            return Err(child
                .end(DEADLINE)
                .await?
                .failure("the child's token file was not withdrawn"));
        }
        self.board.done(&format!(
            "the child's token file was gone {} after the end",
            seconds(gone_after)
        ));
        self.child_is_refused(child).await
    }

    async fn push_until_refused(&self, ended: Instant) -> Result<Refusal, Failure> {
        let mut passed = 0;
        loop {
            let ran = self.git(&["push", "--quiet"]).await?;
            let after = ended.elapsed();
            match ran.code {
                Some(0) if after < REFUSAL => passed += 1,
                Some(128) => return Ok(Refusal { ran, after, passed }),
                Some(0) => {
                    return Err(ran.failure(format!(
                        "a push still went through {} after the end",
                        seconds(after)
                    )));
                }
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
        self.board.done(&format!(
            "the child was refused too; its exit code {EXIT} is that of oam exec"
        ));
        Ok(())
    }

    /// A fetch is refused like a push, and `oam status` says how things stand.
    pub async fn status_tells_the_end(&mut self) -> Result<(), Failure> {
        let url = self.url();
        Self::refused(&self.git(&["ls-remote", &url]).await?)?;
        let (_, org) = self.status().await?;
        if !matches!(org.standing, StandingWord::Ended | StandingWord::Revoked) {
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
        let last = org
            .tokens
            .iter()
            .map(|token| token.granted.expires_in_s)
            .max();
        let Some(last) = last else {
            return Err(Failure::new(
                "`oam status` does not tell of the tokens that are still out",
            ));
        };
        self.board.done(&format!(
            "ls-remote refused; oam status: {}",
            org.standing.word()
        ));
        let count = org.tokens.len();
        self.board.note(&format!(
            "{count} tokens outstanding, the last for {last} s: this hub can't revoke"
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
        self.board.done(&line);
        Ok(())
    }

    /// `oam log --verify`.
    pub async fn log_is_whole(&mut self) -> Result<(), Failure> {
        let ran = self
            .oam(&["log", "--verify"])
            .await?
            .expect(0, "the audit log was not verified")?;
        self.board.done("audit log verified (oam log --verify)");
        for line in ran.stdout().lines() {
            self.board.note(line);
        }
        Ok(())
    }

    /// What provider and hub counted.
    pub fn summary(&mut self) -> Result<(), Failure> {
        let (traffic, ledger) = (self.world.traffic(), self.world.ledger());
        if traffic.sign_ins != 1 {
            return Err(Failure::new(format!(
                "the provider counts {} sign-ins",
                traffic.sign_ins
            )));
        }
        if ledger.tokens.len() > traffic.exchanges as usize {
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
            "{ORG}: 1 sign-in, {} refreshes, {} role tokens issued, {} asks refused after the end",
            traffic.refreshes, traffic.exchanges, traffic.refused
        );
        self.board.done("all of it happened");
        self.board.note(&hub);
        self.board.note(&provider);
        Ok(())
    }
}

/// The end of the file. A renewal that was under way when the identity ended is not what is waited for.
fn last_words(line: &super::programs::Line) -> Option<Saw> {
    saw(line).filter(|saw| !matches!(saw, Saw::Token(_)))
}
