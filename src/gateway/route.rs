//! From method and path to repository and operation. Tokens are chosen by what comes out here, so what is not known
//! reads, and only by GET and HEAD.

use crate::source::HubOperation::{self, Read, Write};
use crate::source::Target;
use http::Method;
use oam_model::name::{Repository, percent_decoded};
use oam_model::token_request::repository_of_path;

/// What a request is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RequestRoute {
    /// Known by its first line.
    Settled(Target),
    /// Git LFS's batch: the operation stands in the body, links in the answer.
    LfsBatch(Repository),
    /// A repository is to be created: its name stands in the body.
    Create,
}

/// Why it is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoRoute {
    /// The part before a known service names no repository.
    Repository,
    /// It would change something, and it is not known what.
    Unknown,
    /// It is known, and nothing that a role's token may do here: settings, deletion, renaming.
    Manage,
}

impl NoRoute {
    /// One sentence.
    pub const fn sentence(self) -> &'static str {
        match self {
            Self::Repository => "this address names no repository",
            Self::Unknown => "the gateway does not know what this request would change",
            Self::Manage => "the gateway does not create, rename, delete or configure repositories",
        }
    }
}

const KINDS: [&str; 3] = ["models", "datasets", "spaces"];

/// What follows a repository in the hub's API, with what it does when it is not GET or HEAD.
const VERBS: [(&str, Option<HubOperation>); 15] = [
    ("xet-read-token", None),
    ("xet-write-token", None),
    ("revision", None),
    ("tree", None),
    ("refs", None),
    ("commits", None),
    ("compare", None),
    ("treesize", None),
    ("paths-info", Some(Read)),
    ("preupload", Some(Write)),
    ("commit", Some(Write)),
    ("branch", Some(Write)),
    ("tag", Some(Write)),
    ("discussions", Some(Write)),
    ("lfs-files", Some(Write)),
];

/// Classifies a request. `path` is plain (see [`crate::path::is_plain`]) and begins at the hub's own address.
///
/// # Errors
/// Why it is refused.
pub fn classify(method: &Method, path: &str, query: Option<&str>) -> Result<RequestRoute, NoRoute> {
    if let Some(route) = git(method, path, query) {
        return route;
    }
    let segments: Vec<&str> = path.trim_matches('/').split('/').collect();
    match segments.as_slice() {
        ["api", "repos", "create"] if method == Method::POST => Ok(RequestRoute::Create),
        ["api", "repos", ..] => Err(NoRoute::Manage),
        ["api", "validate-yaml"] if method == Method::POST => settled(None, Read),
        ["api", "resolve-cache", kind, rest @ ..] if KINDS.contains(kind) => {
            api(method, kind, rest)
        }
        ["api", kind, rest @ ..] if KINDS.contains(kind) => api(method, kind, rest),
        _ => file(method, &segments),
    }
}

/// Where it stands which refs a request is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Changes {
    /// It changes none, or does not tell.
    Untold,
    /// In its path.
    Ref(String),
    /// In its body, as git writes it.
    Push,
}

/// Which refs a request would change, for the record.
pub fn changes(method: &Method, path: &str) -> Changes {
    if method != Method::POST {
        return Changes::Untold;
    }
    if path.trim_end_matches('/').ends_with("/git-receive-pack") {
        return Changes::Push;
    }
    let mut segments = path.trim_matches('/').split('/').skip(2);
    let revision = segments
        .find(|segment| *segment == "commit")
        .and_then(|_| segments.next());
    match revision.and_then(percent_decoded) {
        Some(revision) if path.starts_with("/api/") => Changes::Ref(revision),
        _ => Changes::Untold,
    }
}

#[expect(
    clippy::unnecessary_wraps,
    reason = "each of its callers answers with it"
)]
fn settled(
    repository: Option<Repository>,
    operation: HubOperation,
) -> Result<RequestRoute, NoRoute> {
    Ok(RequestRoute::Settled(Target {
        repository,
        operation,
    }))
}

fn reads(method: &Method) -> bool {
    method == Method::GET || method == Method::HEAD
}

/// Git's smart protocol and Git LFS, which every kind of hub speaks at the same paths.
fn git(method: &Method, path: &str, query: Option<&str>) -> Option<Result<RequestRoute, NoRoute>> {
    let path = path.strip_suffix('/').unwrap_or(path);
    if let Some((before, after)) = path.split_once("/info/lfs/") {
        return Some(named(before).and_then(|repository| lfs(method, repository, after)));
    }
    if let Some(before) = path.strip_suffix("/git-receive-pack") {
        return Some(named(before).and_then(|repository| settled(Some(repository), Write)));
    }
    if let Some(before) = path.strip_suffix("/git-upload-pack") {
        return Some(named(before).and_then(|repository| settled(Some(repository), Read)));
    }
    let before = path.strip_suffix("/info/refs")?;
    let mut services = query
        .unwrap_or_default()
        .split('&')
        .filter_map(|pair| pair.strip_prefix("service="));
    let operation = match (services.next(), services.next()) {
        (Some("git-receive-pack"), None) => Write,
        (Some("git-upload-pack") | None, None) => Read,
        _ => return Some(Err(NoRoute::Unknown)),
    };
    if !reads(method) {
        return Some(Err(NoRoute::Unknown));
    }
    Some(named(before).and_then(|repository| settled(Some(repository), operation)))
}

fn lfs(method: &Method, repository: Repository, after: &str) -> Result<RequestRoute, NoRoute> {
    match after {
        "objects/batch" if method == Method::POST => Ok(RequestRoute::LfsBatch(repository)),
        _ if reads(method) => settled(Some(repository), Read),
        _ if method == Method::POST || method == Method::PUT => settled(Some(repository), Write),
        _ => Err(NoRoute::Unknown),
    }
}

/// `/acme/model.git`.
fn named(path: &str) -> Result<Repository, NoRoute> {
    let raw = oam_model::name::unescaped(path).ok_or(NoRoute::Repository)?;
    repository_of_path(&raw)
        .ok()
        .flatten()
        .ok_or(NoRoute::Repository)
}

/// The hub's API below a repository, or a list of repositories.
fn api(method: &Method, kind: &str, rest: &[&str]) -> Result<RequestRoute, NoRoute> {
    let Some((repository, after)) = repository(kind, rest)? else {
        return if reads(method) {
            settled(None, Read)
        } else {
            Err(NoRoute::Unknown)
        };
    };
    let verb = after.first().copied();
    if verb == Some("xet-write-token") {
        return settled(Some(repository), Write);
    }
    if reads(method) {
        return settled(Some(repository), Read);
    }
    let known = VERBS.iter().find(|(word, _)| Some(*word) == verb);
    let operation = known.and_then(|(_, operation)| *operation);
    let manages = verb == Some("settings") || (after.is_empty() && method == Method::DELETE);
    match operation {
        Some(operation) => settled(Some(repository), operation),
        None if manages => Err(NoRoute::Manage),
        None => Err(NoRoute::Unknown),
    }
}

/// `acme/model`, or one of the hub's old names without an owner; and what follows it.
fn repository<'a>(
    kind: &str,
    rest: &'a [&'a str],
) -> Result<Option<(Repository, &'a [&'a str])>, NoRoute> {
    let is_verb = |at: usize| {
        rest.get(at)
            .is_some_and(|word| VERBS.iter().any(|(verb, _)| verb == word))
    };
    let length = match rest.len() {
        0 => return Ok(None),
        1 => 1,
        _ if is_verb(1) && !is_verb(2) => 1,
        _ => 2,
    };
    let (name, after) = rest.split_at(length);
    let mut path = name.join("/");
    if kind != "models" {
        path = format!("{kind}/{path}");
    }
    named(&path).map(|repository| Some((repository, after)))
}

/// `/acme/model/resolve/REVISION/FILE` and its like; everything else reads.
fn file(method: &Method, segments: &[&str]) -> Result<RequestRoute, NoRoute> {
    if !reads(method) {
        return Err(NoRoute::Unknown);
    }
    let at = segments
        .iter()
        .position(|word| matches!(*word, "resolve" | "raw" | "blob" | "tree"));
    let repository = match at {
        Some(at @ 1..=3) => Some(named(&segments[..at].join("/"))?),
        _ => None,
    };
    settled(repository, Read)
}

#[cfg(test)]
mod tests;
