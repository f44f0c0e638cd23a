//! `oam token`: one token for a script.

use super::Done;
use super::agent_client::{AgentClient, OtherVersion, astray};
use super::args::{TokenArgs, TokenRequestArgs};
use super::job::JobClient;
use super::wish;
use oam_model::granted::TokenAnswer;
use oam_model::job::{JobFault, JobOutside};
use oam_model::refusal::Refusal;
use oam_model::token_request::{Intent, TokenRequest};
use oam_terminal::Show;
use oam_wire::message::{Reply, Request};
use zeroize::Zeroizing;

/// Prints one token. It reads unless `--write` is given: the narrower token is the better default.
pub fn run(show: &Show, args: &TokenArgs, outside: &'static dyn JobOutside) -> Done {
    if show.to_terminal() && !args.show {
        return Err(Refusal::bad_request(
            "a token is not printed to a terminal, where it stays in the scroll-back",
            "send the output to the program that needs it, or add --show",
        ));
    }
    let ask = ask_of(&args.wish)?;
    let waiting = show.waiting("the issuer, which is asked for the token");
    if let Some(job) = JobClient::find(outside, &args.job)? {
        let token = job.mint(&job.order(&ask)?).map_err(JobFault::told)?;
        drop(waiting);
        if std::env::var_os("GITHUB_ACTIONS").is_some() {
            mask(show, &token.answer);
        }
        if show.json() {
            show.value(&token);
        } else {
            print(show, &token.answer);
        }
        return Ok(0);
    }
    drop(waiting);
    let mut link = AgentClient::open(show, OtherVersion::Name)?;
    let front = "token".to_owned();
    let Reply::Token(answer) = link.ask(Request::Get { ask, front })? else {
        return Err(astray());
    };
    if show.json() {
        show.value(&answer);
    } else {
        print(show, &answer);
    }
    Ok(0)
}

fn ask_of(wish: &TokenRequestArgs) -> Result<TokenRequest, Refusal> {
    let intent = if wish.write {
        Intent::Write
    } else {
        Intent::Read
    };
    wish::ask(
        wish.repo.as_deref(),
        wish.hub.as_ref(),
        wish.role.as_ref(),
        intent,
    )
}

/// Has the runner of GitHub Actions replace the token in what the job prints from now on. The runner takes this line
/// out of the log itself; stdout may be captured, so it goes to stderr.
fn mask(show: &Show, answer: &TokenAnswer) {
    const COMMAND: &[u8] = b"::add-mask::";
    let token = answer.token.expose();
    let mut line = Zeroizing::new(Vec::with_capacity(COMMAND.len() + token.len() + 1));
    line.extend_from_slice(COMMAND);
    line.extend_from_slice(token.as_bytes());
    line.push(b'\n');
    show.talk().raw(&line);
}

fn print(show: &Show, answer: &TokenAnswer) {
    let token = answer.token.expose();
    // One write of a whole line: stdout's own buffer, which is never wiped, is passed by.
    let mut line = Zeroizing::new(Vec::with_capacity(token.len() + 1));
    line.extend_from_slice(token.as_bytes());
    line.push(b'\n');
    show.raw(&line);
}
