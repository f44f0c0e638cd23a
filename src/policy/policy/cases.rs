//! A policy's answers compared with a table of expected ones, for `oam-issuer policy test`.

use super::{Index, decide};
use crate::claims::groups::is_team;
use crate::evidence::{EvidenceKind, GroupOrigin, TEAM, TEAM_BECAUSE, ToldGroups, deciding};
use oam_model::issuer::IdentitySource;
use oam_model::policy::{CaseGroups, ExpectedAnswer, PolicyCase};
use oam_model::principal::{Groups, Principal, PrincipalKey};
use serde::Serialize;
use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::Arc;

/// How one case came out; a line of `oam-issuer policy test --json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CaseResult {
    /// 1-based line of the case.
    pub line: usize,
    /// The principal, `source:key`.
    pub subject: String,
    /// What was asked: `write acme/model on models`.
    pub asked: String,
    /// Whether the answer is the expected one.
    pub ok: bool,
    /// The expected answer: a role's name, or `denied`.
    pub expected: String,
    pub answer: String,
    /// Why, in words.
    pub why: String,
    /// The groups that the answer was made from.
    pub groups: CaseEvidence,
}

/// Which of the groups that a case says count, as they would of somebody who comes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CaseEvidence {
    /// Those that count, teams among them.
    pub groups: Vec<String>,
    /// Whose word on groups counts, beside GitHub's on teams: `directory`, `poll`, `signal` or `token`.
    pub by: &'static str,
    /// Why that word does.
    pub because: &'static str,
    /// Every group that anybody says.
    pub said: Vec<SaidGroup>,
}

/// A group of a case, with who says it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SaidGroup {
    /// As the case names it.
    pub group: String,
    /// `directory`, `poll`, `signal`, `token` or `team`.
    pub by: &'static str,
    /// Whether it counts.
    pub counts: bool,
    /// Why it counts, or why not.
    pub because: &'static str,
}

impl CaseEvidence {
    /// By the one table ([`deciding`]), as of people who are kept.
    pub fn of(source: &IdentitySource, said: &CaseGroups) -> Self {
        let by_directory = match (&said.directory, &said.poll) {
            (Some(_), _) => Some(EvidenceKind::Scim),
            (None, Some(_)) => Some(EvidenceKind::Poll),
            (None, None) => None,
        };
        let counting = deciding(ToldGroups {
            by_directory,
            by_signal: said.signal.is_some(),
        });
        let words = [
            (
                GroupOrigin::Directory(EvidenceKind::Scim),
                said.directory.as_deref(),
            ),
            (
                GroupOrigin::Directory(EvidenceKind::Poll),
                said.poll.as_deref(),
            ),
            (GroupOrigin::Signal, said.signal.as_deref()),
            (GroupOrigin::Token, Some(said.token.as_slice())),
        ];
        let mut all = Vec::new();
        for (origin, groups) in words {
            for group in groups.unwrap_or_default() {
                let team = is_team(source, group);
                all.push(SaidGroup {
                    group: group.clone(),
                    by: origin.word(),
                    counts: origin == counting && !team,
                    because: if team {
                        "only GitHub says its teams, so another's word on one is passed over"
                    } else {
                        counting.because()
                    },
                });
            }
        }
        for group in &said.team {
            let counts = is_team(source, group);
            all.push(SaidGroup {
                group: group.clone(),
                by: TEAM,
                counts,
                because: if counts {
                    TEAM_BECAUSE
                } else {
                    "GitHub says ORGANIZATION/TEAM, or ORGANIZATION for everybody in it, of the organization that is set up"
                },
            });
        }
        let counted = all.iter().filter(|one| one.counts);
        Self {
            groups: counted.map(|one| one.group.clone()).collect(),
            by: counting.word(),
            because: counting.because(),
            said: all,
        }
    }
}

/// Somebody as an administrator describes them: verified by nobody, so for questions only.
pub fn principal(
    source: &IdentitySource,
    who: &str,
    groups: Vec<String>,
    claims: BTreeMap<String, Value>,
) -> Principal {
    let mut all = claims;
    let subject = all.entry("sub".to_owned()).or_insert_with(|| who.into());
    let subject = subject.as_str().unwrap_or(who).to_owned();
    // A number stands for its text, as in the tokens of those who send ids as numbers.
    let text = |name: &str| match all.get(name)? {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    };
    let key = source.key_claim.as_deref().and_then(text);
    Principal {
        key: PrincipalKey {
            source: source.name.clone(),
            key: key.unwrap_or_else(|| who.to_owned()),
        },
        kind: source.kind,
        issuer: source.issuer.clone(),
        username: Some(text(&source.username_claim).unwrap_or_else(|| who.to_owned())),
        email: text("email"),
        email_verified: false,
        subject,
        groups: Groups::Known(groups),
        session: None,
        claims: Arc::new(all.into_iter().collect()),
        proven_at: 0,
        auth_time: None,
        expires_at: 0,
    }
}

/// Asks the policy and compares. `sources` are those of the settings; a case of another source is not read.
pub fn judge(index: &Index, sources: &[IdentitySource], cases: &[PolicyCase]) -> Vec<CaseResult> {
    cases
        .iter()
        .filter_map(|case| {
            let source = sources.iter().find(|source| source.name == case.source)?;
            Some(judge_one(index, source, case))
        })
        .collect()
}

fn judge_one(index: &Index, source: &IdentitySource, case: &PolicyCase) -> CaseResult {
    let groups = CaseEvidence::of(source, &case.groups);
    let principal = principal(
        source,
        &case.who,
        groups.groups.clone(),
        case.claims.clone(),
    );
    let (answer, why) = match decide(index, &principal, &case.wanted) {
        Ok(decision) => (
            ExpectedAnswer::Role(decision.role),
            format!("{}; {}", decision.rule, decision.because),
        ),
        Err(refusal) => (
            ExpectedAnswer::Denied,
            format!("{}; {}", refusal.sentence, refusal.next),
        ),
    };
    let repository = case.wanted.repository.as_ref();
    CaseResult {
        line: case.line,
        subject: principal.key.to_string(),
        asked: format!(
            "{} {} on {}",
            case.wanted.action.word(),
            repository.map_or("everything", |repository| repository.as_str()),
            case.wanted.hub
        ),
        ok: answer == case.expect,
        expected: word(&case.expect),
        answer: word(&answer),
        why,
        groups,
    }
}

fn word(answer: &ExpectedAnswer) -> String {
    match answer {
        ExpectedAnswer::Denied => "denied".to_owned(),
        ExpectedAnswer::Role(role) => role.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::CaseEvidence;
    use crate::claims::fixture::okta;
    use oam_model::issuer::{AccountsBy, GitHubSettings, SecretPlace};
    use oam_model::policy::CaseGroups;

    fn groups(names: &[&str]) -> Vec<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    #[test]
    fn the_word_that_counts_is_the_one_that_counts_of_people_who_come() {
        let token = groups(&["token"]);
        let signal = Some(groups(&["signal"]));
        let told = |directory: Option<Vec<String>>, poll: Option<Vec<String>>, signal| {
            let said = CaseGroups {
                token: token.clone(),
                signal,
                directory,
                poll,
                team: Vec::new(),
            };
            let told = CaseEvidence::of(&okta(), &said);
            (told.by, told.groups.join(" "))
        };
        let is = |by: &'static str, groups: &str| (by, groups.to_owned());
        assert_eq!(told(None, None, None), is("token", "token"));
        assert_eq!(told(None, None, signal.clone()), is("signal", "signal"));
        assert_eq!(
            told(Some(groups(&["scim"])), None, signal.clone()),
            is("directory", "scim")
        );
        assert_eq!(
            told(None, Some(groups(&["read"])), signal),
            is("poll", "read")
        );
        // It says that they are in none: that counts too.
        assert_eq!(told(Some(groups(&[])), None, None), is("directory", ""));
    }

    #[test]
    fn what_does_not_count_is_told_with_the_word_that_does() {
        let said = CaseGroups {
            token: groups(&["old", "both"]),
            directory: Some(groups(&["both"])),
            ..CaseGroups::default()
        };
        let told = CaseEvidence::of(&okta(), &said);
        let each = told.said.iter();
        let each: Vec<_> = each.map(|one| (&*one.group, one.by, one.counts)).collect();
        let wanted = [
            ("both", "directory", true),
            ("old", "token", false),
            ("both", "token", false),
        ];
        assert_eq!(each, wanted);
        assert!(told.said.iter().all(|one| one.because == told.because));
    }

    #[test]
    fn a_team_counts_beside_the_others_and_only_by_github() {
        let mut source = okta();
        source.github = Some(GitHubSettings {
            organization: "acme".to_owned(),
            organization_id: 1,
            app_id: 1,
            private_key: SecretPlace::Variable("KEY".to_owned()),
            webhook_secret: None,
            api: "https://api.github.com".to_owned(),
            accounts: AccountsBy::Claim("account".to_owned()),
            every_ms: 600_000,
        });
        let said = CaseGroups {
            token: groups(&["ml", "acme/forged"]),
            team: groups(&["acme/ml", "other/ml"]),
            ..CaseGroups::default()
        };
        let told = CaseEvidence::of(&source, &said);
        assert_eq!(told.groups, ["ml", "acme/ml"]);
        let passed: Vec<&str> = told
            .said
            .iter()
            .filter(|one| !one.counts)
            .map(|one| &*one.group)
            .collect();
        assert_eq!(passed, ["acme/forged", "other/ml"]);
    }
}
