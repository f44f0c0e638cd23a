//! Paths and patterns, which choose a grant: a path is cut to the same repository however often, and
//! a pattern matches what its words say (compared with a matcher that is slow and plain).
#![no_main]

use libfuzzer_sys::fuzz_target;
use oam_model::token_request::repository_of_path;
use oam_policy::pattern::{matches, width};

fn plainly(pattern: &[u8], path: &[u8]) -> bool {
    match pattern {
        [] => path.is_empty(),
        [b'*', b'*', rest @ ..] => (0..=path.len()).any(|at| plainly(rest, &path[at..])),
        [b'*', rest @ ..] => (0..=path.len())
            .take_while(|at| !path[..*at].contains(&b'/'))
            .any(|at| plainly(rest, &path[at..])),
        [first, rest @ ..] => path.first() == Some(first) && plainly(rest, &path[1..]),
    }
}

fuzz_target!(|data: &[u8]| {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    let (pattern, path) = text.split_once('\n').unwrap_or(("**", text));
    if let Ok(Some(repository)) = repository_of_path(path) {
        let name = repository.as_str();
        assert!(
            name.split('/').all(|part| !matches!(part, "" | "." | "..")),
            "{name:?}"
        );
        assert!(!name.contains(char::is_control) && !name.contains(['\\', '%', '?', '#', '*']));
        assert_eq!(
            repository_of_path(name),
            Ok(Some(repository.clone())),
            "cut once more"
        );
        assert!(matches("**", name) && matches(name, name));
    }
    let _ = width(pattern);
    if path.len() <= 512 && pattern.len() <= 512 {
        let found = matches(pattern, path);
        if path.len() <= 24 && pattern.matches('*').count() <= 6 {
            assert_eq!(
                found,
                plainly(pattern.as_bytes(), path.as_bytes()),
                "{pattern:?} {path:?}"
            );
        }
    }
});
