//! An upload in parts by a child that holds no token: it goes on over three of them, and is cut when Ada leaves.

use super::programs::{DEADLINE, OutputLine, Running};
use super::reporter::{Failure, seconds};
use super::scenario::Scenario;
use super::seed::HUB;
use oam_model::record::{Entry, EventKind};
use std::collections::BTreeSet;
use std::time::{Duration, Instant};

/// Tokens that the upload is to outlive.
const TOKENS: usize = 3;
/// Longest wait for them; each is good for some seconds beyond its margin.
const RENEWED: Duration = Duration::from_mins(1);

/// For `sh -c SCRIPT child URL`. It pushes part after part to a branch of its own, and ends with the first that fails.
const SCRIPT: &str = r#"
git clone --quiet "$1" upload && cd upload || exit 9
while [ -d "$HOME" ]; do
  git commit --quiet --allow-empty -m part || exit 9
  git push --quiet origin HEAD:refs/heads/upload
  code=$?
  echo "part $code" || exit 1
  [ "$code" = 0 ] || exit 7
  sleep 0.5 2>/dev/null || sleep 1
done
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
        let url = self.url();
        let args = [
            "exec", "--hub", HUB, "--", "sh", "-c", SCRIPT, "child", &url,
        ];
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
        Ok(child)
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
