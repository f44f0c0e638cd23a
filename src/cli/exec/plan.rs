//! What the child's token is to be for.

use crate::args::TokenRequestArgs;
use crate::wish;
use oam_helper::hf::{self, TokenNeed};
use oam_model::refusal::Refusal;
use oam_model::report::HubRow;
use oam_model::settings::HubKind;
use oam_model::token_request::{HubRef, Intent, TokenRequest};
use std::ffi::OsString;

/// What to do for a command.
#[derive(Debug)]
pub enum ExecPlan {
    /// It asks the hub for nothing.
    Nothing,
    /// It needs a token.
    Token(ExecRequest),
}

/// What the token is for, before the hub is settled.
#[derive(Debug)]
pub struct ExecRequest {
    ask: TokenRequest,
    /// The command is `hf`: its hub is of that kind.
    pub is_hf: bool,
    /// What the person should know.
    pub notes: Vec<String>,
}

/// Reads the command line; what the person gave wins over what the command's arguments say.
pub fn plan(given: &TokenRequestArgs, command: &[OsString]) -> Result<ExecPlan, Refusal> {
    let words: Vec<_> = command.iter().map(|word| word.to_string_lossy()).collect();
    let words: Vec<&str> = words.iter().map(AsRef::as_ref).collect();
    let of_hf = hf::arguments(&words);
    let mut notes = Vec::new();
    let mut intent = Intent::Read;
    let mut target = None;
    if let Some(arguments) = of_hf {
        match hf::need(arguments) {
            TokenNeed::Nothing => return Ok(ExecPlan::Nothing),
            TokenNeed::PersonalToken(word) => return Err(personal(word)),
            TokenNeed::Token {
                intent: read,
                repository,
                unsure,
                own_token,
            } => {
                intent = read;
                target = repository;
                if unsure && given.repo.is_none() {
                    notes.push(
                        "the repository can't be told from these arguments: name it with --repo"
                            .into(),
                    );
                }
                if own_token {
                    notes.push(
                        "the command's own --token wins over the role's token: leave it out".into(),
                    );
                }
            }
        }
    }
    if given.write {
        intent = Intent::Write;
    }
    let target = given.repo.as_deref().or(target.as_deref());
    let ask = wish::ask(target, given.hub.as_ref(), given.role.as_ref(), intent)?;
    let is_hf = of_hf.is_some();
    Ok(ExecPlan::Token(ExecRequest { ask, is_hf, notes }))
}

fn personal(word: &str) -> Refusal {
    Refusal::bad_request(
        format!("`hf {word}` is about personal tokens, which role tokens replace"),
        "sign in with `oam login` and run hub commands through `oam exec`",
    )
}

/// The ask with its hub, and the hub's kind where it is known. An `hf` command goes to the hub of its
/// kind; `endpoint` is the inherited `HF_ENDPOINT`, which says which one.
pub fn aim(
    wanted: &ExecRequest,
    hubs: &[HubRow],
    endpoint: Option<&str>,
) -> Result<(TokenRequest, Option<String>), Refusal> {
    let mut ask = wanted.ask.clone();
    let rows: Vec<&HubRow> = hubs.iter().collect();
    let row = match &ask.hub {
        HubRef::Name(name) => rows.iter().find(|row| row.hub == *name),
        HubRef::Url { .. } => rows.iter().find(|row| ask.is_at(&row.url)),
        HubRef::Only if wanted.is_hf => {
            let row = hub_of_hf(&rows, endpoint)?;
            match row {
                Some(row) => ask.hub = HubRef::Name(row.hub.clone()),
                // Of several the roles decide; they are all of one kind.
                None if rows.iter().any(|row| is_of_hf(row)) => {
                    ask.hub = HubRef::Kind(HubKind::HuggingFace);
                    return Ok((ask, Some(HubKind::HuggingFace.word().to_owned())));
                }
                None => {}
            }
            row
        }
        HubRef::Only | HubRef::Kind(_) => rows.first().filter(|_| rows.len() == 1),
    };
    Ok((ask, row.map(|row| row.kind.clone())))
}

fn hub_of_hf<'a>(
    rows: &'a [&'a HubRow],
    endpoint: Option<&str>,
) -> Result<Option<&'a &'a HubRow>, Refusal> {
    let own: Vec<&&HubRow> = rows.iter().filter(|row| is_of_hf(row)).collect();
    if let Some(endpoint) = endpoint
        .map(|e| e.trim_end_matches('/'))
        .filter(|e| !e.is_empty())
    {
        // Going to another hub than the one that was set would surprise.
        return own
            .iter()
            .find(|row| row.url == endpoint)
            .map(|row| Some(*row))
            .ok_or_else(|| {
                Refusal::denied(
                    "HF_ENDPOINT names a hub that is not configured",
                    "unset HF_ENDPOINT, or name a configured hub with --hub",
                )
            });
    }
    match own.as_slice() {
        [row] => Ok(Some(row)),
        _ => Ok(None),
    }
}

fn is_of_hf(row: &HubRow) -> bool {
    row.kind == HubKind::HuggingFace.word()
}

#[cfg(test)]
mod tests {
    use super::{ExecPlan, HubKind, HubRef, HubRow, Intent, aim, plan};
    use crate::args::TokenRequestArgs;
    use std::ffi::OsString;

    fn wish() -> TokenRequestArgs {
        TokenRequestArgs {
            role: None,
            hub: None,
            repo: None,
            write: false,
        }
    }

    fn line(text: &str) -> Vec<OsString> {
        text.split(' ').map(Into::into).collect()
    }

    fn wanted(given: &TokenRequestArgs, text: &str) -> super::ExecRequest {
        match plan(given, &line(text)).unwrap() {
            ExecPlan::Token(wanted) => wanted,
            ExecPlan::Nothing => panic!("{text}: nothing"),
        }
    }

    fn report(hubs: &[(&str, &str, &str)]) -> Vec<HubRow> {
        let row = |(hub, url, kind): &(&str, &str, &str)| HubRow {
            hub: hub.parse().unwrap(),
            url: (*url).to_owned(),
            kind: (*kind).to_owned(),
        };
        hubs.iter().map(row).collect()
    }

    #[test]
    fn what_the_person_gives_wins_over_the_arguments() {
        let mut given = wish();
        given.repo = Some("acme/other".into());
        given.write = true;
        let ask = wanted(&given, "/opt/bin/hf download acme/model").ask;
        assert_eq!(ask.path.as_deref(), Some("acme/other"));
        assert_eq!(ask.intent, Intent::Write);
        let ask = wanted(&wish(), "uvx hf download acme/model").ask;
        assert_eq!(
            (ask.path.as_deref(), ask.intent),
            (Some("acme/model"), Intent::Read)
        );
    }

    #[test]
    fn an_unknown_command_reads_unless_told_otherwise() {
        assert_eq!(wanted(&wish(), "python upload.py").ask.intent, Intent::Read);
    }

    #[test]
    fn a_personal_token_is_not_kept_by_the_way() {
        assert!(plan(&wish(), &line("hf auth login")).is_err());
        assert!(matches!(
            plan(&wish(), &line("hf version")),
            Ok(ExecPlan::Nothing)
        ));
    }

    #[test]
    fn hf_goes_to_the_hub_of_its_kind() {
        let two = report(&[
            ("git", "https://git.example", "git"),
            ("hf", "https://huggingface.co", "huggingface"),
        ]);
        let hf = wanted(&wish(), "hf download acme/model");
        let (ask, kind) = aim(&hf, &two, None).unwrap();
        assert_eq!(ask.hub, HubRef::Name("hf".parse().unwrap()));
        assert_eq!(kind.as_deref(), Some("huggingface"));
        let other = wanted(&wish(), "python x.py");
        assert_eq!(aim(&other, &two, None).unwrap(), (other.ask.clone(), None));
    }

    #[test]
    fn an_inherited_endpoint_chooses_and_a_foreign_one_is_refused() {
        let two = report(&[
            ("a", "https://a.example", "huggingface"),
            ("b", "https://b.example", "huggingface"),
        ]);
        let hf = wanted(&wish(), "hf download acme/model");
        let (ask, kind) = aim(&hf, &two, None).unwrap();
        assert_eq!(ask.hub, HubRef::Kind(HubKind::HuggingFace), "roles decide");
        assert_eq!(kind.as_deref(), Some("huggingface"));
        let (ask, _) = aim(&hf, &two, Some("https://b.example/")).unwrap();
        assert_eq!(ask.hub, HubRef::Name("b".parse().unwrap()));
        assert!(aim(&hf, &two, Some("https://evil.example")).is_err());
    }
}
