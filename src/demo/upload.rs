//! An upload in parts by a child that holds no token: its requests go on over three of them, and its last part, which is
//! open when Ada leaves, is cut. git sends a part in one request, and a request has one token.

use super::pace;
use super::programs::{DEADLINE, OutputLine, Running};
use super::reporter::{Failure, seconds};
use super::scenario::Scenario;
use super::seed::{HUB, REPOSITORY};
use oam_model::record::{Entry, EventKind};
use std::collections::BTreeSet;
use std::time::{Duration, Instant};

/// Tokens that the upload is to outlive.
const TOKENS: usize = 3;
/// Longest wait for them; each is good for some seconds beyond its margin.
const RENEWED: Duration = Duration::from_mins(1);

/// What the hub has of the last part before it counts as under way, bytes: more than any other push of the demo has.
const UNDER_WAY: usize = 64 * 1024;
/// Size of the last part, MiB. At the hub's rate it would take longer than what is left of the demo.
const LAST_MIB: usize = 16;
/// Between two looks at the hub.
const LOOK: Duration = Duration::from_millis(10);

/// For `sh -c SCRIPT child URL FILE BYTES`. It pushes part after part to a branch of its own, and ends with the first that
/// fails. Once there is the file, the next part is the last, and large.
const SCRIPT: &str = r#"
git clone --quiet "$1" upload && cd upload || exit 9
push() {
  git push --quiet origin HEAD:refs/heads/upload
  code=$?
  echo "part $code" || exit 1
  [ "$code" = 0 ] || exit 7
}
while [ -d "$HOME" ] && [ ! -e "$2" ]; do
  git commit --quiet --allow-empty -m part || exit 9
  push
  sleep 0.5 2>/dev/null || sleep 1
done
# Random bytes: nothing makes them fewer.
head -c "$3" /dev/urandom >weights.bin && git add weights.bin && git commit --quiet -m weights || exit 9
push
"#;

/// How the push of a part ended.
fn part(line: &OutputLine) -> Option<i32> {
    let OutputLine::Out(text) = line else {
        return None;
    };
    text.strip_prefix("part ")?.parse().ok()
}

/// How the first part that failed ended.
pub fn cut(line: &OutputLine) -> Option<i32> {
    part(line).filter(|code| *code != 0)
}

impl Scenario<'_> {
    /// `oam exec` with git behind its gateway, until three tokens were used.
    pub async fn upload(&mut self) -> Result<Running, Failure> {
        let (url, last) = (self.url(), self.home.root().join("last-part"));
        let (file, bytes) = (last.display().to_string(), (LAST_MIB << 20).to_string());
        let child = ["sh", "-c", SCRIPT, "child", &url, &file, &bytes];
        let args = [&["exec", "--hub", HUB, "--"], &child[..]].concat();
        let mut child = self.programs.start(&self.home.work(), "oam", &args)?;
        let (began, mut parts) = (Instant::now(), 0);
        loop {
            let pushed = child
                .until(DEADLINE, "the upload did not go on", part)
                .await?;
            if pushed != Some(0) {
                let ran = child.end(DEADLINE).await?;
                return Err(ran.failure("the upload failed while the identity was alive"));
            }
            parts += 1;
            if self.tokens_of_gateways().await? >= TOKENS {
                break;
            }
            if began.elapsed() > RENEWED {
                return Err(Failure::new("the upload's tokens were not renewed"));
            }
        }
        self.reporter.done(&format!(
            "an upload through the gateway of oam exec: {parts} parts over {TOKENS} tokens in {}, and none in the child's hands",
            seconds(began.elapsed())
        ));
        self.home.write(&last, "")?;
        let began = Instant::now();
        while self.world.open_pushes() < UNDER_WAY {
            if began.elapsed() > DEADLINE {
                let ran = child.end(LOOK).await?;
                return Err(ran.failure("the upload's last part did not begin"));
            }
            tokio::time::sleep(LOOK).await;
        }
        self.reporter.done(&format!(
            "its last part is under way: {LAST_MIB} MiB in one request, and so with one token, at a hub that takes {} KiB a second",
            pace::RATE / 1024
        ));
        Ok(child)
    }

    /// What was cut is not at the hub: all that lies on the way there is less than the part.
    pub async fn is_not_whole(&self) -> Result<(), Failure> {
        let bare = self.home.hub().join(format!("{REPOSITORY}.git"));
        let file = ["cat-file", "-e", "refs/heads/upload:weights.bin"];
        let ran = self.programs.run(&bare, "git", &file).await?;
        if ran.code == Some(0) {
            return Err(ran.failure("the hub has the part that was cut"));
        }
        Ok(())
    }

    /// Tokens that gateways asked for, by the agent's record.
    async fn tokens_of_gateways(&self) -> Result<usize, Failure> {
        let ran = self.oam(&["log", "--json"]).await?;
        let text = ran.expect(0, "`oam log` failed")?.stdout();
        let entries = text
            .lines()
            .filter_map(|line| serde_json::from_str::<Entry>(line).ok());
        let granted = entries.filter(|entry| {
            entry.record.what == EventKind::Grant
                && entry.record.front.as_deref() == Some("gateway")
        });
        let tokens: BTreeSet<_> = granted
            .filter_map(|entry| entry.record.token_sha256)
            .collect();
        Ok(tokens.len())
    }
}

#[cfg(test)]
mod tests {
    use super::{cut, part};
    use crate::programs::OutputLine;

    #[test]
    fn only_a_part_that_failed_is_the_cut() {
        let line = |text: &str| OutputLine::Out(text.into());
        assert_eq!(
            (part(&line("part 0")), cut(&line("part 0"))),
            (Some(0), None)
        );
        assert_eq!(cut(&line("part 128")), Some(128));
        assert_eq!(part(&OutputLine::Err("part 0".into())), None);
    }
}
