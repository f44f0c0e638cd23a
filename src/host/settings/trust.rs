//! What decides whom TLS trusts besides the configuration's text: what stands in the files of roots, and the
//! environment that this process was started in (promise 9).

use crate::http::ca_sha256;
use aws_lc_rs::digest::{Context, SHA256};
use oam_config::agent::Settings;
use std::ffi::OsString;

/// Variables that change whom requests trust or through whom they go, wherever they are read.
const VARIABLES: [&str; 10] = [
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "HTTPS_PROXY",
    "https_proxy",
    "HTTP_PROXY",
    "http_proxy",
    "ALL_PROXY",
    "all_proxy",
    "NO_PROXY",
    "no_proxy",
];

/// The settings with what they are bound to beside their own text.
pub(super) fn known(mut settings: Settings) -> Settings {
    let environment = environment(|name| std::env::var_os(name).map(OsString::into_encoded_bytes));
    for org in &mut settings.orgs {
        let provider = &mut org.provider;
        provider.ca_sha256 = provider.ca_file.as_deref().map(ca_sha256);
        provider.environment.clone_from(&environment);
    }
    settings
}

/// SHA-256 over those of the variables that are set, the content of a file of roots included; none when
/// none is.
fn environment(variable: impl Fn(&str) -> Option<Vec<u8>>) -> Option<String> {
    let mut form = Context::new(&SHA256);
    let mut any = false;
    for name in VARIABLES {
        let Some(value) = variable(name).filter(|value| !value.is_empty()) else {
            continue;
        };
        any = true;
        let content = match std::str::from_utf8(&value) {
            Ok(path) if name == "SSL_CERT_FILE" => ca_sha256(path),
            _ => String::new(),
        };
        for part in [name.as_bytes(), &value, content.as_bytes()] {
            form.update(&(part.len() as u64).to_be_bytes());
            form.update(part);
        }
    }
    any.then(|| hex::encode(form.finish()))
}

#[cfg(test)]
mod tests {
    use super::environment;
    use std::fs;

    #[test]
    fn an_environment_that_says_who_is_trusted_is_told_from_every_other() {
        let home = tempfile::tempdir().unwrap();
        let roots = home.path().join("roots.pem");
        fs::write(&roots, "one").unwrap();
        let path = roots.to_str().unwrap().to_owned();
        let of = |set: &[(&str, &str)]| {
            environment(|name| {
                let found = set.iter().find(|(set, _)| *set == name);
                found.map(|(_, value)| value.as_bytes().to_vec())
            })
        };
        assert_eq!(of(&[]), None);
        assert_eq!(of(&[("HTTPS_PROXY", ""), ("PATH", "/bin")]), None);
        let one = of(&[("SSL_CERT_FILE", &path)]);
        fs::write(&roots, "another").unwrap();
        let all = [
            one,
            of(&[("SSL_CERT_FILE", &path)]),
            of(&[("SSL_CERT_DIR", &path)]),
            of(&[("HTTPS_PROXY", "http://a")]),
            of(&[("https_proxy", "http://a")]),
            of(&[("HTTPS_PROXY", "http://b")]),
        ];
        for (index, this) in all.iter().enumerate() {
            assert!(this.is_some() && !all[..index].contains(this), "{index}");
        }
    }
}
