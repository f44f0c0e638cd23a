//! Steps while the identity is alive.

use super::browser::visit;
use super::child::{SCRIPT, Saw, saw};
use super::programs::{DEADLINE, OutputLine, Ran, Running};
use super::reporter::{Failure, seconds};
use super::scenario::Scenario;
use super::seed::{ADA, FOREIGN, HUB, ORG, PUBLISHER, READER, REPOSITORY, ROLE_TOKEN_S};
use oam_model::report::RolesReport;
use oam_model::standing::StandingWord;
use std::time::{Duration, Instant};

/// Longest wait for a renewal: the token's whole life would be too late.
const RENEWAL: Duration = Duration::from_secs(ROLE_TOKEN_S - 10);

/// How a sign-in went.
enum SignIn {
    Done(Ran),
    /// It was refused before there was anything to open in a browser.
    NoAddress(Ran),
}

impl Scenario<'_> {
    /// `oam login ISSUER`: the issuer's URL is all that is needed. The demo is the person's browser.
    pub async fn sign_in(&mut self) -> Result<(), Failure> {
        let ran = match self.login("kernel").await? {
            SignIn::Done(ran) => ran,
            SignIn::NoAddress(refused) => {
                let memory = self.login("memory").await?;
                let SignIn::Done(ran) = memory else {
                    return Err(refused.failure("`oam login` gave no address to open"));
                };
                self.reporter.note("the kernel's keyring is not to be had here, so the session is kept in memory only:");
                for line in refused.stderr() {
                    self.reporter.note(line);
                }
                ran
            }
        };
        let took = seconds(ran.took);
        ran.expect(0, "`oam login` failed")?;
        let (report, org) = self.status().await?;
        if org.standing != StandingWord::Active || org.subject.as_deref() != Some(ADA.subject) {
            return Err(Failure::new(format!(
                "after the sign-in the standing is {}",
                org.standing.word()
            )));
        }
        let line = format!(
            "signed in to {ORG} by the issuer's address alone, as {} in {took}; agent {} holds the session, store: {}",
            org.email.as_deref().unwrap_or(ADA.subject),
            report.agent_pid,
            report.store
        );
        self.reporter.done(&line);
        Ok(())
    }

    /// The provider says groups, the issuer's policy makes them roles.
    pub async fn roles_come_from_groups(&mut self) -> Result<(), Failure> {
        let ran = self
            .oam(&["roles", "--json"])
            .await?
            .expect(0, "`oam roles` failed")?;
        let report: RolesReport = serde_json::from_str(&ran.stdout())
            .map_err(|error| ran.failure(format!("`oam roles --json` is not a report: {error}")))?;
        let held: Vec<_> = report.roles.iter().filter(|row| row.held).collect();
        let mut names: Vec<&str> = held.iter().map(|row| row.role.as_str()).collect();
        names.sort_unstable();
        if names != [PUBLISHER, READER] {
            return Err(ran.failure("the policy did not make Ada's groups the two roles"));
        }
        self.reporter.done(&format!(
            "groups become roles: {} → {}",
            ADA.groups.join(", "),
            names.join(", ")
        ));
        for row in held {
            self.reporter
                .note(&format!("{}: {}", row.role, row.because));
        }
        Ok(())
    }

    /// The token that the hub accepted last for `role` has exactly these actions.
    fn narrow(&self, role: &str, actions: &[&str]) -> Result<(), Failure> {
        let ledger = self.world.ledger();
        let seen = ledger.last_actions(role).unwrap_or_default();
        if seen == actions {
            Ok(())
        } else {
            let text = format!("the hub saw a token of {role} that allows {seen:?}");
            Err(Failure::new(text))
        }
    }

    async fn login(&mut self, store: &str) -> Result<SignIn, Failure> {
        let work = self.home.work();
        let args = [
            "login",
            &self.world.issuer,
            "--no-browser",
            "--store",
            store,
        ];
        let mut running = self.programs.start(&work, "oam", &args)?;
        let issuer = format!("{}/authorize?", self.world.provider);
        let address = |line: &OutputLine| address_in(line.text(), &issuer);
        let Some(address) = running
            .until(DEADLINE, "no address to open was printed", address)
            .await?
        else {
            return running.end(DEADLINE).await.map(SignIn::NoAddress);
        };
        let page = visit(&address).await?;
        let ran = running.end(DEADLINE).await?;
        if page.status == 200 {
            Ok(SignIn::Done(ran))
        } else {
            Err(ran.failure(format!(
                "the browser ended at a page with status {}",
                page.status
            )))
        }
    }

    /// `oam setup git`.
    pub async fn set_up_git(&mut self) -> Result<(), Failure> {
        self.oam(&["setup", "git"])
            .await?
            .expect(0, "`oam setup git` failed")?;
        let key = format!("credential.{}.helper", self.world.hub);
        let written = self
            .programs
            .run(
                &self.home.work(),
                "git",
                &["config", "--global", "--get-all", &key],
            )
            .await?;
        let helper = written
            .expect(0, "`oam setup git` wrote no helper for the hub")?
            .stdout();
        self.reporter
            .done("git asks OAM for this hub's tokens (oam setup git)");
        self.reporter.note(&format!("{key} = {}", helper.trim()));
        Ok(())
    }

    /// A clone with real git.
    pub async fn clone_repository(&mut self) -> Result<(), Failure> {
        let url = self.url();
        let ran = self
            .programs
            .run(
                &self.home.work(),
                "git",
                &["clone", "--quiet", &url, "model"],
            )
            .await?;
        let took = seconds(ran.took);
        ran.expect(0, "the clone failed")?;
        self.narrow(READER, &["read"])?;
        self.reporter.done(&format!(
            "cloned {url} in {took}, as {READER}: the token could read and nothing else"
        ));
        Ok(())
    }

    /// A commit and its push.
    pub async fn push(&mut self) -> Result<(), Failure> {
        let weights = self.clone_folder().join("weights.txt");
        self.home.write(&weights, "0.1 0.2 0.3\n")?;
        self.git(&["add", "weights.txt"])
            .await?
            .expect(0, "git add failed")?;
        self.git(&["commit", "--quiet", "-m", "Add the weights"])
            .await?
            .expect(0, "git commit failed")?;
        let ran = self.git(&["push", "--quiet"]).await?;
        let took = seconds(ran.took);
        ran.expect(0, "the push failed")?;
        let head = self.git(&["rev-parse", "HEAD"]).await?.stdout();
        let hub = self.home.hub().join(format!("{REPOSITORY}.git"));
        let there = self
            .programs
            .run(&hub, "git", &["rev-parse", "main"])
            .await?;
        if there.stdout() != head {
            return Err(there.failure("the hub does not have the commit that was pushed"));
        }
        self.narrow(PUBLISHER, &["read", "write"])?;
        self.reporter.done(&format!(
            "pushed commit {} in {took}, as {PUBLISHER}: another token, one that could write",
            head.get(..8).unwrap_or(&head)
        ));
        Ok(())
    }

    /// A repository that no role covers: policy refuses, and no token is made.
    pub async fn foreign_repository_is_denied(&mut self) -> Result<(), Failure> {
        let before = self.company.exchanges().await?;
        let url = format!("{}/{FOREIGN}", self.world.hub);
        let ran = self
            .programs
            .run(&self.home.work(), "git", &["ls-remote", &url])
            .await?;
        let ran = ran.expect(128, "a repository that no role covers was not refused")?;
        if self.company.exchanges().await? != before {
            return Err(ran.failure("a token was made for a repository that no role covers"));
        }
        self.reporter.done(&format!(
            "{FOREIGN} is denied by policy, before any token is made"
        ));
        for line in ran.stderr().filter(|line| !line.starts_with("fatal:")) {
            self.reporter.note(line);
        }
        Ok(())
    }

    /// `oam exec` with a child that uses the token file.
    pub async fn start_child(&mut self) -> Result<Running, Failure> {
        let args = [
            "exec",
            "--token-file",
            "--hub",
            HUB,
            "--repo",
            REPOSITORY,
            "--",
            "sh",
            "-c",
            SCRIPT,
            "child",
            REPOSITORY,
        ];
        let mut child = self.programs.start(&self.home.work(), "oam", &args)?;
        match child
            .until(DEADLINE, "the child saw no token file", saw)
            .await?
        {
            Some(Saw::Token(0)) => {}
            _ => {
                return Err(child
                    .end(DEADLINE)
                    .await?
                    .failure("the child could not use its token file"));
            }
        }
        self.reporter
            .done("oam exec runs a child; the hub took the token in its file");
        Ok(child)
    }

    /// The same child goes on with a renewed token.
    pub async fn renewal(&mut self, child: &mut Running) -> Result<(), Failure> {
        let before = self.world.ledger().tokens.len();
        let began = Instant::now();
        match child
            .until(RENEWAL, "the child's token was not renewed", saw)
            .await?
        {
            Some(Saw::Token(0)) => {}
            Some(Saw::Token(_)) => return Err(Failure::new("the hub refused the renewed token")),
            _ => {
                return Err(Failure::new(
                    "the child lost its token file while the identity was alive",
                ));
            }
        }
        if self.world.ledger().tokens.len() <= before {
            return Err(Failure::new(
                "the hub did not see another token after the renewal",
            ));
        }
        let took = seconds(began.elapsed());
        self.reporter.done(&format!(
            "the token was renewed under the child after {took}; the hub took the new one"
        ));
        Ok(())
    }
}

/// The address in a printed line: from the issuer's URL to the next blank.
fn address_in(line: &str, issuer: &str) -> Option<String> {
    let from = line.find(issuer)?;
    line.get(from..)?
        .split_whitespace()
        .next()
        .map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::address_in;

    #[test]
    fn the_address_is_found_wherever_it_stands_in_the_line() {
        let issuer = "http://127.0.0.1:1/authorize?";
        let address = "http://127.0.0.1:1/authorize?a=b&c=d";
        for line in [
            address.to_owned(),
            format!("  open {address}"),
            format!("open {address} in a browser"),
        ] {
            assert_eq!(
                address_in(&line, issuer).as_deref(),
                Some(address),
                "{line}"
            );
        }
        assert_eq!(address_in("signing in at http://127.0.0.1:1", issuer), None);
    }
}
