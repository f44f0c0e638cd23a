//! Anchors: number and hash of the last audit entry, written by themselves to a file or to a program that the
//! operator names. Kept away from this machine, they tell a log that was cut or written anew.

use super::history::{self, SignedHead};
use super::state::{ANCHORS, Issuer};
use super::when::when;
use oam_audit::history::Position;
use oam_model::issuer::Anchors;
use oam_model::name::OrgName;
use oam_model::system_error::reason;
use oam_system::clock;
use serde::{Deserialize, Serialize};
use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::path::Path;
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::AsyncWriteExt;
use tokio::process::Command;
use tokio::time::{Instant, timeout};

/// Between two looks whether one is due.
const LOOK: Duration = Duration::from_millis(500);
/// A program that takes longer is ended.
const LONGEST: Duration = Duration::from_secs(30);

/// One line of the file, and what the program gets.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AnchorLine {
    /// RFC 3339.
    pub at: String,
    /// The organization.
    pub org: String,
    /// Generation, number and hash.
    #[serde(flatten)]
    pub position: Position,
    /// The same, signed by the issuer.
    pub head: String,
}

impl AnchorLine {
    fn of(head: &SignedHead, org: &OrgName) -> Self {
        Self {
            at: when(clock::now_ms()),
            org: org.to_string(),
            position: head.position.clone(),
            head: head.text.to_string(),
        }
    }
}

/// Writes an anchor whenever the log went on, until the server ends; then the last one.
pub async fn write_all(issuer: Arc<Issuer>) {
    let mut stopping = issuer.stopping.subscribe();
    let mut written: Option<Position> = None;
    let mut due = Instant::now();
    known(&issuer).await;
    loop {
        let over = tokio::select! {
            () = tokio::time::sleep(LOOK) => false,
            _ = stopping.wait_for(|stopping| *stopping) => true,
        };
        let anchors = issuer.live_config().settings.anchors.clone();
        if let Some(anchors) = anchors
            && (over || Instant::now() >= due)
        {
            due = Instant::now() + Duration::from_millis(anchors.every_ms);
            one(&issuer, &anchors, &mut written).await;
        }
        if over {
            return;
        }
    }
}

async fn one(issuer: &Issuer, anchors: &Anchors, written: &mut Option<Position>) {
    // A database that is not there is told by everything else.
    let Ok(head) = history::refresh(issuer).await else {
        return;
    };
    let failed = issuer.health.is_wrong(ANCHORS);
    if !failed && written.as_ref() == Some(&head.position) {
        return;
    }
    let anchor = AnchorLine::of(&head, &issuer.org_name());
    match write(anchors, &anchor).await {
        Ok(()) => {
            *written = Some(head.position);
            issuer.health.right(ANCHORS);
        }
        Err(why) => {
            if !failed {
                issuer.metrics.alarm("anchors");
            }
            issuer.health.wrong(ANCHORS, why);
        }
    }
}

/// The last anchor of the file may be of a later database than this one.
async fn known(issuer: &Issuer) {
    let settings = issuer.live_config().settings.anchors.clone();
    let file = settings.and_then(|anchors| anchors.file);
    let Some(last) = file.and_then(|file| read(Path::new(&file)).ok()?.pop()) else {
        return;
    };
    history::shown(issuer, "the file of anchors", &last.head).await;
}

/// The anchors of a file; lines that are none are left out.
///
/// # Errors
/// The system's.
pub fn read(path: &Path) -> io::Result<Vec<AnchorLine>> {
    let text = fs::read_to_string(path)?;
    Ok(text
        .lines()
        .filter_map(|line| serde_json::from_str(line).ok())
        .collect())
}

async fn write(anchors: &Anchors, anchor: &AnchorLine) -> Result<(), String> {
    let mut line = serde_json::to_vec(anchor).map_err(|_| "an anchor is no JSON".to_owned())?;
    line.push(b'\n');
    if let Some(file) = &anchors.file {
        append(Path::new(file), &line).map_err(|fault| {
            format!(
                "the anchor could not be written to {file}: {}",
                reason(fault.kind())
            )
        })?;
    }
    let Some((program, arguments)) = anchors.command.split_first() else {
        return Ok(());
    };
    let ran = timeout(LONGEST, run(program, arguments, &line)).await;
    match ran {
        Ok(Ok(())) => Ok(()),
        Ok(Err(why)) => Err(format!("the anchor was not taken by {program}: {why}")),
        Err(_) => Err(format!(
            "the anchor was not taken by {program} within {} s",
            LONGEST.as_secs()
        )),
    }
}

fn append(path: &Path, line: &[u8]) -> io::Result<()> {
    let mut file = OpenOptions::new().append(true).create(true).open(path)?;
    file.write_all(line)?;
    file.sync_data()
}

async fn run(program: &str, arguments: &[String], line: &[u8]) -> Result<(), String> {
    let mut child = Command::new(program)
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .map_err(|fault| reason(fault.kind()).to_owned())?;
    if let Some(mut stdin) = child.stdin.take() {
        // One that reads nothing says by its status whether that was meant.
        let _ = stdin.write_all(line).await;
    }
    match child.wait().await {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(format!("it ended with {status}")),
        Err(fault) => Err(reason(fault.kind()).to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::{AnchorLine, Anchors, read, write};
    use oam_audit::history::Position;

    fn anchor(seq: u64) -> AnchorLine {
        AnchorLine {
            at: "2026-07-01T00:00:00Z".into(),
            org: "acme".into(),
            position: Position {
                generation: 0,
                seq,
                hash: "ab".repeat(32),
            },
            head: "a.b.c".into(),
        }
    }

    #[tokio::test]
    async fn an_anchor_goes_to_the_file_and_to_the_program_and_what_fails_is_said() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name).display().to_string();
        let to = |command: &str| Anchors {
            file: Some(at("anchors")),
            command: vec!["/bin/sh".into(), "-c".into(), command.into()],
            every_ms: 1,
        };
        let copy = to(&format!("cat >> {}", at("elsewhere")));
        for seq in [1, 2] {
            write(&copy, &anchor(seq)).await.unwrap();
        }
        assert_eq!(
            read(at("anchors").as_ref()).unwrap(),
            [anchor(1), anchor(2)]
        );
        assert_eq!(
            read(at("elsewhere").as_ref()).unwrap(),
            [anchor(1), anchor(2)]
        );
        let why = write(&to("exit 3"), &anchor(3)).await.unwrap_err();
        assert!(why.contains("/bin/sh") && why.contains('3'), "{why}");
        let nowhere = Anchors {
            file: Some("/nowhere/anchors".into()),
            ..to("true")
        };
        let why = write(&nowhere, &anchor(3)).await.unwrap_err();
        assert!(why.contains("/nowhere/anchors"), "{why}");
    }
}
