//! Opens the system's browser, which belongs to the person's session and not to the agent's.

use super::{places, system};
use std::ffi::{OsStr, OsString};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

/// A command that opens an address.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Opener {
    program: PathBuf,
    arguments: Vec<OsString>,
}

/// Whether an address may be given to a browser: http(s), and nothing that a program could take for
/// an option or a file.
pub fn is_openable(address: &str) -> bool {
    url::Url::parse(address).is_ok_and(|url| matches!(url.scheme(), "https" | "http"))
        && !address.chars().any(char::is_control)
}

/// Starts the first browser that can be found. `None`: there is none, or no display for it.
///
/// # Errors
/// The name of the program that could not be started.
pub fn open(address: &str) -> Option<Result<Child, String>> {
    let opener = opener(address)?;
    let name = opener.program.display().to_string();
    let mut command = Command::new(&opener.program);
    command
        .args(&opener.arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    // Its own group: Ctrl-C cancels the sign-in and must not close somebody's browser.
    system::own_group(&mut command);
    Some(command.spawn().map_err(|_| name))
}

/// Whether a browser can be found, and a display for it.
pub fn is_there() -> bool {
    opener("https://localhost/").is_some()
}

fn opener(address: &str) -> Option<Opener> {
    let named = std::env::var_os("BROWSER");
    by_variable(named.as_deref(), address, places::program).or_else(|| system(address))
}

/// `$BROWSER`: a list with colons, each a program or a command with `%s`; words are split at blanks,
/// no shell reads them. An entry that is not there is passed over.
fn by_variable(
    value: Option<&OsStr>,
    address: &str,
    find: impl Fn(&str) -> Option<PathBuf>,
) -> Option<Opener> {
    let list = value?.to_str()?;
    list.split(':').find_map(|entry| {
        let mut words = entry.split_whitespace();
        let program = find(words.next()?)?;
        let given: Vec<&str> = words.collect();
        let mut arguments: Vec<OsString> = given
            .iter()
            .map(|word| word.replace("%s", address).into())
            .collect();
        if !given.iter().any(|word| word.contains("%s")) {
            arguments.push(address.into());
        }
        Some(Opener { program, arguments })
    })
}

fn system(address: &str) -> Option<Opener> {
    if cfg!(windows) {
        let root = std::env::var_os("SystemRoot")?;
        return Some(Opener {
            program: PathBuf::from(root).join("System32").join("rundll32.exe"),
            arguments: vec!["url.dll,FileProtocolHandler".into(), address.into()],
        });
    }
    if cfg!(target_os = "macos") {
        let program = PathBuf::from("/usr/bin/open");
        return Some(Opener {
            program,
            arguments: vec![address.into()],
        });
    }
    // Without a display xdg-open looks for a text browser, which can't work without a terminal.
    let display = ["WAYLAND_DISPLAY", "DISPLAY"];
    let has_display = display
        .iter()
        .any(|name| std::env::var_os(name).is_some_and(|value| !value.is_empty()));
    let program = places::program("xdg-open").filter(|_| has_display)?;
    Some(Opener {
        program,
        arguments: vec![address.into()],
    })
}

#[cfg(test)]
mod tests {
    use super::{by_variable, is_openable};
    use std::ffi::OsStr;
    use std::path::PathBuf;

    fn chosen(value: &str) -> Option<(PathBuf, Vec<String>)> {
        let there = |name: &str| (name != "missing").then(|| PathBuf::from("/bin").join(name));
        let opener = by_variable(Some(OsStr::new(value)), "https://idp/a?b=%20", there)?;
        let arguments = opener
            .arguments
            .into_iter()
            .map(|a| a.into_string().unwrap())
            .collect();
        Some((opener.program, arguments))
    }

    #[test]
    fn browser_may_be_a_program_a_command_or_a_list() {
        let address = "https://idp/a?b=%20".to_owned();
        let program = |name: &str| PathBuf::from("/bin").join(name);
        assert_eq!(
            chosen("firefox"),
            Some((program("firefox"), vec![address.clone()]))
        );
        assert_eq!(
            chosen("missing:chromium --app=%s"),
            Some((program("chromium"), vec![format!("--app={address}")]))
        );
        assert_eq!(
            chosen("w --new %s -x"),
            Some((program("w"), vec!["--new".into(), address, "-x".into()]))
        );
        assert_eq!(chosen("missing"), None);
        assert_eq!(chosen(""), None);
    }

    #[test]
    fn only_web_addresses_are_opened() {
        assert!(is_openable("https://idp.example/authorize?x=1"));
        assert!(is_openable("http://127.0.0.1:8080/auth"));
        for bad in [
            "file:///etc/passwd",
            "--help",
            "javascript:alert(1)",
            "https://a/\nb",
        ] {
            assert!(!is_openable(bad), "{bad}");
        }
    }
}
