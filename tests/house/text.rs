//! Rust text as words, without comments and literals, and the paths that it names.
//! A hundred lines instead of a parser: a path is `a::b`, and only `use` has groups.

/// One word: an identifier, a number, `::`, or one sign.
pub struct Word {
    pub text: String,
    pub line: usize,
    /// Inside `#[cfg(test)] mod … { }`, or in a file that is only tests.
    pub in_test: bool,
}

impl Word {
    pub fn is(&self, text: &str) -> bool {
        self.text == text
    }

    fn is_name(&self) -> bool {
        self.text
            .starts_with(|c: char| c.is_alphabetic() || c == '_')
    }
}

/// A path that the text names, groups of `use` unfolded.
#[derive(Clone)]
pub struct Named {
    pub line: usize,
    pub in_test: bool,
    parts: Vec<String>,
    renamed: bool,
}

impl Named {
    pub fn first(&self) -> &str {
        &self.parts[0]
    }

    pub fn join(&self) -> String {
        self.parts.join("::")
    }

    /// `use crate as x`, `use std as x`: what follows `x::` could not be seen any more.
    pub fn hides_root(&self) -> bool {
        let root = ["crate", "std", "core", "tokio", "rustix"].contains(&self.first());
        self.renamed && root && (self.parts.len() == 1 || self.parts[1] == "self")
    }

    /// Whether it leads into the crate of this name. `cfg(windows)` and `.windows(2)` do not.
    pub fn leads_into(&self, krate: &str) -> bool {
        self.first() == krate && self.parts.len() > 1
    }

    pub fn has_pair(&self, first: &str, second: &[&str]) -> bool {
        self.parts
            .windows(2)
            .any(|two| two[0] == first && second.contains(&two[1].as_str()))
    }
}

/// Whether the path starts with `word`, or, for a type's name, holds it anywhere.
pub fn named_path(used: &Named, word: &str) -> bool {
    let wanted: Vec<&str> = word.split("::").collect();
    if wanted.len() == 1 && word.starts_with(char::is_uppercase) {
        return used.parts.iter().any(|part| part == word);
    }
    // A lone `rand` or `tokio` is a variable, a method or a feature, unless a `use` gives it a name.
    if wanted.len() == 1 && used.parts.len() == 1 && !used.renamed {
        return false;
    }
    used.parts.len() >= wanted.len()
        && used
            .parts
            .iter()
            .zip(&wanted)
            .all(|(part, want)| part == want)
}

/// One file.
pub struct Text {
    words: Vec<Word>,
    own_name: String,
}

impl Text {
    pub fn read(path: &str, source: &str) -> Self {
        let inside = path
            .strip_prefix("src/")
            .unwrap_or(path)
            .trim_end_matches(".rs");
        let parts: Vec<&str> = inside.split('/').filter(|part| *part != "mod").collect();
        let mut words = split(source);
        mark_modules(&mut words);
        if parts.contains(&"tests") {
            for word in &mut words {
                word.in_test = true;
            }
        }
        Self {
            words,
            own_name: match parts.last() {
                // A crate's root and its program have the crate's name, which is the manifest's matter.
                None | Some(&("lib" | "main")) => String::new(),
                Some(name) => (*name).to_owned(),
            },
        }
    }

    pub fn words(&self) -> impl Iterator<Item = &Word> {
        self.words.iter()
    }

    /// Lines with anything but comments on them.
    pub fn code_lines(&self) -> usize {
        let mut lines: Vec<usize> = self.words.iter().map(|word| word.line).collect();
        lines.dedup();
        lines.len()
    }

    /// The file's own module and those that it declares.
    pub fn modules(&self) -> Vec<(usize, String)> {
        let declared = self
            .words
            .windows(2)
            .filter(|two| two[0].is("mod") && two[1].is_name());
        let mut found: Vec<(usize, String)> = declared
            .map(|two| (two[1].line, two[1].text.clone()))
            .collect();
        if !self.own_name.is_empty() {
            found.push((1, self.own_name.clone()));
        }
        found
    }

    /// Printing macros outside tests.
    pub fn prints(&self) -> Vec<(usize, String)> {
        let names = ["println", "eprintln", "print", "eprint", "dbg"];
        let calls = self
            .words
            .windows(2)
            .filter(|two| two[1].is("!") && !two[0].in_test);
        calls
            .filter(|two| names.contains(&two[0].text.as_str()))
            .map(|two| (two[0].line, two[0].text.clone()))
            .collect()
    }

    /// Every path that is named.
    pub fn paths(&self) -> Vec<Named> {
        let mut found = Vec::new();
        for at in 0..self.words.len() {
            let word = &self.words[at];
            let goes_on = at > 0 && self.words[at - 1].is("::");
            let leading =
                at == 1 || at > 1 && !self.words[at - 2].is_name() && !self.words[at - 2].is(">");
            if word.is_name() && (!goes_on || leading) {
                let start = Named {
                    line: word.line,
                    in_test: word.in_test,
                    parts: Vec::new(),
                    renamed: false,
                };
                self.unfold(at, start, &mut found);
            }
        }
        found
    }

    /// Reads on from the part at `at`; returns the place behind the path.
    fn unfold(&self, mut at: usize, mut path: Named, found: &mut Vec<Named>) -> usize {
        let is = |at: usize, text: &str| self.words.get(at).is_some_and(|word| word.is(text));
        loop {
            path.parts.push(self.words[at].text.clone());
            path.line = self.words[at].line;
            at += 1;
            if !is(at, "::") {
                break;
            }
            at += 1;
            if is(at, "{") {
                at += 1;
                while at < self.words.len() && !is(at, "}") {
                    at = if is(at, ",") {
                        at + 1
                    } else {
                        self.unfold(at, path.clone(), found)
                    };
                }
                return at + 1;
            }
            if !self
                .words
                .get(at)
                .is_some_and(|word| word.is_name() || word.is("*"))
            {
                break;
            }
        }
        if is(at, "as") {
            path.renamed = true;
            at += 2;
        }
        found.push(path);
        at
    }
}

/// Marks what stands in inline modules, and which of these are tests.
fn mark_modules(words: &mut [Word]) {
    let mut open: Vec<bool> = Vec::new();
    let (mut attribute_says_test, mut module_next) = (false, false);
    for at in 0..words.len() {
        if words[at].is("cfg") && at > 1 && words[at - 1].is("[") {
            let inside = words[at..].iter().take_while(|word| !word.is("]"));
            let names: Vec<&str> = inside.map(|word| word.text.as_str()).collect();
            attribute_says_test = names.contains(&"test") && !names.contains(&"not");
        }
        module_next |= words[at].is("mod");
        if words[at].is("{") {
            let in_test = open.last().is_some_and(|in_test| *in_test);
            open.push(in_test || module_next && attribute_says_test);
        }
        if words[at].is("{") || words[at].is(";") {
            (attribute_says_test, module_next) = (false, false);
        }
        words[at].in_test = open.last().is_some_and(|in_test| *in_test);
        if words[at].is("}") {
            open.pop();
        }
    }
}

fn split(source: &str) -> Vec<Word> {
    let chars: Vec<char> = source.chars().collect();
    let (mut words, mut at, mut line) = (Vec::new(), 0, 1);
    while at < chars.len() {
        let end = skipped(&chars, at).unwrap_or_else(|| word_end(&chars, at));
        let text: String = chars[at..end.min(chars.len())].iter().collect();
        let is_word = skipped(&chars, at).is_none() && !text.trim().is_empty();
        if is_word {
            words.push(Word {
                text,
                line,
                in_test: false,
            });
        }
        line += chars[at..end.min(chars.len())]
            .iter()
            .filter(|c| **c == '\n')
            .count();
        at = end;
    }
    words
}

fn word_end(chars: &[char], at: usize) -> usize {
    let is_part = |c: &char| c.is_alphanumeric() || *c == '_';
    if chars[at] == ':' && chars.get(at + 1) == Some(&':') {
        return at + 2;
    }
    at + chars[at..].iter().take_while(|c| is_part(c)).count().max(1)
}

/// The end of the comment or literal that starts here, if one does.
fn skipped(chars: &[char], at: usize) -> Option<usize> {
    let rest = &chars[at..];
    let find = |from: usize, what: &[char]| {
        (from..rest.len())
            .find(|i| rest[*i..].starts_with(what))
            .map_or(rest.len(), |i| i + what.len())
    };
    let length = match rest {
        ['/', '/', ..] => find(0, &['\n']),
        ['/', '*', ..] => comment(rest),
        ['"', ..] | ['b' | 'c', '"', ..] => quoted(rest, '"'),
        ['b', '\'', ..] | ['\'', '\\', ..] | ['\'', _, '\'', ..] => quoted(rest, '\''),
        ['r', '"' | '#', ..] | ['b' | 'c', 'r', '"' | '#', ..] => {
            let hashes = rest
                .iter()
                .skip_while(|c| c.is_alphabetic())
                .take_while(|c| **c == '#')
                .count();
            let quote = rest.iter().position(|c| *c == '"')?;
            if rest[..quote].iter().filter(|c| **c != '#').count() > 2 {
                return None; // `r#name`, an identifier
            }
            let end: Vec<char> = std::iter::once('"')
                .chain(std::iter::repeat_n('#', hashes))
                .collect();
            find(quote + 1, &end)
        }
        _ => return None,
    };
    Some(at + length)
}

fn comment(rest: &[char]) -> usize {
    let (mut depth, mut at) = (0, 0);
    while at < rest.len() {
        let (step, change) = match &rest[at..] {
            ['/', '*', ..] => (2, 1),
            ['*', '/', ..] => (2, -1),
            _ => (1, 0),
        };
        at += step;
        depth += change;
        if depth == 0 {
            break;
        }
    }
    at
}

fn quoted(rest: &[char], quote: char) -> usize {
    let mut at = rest.iter().position(|c| *c == quote).unwrap_or(0) + 1;
    while at < rest.len() && rest[at] != quote {
        at += if rest[at] == '\\' { 2 } else { 1 };
    }
    at + 1
}
