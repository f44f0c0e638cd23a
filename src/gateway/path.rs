//! Paths that have one meaning.

use oam_model::name::percent_decoded;

/// Whether every program reads it as the same file: no empty or dot segments, also not behind escapes, no backslash,
/// nothing that can't be seen. A slash may be escaped: revisions such as `refs%2Fpr%2F1` are written so.
pub fn is_plain(path: &str) -> bool {
    let Some(rest) = path.strip_prefix('/') else {
        return false;
    };
    let Some(text) = percent_decoded(rest) else {
        return false;
    };
    if text.chars().any(|c| c.is_control() || c == '\\') {
        return false;
    }
    if text.is_empty() {
        return true;
    }
    text.strip_suffix('/')
        .unwrap_or(&text)
        .split('/')
        .all(|segment| !matches!(segment, "" | "." | ".."))
}

#[cfg(test)]
mod tests {
    use super::is_plain;
    use proptest::prelude::*;

    #[test]
    fn one_meaning_or_none() {
        for path in [
            "/",
            "/a",
            "/a/b.git/info/refs",
            "/a/b/resolve/refs%2Fpr%2F1/x%20y.bin",
            "/a/",
            "/a/...b",
        ] {
            assert!(is_plain(path), "{path}");
        }
        for path in [
            "",
            "*",
            "a",
            "//",
            "/%2F",
            "//a",
            "/a//b",
            "/a/./b",
            "/a/..",
            "/a/%2e%2E/b",
            "/a/.%2e/b",
            "/a%2F..%2Fb",
            "/a\\b",
            "/a%5cb",
            "/a%00",
            "/a%0a",
            "/a%2",
            "/a%+1",
            "/a%ff",
            "/a%2F%2Fb",
        ] {
            assert!(!is_plain(path), "{path}");
        }
    }

    proptest! {
        #[test]
        fn a_plain_path_resolves_to_itself(path in "/[a-z./%25EF]{0,24}") {
            if is_plain(&path) {
                let base = url::Url::parse("http://h/").unwrap();
                let joined = base.join(&path).unwrap();
                prop_assert_eq!(joined.host_str(), Some("h"));
                prop_assert_eq!(joined.path(), path.as_str());
            }
        }
    }
}
