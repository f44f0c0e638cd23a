//! What an `hf` command is about to do, read from its arguments.
//!
//! It only chooses among grants that the person holds and is printed, so a command that it reads
//! wrongly is refused or served too narrowly, never too widely. The rejected alternative is to ask
//! for the whole hub: it would make every upload need the widest role.

use crate::model::ask::Intent;

/// What an `hf` command needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Need {
    /// Nothing from the hub: it works on local files, or prints its help.
    Nothing,
    /// It keeps or drops a personal token: the word is the sub-command.
    PersonalToken(&'static str),
    /// A token.
    Token {
        /// Read or write.
        intent: Intent,
        /// The repository's path on the hub, with its prefix for other kinds than models.
        repository: Option<String>,
        /// A repository is named, but an unknown option stands before it.
        unsure: bool,
        /// The command carries a token of its own, which wins over ours.
        own_token: bool,
    },
}

/// Where a row finds the repository.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum At {
    /// No single repository.
    Nowhere,
    /// This positional argument, its kind by `--type` or prefix.
    Typed(usize),
    /// This positional argument, below a fixed prefix.
    Under(&'static str, usize),
    /// `hf://` addresses: the destination if it is one (then it writes), else the source.
    Copy,
}

const R: Intent = Intent::Read;
const W: Intent = Intent::Write;

/// Commands by their leading words; the longest match wins. What a role calls `manage` (create,
/// delete, settings) is asked for as write: which of both a token needs is the role's matter.
const COMMANDS: &[(&str, Intent, At)] = &[
    ("upload", W, At::Typed(0)),
    ("upload-large-folder", W, At::Typed(0)),
    ("download", R, At::Typed(0)),
    ("cp", R, At::Copy),
    ("sync", R, At::Copy),
    ("cache verify", R, At::Typed(0)),
    ("auth", R, At::Nowhere),
    ("auth whoami", R, At::Nowhere),
    ("repos", W, At::Typed(1)),
    ("repos cp", R, At::Copy),
    ("repos list", R, At::Nowhere),
    ("repos ls", R, At::Nowhere),
    ("repos branch", W, At::Typed(1)),
    ("repos tag", W, At::Typed(1)),
    ("repos tag list", R, At::Typed(0)),
    ("repos tag ls", R, At::Typed(0)),
    ("repos duplicate", W, At::Typed(1)),
    ("repo-files", W, At::Typed(1)),
    ("repo-files delete", W, At::Typed(0)),
    ("models", R, At::Typed(1)),
    ("models ls", R, At::Typed(0)),
    ("datasets", R, At::Under("datasets", 1)),
    ("datasets ls", R, At::Under("datasets", 0)),
    ("datasets sql", R, At::Nowhere),
    ("spaces", W, At::Under("spaces", 1)),
    ("spaces info", R, At::Under("spaces", 0)),
    ("spaces card", R, At::Under("spaces", 0)),
    ("spaces list", R, At::Under("spaces", 0)),
    ("spaces ls", R, At::Under("spaces", 0)),
    ("spaces logs", R, At::Under("spaces", 0)),
    ("spaces wait", R, At::Under("spaces", 0)),
    ("spaces search", R, At::Nowhere),
    ("spaces hardware", R, At::Nowhere),
    ("spaces templates", R, At::Nowhere),
    ("spaces zero-gpu", R, At::Nowhere),
    ("spaces secrets", W, At::Under("spaces", 1)),
    ("spaces variables", W, At::Under("spaces", 1)),
    ("spaces variables list", R, At::Under("spaces", 0)),
    ("spaces volumes", W, At::Under("spaces", 1)),
    ("spaces volumes list", R, At::Under("spaces", 0)),
    ("buckets", W, At::Under("buckets", 1)),
    ("buckets cp", R, At::Copy),
    ("buckets sync", R, At::Copy),
    ("buckets info", R, At::Under("buckets", 0)),
    ("buckets list", R, At::Under("buckets", 0)),
    ("buckets ls", R, At::Under("buckets", 0)),
    ("discussions", W, At::Typed(1)),
    ("discussions info", R, At::Typed(0)),
    ("discussions list", R, At::Typed(0)),
    ("discussions ls", R, At::Typed(0)),
    ("discussions diff", R, At::Typed(0)),
    ("papers", R, At::Nowhere),
    ("extensions", R, At::Nowhere),
    ("collections", W, At::Nowhere),
    ("collections info", R, At::Nowhere),
    ("collections list", R, At::Nowhere),
    ("endpoints", W, At::Nowhere),
    ("endpoints describe", R, At::Nowhere),
    ("endpoints list", R, At::Nowhere),
    ("jobs", W, At::Nowhere),
    ("jobs inspect", R, At::Nowhere),
    ("jobs list", R, At::Nowhere),
    ("jobs ls", R, At::Nowhere),
    ("jobs ps", R, At::Nowhere),
    ("jobs logs", R, At::Nowhere),
    ("jobs wait", R, At::Nowhere),
    ("sandbox", W, At::Nowhere),
    ("webhooks", W, At::Nowhere),
    ("webhooks info", R, At::Nowhere),
    ("webhooks list", R, At::Nowhere),
];

/// Commands that ask the hub for nothing.
const LOCAL: &[&str] = &[
    "cache list",
    "cache ls",
    "cache prune",
    "cache rm",
    "cache scan",
    "cache delete",
    "env",
    "version",
    "update",
    "skills",
    "lfs-enable-largefiles",
    "extensions list",
    "auth list",
];

/// Commands about personal tokens.
const PERSONAL: &[&str] = &["auth login", "auth logout", "auth switch", "auth token"];

/// Options that take a value, with the next argument where no `=` follows.
const VALUES: &[&str] = &[
    "--type",
    "--repo-type",
    "--revision",
    "--include",
    "--exclude",
    "--commit-message",
    "--commit-description",
    "--every",
    "--token",
    "--format",
    "--cache-dir",
    "--local-dir",
    "--max-workers",
    "--num-workers",
    "--expand",
    "--branch",
    "--message",
    "-m",
    "--title",
    "--body",
    "--body-file",
    "--comment",
    "--limit",
    "--sort",
    "--search",
    "--filter",
    "--author",
    "--status",
    "--kind",
    "--namespace",
    "--owner",
    "--space-sdk",
    "--space_sdk",
    "--sdk",
    "--resource-group-id",
    "--flavor",
    "--hardware",
    "--sleep-time",
    "--secrets",
    "--secrets-file",
    "--env",
    "-e",
    "--env-file",
    "--volume",
    "--tail",
    "--timeout",
    "--subset",
    "--split",
    "--region",
    "--dest",
];

/// Options that take none. `--delete`, `--description`, `--gated`, `--public`, `-f`, `-v` are in
/// neither list: whether they take one depends on the command.
const FLAGS: &[&str] = &[
    "--private",
    "--no-private",
    "--create-pr",
    "--no-create-pr",
    "--force-download",
    "--no-force-download",
    "--dry-run",
    "--no-dry-run",
    "--quiet",
    "-q",
    "--json",
    "--no-truncate",
    "--exist-ok",
    "--no-exist-ok",
    "--missing-ok",
    "--no-missing-ok",
    "--yes",
    "-y",
    "--force",
    "--no-force",
    "--protected",
    "--recursive",
    "-R",
    "--human-readable",
    "--tree",
    "--no-report",
    "--no-bars",
    "--local-dir-use-symlinks",
    "--ignore-existing",
    "--existing",
    "--ignore-times",
    "--ignore-sizes",
    "--verbose",
    "--all",
    "-a",
];

/// The arguments, sorted.
#[derive(Default)]
struct Sorted<'a> {
    positional: Vec<&'a str>,
    /// Positionals from this one on may be the value of an option that is not known.
    unsure_from: Option<usize>,
    kind: Option<&'a str>,
    own_token: bool,
    help: bool,
}

/// Whether a program of this name (without folders) speaks the language of `hf`.
pub fn is_hf(program: &str) -> bool {
    let name = program.strip_suffix(".exe").unwrap_or(program);
    matches!(name, "hf" | "huggingface-cli")
}

/// Reads the arguments after the program's name.
pub fn need(arguments: &[&str]) -> Need {
    let mut sorted = sort(arguments);
    // Older releases spell the group in the singular.
    if let Some(first) = sorted.positional.first_mut()
        && *first == "repo"
    {
        *first = "repos";
    }
    let words = &sorted.positional;
    if sorted.help || words.is_empty() || LOCAL.iter().any(|row| starts_with(words, row)) {
        return Need::Nothing;
    }
    if let Some(row) = PERSONAL.iter().find(|row| starts_with(words, row)) {
        return Need::PersonalToken(row);
    }
    let row = COMMANDS
        .iter()
        .filter(|(row, _, _)| starts_with(words, row))
        .max_by_key(|(row, _, _)| row.split(' ').count());
    let Some(&(row, intent, at)) = row else {
        // A newer command or an extension: the lesser intent, no guess at a repository.
        return Need::Token {
            intent: Intent::Read,
            repository: None,
            unsure: true,
            own_token: sorted.own_token,
        };
    };
    let skip = row.split(' ').count();
    let (intent, repository, unsure) = locate(&sorted, skip, intent, at);
    Need::Token {
        intent,
        repository,
        unsure,
        own_token: sorted.own_token,
    }
}

fn starts_with(words: &[&str], row: &str) -> bool {
    let mut words = words.iter();
    row.split(' ').all(|word| words.next() == Some(&word))
}

fn sort<'a>(arguments: &[&'a str]) -> Sorted<'a> {
    let mut sorted = Sorted::default();
    let mut rest = arguments.iter();
    while let Some(argument) = rest.next() {
        if *argument == "--" {
            sorted.positional.extend(rest);
            break;
        }
        if !argument.starts_with('-') || *argument == "-" {
            sorted.positional.push(argument);
            continue;
        }
        let (name, value) = match argument.split_once('=') {
            Some((name, value)) => (name, Some(value)),
            None => (*argument, None),
        };
        if matches!(name, "--help" | "-h" | "--version") {
            sorted.help = true;
        }
        let value = match value {
            None if VALUES.contains(&name) => rest.next().copied(),
            value => value,
        };
        match name {
            "--type" | "--repo-type" => sorted.kind = value,
            "--token" => sorted.own_token = true,
            _ => {}
        }
        let known = VALUES.contains(&name) || FLAGS.contains(&name) || value.is_some();
        if !known && sorted.unsure_from.is_none() {
            sorted.unsure_from = Some(sorted.positional.len());
        }
    }
    sorted
}

fn locate(
    sorted: &Sorted<'_>,
    skip: usize,
    intent: Intent,
    at: At,
) -> (Intent, Option<String>, bool) {
    let take = |index: usize| {
        let index = skip + index;
        let word = sorted.positional.get(index).copied();
        let unsure = word.is_some() && sorted.unsure_from.is_some_and(|from| index >= from);
        (word.filter(|_| !unsure), unsure)
    };
    match at {
        At::Nowhere => (intent, None, false),
        At::Typed(index) => {
            let (word, unsure) = take(index);
            (intent, word.map(|word| typed(word, sorted.kind)), unsure)
        }
        At::Under(prefix, index) => {
            let (word, unsure) = take(index);
            (intent, word.map(|word| below(prefix, word)), unsure)
        }
        At::Copy => {
            let ((source, a), (target, b)) = (take(0), take(1));
            match (source.and_then(of_address), target.and_then(of_address)) {
                (_, Some(target)) => (Intent::Write, Some(target), a || b),
                (source, None) => (Intent::Read, source, a || b),
            }
        }
    }
}

/// A repository's path by its kind; a prefix that is there already stands.
fn typed(word: &str, kind: Option<&str>) -> String {
    match kind {
        Some("dataset" | "datasets") => below("datasets", word),
        Some("space" | "spaces") => below("spaces", word),
        Some("kernel" | "kernels") => below("kernels", word),
        _ => word.strip_prefix("models/").unwrap_or(word).to_owned(),
    }
}

fn below(prefix: &str, word: &str) -> String {
    let word = word.strip_prefix("hf://").unwrap_or(word);
    let word = word
        .strip_prefix(prefix)
        .and_then(|rest| rest.strip_prefix('/'))
        .unwrap_or(word);
    let name: Vec<&str> = word.split('/').take(2).collect();
    format!("{prefix}/{}", name.join("/"))
}

/// `hf://datasets/acme/corpus@v1/file` → `datasets/acme/corpus`.
fn of_address(text: &str) -> Option<String> {
    let path = text.strip_prefix("hf://")?;
    let first = path.split('/').next()?;
    let segments = match first {
        "datasets" | "spaces" | "kernels" | "buckets" => 3,
        _ => 2,
    };
    let parts: Vec<&str> = path
        .strip_prefix("models/")
        .unwrap_or(path)
        .split('/')
        .take(segments)
        .map(|part| part.split('@').next().unwrap_or(part))
        .collect();
    (parts.len() == segments && parts.iter().all(|part| !part.is_empty())).then(|| parts.join("/"))
}

#[cfg(test)]
mod tests;
