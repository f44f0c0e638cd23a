//! From what a person types to an ask.

use oam_model::name::{HubName, RoleName, unescaped};
use oam_model::refusal::Refusal;
use oam_model::token_request::{HubRef, Intent, TokenRequest};

/// An ask for a repository or its address.
///
/// # Errors
/// A target that can't be served with a token.
pub fn ask(
    target: Option<&str>,
    hub: Option<&HubName>,
    role: Option<&RoleName>,
    intent: Intent,
) -> Result<TokenRequest, Refusal> {
    let (by_target, path) = match target {
        Some(text) => read_target(text)?,
        None => (None, None),
    };
    let hub = match (hub, by_target) {
        (Some(name), _) => HubRef::Name(name.clone()),
        (None, Some(address)) => address,
        (None, None) => HubRef::Only,
    };
    Ok(TokenRequest {
        hub,
        path,
        intent,
        role: role.cloned(),
    })
}

fn read_target(text: &str) -> Result<(Option<HubRef>, Option<String>), Refusal> {
    if !text.contains("://") {
        if text.contains(':') || text.contains('@') {
            return Err(Refusal::bad_request(
                "this is an ssh address or holds a user name; tokens are for https",
                "give the repository as `acme/model` or as https://HOST/acme/model",
            ));
        }
        return Ok((None, (!text.is_empty()).then(|| text.to_owned())));
    }
    // The fault may quote the text, and the text may hold a password: neither is shown.
    let url = url::Url::parse(text).map_err(|_| {
        Refusal::bad_request(
            "this is not an address",
            "give the repository as `acme/model` or as https://HOST/acme/model",
        )
    })?;
    let host = url
        .host_str()
        .filter(|_| matches!(url.scheme(), "https" | "http"));
    let Some(host) = host else {
        return Err(Refusal::bad_request(
            format!("tokens are for https, not for `{}`", url.scheme()),
            "give the repository as `acme/model` or as https://HOST/acme/model",
        ));
    };
    let host = url
        .port()
        .map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"));
    let path =
        unescaped(repository_of_page(url.path().trim_start_matches('/'))).ok_or_else(|| {
            Refusal::bad_request(
                "the address has escapes that can be read in two ways",
                "write the repository as its hub shows it, without `%`",
            )
        })?;
    Ok((
        Some(HubRef::Url {
            protocol: url.scheme().to_owned(),
            host,
        }),
        (!path.is_empty()).then_some(path),
    ))
}

/// Where a page of a repository stands in the address that a browser shows: files, commits, merge requests.
const PAGES: &[&str] = &[
    "-",
    "blame",
    "blob",
    "commit",
    "commits",
    "discussions",
    "raw",
    "resolve",
    "tree",
];

/// The repository of a page: an address pasted from a browser goes on behind it. An owner and a name stand
/// before, so that a repository of such a name is one.
fn repository_of_page(path: &str) -> &str {
    let path = path.trim_end_matches('/');
    let mut start = 0;
    for (at, segment) in path.split('/').enumerate() {
        if at >= 2 && PAGES.contains(&segment) {
            return &path[..start - 1];
        }
        start += segment.len() + 1;
    }
    path
}

#[cfg(test)]
mod tests {
    use super::{HubRef, Intent, ask};

    #[test]
    fn an_address_names_its_hub_and_a_repository_does_not() {
        let by_url = ask(
            Some("https://Hub.Example:8443/acme/m.git"),
            None,
            None,
            Intent::Read,
        )
        .unwrap();
        assert_eq!(
            by_url.hub,
            HubRef::Url {
                protocol: "https".into(),
                host: "hub.example:8443".into()
            }
        );
        assert_eq!(by_url.path.as_deref(), Some("acme/m.git"));
        let blank = ask(
            Some("https://h.example/acme/My%20Repo"),
            None,
            None,
            Intent::Read,
        );
        assert_eq!(blank.unwrap().path.as_deref(), Some("acme/My Repo"));
        assert!(ask(Some("https://h.example/acme%2Fm"), None, None, Intent::Read).is_err());
        let by_name = ask(Some("acme/m"), None, None, Intent::Read).unwrap();
        assert_eq!(by_name.hub, HubRef::Only);
        assert_eq!(ask(None, None, None, Intent::Read).unwrap().path, None);
    }

    #[test]
    fn the_page_of_a_repository_stands_for_it() {
        for (page, repository) in [
            ("acme/model/tree/main", "acme/model"),
            (
                "acme/model/blob/main/config.json?download=true",
                "acme/model",
            ),
            ("acme/model/resolve/main/tree", "acme/model"),
            ("datasets/acme/d/tree/main", "datasets/acme/d"),
            ("acme/team/model/-/merge_requests/4", "acme/team/model"),
            ("acme/model/", "acme/model"),
            ("acme/tree", "acme/tree"),
        ] {
            let address = format!("https://h.example/{page}");
            let asked = ask(Some(&address), None, None, Intent::Read).unwrap();
            assert_eq!(asked.path.as_deref(), Some(repository), "{page}");
        }
        let plain = ask(Some("acme/model/tree"), None, None, Intent::Read).unwrap();
        assert_eq!(
            plain.path.as_deref(),
            Some("acme/model/tree"),
            "not pasted from a browser"
        );
    }

    #[test]
    fn a_password_in_an_address_is_neither_sent_nor_shown() {
        let asked = ask(
            Some("https://me:hunter2@h.example/a/b"),
            None,
            None,
            Intent::Read,
        )
        .unwrap();
        assert!(!serde_json::to_string(&asked).unwrap().contains("hunter2"));
        let fault = ask(Some("https://me:hunter2@:x/"), None, None, Intent::Read).unwrap_err();
        assert!(!fault.sentence.contains("hunter2"));
    }

    #[test]
    fn ssh_addresses_are_refused() {
        for bad in [
            "git@h.example:acme/m",
            "ssh://git@h.example/acme/m",
            "h:acme/m",
        ] {
            assert!(ask(Some(bad), None, None, Intent::Read).is_err(), "{bad}");
        }
    }
}
