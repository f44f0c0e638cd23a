//! `oam setup hf`: a small wrapper named `hf`, early in `PATH`, that runs the real one through
//! `oam exec`.
//!
//! A wrapper and not an alias: scripts and other programs call `hf` too. In `sh`, because a program
//! of ours that is named `hf` would have to be updated beside OAM.

use super::disk::{self, FileAccess};
use super::report::{SetupChange, SetupReport};
use super::surroundings::Surroundings;
use super::{SetupWhat, path_text, quoted};
use oam_model::refusal::Refusal;
use std::path::Path;

/// The second line of the wrapper. It tells the wrapper apart from the real `hf`, also when it is
/// reached by another path.
const MARK: &str = "# The hf wrapper of OAM; `oam setup hf --undo` removes it.";

/// Writes the wrapper, or removes it.
pub(super) fn run(around: &Surroundings, undo: bool) -> Result<SetupReport, Refusal> {
    let mut report = SetupReport::new(SetupWhat::Hf, undo);
    if cfg!(windows) {
        return Err(Refusal::unavailable(
            "there is no wrapper of `hf` for Windows yet",
            "run `oam exec -- hf …`",
        ));
    }
    let folder = around.wrappers();
    let wrapper = folder.join("hf");
    let there = disk::read(&wrapper)?;
    if let Some(bytes) = &there
        && !is_wrapper(bytes)
    {
        return Err(Refusal::unavailable(
            format!("{} is not a wrapper of OAM", wrapper.display()),
            "move it away, then run this again",
        ));
    }
    let before = there.map_or_else(Vec::new, |bytes| lines(&bytes));
    let mut after = Vec::new();
    if undo {
        disk::remove(&wrapper)?;
        // Only when nothing else is in it.
        let _ = std::fs::remove_dir(&folder);
    } else {
        let oam = around.own_program("oam")?;
        let real = around.program("hf", is_real).ok_or_else(|| {
            Refusal::unavailable(
                "there is no `hf` in PATH to wrap",
                "install it (`pip install huggingface_hub`), then run this again",
            )
        })?;
        let text = wrapper_text(path_text(&oam)?, path_text(&real)?);
        after = lines(text.as_bytes());
        if before != after {
            disk::write(&wrapper, text.as_bytes(), FileAccess::Program)?;
        }
        advise(around, &folder, &real, &mut report);
    }
    if before != after {
        report.changes.push(SetupChange {
            file: disk::name(&wrapper),
            key: None,
            before,
            after,
        });
    }
    Ok(report)
}

fn lines(bytes: &[u8]) -> Vec<String> {
    String::from_utf8_lossy(bytes)
        .lines()
        .map(str::to_owned)
        .collect()
}

fn is_wrapper(bytes: &[u8]) -> bool {
    bytes.split(|b| *b == b'\n').nth(1) == Some(MARK.as_bytes())
}

/// A program that is not this wrapper. Only its beginning is read: the real one may be large.
fn is_real(path: &Path) -> bool {
    use std::io::Read;
    let mut start = Vec::new();
    let read = std::fs::File::open(path).and_then(|file| file.take(256).read_to_end(&mut start));
    read.is_ok() && !is_wrapper(&start)
}

/// The wrapper must come before the real one in `PATH`.
fn advise(around: &Surroundings, folder: &Path, real: &Path, report: &mut SetupReport) {
    let place = |of: Option<&Path>| {
        around
            .path
            .iter()
            .position(|entry| Some(entry.as_path()) == of)
    };
    let early = match (place(Some(folder)), place(real.parent())) {
        (Some(ours), Some(theirs)) => ours < theirs,
        _ => false,
    };
    if !early {
        report.next.push(format!(
            "run `oam setup shell`, or put this line at the end of your shell's start file: export PATH={}:\"$PATH\"",
            quoted(&disk::name(folder))
        ));
    }
}

/// The wrapper. It uses nothing but the shell itself, and never calls itself: a candidate whose
/// second line is the mark is passed over. Inside `oam exec` it steps aside.
fn wrapper_text(oam: &str, real: &str) -> String {
    let (oam, real, mark) = (quoted(oam), quoted(real), quoted(MARK));
    format!(
        r#"#!/bin/sh
{MARK}
oam={oam}
real={real}
if [ ! -x "$real" ]; then
  real=
  mark={mark}
  rest=$PATH:
  while [ -n "$rest" ]; do
    folder=${{rest%%:*}}
    rest=${{rest#*:}}
    case $folder in /*) ;; *) continue ;; esac
    [ -f "$folder/hf" ] && [ -x "$folder/hf" ] || continue
    second=
    {{ IFS= read -r first; IFS= read -r second; }} 2>/dev/null <"$folder/hf"
    [ "$second" = "$mark" ] && continue
    real=$folder/hf
    break
  done
  if [ -z "$real" ]; then
    echo 'oam: there is no hf in PATH besides the wrapper of OAM' >&2
    echo 'next: install hf, or run `oam setup hf --undo`' >&2
    exit 127
  fi
fi
[ -n "${{OAM_EXEC-}}" ] && exec "$real" "$@"
if [ ! -x "$oam" ]; then
  echo 'oam: OAM is gone; hf runs without its token' >&2
  echo "next: run \`rm '$0'\`, or install OAM and run \`oam setup hf\`" >&2
  exec "$real" "$@"
fi
exec "$oam" exec -- "$real" "$@"
"#
    )
}

#[cfg(test)]
#[cfg(unix)]
mod tests;
