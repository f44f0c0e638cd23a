//! Reading `[sources.NAME.scim]`: how the words of the company's directory are read.

use super::DAY_MS;
use crate::fields::Fields;
use crate::tree::{FaultCollector, shown};
use oam_model::issuer::{DirectorySettings, GroupAttribute, UserAttribute};
use oam_model::principal::PrincipalKind;

/// The settings of a directory, where a source has one.
pub(super) fn read_directory(
    table: &Fields<'_>,
    kind: PrincipalKind,
    report: &mut FaultCollector<'_>,
) -> Option<DirectorySettings> {
    let entry = table.entry("scim")?;
    let path = table.path_of("scim");
    let known = [
        "subject",
        "group",
        "expect_every",
        "requests_per_minute",
        "most_users",
        "most_groups",
    ];
    let inner = Fields::open(&entry.node, entry.place, &path, &known, report);
    if kind == PrincipalKind::Job {
        report.add(
            entry.place,
            format!("`{}` is for people: no directory knows jobs", shown(&path)),
            "remove it, or move it to the source by which the people sign in",
        );
    }
    let subjects = [
        ("externalId", UserAttribute::ExternalId),
        ("userName", UserAttribute::UserName),
    ];
    let groups = [
        ("displayName", GroupAttribute::DisplayName),
        ("externalId", GroupAttribute::ExternalId),
    ];
    let a_minute = inner.whole("requests_per_minute", 60..=1_000_000, 12_000, report);
    Some(DirectorySettings {
        subject: inner.choice("subject", &subjects, UserAttribute::ExternalId, report),
        group: inner.choice("group", &groups, GroupAttribute::DisplayName, report),
        expect_every_ms: inner.duration("expect_every", 0..=365 * DAY_MS, 7 * DAY_MS, report),
        requests_per_minute: u32::try_from(a_minute).unwrap_or(u32::MAX),
        most_users: inner.whole("most_users", 1..=10_000_000, 200_000, report),
        most_groups: inner.whole("most_groups", 1..=1_000_000, 20_000, report),
    })
}
