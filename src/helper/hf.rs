//! What an `hf` command is about to do, read from its arguments.
//!
//! It only chooses among grants that the person holds and is printed, so a command that it reads
//! wrongly is refused or served too narrowly, never too widely. The rejected alternative is to ask
//! for the whole hub: it would make every upload need the widest role.

mod table;
mod wrapped;

use oam_model::token_request::Intent;
use table::{At, COMMANDS, FLAGS, LOCAL, PERSONAL, VALUES};
pub use wrapped::arguments;

/// What an `hf` command needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TokenNeed {
    /// Nothing from the hub: it works on local files, or prints its help.
    Nothing,
    /// It keeps or drops a personal token: the word is the sub-command.
    PersonalToken(&'static str),
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
pub fn need(arguments: &[&str]) -> TokenNeed {
    let mut sorted = sort(arguments);
    // Older releases spell the group in the singular.
    match sorted.positional.first_mut() {
        Some(first) if *first == "repo" => *first = "repos",
        _ => {}
    }
    let words = &sorted.positional;
    if sorted.help || words.is_empty() || LOCAL.iter().any(|row| starts_with(words, row)) {
        return TokenNeed::Nothing;
    }
    if let Some(row) = PERSONAL.iter().find(|row| starts_with(words, row)) {
        return TokenNeed::PersonalToken(row);
    }
    let row = COMMANDS
        .iter()
        .filter(|(row, _, _)| starts_with(words, row))
        .max_by_key(|(row, _, _)| row.split(' ').count());
    let Some(&(row, intent, at)) = row else {
        // A newer command or an extension: the lesser intent, no guess at a repository.
        return TokenNeed::Token {
            intent: Intent::Read,
            repository: None,
            unsure: true,
            own_token: sorted.own_token,
        };
    };
    let skip = row.split(' ').count();
    let (intent, repository, unsure) = locate(&sorted, skip, intent, at);
    TokenNeed::Token {
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
