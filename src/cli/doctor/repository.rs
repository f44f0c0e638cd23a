//! What git's own configuration does to our tokens: headers that a checkout step left, helpers that stand after
//! ours and would keep what we hand out.

use super::{Check, probe};
use oam_model::report::HubRow;
use std::path::Path;

/// Looks at the configuration that git has in the current folder.
pub(super) fn checks(git: &Path, hubs: &[&HubRow]) -> Vec<Check> {
    let list = |pattern: &str| {
        probe::output(
            git,
            &["config", "--show-origin", "-z", "--get-regexp", pattern],
        )
        .unwrap_or_default()
    };
    let headers = entries(&list(r"^http\..*extraheader$"));
    let helpers = entries(&list(r"^credential\..*helper$|^credential\.helper$"));
    let mut checks = headers_left(&headers);
    for hub in hubs {
        checks.extend(helpers_after_ours(&helpers, &hub.url));
    }
    checks
}

/// One setting of git, in the order in which git reads them.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Entry {
    origin: String,
    key: String,
    value: String,
}

/// `git config --show-origin -z`: origin NUL key LF value NUL.
fn entries(text: &str) -> Vec<Entry> {
    let mut parts = text.split('\0');
    let mut found = Vec::new();
    while let (Some(origin), Some(pair)) = (parts.next(), parts.next()) {
        let (key, value) = pair.split_once('\n').unwrap_or((pair, ""));
        found.push(Entry {
            origin: origin.to_owned(),
            key: key.to_owned(),
            value: value.to_owned(),
        });
    }
    found
}

/// The value is never shown: it is a credential.
fn headers_left(found: &[Entry]) -> Vec<Check> {
    let authorizes = |entry: &&Entry| {
        let value = entry.value.trim_start().to_ascii_lowercase();
        value.starts_with("authorization:")
    };
    let check = |entry: &Entry| {
        Check::bad(
            "git-header",
            format!(
                "{} of {} sends an authorization of its own: the hub hears that one and not ours",
                entry.key, entry.origin
            ),
            format!("run `git config --unset-all {}`{}", entry.key, place(entry)),
        )
    };
    found.iter().filter(authorizes).map(check).collect()
}

/// git asks helpers in order and tells each of them what was good: one after ours may write it down.
fn helpers_after_ours(found: &[Entry], hub: &str) -> Vec<Check> {
    let own = format!("credential.{hub}.helper");
    let counts =
        |entry: &&Entry| entry.key == "credential.helper" || entry.key.eq_ignore_ascii_case(&own);
    let list: Vec<&Entry> = found.iter().filter(counts).collect();
    let Some(ours) = list.iter().rposition(|entry| is_ours(entry)) else {
        return Vec::new();
    };
    // An empty entry takes back all that stand before it.
    let after = list.get(ours + 1..).unwrap_or_default();
    let kept = after.iter().rposition(|entry| entry.value.is_empty());
    let after = after.get(kept.map_or(0, |at| at + 1)..).unwrap_or_default();
    let check = |entry: &&Entry| {
        Check::bad(
            "git-helper",
            format!(
                "the credential helper `{}` of {} stands after OAM's for {hub}: git gives it every token, and it may write them down",
                entry.value, entry.origin
            ),
            format!(
                "run `git config --unset-all {}`{}, and delete what it has kept",
                entry.key,
                place(entry)
            ),
        )
    };
    after.iter().map(check).collect()
}

fn is_ours(entry: &Entry) -> bool {
    entry.value.contains("git-credential-oam")
}

fn place(entry: &Entry) -> String {
    entry
        .origin
        .strip_prefix("file:")
        .map_or_else(String::new, |file| format!(" with --file {file}"))
}

#[cfg(test)]
mod tests {
    use super::{entries, headers_left, helpers_after_ours};

    const HUB: &str = "https://hub.acme.example";

    fn text(list: &[(&str, &str, &str)]) -> String {
        list.iter()
            .flat_map(|(origin, key, value)| [origin, "\0", key, "\n", value, "\0"])
            .collect()
    }

    #[test]
    fn a_header_that_a_checkout_step_left_is_named_without_its_value() {
        let found = entries(&text(&[
            (
                "file:.git/config",
                "http.https://hub.acme.example/.extraheader",
                "AUTHORIZATION: basic eDp5",
            ),
            ("file:.git/config", "http.extraheader", "X-Trace: 1"),
        ]));
        let checks = headers_left(&found);
        assert_eq!(checks.len(), 1);
        assert!(
            checks[0]
                .sentence
                .contains("http.https://hub.acme.example/.extraheader")
        );
        assert!(!format!("{checks:?}").contains("eDp5"));
        assert!(checks[0].next.as_ref().unwrap().contains("--unset-all"));
    }

    #[test]
    fn a_helper_after_ours_is_named_and_one_before_is_reset() {
        let ours = format!("credential.{HUB}.helper");
        let before = [
            ("file:/etc/gitconfig", "credential.helper", "cache"),
            ("file:/h/.gitconfig", ours.as_str(), ""),
            (
                "file:/h/.gitconfig",
                ours.as_str(),
                "/usr/bin/git-credential-oam --hub hub",
            ),
        ];
        assert!(helpers_after_ours(&entries(&text(&before)), HUB).is_empty());
        let mut local = before.to_vec();
        local.push(("file:.git/config", "credential.helper", "store"));
        let checks = helpers_after_ours(&entries(&text(&local)), HUB);
        assert_eq!(checks.len(), 1);
        assert!(checks[0].sentence.contains("`store` of file:.git/config"));
        assert!(helpers_after_ours(&entries(&text(&local)), "https://other.example").is_empty());
    }
}
