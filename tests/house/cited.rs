//! What the README, SECURITY.md and the page of the source name is there: files, tests, and options of our programs.

use super::collect;
use std::path::Path;

const TEXTS: &[&str] = &["README.md", "SECURITY.md"];
/// Here only files are looked at: what it names in the source is `map`'s to check.
const SOURCE: &str = "src/README.md";
/// Options of other programs in the README's command lines.
const OTHERS: &[&str] = &["--release"];

/// Names of `a::{b, c::*}` one by one.
fn spread(name: &str) -> Vec<String> {
    let Some((before, rest)) = name.split_once('{') else {
        return vec![name.to_owned()];
    };
    let (inner, after) = rest.split_once('}').unwrap_or((rest, ""));
    let each = inner.split(',');
    each.map(|one| format!("{before}{}{after}", one.trim()))
        .collect()
}

/// Whether a test, or a module of tests, has the last segments of this name.
fn is_there(name: &str, sources: &[(String, String)]) -> bool {
    let whole_module = name.ends_with("::*");
    let name = name.trim_end_matches("::*");
    let last = name.rsplit("::").next().unwrap_or(name);
    sources.iter().any(|(path, text)| {
        let is_file = path.ends_with(&format!("/{last}.rs")) || path.contains(&format!("/{last}/"));
        let is_module = is_file || text.contains(&format!("mod {last}"));
        is_module || (!whole_module && text.contains(&format!("fn {last}(")))
    })
}

/// The pieces of inline code of a line.
fn codes(line: &str) -> impl Iterator<Item = &str> {
    line.split('`').skip(1).step_by(2)
}

fn path_faults(root: &Path, line: &str) -> Vec<String> {
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-".contains(c);
    line.split(|c| !plain(c))
        .map(|word| word.trim_end_matches(['.', '/']))
        .filter(|word| {
            ["packaging/", "tests/", "src/"]
                .iter()
                .any(|f| word.starts_with(f))
        })
        .filter(|word| !root.join(word).exists())
        .map(|word| format!("no file {word}"))
        .collect()
}

fn name_faults(line: &str, sources: &[(String, String)]) -> Vec<String> {
    codes(line)
        .filter(|code| code.contains("::") && !code.contains("://"))
        .flat_map(spread)
        .filter(|name| !is_there(name, sources))
        .map(|name| format!("no test {name}"))
        .collect()
}

/// An option is a field or a literal of the command lines of `oam`, `oam-issuer` or the helper.
fn option_faults(line: &str, sources: &[(String, String)]) -> Vec<String> {
    if !line.contains("oam") {
        return Vec::new();
    }
    let plain = |c: char| c.is_ascii_lowercase() || c == '-' || c.is_ascii_digit();
    line.split(|c| !plain(c))
        .filter(|word| word.starts_with("--") && word.len() > 3 && !OTHERS.contains(word))
        .filter(|word| {
            let (bare, field) = (&word[2..], word[2..].replace('-', "_"));
            let ways = [
                format!("{field}:"),
                format!("\"{bare}\""),
                format!("\"{word}\""),
                format!("{word} "),
            ];
            !sources.iter().any(|(path, text)| {
                path.starts_with("src/") && ways.iter().any(|way| text.contains(way))
            })
        })
        .map(|word| format!("no option {word}"))
        .collect()
}

fn faults(root: &Path, text: &str, sources: &[(String, String)]) -> Vec<String> {
    let mut found = Vec::new();
    for (at, line) in text.lines().enumerate() {
        let here = path_faults(root, line)
            .into_iter()
            .chain(name_faults(line, sources))
            .chain(option_faults(line, sources));
        found.extend(here.map(|fault| format!("{}: {fault}", at + 1)));
    }
    found
}

#[test]
fn what_the_readme_and_the_security_text_name_is_there() {
    let root = std::env::var("CARGO_MANIFEST_DIR").unwrap();
    let root = Path::new(&root);
    let mut sources = Vec::new();
    for folder in ["src", "tests", "packaging"] {
        collect(&root.join(folder), folder, &mut sources);
    }
    let mut found = Vec::new();
    for name in TEXTS {
        let text = std::fs::read_to_string(root.join(name)).unwrap();
        let faults = faults(root, &text, &sources);
        found.extend(faults.iter().map(|fault| format!("{name}:{fault}")));
    }
    let page = std::fs::read_to_string(root.join(SOURCE)).unwrap();
    let missing = page.lines().flat_map(|line| path_faults(root, line));
    found.extend(missing.map(|fault| format!("{SOURCE}: {fault}")));
    assert!(found.is_empty(), "{}", found.join("\n"));
}

/// Files and folders below `src` that a comment names: `host/socket.rs`, `host/`.
fn named_below_src(line: &str) -> impl Iterator<Item = &str> {
    let comment = line.trim_start().starts_with("//");
    let pieces = line.split('`').skip(1).step_by(2).filter(move |_| comment);
    pieces.filter(|piece| {
        let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "_/.".contains(c);
        let begins = piece.starts_with(|c: char| c.is_ascii_lowercase());
        let is_file = |(stem, kind): (&str, &str)| kind == "rs" && stem.contains('/');
        let is_path = piece.ends_with('/') || piece.rsplit_once('.').is_some_and(is_file);
        begins && is_path && piece.chars().all(plain)
    })
}

#[test]
fn what_a_comment_names_below_src_is_there() {
    let root = std::env::var("CARGO_MANIFEST_DIR").unwrap();
    let src = Path::new(&root).join("src");
    let mut sources = Vec::new();
    collect(&src, "src", &mut sources);
    let mut missing = Vec::new();
    for (file, text) in &sources {
        let named = text.lines().flat_map(named_below_src);
        let gone = named.filter(|path| !src.join(path).exists());
        missing.extend(gone.map(|path| format!("{file}: no {path}")));
    }
    assert!(missing.is_empty(), "{}", missing.join("\n"));
    let line = "/// See `host/nowhere.rs` and `edge/`, not `--x/`, `a.rs` or `Host/`.";
    let found: Vec<_> = named_below_src(line).collect();
    assert_eq!(found, ["host/nowhere.rs", "edge/"]);
    assert_eq!(named_below_src("let x = \"`edge/`\";").count(), 0);
}

#[test]
fn a_file_test_or_option_that_is_not_there_is_caught() {
    let root = std::env::var("CARGO_MANIFEST_DIR").unwrap();
    let sources = [("src/a.rs".to_owned(), "fn known() {} mod some".to_owned())];
    let text = "see `tests/nowhere/x.toml`\n`lib::a::{known, unknown}`, `some::*`, `none::*`\n`oam status --wrong`";
    assert_eq!(
        faults(Path::new(&root), text, &sources),
        [
            "1: no file tests/nowhere/x.toml",
            "2: no test lib::a::unknown",
            "2: no test none::*",
            "3: no option --wrong",
        ]
    );
}

/// `promise 4` in a comment is of SECURITY.md's table; what lies outside the repository is not named.
fn promise_faults(file: &str, text: &str, promises: &[u32]) -> Vec<String> {
    let mut found = Vec::new();
    for (at, line) in text.lines().enumerate() {
        let numbers = line.match_indices("promise ").filter_map(|(from, word)| {
            let digits = line[from + word.len()..]
                .split(|c: char| !c.is_ascii_digit())
                .next()?;
            digits.parse::<u32>().ok()
        });
        let unknown = numbers.filter(|number| !promises.contains(number));
        found.extend(unknown.map(|number| format!("{file}:{}: no promise {number}", at + 1)));
        if line.contains("(design ") || line.contains("design §") {
            found.push(format!("{file}:{}: a design that is not here", at + 1));
        }
    }
    found
}

#[test]
fn a_promise_that_a_comment_names_is_one_of_the_security_text() {
    let root = std::env::var("CARGO_MANIFEST_DIR").unwrap();
    let root = Path::new(&root);
    let text = std::fs::read_to_string(root.join("SECURITY.md")).unwrap();
    let rows = text
        .lines()
        .skip_while(|line| *line != "| | promise | shown by |");
    let rows = rows.skip(2).take_while(|line| line.starts_with('|'));
    let promises: Vec<u32> = rows
        .filter_map(|row| row.split('|').nth(1)?.trim().parse().ok())
        .collect();
    assert!(!promises.is_empty());
    let mut sources = Vec::new();
    collect(&root.join("src"), "src", &mut sources);
    let found: Vec<String> = sources
        .iter()
        .flat_map(|(file, text)| promise_faults(file, text, &promises))
        .collect();
    assert!(found.is_empty(), "{}", found.join("\n"));
    assert_eq!(
        promise_faults("a", "as promise 3 has it\npromise 10 (design §3)", &[3]),
        ["a:2: no promise 10", "a:2: a design that is not here"]
    );
}
