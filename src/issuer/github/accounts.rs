//! Whose account at GitHub one is: by the operator's file, or by a claim of the person's own token. What is known stays
//! until the same way says otherwise.

use super::fault::GitHubFault;
use crate::overtaken::until_kept;
use crate::scim::provision::DirectoryDraft;
use crate::state::{Issuer, LiveConfig};
use oam_config::issuer::{SourceText, read_accounts};
use oam_model::audit::{AuditEvent, AuditRecord};
use oam_model::issuer::AccountsBy;
use oam_model::name::SourceName;
use oam_model::principal::{Principal, PrincipalKey};
use oam_model::system_error::reason;
use oam_policy::claims::read;
use oam_policy::rate::Rate;
use oam_store::{Batch, PersonRow, StoreChange, StoreFault};
use oam_system::clock;
use serde_json::Value;
use std::collections::BTreeMap;

/// How often it is said that a person's account is another one's already.
const CONFLICTS: Rate = Rate::new(1, 1);
/// How often a change is decided anew that others overtake.
const ATTEMPTS: usize = 4;

/// Makes what is known the same as the file. One that can't be read changes nothing.
pub(super) async fn by_file(
    issuer: &Issuer,
    source: &SourceName,
    path: &str,
) -> Result<(), GitHubFault> {
    let text = std::fs::read_to_string(path).map_err(|error| {
        GitHubFault::Accounts(format!("{path} can't be read: {}", reason(error.kind())))
    })?;
    let read = read_accounts(SourceText {
        name: path,
        text: &text,
    });
    let wanted = read.map_err(|faults| {
        let first = faults.first().map(ToString::to_string);
        GitHubFault::Accounts(first.unwrap_or_default())
    })?;
    let kept: BTreeMap<String, u64> = issuer
        .store
        .accounts(source.clone())
        .await?
        .into_iter()
        .collect();
    let gone = kept.keys().filter(|key| !wanted.contains_key(*key));
    let mut changes: Vec<(String, Option<u64>)> = gone.map(|key| (key.clone(), None)).collect();
    let new = wanted
        .into_iter()
        .filter(|(key, account)| kept.get(key) != Some(account));
    changes.extend(new.map(|(key, account)| (key, Some(account))));
    // In one batch: an account that is another one's now changes hands in a moment.
    Ok(put(issuer, source, &changes).await?)
}

/// The account that a token says and that is not known, where the source takes that. Older evidence than what is kept
/// says nothing; without the claim nothing is said.
pub fn news(
    live_config: &LiveConfig,
    principal: &Principal,
    row: Option<&PersonRow>,
) -> Option<u64> {
    let account = told(live_config, principal)?;
    let known = row.and_then(|row| row.teams.as_ref());
    let is_older = row.is_some_and(|row| principal.proven_at < row.seen.proven_at);
    let is_known = known.is_some_and(|known| known.account == account);
    (!is_known && !is_older).then_some(account)
}

/// Keeps the account that a person's token says. True: it is theirs now.
///
/// # Errors
/// The store is not there.
pub async fn link(issuer: &Issuer, key: &PrincipalKey, account: u64) -> Result<bool, StoreFault> {
    match put(issuer, &key.source, &[(key.key.clone(), Some(account))]).await {
        Ok(()) => Ok(true),
        Err(StoreFault::Taken) => {
            conflict(issuer, key, account).await;
            Ok(false)
        }
        Err(fault) => Err(fault),
    }
}

fn told(live_config: &LiveConfig, principal: &Principal) -> Option<u64> {
    let source = live_config.identities.source(&principal.key.source)?;
    let AccountsBy::Claim(claim) = &source.github.as_ref()?.accounts else {
        return None;
    };
    let account = match read::at(&principal.claims, claim)? {
        Value::Number(number) => number.as_u64(),
        Value::String(text) => text.parse().ok(),
        _ => None,
    };
    account.filter(|account| *account > 0 && i64::try_from(*account).is_ok())
}

/// Two people with one account: the first keeps it, and somebody looks at it.
async fn conflict(issuer: &Issuer, key: &PrincipalKey, account: u64) {
    if issuer.alarms.ask(CONFLICTS, key, clock::steady()).is_err() {
        return;
    }
    issuer.metrics.alarm("github");
    let entry = AuditRecord {
        source: Some(key.source.clone()),
        person: Some(key.key.clone()),
        detail: Some(format!(
            "the token says the account {account} at GitHub, which is another person's here: its teams do not count for this one"
        )),
        ..issuer.entry(AuditEvent::Alarm)
    };
    let batch = Batch {
        changes: Vec::new(),
        entries: vec![entry],
    };
    if issuer.commit(batch).await.is_err() {
        tracing::warn!(%key, "that an account is another person's could not be noted");
    }
}

/// Keeps whose accounts these are, with what that means for the roles.
async fn put(
    issuer: &Issuer,
    source: &SourceName,
    accounts: &[(String, Option<u64>)],
) -> Result<(), StoreFault> {
    let _alone = issuer.directories.turn().await;
    until_kept(ATTEMPTS, || attempt(issuer, source, accounts)).await
}

async fn attempt(
    issuer: &Issuer,
    source: &SourceName,
    accounts: &[(String, Option<u64>)],
) -> Result<(), StoreFault> {
    let live_config = issuer.live_config();
    let mut draft = DirectoryDraft::new(issuer, None, source, &live_config);
    // All that go first: an account can be another one's in the same batch.
    for is_set in [false, true] {
        for (key, account) in accounts {
            let key = PrincipalKey {
                source: source.clone(),
                key: key.clone(),
            };
            if is_set {
                if let Some(account) = account {
                    linked(issuer, &mut draft, key, Some(*account)).await?;
                }
            } else if account.is_none() {
                linked(issuer, &mut draft, key, None).await?;
            } else {
                draft.quietly(StoreChange::Account { key, account: None });
            }
        }
    }
    draft.commit().await
}

async fn linked(
    issuer: &Issuer,
    draft: &mut DirectoryDraft<'_>,
    key: PrincipalKey,
    account: Option<u64>,
) -> Result<(), StoreFault> {
    let words = account.map_or_else(
        || "none at GitHub any more".to_owned(),
        |account| format!("{account} at GitHub"),
    );
    let detail = format!("the account of {} is {words}", key.key);
    let change = StoreChange::Account {
        key: key.clone(),
        account,
    };
    draft.change(change, None, detail);
    let teams = match account {
        Some(account) => {
            issuer
                .store
                .account_teams(key.source.clone(), account)
                .await?
        }
        None => Vec::new(),
    };
    let row = issuer.store.person(key).await?;
    if let Some(row) = row.filter(|row| !row.is_never_seen()) {
        draft.all_team_roles(&row, &teams, "another account at GitHub");
    }
    Ok(())
}
