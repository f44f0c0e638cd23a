//! The company's directories: whether each is heard, by a token that is good, and whether tokens contradict it.

use super::{Finding, State};
use oam_issuer::secrets::is_good;
use oam_model::count::counted;
use oam_model::directory::DirectoryPoll;
use oam_model::issuer::{DirectorySettings, IssuerSettings};
use oam_model::name::SourceName;
use oam_store::{DirectoryState, PersonRow, PollState, SecretOwner, SecretRow, Store, StoreFault};
use oam_terminal::moment::local;

/// People who are looked at.
const PEOPLE: usize = 5_000;
/// People not seen for this long say nothing of today, ms.
const RECENT_MS: u64 = 14 * 24 * 3_600_000;
/// People who are named.
const NAMED: usize = 3;

pub(super) async fn look(
    settings: &IssuerSettings,
    store: &dyn Store,
    now_ms: u64,
    findings: &mut Vec<Finding>,
) {
    for source in &settings.sources {
        if let Some(directory) = &source.directory {
            read(&source.name, directory, store, now_ms, findings).await;
        }
        let Some(directory) = source.scim else {
            continue;
        };
        match asked(store, &source.name, now_ms).await {
            Ok((state, tokens, people)) => {
                let part = format!("directory of {}", source.name);
                findings.push(heard(&part, &directory, state, &tokens, now_ms));
                findings.extend(contradicts(&part, &source.name, &people));
                let words = format!(
                    "let `{}` at the provider be what tokens say in `key_claim`, else `sub`, or choose another `subject`",
                    directory.subject.word()
                );
                findings.extend(unknown(&part, &source.name, &words, state, &people));
            }
            Err(fault) => findings.push(Finding::of("directory", &fault.refusal())),
        }
    }
}

/// A directory that is read.
async fn read(
    source: &SourceName,
    settings: &DirectoryPoll,
    store: &dyn Store,
    now_ms: u64,
    findings: &mut Vec<Finding>,
) {
    let part = format!("directory of {source}");
    let asked = async {
        let poll = store.directory_poll(source.clone()).await?;
        Ok::<_, StoreFault>((poll, asked(store, source, now_ms).await?))
    };
    match asked.await {
        Ok((poll, (state, _, people))) => {
            findings.push(taken(&part, source, settings, state, &poll, now_ms));
            findings.extend(contradicts(&part, source, &people));
            let next = format!(
                "let `subject` (now `{}`) be the attribute that tokens say in `key_claim`, else `sub`",
                settings.subject
            );
            findings.extend(unknown(&part, source, &next, state, &people));
        }
        Err(fault) => findings.push(Finding::of("directory", &fault.refusal())),
    }
}

/// Whether a directory that is read is read as often as is expected, and what it says is taken.
pub(super) fn taken(
    part: &str,
    source: &SourceName,
    settings: &DirectoryPoll,
    state: DirectoryState,
    poll: &PollState,
    now_ms: u64,
) -> Finding {
    let words = format!("{}, as of {}", holds(state), at(poll.as_of_ms));
    if poll.held.is_some() {
        let why = poll.fault.as_deref().unwrap_or("what was read is held");
        return Finding::bad(
            part,
            State::Fault,
            format!("{why}; {words}"),
            format!(
                "look at its filter and at what the reader may see; where it is true, run `oam-issuer directory confirm {source}`"
            ),
        );
    }
    let next = format!("`oam-issuer directory poll {source} --dry-run` tells what is wrong now");
    let silent = poll
        .as_of_ms
        .is_none_or(|at_ms| now_ms.saturating_sub(at_ms) > settings.expect_every_ms);
    let late = silent && settings.expect_every_ms > 0;
    match (&poll.fault, late) {
        (Some(why), late) => {
            let grade = if late { State::Fault } else { State::Warning };
            Finding::bad(part, grade, format!("{why}; {words}"), next)
        }
        (None, true) => {
            let why = "it has gone silent, so nobody who leaves is heard of";
            Finding::bad(part, State::Warning, format!("{why}: {words}"), next)
        }
        (None, false) => Finding::ok(part, words),
    }
}

async fn asked(
    store: &dyn Store,
    source: &SourceName,
    now_ms: u64,
) -> Result<(DirectoryState, Vec<SecretRow>, Vec<PersonRow>), StoreFault> {
    let state = store.directory_state(source.clone()).await?;
    let tokens = store
        .secrets(SecretOwner::Directory(source.clone()))
        .await?;
    let since_ms = now_ms.saturating_sub(RECENT_MS);
    let people = store.recent_people(since_ms, None, PEOPLE).await?;
    Ok((state, tokens, people))
}

fn holds(state: DirectoryState) -> String {
    format!(
        "{} and {}",
        counted(state.users, "user", "users"),
        counted(state.groups, "group", "groups")
    )
}

/// A moment of Unix milliseconds as a person reads it.
fn at(moment: Option<u64>) -> String {
    moment.map_or_else(|| "never".to_owned(), |at_ms| local(at_ms / 1000))
}

/// Whether it is heard as often as is expected.
pub(super) fn heard(
    part: &str,
    settings: &DirectorySettings,
    state: DirectoryState,
    tokens: &[SecretRow],
    now_ms: u64,
) -> Finding {
    let next = "look at the provisioning at the provider: its address ends in /scim/v2, and its token is one of \
        `oam-issuer scim list`";
    if !tokens.iter().any(|row| is_good(row, now_ms)) {
        return Finding::bad(
            part,
            State::Fault,
            "it has no token that is good, so nothing that it says is taken",
            "make one with `oam-issuer scim token SOURCE`, and enter it at the provider",
        );
    }
    let Some(at_ms) = state.heard_at_ms else {
        return Finding::bad(part, State::Warning, "it was never heard", next);
    };
    let words = format!(
        "{}; last heard {}, last change {}",
        holds(state),
        at(Some(at_ms)),
        at(state.changed_at_ms)
    );
    let silent_ms = now_ms.saturating_sub(at_ms);
    if settings.expect_every_ms > 0 && silent_ms > settings.expect_every_ms {
        let words = format!("it has gone silent, so nobody who leaves is heard of: {words}");
        return Finding::bad(part, State::Warning, words, next);
    }
    Finding::ok(part, words)
}

/// Whether people come whom it does not know: nobody hears that they left. Where it knows none of them, it calls
/// people otherwise than their tokens do.
pub(super) fn unknown(
    part: &str,
    source: &SourceName,
    next: &str,
    state: DirectoryState,
    people: &[PersonRow],
) -> Option<Finding> {
    let came = people
        .iter()
        .filter(|row| row.seen.key.source == *source && !row.is_never_seen());
    let (known, unknown): (Vec<_>, Vec<_>) = came.partition(|row| row.directory.is_some());
    let first = unknown.first()?;
    if state.users == 0 {
        return None;
    }
    let count = counted(unknown.len() as u64, "person", "people");
    let who = &first.seen.key;
    if known.is_empty() {
        return Some(Finding::bad(
            part,
            State::Fault,
            format!(
                "it knows none of the {count} who came lately, so none of them is ended by it; one is {who}"
            ),
            next,
        ));
    }
    Some(Finding::bad(
        part,
        State::Warning,
        format!(
            "it does not know {count} who came lately, so nobody hears when they leave; one is {who}"
        ),
        "let the directory tell of them too (the application whose provisioning it is, the filter), or revoke whoever \
         has left",
    ))
}

/// Whether the last tokens of people say other groups than the directory.
pub(super) fn contradicts(
    part: &str,
    source: &SourceName,
    people: &[PersonRow],
) -> Option<Finding> {
    let differs = |row: &&PersonRow| {
        let (Some(said), Some(of_token)) = (row.directory_groups(), row.seen.groups.as_ref())
        else {
            return false;
        };
        row.seen.key.source == *source && of_token.iter().any(|group| !said.contains(group))
    };
    let found: Vec<&PersonRow> = people.iter().filter(differs).collect();
    if found.is_empty() {
        return None;
    }
    let named = found.iter().take(NAMED).map(|row| {
        let said = row.directory_groups().unwrap_or_default();
        let of_token = row.seen.groups.iter().flatten();
        let more: Vec<&str> = of_token
            .filter(|group| !said.contains(group))
            .map(String::as_str)
            .collect();
        format!("{} ({})", row.seen.key, more.join(", "))
    });
    let named: Vec<String> = named.collect();
    Some(Finding::bad(
        part,
        State::Warning,
        format!(
            "tokens of {} say groups that it does not, which do not count: {}",
            counted(found.len() as u64, "person", "people"),
            named.join("; ")
        ),
        "push these groups from the directory too, or take them out of the tokens; `oam-issuer people NAME` shows both",
    ))
}
