//! Where files and secrets lie: paths, and places of secrets that are never in the file itself.

use crate::fields::{Fields, Placed};
use crate::tree::{FaultCollector, KeyEntry, Span, Value, shown};
use oam_model::issuer::{SecretPlace, SourceKeys};
use std::path::Path;

/// The ways to name a secret.
const WAYS: &str =
    "write { file = \"/…\" }, { env = \"NAME\" } or { credential = \"NAME\" } (systemd)";

/// The place of a secret; none when the key is missing or wrong.
pub(super) fn secret(
    table: &Fields<'_>,
    key: &str,
    report: &mut FaultCollector<'_>,
) -> Option<SecretPlace> {
    let entry = table.entry(key)?;
    let path = table.path_of(key);
    if !matches!(entry.node.value, Value::Table(_)) {
        // The value is not repeated: it may be the secret.
        report.add(
            entry.node.place,
            format!(
                "`{}` holds no secret itself, it says where one lies",
                shown(&path)
            ),
            WAYS,
        );
        return None;
    }
    let known = ["file", "env", "credential"];
    let inner = Fields::open(&entry.node, entry.node.place, &path, &known, report);
    let file = absolute(&inner, "file", report).map(SecretPlace::File);
    let variable = variable(&inner, report).map(SecretPlace::Variable);
    let credential = credential(&inner, report).map(SecretPlace::Credential);
    let named = known.iter().filter(|key| inner.entry(key).is_some());
    if named.count() != 1 {
        report.add(
            entry.node.place,
            format!("`{}` has to name exactly one place", shown(&path)),
            WAYS,
        );
    }
    file.or(variable).or(credential)
}

/// As [`secret`], and a fault when it is missing.
pub(super) fn needed_secret(
    table: &Fields<'_>,
    key: &str,
    report: &mut FaultCollector<'_>,
) -> Option<SecretPlace> {
    if table.entry(key).is_none() {
        table.missing(key, report);
    }
    secret(table, key, report)
}

fn variable(table: &Fields<'_>, report: &mut FaultCollector<'_>) -> Option<String> {
    let text = table.text("env", report)?;
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '_';
    if !text.value.chars().all(plain) || text.value.starts_with(|c: char| c.is_ascii_digit()) {
        report.add(
            text.place,
            format!(
                "`{}` is not the name of a variable",
                shown(&table.path_of("env"))
            ),
            "use letters, digits and `_`, and no digit in front",
        );
    }
    Some(text.value.to_owned())
}

fn credential(table: &Fields<'_>, report: &mut FaultCollector<'_>) -> Option<String> {
    let text = table.text("credential", report)?;
    // A name with a slash would leave $CREDENTIALS_DIRECTORY.
    if text.value.contains('/') || text.value.starts_with('.') {
        report.add(
            text.place,
            format!(
                "`{}` is not the name of a credential",
                shown(&table.path_of("credential"))
            ),
            "write the name of LoadCredential= in the service's unit",
        );
    }
    Some(text.value.to_owned())
}

/// A whole path from the root.
pub(super) fn absolute(
    table: &Fields<'_>,
    key: &str,
    report: &mut FaultCollector<'_>,
) -> Option<String> {
    let text = table.text(key, report)?;
    if !Path::new(text.value).is_absolute() {
        report.add(
            text.place,
            format!("`{}` is not an absolute path", shown(&table.path_of(key))),
            "write the whole path from the root: a service has no folder of its own to start from",
        );
    }
    Some(text.value.to_owned())
}

/// Where the keys of somebody's tokens are: `jwks_uri`, `jwks_file`, or neither.
pub(super) fn keys(table: &Fields<'_>, report: &mut FaultCollector<'_>) -> SourceKeys {
    use crate::address::endpoint;
    use crate::provider::checked;
    let address = checked(table, "jwks_uri", false, endpoint, report);
    let file = absolute(table, "jwks_file", report);
    if let (Some(_), Some(entry)) = (&address, table.entry("jwks_file")) {
        both(table, entry, "jwks_uri", report);
    }
    match (address, file) {
        (Some(address), _) => SourceKeys::Address(address),
        (None, Some(file)) => SourceKeys::File(file),
        (None, None) => SourceKeys::Discovery,
    }
}

fn both(table: &Fields<'_>, entry: &KeyEntry, other: &str, report: &mut FaultCollector<'_>) {
    report.add(
        entry.place,
        format!(
            "`{}` has both `{other}` and `{}`",
            shown(&table.path),
            entry.key
        ),
        "keep one",
    );
}

/// A list of texts that has to be there and to hold something.
pub(super) fn some_texts<'t>(
    table: &Fields<'t>,
    key: &str,
    why: &str,
    report: &mut FaultCollector<'_>,
) -> Vec<Placed<&'t str>> {
    let Some(entry) = table.entry(key) else {
        table.missing(key, report);
        return Vec::new();
    };
    let texts = table.texts(key, report).map_or_else(Vec::new, |t| t.value);
    if matches!(&entry.node.value, Value::List(items) if items.is_empty()) {
        empty(entry.node.place, &table.path_of(key), why, report);
    }
    texts
}

/// Reports a list that must not be empty.
pub(super) fn empty(place: Span, path: &str, why: &str, report: &mut FaultCollector<'_>) {
    report.add(place, format!("`{}` is empty", shown(path)), why);
}
