//! `oam exec` in a CI job: the token is taken here, kept fresh here and taken back here.

use super::plan::{self, ExecRequest};
use super::token_folder::TokenFolder;
use super::{child, equip, gateway, set, tell};
use crate::Done;
use crate::args::ExecArgs;
use crate::job::JobClient;
use crate::setup;
use crate::when;
use oam_helper::env;
use oam_model::granted::TokenAnswer;
use oam_model::job::{JobFault, JobOrder, JobToken};
use oam_model::refusal::{Refusal, RefusalCode};
use oam_model::system_error::reason;
use oam_terminal::{Line, Show, Style, Talk};
use oam_wire::message::Following;
use std::process::Command;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

/// A token is renewed this long before it ends, or at half of a shorter life.
const MARGIN: Duration = Duration::from_mins(1);
/// Longest pause between two attempts while the issuer gives none.
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// Runs the command with the job's token.
pub(super) fn run(
    show: &Show,
    args: &ExecArgs,
    mut command: Command,
    wanted: &ExecRequest,
    job: JobClient,
) -> Done {
    let endpoint = std::env::var("HF_ENDPOINT").ok();
    let (ask, _) = plan::aim(wanted, &job.hubs(), endpoint.as_deref())?;
    let order = job.order(&ask)?;
    let takes = env::takes_gateway(&order.hub.kind, &order.hub.url, &order.hub.variables);
    if takes && !args.token_file {
        return gateway::run_job(show, command, job, (&ask, wanted.is_hf), order);
    }
    let waiting = show.waiting("the issuer, which is asked for the token");
    let token = job.mint(&order).map_err(JobFault::told)?;
    drop(waiting);
    let kept = Arc::new(TokenFolder::make()?);
    if let Err(error) = kept.put(&token) {
        kept.close();
        return Err(Refusal::unavailable(
            format!(
                "the token file could not be written: {}",
                reason(error.kind())
            ),
            "set XDG_RUNTIME_DIR or TMPDIR to a folder that you can write to",
        ));
    }
    let life = Duration::from_secs(token.answer.granted.expires_in_s);
    let granted = granted(&token);
    let following = following(token, &order, &kept);
    tell(show, &following, args.expect);
    show.say(granted);
    equip(&mut command, &following);
    git(show, &mut command, &order, &kept);
    let fresh = Arc::clone(&kept);
    let talk = show.talk();
    thread::spawn(move || renew(&job, &order, &fresh, life, talk));
    Ok(child::run(show, command, move || kept.close()))
}

/// What a person looks for in the job's log when the issuer's is at hand.
pub(super) fn granted(token: &JobToken) -> String {
    format!(
        "granted because {}, for {}, as request {}",
        token.rule,
        when::span(token.answer.granted.expires_in_s),
        token.request_id
    )
}

/// As the agent would tell it, so that the child gets the same variables.
fn following(token: JobToken, order: &JobOrder, kept: &TokenFolder) -> Following {
    let TokenAnswer { granted, token } = token.answer;
    Following {
        granted: granted.clone(),
        path: kept.token().display().to_string(),
        name: String::new(),
        hub_kind: order.hub.kind.clone(),
        variables: order.hub.variables.clone(),
        on_disk: kept.on_disk(),
        token: Some(TokenAnswer { granted, token }),
    }
}

/// git asks the helper, the helper reads the file: no token in an argument or a variable.
fn git(show: &Show, command: &mut Command, order: &JobOrder, kept: &TokenFolder) {
    let helper = match setup::git_helper(&order.hub.name, &kept.answer()) {
        Ok(helper) => helper,
        Err(refusal) => {
            show.say(
                Line::new()
                    .look(Style::Warn, "warning: ")
                    .text(format!("git gets no token: {}", refusal.sentence)),
            );
            return;
        }
    };
    let there = std::env::var("GIT_CONFIG_COUNT").ok();
    let hub = &order.hub;
    for change in env::git_changes(&hub.kind, &hub.url, &helper, there.as_deref()) {
        set(command, change, None);
    }
}

/// Brings the next token before the old one ends, until the child is gone or the issuer takes it back.
fn renew(job: &JobClient, order: &JobOrder, kept: &TokenFolder, mut life: Duration, talk: Talk) {
    let mut pause = before_end(life);
    let mut ends = Instant::now() + life;
    let mut trouble = Trouble::default();
    while !kept.is_over_after(pause) {
        let fault = match job.mint(order) {
            Ok(token) => {
                life = Duration::from_secs(token.answer.granted.expires_in_s);
                match kept.put(&token) {
                    Ok(()) => {
                        (pause, ends) = (before_end(life), Instant::now() + life);
                        trouble.is_over(talk);
                        continue;
                    }
                    Err(error) => JobFault::from(Refusal::unavailable(
                        format!(
                            "the token file could not be written: {}",
                            reason(error.kind())
                        ),
                        "make room where it lies",
                    )),
                }
            }
            Err(fault) => fault,
        };
        if fault.takes_back() {
            let refusal = fault.told();
            // Taken away before it is told: nothing that reads these lines may find the file.
            kept.take_back(&refusal);
            talk.refusal(&refusal);
            return;
        }
        let left = ends.saturating_duration_since(Instant::now());
        pause = trouble.meets(talk, kept, &fault.told(), left);
    }
}

/// When to ask again.
fn before_end(life: Duration) -> Duration {
    life.saturating_sub(MARGIN.min(life / 2))
}

/// The issuer gives no token and says nothing about the right to one.
#[derive(Default)]
struct Trouble {
    tries: u32,
    /// The token ended meanwhile, and its file is gone.
    ended: bool,
}

impl Trouble {
    /// Tells once; at the end of the token takes the file away. The next attempt is after this pause.
    fn meets(
        &mut self,
        talk: Talk,
        kept: &TokenFolder,
        refusal: &Refusal,
        left: Duration,
    ) -> Duration {
        if self.tries == 0 {
            talk.refusal(refusal);
        }
        if left.is_zero() && !self.ended {
            self.ended = true;
            let over = Refusal::new(
                RefusalCode::Unavailable,
                "the token of this job has ended and could not be renewed, so its file was deleted",
                "look above for the reason; it comes back when the issuer answers again",
            );
            kept.take_back(&over);
            talk.refusal(&over);
        }
        let pause = Duration::from_secs(1u64 << self.tries.min(5)).min(LONGEST_PAUSE);
        self.tries = self.tries.saturating_add(1);
        // Not asleep at the moment when the file has to go.
        if self.ended || left.is_zero() {
            pause
        } else {
            pause.min(left)
        }
    }

    fn is_over(&mut self, talk: Talk) {
        if self.ended {
            talk.say("the issuer answers again, and the token file is back");
        }
        *self = Self::default();
    }
}

#[cfg(test)]
mod tests {
    use super::before_end;
    use std::time::Duration;

    #[test]
    fn a_token_is_renewed_a_minute_before_its_end_or_at_half_of_a_short_life() {
        for (life, pause) in [(900, 840), (121, 61), (100, 50), (2, 1), (0, 0)] {
            assert_eq!(before_end(Duration::from_secs(life)).as_secs(), pause);
        }
    }
}
