//! A process that is killed while it commits leaves token and record, or neither.

use super::*;
use crate::IssuedTokens;
use std::io::{BufRead, BufReader, Write};
use std::process::{Command, Stdio};
use std::sync::Arc;

const PLACE: &str = "OAM_TEST_KILLED_STORE";
const FIRST: &str = "OAM_TEST_KILLED_FIRST";

/// Run as a process of its own by the test below: commits without end, and tells what was answered.
#[test]
#[ignore = "run by the test below"]
fn commits_until_it_is_killed() {
    let (Ok(path), Ok(first)) = (std::env::var(PLACE), std::env::var(FIRST)) else {
        return;
    };
    let store = Arc::new(open(Path::new(&path)));
    let first: u64 = first.parse().unwrap();
    std::thread::scope(|scope| {
        for task in 0..8 {
            let store = Arc::clone(&store);
            scope.spawn(move || {
                for number in 0.. {
                    let sha256 = format!("{}", first + number * 8 + task);
                    wait(store.commit(exchange("ada", &sha256, 0))).unwrap();
                    let mut out = std::io::stdout().lock();
                    writeln!(out, "answered {sha256}").unwrap();
                }
            });
        }
    });
}

#[test]
fn after_a_kill_every_answered_token_is_there_and_none_is_without_its_record() {
    let (_folder, path) = place();
    let mut answered = Vec::new();
    for round in 0..4u64 {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args([
                "--exact",
                "sqlite::tests::killed::commits_until_it_is_killed",
                "--ignored",
                "--nocapture",
            ])
            .env(PLACE, &path)
            .env(FIRST, (round * 1_000_000).to_string())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut read = |line: String| {
            let number = line
                .split_once("answered ")
                .map(|(_, number)| number.to_owned());
            answered.extend(number);
        };
        for _ in 0..(60 + round * 7) {
            read(lines.next().unwrap().unwrap());
        }
        child.kill().unwrap();
        // What it had told before the kill counts; a line that the kill cut off does not.
        let mut rest: Vec<String> = lines.map_while(Result::ok).collect();
        rest.pop();
        rest.into_iter().for_each(read);
        child.wait().unwrap();
        check(&path, &answered);
    }
    assert!(answered.len() > 200);
}

fn check(path: &Path, answered: &[String]) {
    let store = open(path);
    let count = wait(verified(&store));
    for sha256 in answered {
        assert!(
            wait(store.token(sha256.clone())).unwrap().is_some(),
            "{sha256}"
        );
    }
    drop(store);
    let raw = Connection::open(path).unwrap();
    let number = |sql: &str| raw.query_row(sql, [], |row| row.get::<_, u32>(0)).unwrap();
    assert_eq!(u64::from(number("SELECT count(*) FROM tokens")), count);
    let alone = number(
        "SELECT count(*) FROM audit a LEFT JOIN tokens t ON t.sha256 = a.line ->> 'token_sha256' WHERE t.sha256 IS NULL",
    );
    assert_eq!(alone, 0);
}
