//! What stands in the place of an LDAP server and speaks no LDAP: the issuer goes on, and nobody is ended by it.

use crate::support::Plan;
use crate::support::company::replace;
use crate::support::ldap_liar::{LdapLiar, Lie, Then, message, nested, sequence};
use crate::support::ldap_server::{LdapServer, LdapWay};
use crate::support::wait::{LONG, until, until_true};
use serde_json::{Value, json};

/// Told of bytes at which the reader ended.
const NO_LDAP: &str = "is no LDAP";
const BROKE: &str = "the connection to the server broke";
const LATE: &str = "it took longer than `within` allows";
const NO_TLS: &str = "the server does not speak TLS";

/// The success of a sign-in, with these bytes as matched name.
fn bound(name: &[u8]) -> Vec<u8> {
    let text = [&[4, u8::try_from(name.len()).unwrap()], name].concat();
    let inner = [&[10, 1, 0], &text[..], &[4, 0]].concat();
    let length = u8::try_from(inner.len()).unwrap();
    message(1, &[&[0x61, length], &inner[..]].concat())
}

fn lies() -> Vec<(&'static str, Lie, &'static str)> {
    let lie = |what, says: Vec<u8>, then, why| (what, Lie { says, then }, why);
    let closed = |what, says, why| lie(what, says, Then::Closes, why);
    let mut cut = bound(b"");
    cut.truncate(9);
    let number = |kind: u8| sequence(&[kind, 1, 1, 0x61, 7, 10, 1, 0, 4, 0, 4, 0]);
    vec![
        closed(
            "ten thousand sequences in each other",
            nested(10_000),
            NO_LDAP,
        ),
        closed("an empty sequence", vec![0x30, 0], NO_LDAP),
        closed(
            "no number",
            sequence(&[0x61, 7, 10, 1, 0, 4, 0, 4, 0]),
            NO_LDAP,
        ),
        closed("a text as number", number(4), NO_LDAP),
        closed("no code", message(1, &[0x61, 0]), NO_LDAP),
        closed("a name that is no text", bound(&[0xff]), NO_LDAP),
        closed(
            "a control that is none",
            [&sequence(&[2, 1, 1, 0x61, 7, 10, 1, 0, 4, 0, 4, 0, 0xa0, 2, 4, 0])[..]].concat(),
            NO_LDAP,
        ),
        closed("a message that is cut", cut, BROKE),
        closed(
            "a web page",
            b"HTTP/1.1 400 Bad Request\r\n\r\n".to_vec(),
            BROKE,
        ),
        closed("nothing", Vec::new(), BROKE),
        lie(
            "a length of two gigabytes",
            vec![0x30, 0x84, 0x7f, 0xff, 0xff, 0xff],
            Then::Waits,
            LATE,
        ),
        lie(
            "two gigabytes",
            vec![0x30, 0x84, 0x7f, 0xff, 0xff, 0xff],
            Then::GoesOn,
            NO_LDAP,
        ),
    ]
}

#[test]
fn whoever_stands_in_for_an_ldap_server_and_speaks_no_ldap_ends_neither_the_issuer_nor_anybody() {
    let groups: [(&str, &[&str]); 1] = [("staff", &["ada", "brian", "eve"])];
    let mut ldap = LdapServer::by(LdapWay::Plain, &["ada", "brian", "eve"], &groups);
    let table = format!(
        "{}most_users = 1000\nwithin = \"5s\"\n",
        ldap.settings("company")
    );
    let plan = Plan::default().settings(move |usual| {
        usual.replacen("[sources.actions]", &format!("{table}[sources.actions]"), 1)
    });
    let company = plan.start();
    let listed = || -> Value {
        let run = company.issuer(&["directory", "list", "--json"]).expect(0);
        run.json()["directories"][0].clone()
    };
    let read = || listed()["as_of"].is_string() && listed()["fault"].is_null();
    until_true("the directory to be read", read);
    let granted = || {
        let ada = company.id_token("ada", &json!({}));
        company.granted(&ada, "acme/model", "role:model-reader read");
    };
    granted();
    let pid = company.pid();

    ldap.stop();
    let mut lies = lies();
    let liar = LdapLiar::start(ldap.port(), lies[0].1.clone());
    let dry = ["directory", "poll", "company", "--dry-run", "--json"];
    let told = |what: &str, why: &str| {
        let run = company.issuer(&dry);
        assert_eq!(run.code, 1, "{what}: {} {}", run.stdout, run.stderr);
        let poll = run.json();
        assert_eq!(poll["outcome"], "failed", "{what}");
        let said = poll["why"].as_str().unwrap();
        assert!(said.contains(why), "{what}: {said}");
    };
    for (what, lie, why) in lies.drain(..) {
        liar.tells(lie);
        told(what, why);
        until_true(&format!("the server to tell of {what}"), || {
            listed()["fault"]
                .as_str()
                .is_some_and(|fault| fault.contains(why))
        });
        assert_eq!((company.ready().0, company.pid()), (200, pid), "{what}");
    }

    // By the other ways, before and in place of TLS.
    let file = company.folder.join("issuer.toml");
    let usual = std::fs::read_to_string(&file).unwrap();
    for (way, what, lie, why) in before_tls() {
        liar.tells(lie);
        replace(&file, &way(&usual));
        told(what, why);
    }
    replace(&file, &usual);

    drop(liar);
    ldap.again();
    until_true("the directory to be read again", read);
    assert_eq!((listed()["users"].as_u64(), company.pid()), (Some(3), pid));
    granted();
    company.verify();
}

/// How the settings are changed, what is said then, and what is told.
type BeforeTls = (fn(&str) -> String, &'static str, Lie, &'static str);

fn before_tls() -> Vec<BeforeTls> {
    let start_tls = |usual: &str| usual.replacen("start_tls = false", "start_tls = true", 1);
    let ldaps = |usual: &str| usual.replacen("ldap://", "ldaps://", 1);
    let lie = |says: Vec<u8>, then| Lie { says, then };
    let empty = || lie(vec![0x30, 0], Then::Closes);
    // "Yes, TLS", and a word in the open behind it.
    let yes = message(1, &[0x78, 7, 10, 1, 0, 4, 0, 4, 0]);
    let no = message(1, &[0x78, 7, 10, 1, 2, 4, 0, 4, 0]);
    vec![
        (start_tls, "an empty sequence before TLS", empty(), NO_LDAP),
        (
            start_tls,
            "TLS that is no TLS",
            lie([yes, vec![b'x'; 64]].concat(), Then::GoesOn),
            NO_TLS,
        ),
        (
            start_tls,
            "no TLS",
            lie(no, Then::Closes),
            "TLS: the server answered 2",
        ),
        (
            ldaps,
            "an empty sequence in place of TLS",
            lie([&[0x30, 0][..], &[b'x'; 64]].concat(), Then::GoesOn),
            NO_TLS,
        ),
    ]
}

#[test]
fn a_reader_knows_no_secret_by_its_command_line_and_ends_with_its_issuer() {
    let mut ldap = LdapServer::by(LdapWay::Plain, &["ada"], &[]);
    let table = ldap.settings("company");
    ldap.stop();
    let silent = Lie {
        says: Vec::new(),
        then: Then::Waits,
    };
    let _liar = LdapLiar::start(ldap.port(), silent);
    let plan = Plan::default().settings(move |usual| {
        usual.replacen("[sources.actions]", &format!("{table}[sources.actions]"), 1)
    });
    let company = plan.start();
    let reader = until("a reader", LONG, || child_of(company.pid()));
    let line = until("its own command line", LONG, || {
        let line = std::fs::read(format!("/proc/{reader}/cmdline")).ok()?;
        line.ends_with(b"read-ldap\0").then_some(line)
    });
    assert_eq!(line, b"oam-issuer\0read-ldap\0");
    company.end("-9");
    until_true("the reader to be gone", || {
        stat(reader).is_none_or(|(state, _)| state == "Z")
    });
}

/// State and parent of a process.
fn stat(pid: i64) -> Option<(String, i64)> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let mut fields = stat.rsplit_once(')')?.1.split_whitespace();
    Some((fields.next()?.to_owned(), fields.next()?.parse().ok()?))
}

fn child_of(parent: i64) -> Option<i64> {
    let all = std::fs::read_dir("/proc").unwrap().filter_map(Result::ok);
    let mut pids = all.filter_map(|one| one.file_name().to_str()?.parse::<i64>().ok());
    pids.find(|pid| stat(*pid).is_some_and(|(_, of)| of == parent))
}
