//! Reading `[sources.NAME.github]`: the organization whose teams are groups of a source.

use super::super::place::{absolute, needed_secret, secret};
use super::DAY_MS;
use crate::address::endpoint;
use crate::fields::Fields;
use crate::provider::checked;
use crate::tree::{FaultCollector, KeyEntry, shown};
use oam_model::issuer::{AccountsBy, GitHubSettings};
use oam_model::principal::PrincipalKind;

const KEYS: [&str; 9] = [
    "organization",
    "organization_id",
    "app_id",
    "private_key",
    "webhook_secret",
    "api",
    "account_claim",
    "accounts_file",
    "every",
];

/// The settings of GitHub's teams, where a source has them.
pub(super) fn read_github(
    table: &Fields<'_>,
    kind: PrincipalKind,
    report: &mut FaultCollector<'_>,
) -> Option<GitHubSettings> {
    let entry = table.entry("github")?;
    let path = table.path_of("github");
    let inner = Fields::open(&entry.node, entry.place, &path, &KEYS, report);
    if kind == PrincipalKind::Job {
        report.add(
            entry.place,
            format!("`{}` is for people: jobs are in no team", shown(&path)),
            "remove it, or move it to the source by which the people sign in",
        );
    }
    let organization = organization(&inner, report);
    let organization_id = needed_number(&inner, "organization_id", report);
    let app_id = needed_number(&inner, "app_id", report);
    let private_key = needed_secret(&inner, "private_key", report);
    let webhook_secret = secret(&inner, "webhook_secret", report);
    let api = checked(&inner, "api", false, endpoint, report);
    let api = api.unwrap_or_else(|| "https://api.github.com".to_owned());
    let accounts = accounts(&inner, entry, report);
    Some(GitHubSettings {
        every_ms: inner.duration("every", 60_000..=DAY_MS, 600_000, report),
        organization: organization?,
        organization_id: organization_id?,
        app_id: app_id?,
        private_key: private_key?,
        webhook_secret,
        api: api.trim_end_matches('/').to_owned(),
        accounts: accounts?,
    })
}

fn organization(inner: &Fields<'_>, report: &mut FaultCollector<'_>) -> Option<String> {
    let text = inner.required("organization", report)?;
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '-';
    if !text.value.chars().all(plain) || text.value.len() > 39 {
        report.add(
            text.place,
            format!(
                "`{}` is no name of an organization at GitHub",
                shown(&inner.path_of("organization"))
            ),
            "write the name as it stands in addresses, such as `acme`",
        );
        return None;
    }
    Some(text.value.to_owned())
}

fn needed_number(inner: &Fields<'_>, key: &str, report: &mut FaultCollector<'_>) -> Option<u64> {
    if inner.entry(key).is_none() {
        inner.missing(key, report);
        return None;
    }
    let most = u64::try_from(i64::MAX).unwrap_or(u64::MAX);
    Some(inner.whole(key, 1..=most, 0, report)).filter(|number| *number > 0)
}

/// By what is told which account is whose: just one way, or nobody could say which counts.
fn accounts(
    inner: &Fields<'_>,
    entry: &KeyEntry,
    report: &mut FaultCollector<'_>,
) -> Option<AccountsBy> {
    let claim = inner.text("account_claim", report);
    let file = absolute(inner, "accounts_file", report);
    match (claim, file) {
        (Some(claim), None) => Some(AccountsBy::Claim(claim.value.to_owned())),
        (None, Some(file)) => Some(AccountsBy::File(file)),
        (claim, _) => {
            let what = if claim.is_some() {
                "says twice"
            } else {
                "does not say"
            };
            report.add(
                entry.place,
                format!(
                    "`{}` {what} which account at GitHub is whose",
                    shown(&inner.path)
                ),
                "write either account_claim = \"…\", a claim with the account's number, or accounts_file = \"/…\" with a \
                 line `\"KEY\" = NUMBER` for each person",
            );
            None
        }
    }
}
