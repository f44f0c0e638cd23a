//! Answers that `slapd` does not give: the values of a large group in parts, as Active Directory sends them, and parts
//! that are not to be read.

use super::super::ReadOrder;
use super::reader::{is_disabled, read};
use super::sent::{LdapFault, LdapOrder};
use super::stand_in::{Answer, Asked, Entry, serve};
use crate::outbound::OutboundClient;
use oam_http::Via;
use oam_model::directory::{DirectoryAdapter, DirectoryPoll, LdapDirectory, LdapDisabled};
use oam_model::issuer::SecretPlace;
use oam_model::secret::Secret;
use oam_policy::directory::{DirectoryReading, Known};
use std::collections::BTreeSet;

const BASE: &str = "dc=acme,dc=example";
const GROUP: &str = "cn=ml,dc=acme,dc=example";

#[test]
fn a_disabled_account_is_told_by_its_attribute_and_a_mistyped_password_is_none() {
    let has = |values: &[&str]| {
        values
            .iter()
            .map(|value| (*value).to_owned())
            .collect::<Vec<_>>()
    };
    let locked = "pwdAccountLockedTime";
    assert!(is_disabled(&has(&["000001010000Z"]), locked, &[]));
    assert!(!is_disabled(&has(&["20261129220000Z"]), locked, &[]));
    assert!(!is_disabled(&[], locked, &[]));
    assert!(is_disabled(&has(&["anything"]), "x-left", &[]));
    let values = has(&["TRUE"]);
    assert!(is_disabled(&has(&["true"]), "loginDisabled", &values));
    assert!(!is_disabled(&has(&["false"]), "loginDisabled", &values));
}

/// What is answered to a search.
type ToSearch = fn(&Asked) -> Answer;

fn dn(person: usize) -> String {
    format!("CN=p{person},{BASE}")
}

fn one(name: &str, value: impl Into<String>) -> (String, Vec<String>) {
    (name.to_owned(), vec![value.into()])
}

/// So many people, as Active Directory has them; every tenth is disabled.
fn people(count: usize) -> Vec<Entry> {
    let person = |at: usize| {
        let control = if at % 10 == 9 { "514" } else { "512" };
        let attributes = vec![
            one("sAMAccountName", format!("p{at}")),
            one("mail", format!("p{at}@acme.example")),
            one("userAccountControl", control),
        ];
        (dn(at), attributes)
    };
    (0..count).map(person).collect()
}

/// The members from `first` on, at most `most` of `count`, named as a part.
fn part(first: usize, most: usize, count: usize) -> (String, Vec<String>) {
    let end = count.min(first + most);
    let last = if end == count {
        "*".to_owned()
    } else {
        (end - 1).to_string()
    };
    let members = (first..end).map(|at| dn(at).to_lowercase()).collect();
    (format!("member;range={first}-{last}"), members)
}

/// Where the part begins that is asked for.
fn from(asked: &Asked) -> Option<usize> {
    let range = asked.attributes.first()?.strip_prefix("member;range=")?;
    assert_eq!(asked.base, GROUP);
    range.strip_suffix("-*")?.parse().ok()
}

/// What is told to the process that reads.
pub(super) fn order(url: String) -> LdapOrder {
    let ldap = LdapDirectory {
        url,
        start_tls: false,
        bind_dn: format!("cn=reader,{BASE}"),
        secret: SecretPlace::Variable("SECRET".to_owned()),
        base: BASE.to_owned(),
        filter: "(objectClass=user)".to_owned(),
        user_name: "sAMAccountName".to_owned(),
        email: "mail".to_owned(),
        disabled: LdapDisabled::UserAccountControl,
        group_base: BASE.to_owned(),
        group_filter: "(objectClass=group)".to_owned(),
        member: "member".to_owned(),
    };
    let settings = DirectoryPoll {
        adapter: DirectoryAdapter::Ldap(Box::new(ldap.clone())),
        every_ms: 300_000,
        within_ms: 60_000,
        expect_every_ms: 0,
        hold_percent: 33,
        subject: "sAMAccountName".to_owned(),
        group: Some("cn".to_owned()),
        most_users: 10_000,
        ca_file: None,
    };
    let outside = OutboundClient::through(Via::default()).unwrap();
    let wanted = BTreeSet::from(["ml".to_owned()]);
    let known = Known::default();
    let order = ReadOrder::new(&settings, &outside, &wanted, &known, None);
    LdapOrder::new(&order, &ldap, "t1ger".len())
}

/// What is read of a server that answers so.
async fn reading(
    answer: impl Fn(&Asked) -> Answer + Send + 'static,
) -> (Result<DirectoryReading, LdapFault>, Vec<Vec<String>>) {
    let (url, asked) = serve(answer);
    let read = read(&order(url), &Secret::new("t1ger".to_owned())).await;
    (
        read.map(|read| read.whole().unwrap()),
        asked.try_iter().collect(),
    )
}

/// A group of `count` whose members come in parts of 1,500.
fn in_parts(asked: &Asked, count: usize) -> Answer {
    if let Some(first) = from(asked) {
        return (vec![(GROUP.to_owned(), vec![part(first, 1500, count)])], 0);
    }
    if asked.attributes.iter().any(|name| name == "mail") {
        return (people(count), 0);
    }
    // Beside the part the attribute itself is there, with no value.
    let attributes = vec![
        one("cn", "ml"),
        ("member".to_owned(), Vec::new()),
        part(0, 1500, count),
    ];
    (vec![(GROUP.to_owned(), attributes)], 0)
}

#[tokio::test]
async fn members_that_come_in_parts_are_read_to_the_last_one() {
    for (count, parts) in [(1_500, 0), (1_501, 1), (4_000, 2)] {
        let (read, asked) = reading(move |asked| in_parts(asked, count)).await;
        let read = read.unwrap();
        assert_eq!(read.users.len(), count);
        assert_eq!(
            read.users.iter().filter(|user| !user.active).count(),
            count / 10
        );
        let groups = read.groups.unwrap();
        assert_eq!((groups.len(), groups[0].members.len()), (1, count));
        let asked: Vec<String> = asked.into_iter().skip(2).flatten().collect();
        let wanted: Vec<String> = (1..=parts)
            .map(|at| format!("member;range={}-*", at * 1500))
            .collect();
        assert_eq!(asked, wanted);
    }
}

#[tokio::test]
async fn a_group_whose_parts_do_not_come_to_an_end_is_no_reading() {
    let cases: [(&str, ToSearch); 4] = [
        ("no part", |_| {
            (vec![(GROUP.to_owned(), vec![one("cn", "ml")])], 0)
        }),
        ("no entry", |_| (Vec::new(), 0)),
        ("the same part", |_| {
            (vec![(GROUP.to_owned(), vec![part(0, 1500, 4000)])], 0)
        }),
        ("busy", |_| (Vec::new(), 51)),
    ];
    for (what, second) in cases {
        let (read, _) = reading(move |asked| match from(asked) {
            Some(_) => second(asked),
            None => in_parts(asked, 4_000),
        })
        .await;
        assert!(read.is_err(), "{what}: {read:?}");
    }
}
