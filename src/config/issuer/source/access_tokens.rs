//! Reading `access_tokens` of a source.

use super::super::place::needed_secret;
use crate::address::endpoint;
use crate::fields::{Fields, choose};
use crate::provider::checked;
use crate::tree::{FaultCollector, shown};
use oam_model::issuer::AccessTokenCheck;
use oam_model::organization::SubjectKind;

/// How access tokens are checked, where they are taken.
pub(super) fn access_tokens(
    table: &Fields<'_>,
    report: &mut FaultCollector<'_>,
) -> Option<AccessTokenCheck> {
    let entry = table.entry("access_tokens")?;
    let path = table.path_of("access_tokens");
    let known = [
        "check",
        "endpoint",
        "client_id",
        "client_secret",
        "any_client",
    ];
    let inner = Fields::open(&entry.node, entry.place, &path, &known, report);
    let checks = [("introspection", true), ("userinfo", false)];
    let check = inner
        .required("check", report)
        .and_then(|text| choose(text, &inner.path_of("check"), &checks, report));
    let endpoint = checked(&inner, "endpoint", false, endpoint, report);
    let any_client = inner.yes("any_client", false, report);
    if check? {
        if let Some(entry) = inner.entry("any_client") {
            report.add(
                entry.place,
                format!(
                    "`{}` is not used: an introspection says for whom a token is",
                    shown(&inner.path_of("any_client"))
                ),
                "remove the line",
            );
        }
        let client_id = inner.required("client_id", report);
        let client_secret = needed_secret(&inner, "client_secret", report);
        return Some(AccessTokenCheck::Introspection {
            endpoint,
            client_id: client_id?.value.to_owned(),
            client_secret: client_secret?,
        });
    }
    for key in ["client_id", "client_secret"] {
        if let Some(entry) = inner.entry(key) {
            report.add(
                entry.place,
                format!(
                    "`{}` is not used: userinfo takes the token alone",
                    shown(&inner.path_of(key))
                ),
                "remove the line, or write check = \"introspection\"",
            );
        }
    }
    Some(AccessTokenCheck::UserInfo {
        endpoint,
        any_client,
    })
}

/// An access token can't speak for a person unless it is said how it is checked.
pub(super) fn check_access(
    table: &Fields<'_>,
    subject: SubjectKind,
    groups_from_userinfo: bool,
    report: &mut FaultCollector<'_>,
) {
    let entry = table.entry("subject");
    if subject == SubjectKind::AccessToken && table.entry("access_tokens").is_none() {
        let place = entry.map_or(table.place, |entry| entry.node.place);
        report.add(
            place,
            format!(
                "`{}` is \"access-token\", but `access_tokens` does not say how one is checked",
                shown(&table.path_of("subject"))
            ),
            "add access_tokens = { check = \"userinfo\" } or { check = \"introspection\", … }",
        );
    }
    if let (true, SubjectKind::IdToken, Some(entry)) = (
        groups_from_userinfo,
        subject,
        table.entry("groups_from_userinfo"),
    ) {
        report.add(
            entry.place,
            format!(
                "`{}` needs an access token, but the agents send ID tokens",
                shown(&table.path_of("groups_from_userinfo"))
            ),
            "add subject = \"access-token\" and access_tokens = { check = \"userinfo\" }",
        );
    }
}
