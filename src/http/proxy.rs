//! The proxy, and the user name and password that it may want of us (RFC 7617).

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::Uri;
use http::header::HeaderValue;
use hyper_util::client::proxy::matcher::Matcher;
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
    let line = user_and_password(path)?;
    let (user, password) = line.split_once(':').unwrap_or_default();
    Ok(proxy.basic_auth(user, password))
}

/// The one line `USER:PASSWORD`.
fn user_and_password(path: &str) -> Result<Zeroizing<String>, String> {
    let text = private_text(path).map_err(|why| format!("the file of `proxy_auth_file` {why}"))?;
    let line = text.trim_end_matches(['\r', '\n']);
    match line.split_once(':') {
        Some((user, password)) if !user.is_empty() && !password.contains(['\r', '\n']) => {
            Ok(Zeroizing::new(line.to_owned()))
        }
        _ => Err("the file of `proxy_auth_file` is not one line, USER:PASSWORD".to_owned()),
    }
}

/// Through which proxy a connection goes.
pub(crate) struct ProxyWay {
    matcher: Matcher,
    credential: Option<HeaderValue>,
}

impl ProxyWay {
    /// Through this proxy, with what stands in the file; without one, as the environment or the system says.
    ///
    /// # Errors
    /// As [`proxy`].
    pub(crate) fn new(address: Option<&str>, auth_file: Option<&str>) -> Result<Self, String> {
        let Some(address) = address else {
            return Ok(Self {
                matcher: Matcher::from_system(),
                credential: None,
            });
        };
        proxy(address, auth_file)?;
        Ok(Self {
            matcher: Matcher::builder().all(address).build(),
            credential: auth_file.map(basic).transpose()?,
        })
    }

    /// Its address and what it is shown; none: there is none before this address.
    pub(crate) fn before(&self, to: &Uri) -> Option<(Uri, Option<HeaderValue>)> {
        let found = self.matcher.intercept(to)?;
        let shown = self.credential.clone().or(found.basic_auth().cloned());
        Some((found.uri().clone(), shown))
    }
}

fn basic(path: &str) -> Result<HeaderValue, String> {
    let line = user_and_password(path)?;
    let mut text = Zeroizing::new(String::with_capacity(6 + line.len().div_ceil(3) * 4));
    text.push_str("Basic ");
    STANDARD.encode_string(line.as_bytes(), &mut text);
    let mut value = HeaderValue::from_str(&text).map_err(|_| "no header takes it".to_owned())?;
    value.set_sensitive(true);
    Ok(value)
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
    use super::{ProxyWay, proxy};
    use std::fs::{self, Permissions};
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn a_stream_shows_its_proxy_what_the_file_or_the_address_says() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("proxy");
        fs::write(&path, "ada:hunter2\n").unwrap();
        fs::set_permissions(&path, Permissions::from_mode(0o600)).unwrap();
        let hub = "https://hub.example/x".parse().unwrap();
        let before = |address: &str, file: Option<&str>| {
            let way = ProxyWay::new(Some(address), file).unwrap();
            let (proxy, shown) = way.before(&hub).unwrap();
            assert_eq!(proxy.authority().unwrap(), "proxy.example:3128");
            shown.map(|shown| shown.to_str().unwrap().to_owned())
        };
        let address = "http://proxy.example:3128";
        assert_eq!(before(address, None), None);
        let of_file = before(address, path.to_str()).unwrap();
        assert_eq!(of_file, "Basic YWRhOmh1bnRlcjI=");
        let of_address = before("http://ada:hunter2@proxy.example:3128", None).unwrap();
        assert_eq!(of_address, of_file);
        assert!(ProxyWay::new(Some("::"), None).is_err());
    }

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
