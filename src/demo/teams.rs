//! Steps of a change of teams: one role goes, the other stays, and a running child feels it.

use super::child::{SCRIPT, Saw, saw};
use super::programs::{DEADLINE, Running};
use super::reporter::{Failure, seconds};
use super::scenario::Scenario;
use super::seed::{ADA, HUB, PUBLISHER, READER, REPOSITORY, TEAM_LEFT};
use std::time::{Duration, Instant};

/// Longest time from a signal to what follows from it on the laptop with the feed.
const FELT: Duration = Duration::from_secs(2);

impl Scenario<'_> {
    /// Ada leaves the publishers.
    pub async fn change_of_teams(&mut self) -> Result<(), Failure> {
        let mut child = self.writing_child().await?;
        let changed = Instant::now();
        self.world.change_teams(&TEAM_LEFT).await?;
        let gone = |line: &super::programs::OutputLine| saw(line).filter(|saw| *saw == Saw::Gone);
        let found = child
            .until(FELT, "the writing child kept its token file", gone)
            .await?;
        let after = changed.elapsed();
        let ran = child.end(DEADLINE).await?;
        if found.is_none() {
            return Err(ran.failure("the writing child ended before its file was withdrawn"));
        }
        self.reporter.done(&format!(
            "Ada changes teams: {PUBLISHER} is gone {} later, from a running child too",
            seconds(after)
        ));
        for line in ran.stderr() {
            self.reporter.note(line);
        }
        let push = self.git(&["push", "--quiet"]).await?;
        let push = push.expect(128, "a push as a former publisher was not refused")?;
        for line in push.stderr().filter(|line| !line.starts_with("fatal:")) {
            self.reporter.note(line);
        }
        let url = self.url();
        self.git(&["ls-remote", &url])
            .await?
            .expect(0, "the other role went too")?;
        self.reporter
            .done(&format!("push refused; reading goes on as {READER}"));
        Ok(())
    }

    /// She comes back: the role does, without a new sign-in.
    pub async fn back_in_the_team(&mut self) -> Result<(), Failure> {
        let changed = Instant::now();
        self.world.change_teams(ADA.groups).await?;
        loop {
            let ran = self.git(&["push", "--quiet"]).await?;
            let after = changed.elapsed();
            if ran.code == Some(0) {
                self.reporter.done(&format!(
                    "back in the team, {PUBLISHER} is hers again after {}",
                    seconds(after)
                ));
                return Ok(());
            }
            if after > DEADLINE {
                return Err(ran.failure("the role did not come back"));
            }
        }
    }

    async fn writing_child(&self) -> Result<Running, Failure> {
        let args = [
            "exec",
            "--token-file",
            "--hub",
            HUB,
            "--repo",
            REPOSITORY,
            "--write",
            "--",
            "sh",
            "-c",
            SCRIPT,
            "child",
            REPOSITORY,
        ];
        let mut child = self.programs.start(&self.home.work(), "oam", &args)?;
        match child
            .until(DEADLINE, "the writing child saw no token file", saw)
            .await?
        {
            Some(Saw::Token(0)) => Ok(child),
            _ => Err(child
                .end(DEADLINE)
                .await?
                .failure("the writing child could not use its token file")),
        }
    }
}
