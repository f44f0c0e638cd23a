//! Cases as data: `tests/cli/*.toml`.

use super::home::{Home, Ran};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    case: Vec<Case>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    name: String,
    args: Vec<String>,
    #[serde(default)]
    env: BTreeMap<String, String>,
    /// Files below the home, written before; `HOST/` is the folder of this host's state.
    #[serde(default)]
    files: BTreeMap<String, String>,
    exit: i32,
    /// Texts that have to be there; an empty list: any output.
    #[serde(default)]
    stdout: Vec<String>,
    #[serde(default)]
    stderr: Vec<String>,
    /// Nothing may be on these streams.
    #[serde(default)]
    silent: Vec<String>,
    /// Texts that may be on neither.
    #[serde(default)]
    absent: Vec<String>,
}

impl Case {
    fn check(&self) -> Result<(), String> {
        let home = Home::new();
        for (path, text) in &self.files {
            let path = path
                .strip_prefix("HOST/")
                .map_or_else(|| home.path(path), |name| home.state(name));
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        let arguments: Vec<&str> = self.args.iter().map(String::as_str).collect();
        let output = home.oam(&arguments).envs(&self.env).output().unwrap();
        let ran = Ran::of(&output);
        let miss = |what: String| Err(format!("{}: {what}\n{ran:#?}", self.name));
        if ran.code != Some(self.exit) {
            return miss(format!("exit {:?} instead of {}", ran.code, self.exit));
        }
        for (stream, text, wanted) in [
            ("stdout", &ran.out, &self.stdout),
            ("stderr", &ran.err, &self.stderr),
        ] {
            if let Some(missing) = wanted.iter().find(|wanted| !text.contains(*wanted)) {
                return miss(format!("`{missing}` is not on {stream}"));
            }
            if self.silent.iter().any(|silent| silent == stream) && !text.is_empty() {
                return miss(format!("{stream} is not empty"));
            }
            if let Some(found) = self.absent.iter().find(|absent| text.contains(*absent)) {
                return miss(format!("`{found}` is on {stream}"));
            }
        }
        Ok(())
    }
}

fn run(name: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/cli")
        .join(name);
    let file: File = toml::from_str(&fs::read_to_string(path).unwrap()).unwrap();
    assert!(!file.case.is_empty(), "{name} has no case");
    let faults: Vec<String> = file
        .case
        .iter()
        .filter_map(|case| case.check().err())
        .collect();
    assert!(faults.is_empty(), "{}", faults.join("\n\n"));
}

#[test]
fn usage_and_help() {
    run("usage.toml");
}

#[test]
fn without_an_agent() {
    run("no_agent.toml");
}

#[test]
fn configuration() {
    run("config.toml");
}
