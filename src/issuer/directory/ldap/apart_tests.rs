//! What the issuer takes of the process that reads, and what it takes for none.

use super::super::ReadFault;
use super::apart::{answer, told};
use super::process::LdapTask;
use super::sent::LdapFault;
use super::tests::order;
use oam_model::secret::Secret;
use tokio::process::Command;

fn secret() -> Secret {
    Secret::new("t1ger".to_owned())
}

/// Says this in place of the reader, and ends so.
fn script(text: &str) -> Command {
    let mut command = Command::new("/bin/sh");
    command.args(["-c", text]);
    command
}

#[tokio::test]
async fn an_answer_of_a_reader_that_ended_in_order_is_taken_and_nothing_else() {
    let user = r#"{"id":"uid=ada","key":"1","user_name":"ada","emails":[],"active":true}"#;
    let read = |members: &str| {
        let group = format!(r#"{{"id":"cn=ml","name":"ml","members":{members}}}"#);
        format!(r#"{{"Read":{{"users":[{user}],"groups":[{group}]}}}}"#)
    };
    let ended = ReadFault::ReaderEnded;
    let cases = [
        ("nothing", "exit 0".to_owned(), ended.clone()),
        (
            "a signal",
            format!("echo '{}'; kill -9 $$", read("[0]")),
            ended.clone(),
        ),
        (
            "a code",
            format!("echo '{}'; exit 1", read("[0]")),
            ended.clone(),
        ),
        (
            "a cut answer",
            format!("printf %.40s '{}'", read("[0]")),
            ended.clone(),
        ),
        (
            "two answers",
            format!("echo '{0}{0}'", read("[0]")),
            ended.clone(),
        ),
        (
            "a member that is nobody",
            format!("echo '{}'", read("[1]")),
            ended.clone(),
        ),
        (
            "an answer without end",
            "cat /dev/zero".to_owned(),
            ended.clone(),
        ),
        (
            "a reader that takes no order",
            "exec <&-; exit 3".to_owned(),
            ended,
        ),
        (
            "a fault",
            r#"echo '{"Fault":"Broken"}'"#.to_owned(),
            LdapFault::Broken.into(),
        ),
    ];
    let order = order("ldap://127.0.0.1:1".to_owned());
    for (what, text, fault) in cases {
        let taken = answer(script(&text), &order, &secret()).await;
        assert_eq!(taken, Err(fault), "{what}");
    }
    let text = format!("echo '{}'", read("[0]"));
    let taken = answer(script(&text), &order, &secret()).await.unwrap();
    let groups = taken.groups.unwrap();
    assert_eq!(taken.users[0].user_name, "ada");
    assert!(groups[0].members.contains("uid=ada"));
}

#[tokio::test]
async fn a_reader_that_is_not_there_is_told_and_an_order_that_is_cut_is_none() {
    let order = order("ldap://127.0.0.1:1".to_owned());
    let nowhere = Command::new("/nowhere/oam-issuer");
    let taken = answer(nowhere, &order, &secret()).await;
    assert!(matches!(taken, Err(ReadFault::NoReader(_))), "{taken:?}");
    let mut bytes = Vec::new();
    told(&mut bytes, &order, &secret()).await.unwrap();
    assert!(LdapTask::from(&mut bytes.as_slice()).is_ok());
    assert!(bytes.ends_with(b"}t1ger"));
    for length in 0..bytes.len() {
        assert!(LdapTask::from(&mut &bytes[..length]).is_err(), "{length}");
    }
}
