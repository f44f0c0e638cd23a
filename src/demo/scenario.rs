//! The scenario: the steps in their order, and what they share.

use super::cgi::GitBackend;
use super::company::Company;
use super::home::Home;
use super::programs::{Programs, Ran};
use super::reporter::{Failure, Reporter};
use super::seed;
use super::world::{World, free_address};
use oam_model::report::{OrgStatus, StatusReport};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// Everything that is up while the demo runs.
pub struct Scenario<'a> {
    /// The printer.
    pub reporter: &'a mut Reporter,
    /// The private home.
    pub home: &'a Home,
    pub programs: &'a Programs,
    /// Provider, hub and CI host.
    pub world: World,
    /// The issuer between them.
    pub company: Company,
    /// The agent's process, as it last said.
    pub agent: Option<u32>,
    /// What the hub had accepted when push and child had been refused.
    pub accepted_at_end: Option<u32>,
}

/// Runs the whole scenario; with `keep`, stops before the end of the identity and stays up.
///
/// # Errors
/// The first step that did not happen.
pub async fn run(
    reporter: &mut Reporter,
    home: &Home,
    programs: &Programs,
    keep: bool,
) -> Result<(), Failure> {
    let (world, company) = open(reporter, home, programs).await?;
    let mut scenario = Scenario {
        reporter,
        home,
        programs,
        world,
        company,
        agent: None,
        accepted_at_end: None,
    };
    scenario.sign_in().await?;
    scenario.roles_come_from_groups().await?;
    scenario.set_up_git().await?;
    scenario.clone_repository().await?;
    scenario.push().await?;
    scenario.foreign_repository_is_denied().await?;
    scenario.bad_tokens_are_refused().await?;
    scenario.job_pushes_without_a_secret().await?;
    scenario.job_elsewhere_is_refused().await?;
    if keep {
        scenario.invite();
        return std::future::pending().await;
    }
    let mut child = scenario.start_child().await?;
    scenario.renewal(&mut child).await?;
    scenario.change_of_teams().await?;
    scenario.back_in_the_team().await?;
    let upload = scenario.upload().await?;
    scenario.organization_holds_records().await?;
    scenario.leaver(child, upload).await?;
    scenario.status_tells_the_end().await?;
    scenario.restart_changes_nothing().await?;
    scenario.audits_are_whole().await?;
    scenario.audits_join().await?;
    scenario.summary().await
}

/// Starts the servers, fills the hub, starts the issuer between them.
async fn open(
    reporter: &mut Reporter,
    home: &Home,
    programs: &Programs,
) -> Result<(World, Company), Failure> {
    let git = programs.run(home.root(), "git", &["--version"]).await;
    let git = git.map_err(|failure| Failure {
        what: format!("the demo needs git: {}", failure.what),
        ..failure
    })?;
    let backend = GitBackend {
        root: home.hub(),
        environment: home.hub_environment(),
        pushes: Arc::default(),
    };
    fill_hub(home, programs).await?;
    let world = World::start(backend, &free_address().await?).await?;
    reporter.done(&format!("identity provider at {}", world.provider));
    reporter.done(&format!(
        "hub at {}, served by {}, verifying every token",
        world.hub,
        git.stdout()
    ));
    let company = Company::start(reporter, home, programs, &world).await?;
    reporter.done(&format!("private home in {}", home.root().display()));
    Ok((world, company))
}

/// Makes the bare repositories and the first commit.
async fn fill_hub(home: &Home, programs: &Programs) -> Result<(), Failure> {
    for repository in [seed::REPOSITORY, seed::SECOND, seed::FOREIGN] {
        let bare = home.hub().join(format!("{repository}.git"));
        let path = bare.display().to_string();
        let init = ["init", "--quiet", "--bare", "--initial-branch=main", &path];
        let made = programs.run(home.root(), "git", &init).await?;
        made.expect(
            0,
            "the hub's repository can't be made (git 2.28 or newer is needed)",
        )?;
        let stream = home.root().join("first-commit");
        home.write(&stream, seed::FIRST_COMMIT)?;
        let import = ["-c", "exec git fast-import --quiet <../../../first-commit"];
        let filled = programs.run(&bare, "sh", &import).await?;
        filled.expect(0, "the hub's repository can't be filled")?;
    }
    Ok(())
}

impl Scenario<'_> {
    /// The repository's address.
    pub fn url(&self) -> String {
        format!("{}/{}", self.world.hub, seed::REPOSITORY)
    }

    pub fn clone_folder(&self) -> PathBuf {
        self.home.work().join("model")
    }

    /// git in the clone.
    pub async fn git(&self, args: &[&str]) -> Result<Ran, Failure> {
        self.programs.run(&self.clone_folder(), "git", args).await
    }

    /// One of our own commands.
    pub async fn oam(&self, args: &[&str]) -> Result<Ran, Failure> {
        self.programs.run(&self.home.work(), "oam", args).await
    }

    /// `oam status --json`, and the organization in it.
    pub async fn status(&mut self) -> Result<(StatusReport, OrgStatus), Failure> {
        let ran = self
            .oam(&["status", "--json"])
            .await?
            .expect(0, "`oam status` failed")?;
        let report = report_of(&ran)?;
        self.agent = Some(report.agent_pid);
        let org = report
            .orgs
            .iter()
            .find(|org| org.org.as_str() == seed::ORG)
            .cloned();
        org.map(|org| (report, org))
            .ok_or_else(|| ran.failure("`oam status` does not know the organization"))
    }

    /// The steps of a refusal that every get after the end must show: git stops with 128 and says
    /// what happened and what to do. Answers these two lines.
    pub fn refused(ran: &Ran) -> Result<Vec<String>, Failure> {
        let lines: Vec<String> = ran
            .stderr()
            .filter(|line| !line.starts_with("fatal:"))
            .map(str::to_owned)
            .collect();
        let told = lines.len() >= 2 && lines.iter().any(|line| line.contains("`oam login acme`"));
        if ran.code == Some(128) && told {
            Ok(lines)
        } else {
            Err(ran.failure(
                "git was not refused with 128 and two lines that say what happened and what to do",
            ))
        }
    }
}

/// The shape that `--json` promises.
fn report_of(ran: &Ran) -> Result<StatusReport, Failure> {
    serde_json::from_str(&ran.stdout())
        .map_err(|error| ran.failure(format!("`oam status --json` is not a report: {error}")))
}

/// Ends what the programs left: the agent, which is a daemon and no child of ours. It is asked who
/// it is, unless nobody ever started one. Its folder tells that and not its socket: an agent that is
/// just starting is found by the question, or replaced by one that can be ended.
pub async fn clean_up(home: &Home, programs: &Programs) {
    if !home.agent().exists() {
        return;
    }
    let asked = programs.start(home.root(), "oam", &["status", "--json"]);
    let Ok(asked) = asked else { return };
    if let Ok(ran) = asked.end(Duration::from_secs(5)).await
        && let Ok(report) = report_of(&ran)
    {
        kill(home, programs, report.agent_pid).await;
    }
}

/// `kill -KILL`, then waits until the process is gone or only its entry is left (a parent that
/// never reaps, as in some containers). By the shell: signals are a matter of Unix.
pub async fn kill(home: &Home, programs: &Programs, pid: u32) {
    let script = r#"
kill -KILL "$1" || exit 1
tries=0
while kill -0 "$1" 2>/dev/null && [ "$tries" -lt 40 ]; do
  tries=$((tries + 1))
  case $(ps -o stat= -p "$1" 2>/dev/null) in Z*) break ;; esac
  sleep 0.05 2>/dev/null || sleep 1
done
"#;
    // A process that is not there any more is what we want.
    let _ = programs
        .run(home.root(), "sh", &["-c", script, "kill", &pid.to_string()])
        .await;
}
