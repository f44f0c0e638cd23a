//! The long-running child of `oam exec`: it uses the token file and tells what becomes of it.

use super::programs::OutputLine;

/// Its exit code at the end, which `oam exec` must pass on.
pub const EXIT: i32 = 7;

/// For `sh -c SCRIPT child REPOSITORY`. It watches the file that `HF_TOKEN_PATH` names, shows each
/// new token to the hub (through git, since nothing else need be installed; in the environment,
/// because arguments are public), and when the file is gone it asks git once more. It ends by
/// itself when nobody reads it or the demo's home is deleted: a last question to git would start
/// an agent that nobody ends.
pub const SCRIPT: &str = r#"
last=
while [ -d "$HOME" ]; do
  if [ ! -e "$HF_TOKEN_PATH" ]; then
    echo gone || exit 1
    git ls-remote "$HF_ENDPOINT/$1" >/dev/null 2>&1
    echo "after $?"
    exit 7
  fi
  now=$({ cksum <"$HF_TOKEN_PATH"; } 2>/dev/null) || continue
  if [ "$now" != "$last" ]; then
    last=$now
    GIT_CONFIG_COUNT=1 GIT_CONFIG_KEY_0=http.extraHeader \
      GIT_CONFIG_VALUE_0="Authorization: Bearer $(cat "$HF_TOKEN_PATH")" \
      git -c credential.helper= ls-remote "$HF_ENDPOINT/$1" >/dev/null 2>&1
    echo "token $?" || exit 1
  fi
  sleep 0.1 2>/dev/null || sleep 1
done
"#;

/// What the child said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Saw {
    /// A new token in the file, and how git ended with it: 0 when the hub took it.
    Token(i32),
    /// The file is gone.
    Gone,
    /// How git ended without the file.
    After(i32),
}

/// Reads a line of the child. `None`: somebody else's.
pub fn saw(line: &OutputLine) -> Option<Saw> {
    let OutputLine::Out(text) = line else {
        return None;
    };
    match text.split_once(' ') {
        None if text == "gone" => Some(Saw::Gone),
        Some(("token", code)) => code.parse().ok().map(Saw::Token),
        Some(("after", code)) => code.parse().ok().map(Saw::After),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::{EXIT, SCRIPT, Saw, saw};
    use crate::programs::OutputLine;
    use std::io::{BufRead, BufReader};
    use std::process::{Command, Stdio};

    #[test]
    fn the_child_tells_each_new_token_and_the_end_of_the_file() {
        let home = tempfile::TempDir::new().unwrap();
        let file = home.path().join("token");
        std::fs::write(&file, "one").unwrap();
        let mut child = Command::new("sh")
            .args(["-c", SCRIPT, "child", "acme/model"])
            .env_clear()
            .env("PATH", std::env::var("PATH").unwrap())
            .env("HOME", home.path())
            .env("HF_TOKEN_PATH", &file)
            // A port that nobody serves: git fails, and the child says so.
            .env("HF_ENDPOINT", "http://127.0.0.1:9")
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut next = || saw(&OutputLine::Out(lines.next().unwrap().unwrap()));
        assert_eq!(next(), Some(Saw::Token(128)));
        std::fs::write(home.path().join("new"), "two").unwrap();
        std::fs::rename(home.path().join("new"), &file).unwrap();
        assert_eq!(next(), Some(Saw::Token(128)));
        std::fs::remove_file(&file).unwrap();
        assert_eq!(next(), Some(Saw::Gone));
        assert_eq!(next(), Some(Saw::After(128)));
        assert_eq!(child.wait().unwrap().code(), Some(EXIT));
    }
}
