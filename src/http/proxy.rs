//! The proxy, and the user name and password that it may want of us (RFC 7617).

use oam_model::system_error::reason;
use std::fs::{File, Metadata};
use std::io::Read;
use zeroize::Zeroizing;

/// Longest file of a user name and a password, bytes.
const CAP: usize = 4 * 1024;

/// The proxy at this address. With a file it gets the user name and password there with every request to open a
/// way; the client keeps its own copy of them, which is not ours to wipe.
///
/// # Errors
/// Our own words; nothing of the file is in them.
pub(crate) fn proxy(address: &str, auth_file: Option<&str>) -> Result<reqwest::Proxy, String> {
    let proxy = reqwest::Proxy::all(address)
        .map_err(|_| "the address in `proxy` is not a URL".to_owned())?;
    let Some(path) = auth_file else {
        return Ok(proxy);
    };
    let text = private_text(path).map_err(|why| format!("the file of `proxy_auth_file` {why}"))?;
    match text.trim_end_matches(['\r', '\n']).split_once(':') {
        Some((user, password)) if !user.is_empty() && !password.contains(['\r', '\n']) => {
            Ok(proxy.basic_auth(user, password))
        }
        _ => Err("the file of `proxy_auth_file` is not one line, USER:PASSWORD".to_owned()),
    }
}

fn private_text(path: &str) -> Result<Zeroizing<String>, String> {
    let unread = |e: std::io::Error| format!("can't be read ({})", reason(e.kind()));
    // Opened first and looked at afterwards, so that what is judged is what is read.
    let file = File::open(path).map_err(unread)?;
    if shared(&file.metadata().map_err(unread)?) {
        return Err(format!("may be read by others: run `chmod 600 {path}`"));
    }
    let mut text = Zeroizing::new(String::with_capacity(CAP));
    file.take(CAP as u64)
        .read_to_string(&mut text)
        .map_err(unread)?;
    Ok(text)
}

/// Whether group or others have any right.
#[cfg(unix)]
fn shared(about: &Metadata) -> bool {
    use std::os::unix::fs::PermissionsExt;
    about.permissions().mode() & 0o077 != 0
}

/// Elsewhere the folder's access list decides, which `std` can't read.
#[cfg(not(unix))]
const fn shared(_about: &Metadata) -> bool {
    false
}

#[cfg(all(test, unix))]
mod tests {
    use super::proxy;
    use std::fs::{self, Permissions};
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn only_a_private_file_of_one_line_says_who_we_are_to_the_proxy() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("proxy");
        let why = |text: &str, mode: u32| {
            fs::write(&path, text).unwrap();
            fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
            proxy("http://proxy.example:3128", path.to_str()).err()
        };
        for good in ["ada:hunter2", "ada:hunter2\n", "ada:a:b:c\r\n"] {
            assert_eq!(why(good, 0o600), None, "{good:?}");
        }
        for bad in ["", "ada", ":hunter2", "ada:hunter2\nmore\n"] {
            let said = why(bad, 0o600).unwrap();
            assert!(said.contains("USER:PASSWORD"), "{said}");
            assert!(!said.contains("hunter2"), "{said}");
        }
        for mode in [0o640, 0o604, 0o644] {
            let said = why("ada:hunter2", mode).unwrap();
            assert!(
                said.contains("chmod 600") && !said.contains("hunter2"),
                "{said}"
            );
        }
        fs::remove_file(&path).unwrap();
        let missing = proxy("http://proxy.example:3128", path.to_str()).unwrap_err();
        assert!(missing.contains("it is not there"), "{missing}");
    }
}
