//! What a caller wants.

use super::name::{HubName, NameFault, Repository, RoleName};
use super::settings::HubKind;
use serde::{Deserialize, Serialize};

/// Read or write, as told by the caller's protocol or inferred from its ancestry. It only chooses
/// among grants that the person holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, Default)]
#[serde(rename_all = "kebab-case")]
pub enum Intent {
    /// Clone, fetch, download.
    Read,
    /// Push, upload.
    Write,
    /// Not told and not inferred.
    #[default]
    Unknown,
}

/// How the hub is named.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum HubRef {
    /// As git says it: protocol, and host with optional port, unchecked.
    Url {
        /// `https` or `http`.
        protocol: String,
        /// Host and optional port.
        host: String,
    },
    /// By its configured name.
    Name(HubName),
    /// None is named: the only one, or the only one for which a role covers the ask.
    Only,
    /// None is named, and the caller's tool works with hubs of this kind only.
    Kind(HubKind),
}

/// One wish for a token.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TokenRequest {
    /// The hub.
    pub hub: HubRef,
    /// The path as the caller gave it (`acme/model.git/info/lfs`), not yet cut to a repository.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// Read or write.
    #[serde(default)]
    pub intent: Intent,
    /// A role named by the person.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role: Option<RoleName>,
}

impl TokenRequest {
    /// Whether it names the hub at this address: exact protocol, host and port, ASCII case folded, nothing decoded
    /// (R5, R6), and a path below the hub's own.
    pub fn is_at(&self, hub_url: &str) -> bool {
        let HubRef::Url { protocol, host } = &self.hub else {
            return false;
        };
        let Some((scheme, rest)) = hub_url.split_once("://") else {
            return false;
        };
        let own = rest.split('/').next().unwrap_or(rest);
        let usual = if scheme == "https" { ":443" } else { ":80" };
        let bare = |host: &'_ str| {
            host.strip_suffix(usual)
                .unwrap_or(host)
                .to_ascii_lowercase()
        };
        scheme == protocol && bare(own) == bare(host) && self.is_below(hub_url)
    }

    /// Whether the path lies below the hub's own, which most hubs don't have.
    pub fn is_below(&self, hub_url: &str) -> bool {
        let own = path_of_hub(hub_url);
        own.is_empty()
            || self
                .path
                .as_deref()
                .is_some_and(|path| below(own, path).is_some())
    }

    /// What the path names at the hub: in an address it stands behind the hub's own path, a name is one already.
    pub fn path_at(&self, hub_url: &str) -> Option<&str> {
        let path = self.path.as_deref()?;
        match self.hub {
            HubRef::Url { .. } => below(path_of_hub(hub_url), path),
            HubRef::Name(_) | HubRef::Only | HubRef::Kind(_) => Some(path),
        }
    }
}

/// The path in a hub's address, without slashes at its ends.
fn path_of_hub(url: &str) -> &str {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    rest.split_once('/')
        .map_or("", |(_, path)| path.trim_end_matches('/'))
}

/// What is left of a path below another; whole segments, byte for byte.
fn below<'a>(own: &str, path: &'a str) -> Option<&'a str> {
    if own.is_empty() {
        return Some(path);
    }
    let rest = path.trim_start_matches('/').strip_prefix(own)?;
    (rest.is_empty() || rest.starts_with('/')).then_some(rest)
}

/// Cuts a URL path to its repository: `.git`, `/info/lfs…`, `/info/refs`, and the service names
/// belong to the repository. `None` for an empty path.
///
/// # Errors
/// A path that could be read in two ways is refused (R10).
pub fn repository_of_path(path: &str) -> Result<Option<Repository>, NameFault> {
    let rest = cut(path);
    if rest.is_empty() {
        return if path.trim_matches('/').is_empty() {
            Ok(None)
        } else {
            Err(NameFault("the path names no repository".into()))
        };
    }
    // `m.git.git`, `m/info/refs/git-upload-pack`: whoever cuts once more finds another repository.
    if cut(rest) != rest {
        return Err(NameFault("the path could be read in two ways".into()));
    }
    rest.parse().map(Some)
}

/// Takes away, once, what belongs to the repository.
fn cut(path: &str) -> &str {
    let mut rest = path.trim_start_matches('/');
    rest = rest.strip_suffix('/').unwrap_or(rest);
    for tail in ["/info/refs", "/git-upload-pack", "/git-receive-pack"] {
        rest = rest.strip_suffix(tail).unwrap_or(rest);
    }
    if let Some(at) = rest.find("/info/lfs") {
        let after = rest.as_bytes().get(at + "/info/lfs".len());
        if matches!(after, None | Some(b'/')) {
            rest = &rest[..at];
        }
    }
    rest.strip_suffix(".git").unwrap_or(rest)
}

#[cfg(test)]
mod tests {
    use super::{HubRef, Intent, TokenRequest, repository_of_path};

    fn cut(path: &str) -> Option<String> {
        repository_of_path(path).unwrap().map(Into::into)
    }

    #[test]
    fn every_spelling_of_a_repository_is_the_same_one() {
        for path in [
            "acme/model",
            "acme/model.git",
            "/acme/model.git",
            "acme/model/",
            "acme/model.git/info/lfs",
            "acme/model.git/info/lfs/objects/batch",
            "acme/model/info/refs",
            "acme/model.git/git-receive-pack",
        ] {
            assert_eq!(cut(path).as_deref(), Some("acme/model"), "{path}");
        }
        assert_eq!(cut("datasets/acme/c").as_deref(), Some("datasets/acme/c"));
        assert_eq!(cut("acme/info/lfsx").as_deref(), Some("acme/info/lfsx"));
        assert_eq!(cut(""), None);
        assert_eq!(cut("/"), None);
    }

    #[test]
    fn below_a_path_a_hub_owns_what_lies_there_and_nothing_beside() {
        let hub = "https://acme.example/artifactory/api/hf";
        let ask = |host: &str, path: Option<&str>| TokenRequest {
            hub: HubRef::Url {
                protocol: "https".into(),
                host: host.into(),
            },
            path: path.map(str::to_owned),
            intent: Intent::Read,
            role: None,
        };
        let ours = ask(
            "Acme.example:443",
            Some("artifactory/api/hf/acme/model.git"),
        );
        assert!(ours.is_at(hub));
        assert_eq!(ours.path_at(hub), Some("/acme/model.git"));
        for path in [
            None,
            Some("artifactory/api/hfx/acme/model"),
            Some("artifactory/api"),
            Some("Artifactory/api/hf/acme/model"),
            Some("acme/model"),
        ] {
            assert!(!ask("acme.example", path).is_at(hub), "{path:?}");
        }
        assert!(!ask("acme.example.evil.test", ours.path.as_deref()).is_at(hub));
        assert!(!ours.is_at("http://acme.example/artifactory/api/hf"));
        assert!(!ours.is_at("artifactory"));
        // Out of it again: nobody's repository.
        let up = ask("acme.example", Some("artifactory/api/hf/../../x"));
        assert!(repository_of_path(up.path_at(hub).unwrap()).is_err());
        let mut named = ask("", Some("acme/model"));
        named.hub = HubRef::Only;
        assert_eq!(named.path_at(hub), Some("acme/model"));
    }

    #[test]
    fn tricks_are_refused() {
        for path in [
            "acme/../other/x",
            "acme//model",
            ".git",
            "acme/model/..",
            "acme/%2e%2e/x",
            "/../x",
            ".git.git",
            "acme/model.git.git",
            "acme/model/info/refs/git-upload-pack",
        ] {
            assert!(repository_of_path(path).is_err(), "{path}");
        }
    }
}
