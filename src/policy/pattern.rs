//! Resource patterns: whole-string, `*` within a segment, `**` across segments.

/// Whether `pattern` matches all of `path`.
///
/// `*` stands for any text without a slash, the empty text included; `**` for any text with
/// slashes. A pattern is never a prefix or suffix match (a real product's `a|b` was).
pub fn matches(pattern: &str, path: &str) -> bool {
    fits(pattern.as_bytes(), path.as_bytes())
}

/// Matches by remembering the places to which a wildcard may grow: linear in practice, at most
/// pattern × path steps, no recursion for an attacker to deepen.
fn fits(pattern: &[u8], path: &[u8]) -> bool {
    let width = path.len() + 1;
    let mut reach = vec![false; width];
    reach[0] = true;
    let mut at = 0;
    while at < pattern.len() {
        let across = pattern[at..].starts_with(b"**");
        let within = pattern[at] == b'*';
        let mut next = vec![false; width];
        if across || within {
            let mut open = false;
            for i in 0..width {
                open |= reach[i];
                next[i] = open;
                open &= across || path.get(i) != Some(&b'/');
            }
        } else {
            for i in 0..path.len() {
                next[i + 1] = reach[i] && path[i] == pattern[at];
            }
        }
        reach = next;
        at += if across { 2 } else { 1 };
    }
    reach[width - 1]
}

/// Whether some path is matched by both patterns. Where a wildcard meets a wildcard the answer may be yes without
/// such a path (`*` against `**` across a slash): it is for warnings.
pub fn overlap(one: &str, other: &str) -> bool {
    let (one, other) = (parts(one), parts(other));
    let mut reach = vec![vec![false; other.len() + 1]; one.len() + 1];
    reach[0][0] = true;
    for i in 0..=one.len() {
        for j in 0..=other.len() {
            if !reach[i][j] {
                continue;
            }
            let (a, b) = (one.get(i), other.get(j));
            // A wildcard may stand for nothing more.
            if matches!(a, Some(Part::Any(_))) {
                reach[i + 1][j] = true;
            }
            if matches!(b, Some(Part::Any(_))) {
                reach[i][j + 1] = true;
            }
            match (a, b) {
                (Some(Part::Is(x)), Some(Part::Is(y))) if x == y => reach[i + 1][j + 1] = true,
                (Some(Part::Any(across)), Some(Part::Is(y))) if *across || *y != b'/' => {
                    reach[i][j + 1] = true;
                }
                (Some(Part::Is(x)), Some(Part::Any(across))) if *across || *x != b'/' => {
                    reach[i + 1][j] = true;
                }
                _ => {}
            }
        }
    }
    reach[one.len()][other.len()]
}

/// One byte of a pattern, or a wildcard: across segments or within one.
enum Part {
    Is(u8),
    Any(bool),
}

fn parts(pattern: &str) -> Vec<Part> {
    let bytes = pattern.as_bytes();
    let (mut parts, mut at) = (Vec::with_capacity(bytes.len()), 0);
    while at < bytes.len() {
        let across = bytes[at..].starts_with(b"**");
        parts.push(match bytes[at] {
            b'*' => Part::Any(across),
            byte => Part::Is(byte),
        });
        at += if across { 2 } else { 1 };
    }
    parts
}

/// How wide a pattern is, for choosing the narrowest: fewer is narrower. Counts wildcards across
/// segments first, then wildcards within, then the lack of literal characters.
pub fn width(pattern: &str) -> (usize, usize, std::cmp::Reverse<usize>) {
    let across = pattern.matches("**").count();
    let stars = pattern.matches('*').count() - 2 * across;
    let literal = pattern.chars().filter(|c| *c != '*').count();
    (across, stars, std::cmp::Reverse(literal))
}

#[cfg(test)]
mod tests {
    use super::{matches, overlap, width};
    use proptest::prelude::*;

    #[test]
    fn patterns_overlap_where_one_path_is_matched_by_both() {
        for (one, other) in [
            ("acme/mod*", "acme/*del"),
            ("acme/*", "*/model"),
            ("**", "acme/model"),
            ("acme/**", "acme/team/*"),
        ] {
            assert!(overlap(one, other) && overlap(other, one), "{one} {other}");
        }
        for (one, other) in [
            ("acme/*", "beta/*"),
            ("acme/*", "acme/team/model"),
            ("acme/a*", "acme/b*"),
            ("acme/model", "acme/models"),
        ] {
            assert!(
                !overlap(one, other) && !overlap(other, one),
                "{one} {other}"
            );
        }
    }

    proptest! {
        #[test]
        fn what_matches_one_path_overlaps(one in "[ab/*]{0,8}", other in "[ab/*]{0,8}", path in "[ab/]{0,8}") {
            let sound = |p: &str| !p.contains("***");
            if sound(&one) && sound(&other) && matches(&one, &path) && matches(&other, &path) {
                prop_assert!(overlap(&one, &other));
            }
        }
    }

    #[test]
    fn a_star_stays_within_its_segment() {
        assert!(matches("acme/*", "acme/model"));
        assert!(!matches("acme/*", "acme/team/model"));
        assert!(!matches("acme/*", "datasets/acme/model"));
        assert!(!matches("acme/*", "acmex/model"));
        assert!(matches("acme/model-*", "acme/model-7b"));
    }

    #[test]
    fn two_stars_cross_segments() {
        assert!(matches("acme/**", "acme/team/model"));
        assert!(matches("**", "anything/at/all"));
        assert!(matches("**/model", "a/b/model"));
        assert!(!matches("acme/**", "acmex/m"));
    }

    #[test]
    fn the_more_literal_pattern_is_narrower() {
        assert!(width("acme/model") < width("acme/*"));
        assert!(width("acme/model-*") < width("acme/*"));
        assert!(width("acme/*") < width("acme/**"));
        assert!(width("acme/**") < width("**"));
    }

    proptest! {
        #[test]
        fn a_pattern_without_wildcard_matches_only_itself(a in "[a-z/]{0,12}", b in "[a-z/]{0,12}") {
            prop_assert_eq!(matches(&a, &b), a == b);
        }

        #[test]
        fn a_suffix_or_prefix_never_slips_in(tail in "[a-z]{1,8}") {
            let suffixed = format!("acme/model{tail}");
            let prefixed = format!("{tail}acme/model");
            prop_assert!(!matches("acme/model", &suffixed));
            prop_assert!(!matches("acme/model", &prefixed));
        }
    }
}
