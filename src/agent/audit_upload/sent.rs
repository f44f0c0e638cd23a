//! What of the log an organization is sent, and under which name.

use aws_lc_rs::digest::{Context, SHA256};
use oam_audit::record::withheld;
use oam_model::name::OrgName;
use oam_model::record::EventKind;
use serde::Deserialize;

/// The name of the log at an organization. It follows from the log's first line, so that a log that was
/// taken back to an earlier state is still the same one, and the organization sees what is missing;
/// rejected: a name made up and kept beside the log, which can be taken back or deleted with it. It is
/// another one for each person, because a log there belongs to whoever sent it first, and for each
/// organization, so that two of them can't tell that one person works for both.
pub(super) fn name_at(first: &str, org: &OrgName, subject: &str) -> String {
    let mut context = Context::new(&SHA256);
    for text in [first, org.as_str(), subject] {
        context.update(text.as_bytes());
        context.update(&[0]);
    }
    let hash = context.finish();
    let (half, _) = hash.as_ref().split_at(16);
    hex::encode(half)
}

/// A line as `name` may see it.
pub(super) fn for_eyes_of(name: &OrgName, line: String, alone: bool) -> String {
    #[derive(Deserialize)]
    struct Seen {
        #[serde(default)]
        what: Option<EventKind>,
        #[serde(default)]
        org: Option<OrgName>,
    }
    // What the agent says of itself is everybody's; an ask that names no organization may have been
    // meant for any. Whose a damaged line was can't be told.
    let whole = match serde_json::from_str::<Seen>(&line) {
        Ok(Seen { org: Some(org), .. }) => org == *name,
        Ok(Seen { what, org: None }) => {
            alone
                || matches!(
                    what,
                    Some(EventKind::Start | EventKind::Alarm | EventKind::Acknowledgement)
                )
        }
        Err(_) => alone,
    };
    if whole {
        line
    } else {
        // Nothing at all of a damaged line: the organization sees that there is something amiss.
        withheld(&line).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::{for_eyes_of, name_at};
    use oam_audit::record::{GENESIS, chain};
    use oam_model::record::{EventKind, Record};

    fn line(org: Option<&str>, what: EventKind) -> String {
        let mut record = Record::new(what, 7);
        record.org = org.map(|org| org.parse().unwrap());
        record.detail = Some("secret plans".into());
        chain(3, GENESIS, &record).unwrap().line
    }

    fn seen(line: &str, alone: bool) -> String {
        for_eyes_of(&"acme".parse().unwrap(), line.to_owned(), alone)
    }

    #[test]
    fn own_lines_go_whole_and_of_others_only_their_place_in_the_chain() {
        let own = line(Some("acme"), EventKind::Grant);
        assert_eq!(seen(&own, false), own);
        for other in [
            line(Some("beta"), EventKind::Grant),
            line(None, EventKind::Refusal),
        ] {
            let sent = seen(&other, false);
            let hash = &other[other.len() - 66..other.len() - 2];
            assert_eq!(
                sent,
                format!("{{\"seq\":3,\"prev\":\"{GENESIS}\",\"hash\":\"{hash}\"}}")
            );
        }
        let start = line(None, EventKind::Start);
        assert_eq!(seen(&start, false), start);
        let unnamed = line(None, EventKind::Refusal);
        assert_eq!(seen(&unnamed, true), unnamed);
        let beta = line(Some("beta"), EventKind::Grant);
        assert!(
            !seen(&beta, true).contains("plans"),
            "also when beta is gone"
        );
    }

    #[test]
    fn a_log_has_another_name_for_each_organization_and_person() {
        let name = |org: &str, who: &str| name_at("{}", &org.parse().unwrap(), who);
        let names = [
            name("acme", "ada"),
            name("acme", "bob"),
            name("beta", "ada"),
        ];
        assert!(names[0] != names[1] && names[0] != names[2] && names[1] != names[2]);
        assert_eq!(names[0], name("acme", "ada"));
        let hex = |c: char| c.is_ascii_digit() || ('a'..='f').contains(&c);
        assert!(
            names
                .iter()
                .all(|name| name.len() == 32 && name.chars().all(hex))
        );
    }

    #[test]
    fn a_damaged_line_is_not_shown_to_an_organization_that_may_not_be_its_own() {
        assert_eq!(seen("{\"seq\":3,\"org\":\"beta\" secret", false), "");
    }
}
