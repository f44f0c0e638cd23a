//! The nearest known word to one that is not known.

/// The word of `known` that was most likely meant by `typed`, if any is near enough: at most one
/// slip in three letters. Case, `-` and `_` do not count as slips.
pub fn nearest<'k>(typed: &str, known: &[&'k str]) -> Option<&'k str> {
    // The distance is quadratic; nobody means a known word with a text this long.
    if typed.len() > 64 {
        return None;
    }
    let typed = plain(typed);
    let allowed = (typed.len() / 3).max(1);
    known
        .iter()
        .map(|word| (distance(&typed, &plain(word)), *word))
        .filter(|(slips, _)| *slips <= allowed)
        .min_by_key(|(slips, _)| *slips)
        .map(|(_, word)| word)
}

/// The next step for an unknown word: the nearest one, or all of them.
pub fn advice(typed: &str, known: &[&str]) -> String {
    nearest(typed, known).map_or_else(
        || {
            if known.is_empty() {
                "there is none to choose from".to_owned()
            } else {
                format!("use one of {}", list(known))
            }
        },
        |word| format!("did you mean `{word}`?"),
    )
}

/// Words as a list for people.
pub fn list(words: &[&str]) -> String {
    words
        .iter()
        .map(|word| format!("`{word}`"))
        .collect::<Vec<_>>()
        .join(", ")
}

fn plain(word: &str) -> Vec<char> {
    word.chars()
        .filter(|c| !matches!(c, '-' | '_'))
        .map(|c| c.to_ascii_lowercase())
        .collect()
}

/// Slips between two words: a letter more, less, other, or two neighbours swapped.
fn distance(a: &[char], b: &[char]) -> usize {
    let mut before_last: Vec<usize> = Vec::new();
    let mut last: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.iter().enumerate() {
        let mut row = vec![i + 1];
        for (j, y) in b.iter().enumerate() {
            let mut best = (last[j] + usize::from(x != y))
                .min(last[j + 1] + 1)
                .min(row[j] + 1);
            if i > 0 && j > 0 && *x == b[j - 1] && a[i - 1] == *y {
                best = best.min(before_last[j - 1] + 1);
            }
            row.push(best);
        }
        before_last = std::mem::replace(&mut last, row);
    }
    last.last().copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::{advice, nearest};

    #[test]
    fn a_slip_finds_the_word_that_was_meant() {
        let known = ["lifetime", "offline", "groups", "grants"];
        assert_eq!(nearest("lifetim", &known), Some("lifetime"));
        assert_eq!(nearest("life_time", &known), Some("lifetime"));
        assert_eq!(nearest("gruops", &known), Some("groups"));
        assert_eq!(nearest("Offline", &known), Some("offline"));
    }

    #[test]
    fn a_word_that_is_not_near_gets_the_whole_list() {
        assert_eq!(nearest("colour", &["lifetime", "url"]), None);
        assert_eq!(nearest(&"l".repeat(100_000), &["lifetime"]), None);
        assert_eq!(
            advice("colour", &["url", "kind"]),
            "use one of `url`, `kind`"
        );
    }
}
