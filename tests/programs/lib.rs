//! Where the programs lie that the tests of the whole start: beside the test itself, in the
//! folder of its profile. `bash tests/run` and `cargo build` put them there.

use std::path::PathBuf;

/// The path of a program of this workspace.
///
/// # Panics
/// It is not there: it was not built.
#[expect(clippy::panic, reason = "a test stops without what it tests")]
pub fn program(name: &str) -> &'static str {
    let file = format!("{name}{}", std::env::consts::EXE_SUFFIX);
    let path = folder().map(|folder| folder.join(&file));
    match path {
        Some(path) if path.exists() => path.display().to_string().leak(),
        _ => panic!("{file} is not built: run `cargo build` (or `bash tests/run`) first"),
    }
}

/// `target/PROFILE`: the test itself lies in `deps` there.
fn folder() -> Option<PathBuf> {
    let own = std::env::current_exe().ok()?;
    Some(own.parent()?.parent()?.to_path_buf())
}
