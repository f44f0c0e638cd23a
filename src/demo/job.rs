//! Steps of the CI job: no person, no agent, no stored secret.

use super::programs::Ran;
use super::reporter::{Failure, seconds};
use super::scenario::Scenario;
use super::seed::{HUB, JOB_ROLE, REPOSITORY, SECOND};

/// What the job runs: clone, commit, push with nothing but git.
const RELEASE: &str = r#"set -e
git clone --quiet "$1" release
cd release
echo "1.0" >VERSION
git add VERSION
git commit --quiet -m "Release 1.0"
git push --quiet origin HEAD:release-1.0
"#;

impl Scenario<'_> {
    /// `oam exec` at a CI host: the job's own identity is exchanged at the issuer.
    pub async fn job_pushes_without_a_secret(&mut self) -> Result<(), Failure> {
        let url = self.url();
        let ran = self
            .job(REPOSITORY, &["sh", "-c", RELEASE, "release", &url])
            .await?;
        let took = seconds(ran.took);
        let ran = ran.expect(0, "the CI job could not push")?;
        let ledger = self.world.ledger();
        if ledger.last_actions(JOB_ROLE).is_none() {
            return Err(ran.failure(format!("the hub saw no token of {JOB_ROLE}")));
        }
        self.reporter.done(&format!(
            "a CI job pushed in {took}, as {JOB_ROLE}: no agent, no stored secret, only the identity that its host gave it"
        ));
        Ok(())
    }

    /// The same job at another repository.
    pub async fn job_elsewhere_is_refused(&mut self) -> Result<(), Failure> {
        let ran = self.job(SECOND, &["true"]).await?;
        let ran = ran.expect(5, "the job's token for another repository was not denied")?;
        self.reporter
            .done(&format!("the same job is denied {SECOND} by policy"));
        for line in ran.stderr() {
            self.reporter.note(line);
        }
        Ok(())
    }

    async fn job(&self, repository: &str, command: &[&str]) -> Result<Ran, Failure> {
        let mut environment = self.home.job_environment();
        for (name, value) in self.world.job_variables() {
            environment.push((name.to_owned(), value));
        }
        let mut args = vec![
            "exec",
            "--hub",
            HUB,
            "--issuer",
            &self.world.issuer,
            "--repo",
            repository,
            "--write",
            "--",
        ];
        args.extend(command);
        self.programs
            .with_environment(environment)
            .run(&self.home.job(), "oam", &args)
            .await
    }
}
