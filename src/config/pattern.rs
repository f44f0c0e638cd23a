//! What may stand in a grant's pattern and in an exchange's template.

use super::suggest;

/// Placeholders of the exchange's templates.
pub(super) const PLACEHOLDERS: [&str; 4] = ["hub", "role", "repository", "action"];

/// Checks a repository pattern: whole-string, `*` within a segment, `**` across segments.
///
/// # Errors
/// What is wrong and what to write instead.
pub(super) fn check_pattern(pattern: &str) -> Result<(), (String, String)> {
    let odd = |c: char| c.is_control() || matches!(c, '\\' | '%' | '?' | '#' | '\u{2028}');
    let fault = |what: &str, next: String| Err((what.to_owned(), next));
    if pattern.len() > 512 {
        return fault("is too long", "use at most 512 bytes".to_owned());
    }
    if pattern.chars().any(odd) {
        return fault(
            "holds a character that no repository has",
            "only `*` and `**` are special; there is no `?` and no escaping".to_owned(),
        );
    }
    if pattern.split('/').any(str::is_empty) {
        return fault(
            "has an empty segment",
            format!(
                "write `{}`",
                pattern
                    .split('/')
                    .filter(|s| !s.is_empty())
                    .collect::<Vec<_>>()
                    .join("/")
            ),
        );
    }
    if pattern.split('/').any(|s| s == "." || s == "..") {
        return fault(
            "has a segment `.` or `..`",
            "write the repository's path as the hub shows it".to_owned(),
        );
    }
    if pattern.contains("***") {
        return fault(
            "has more than two `*` in a row",
            "`*` stays within a segment, `**` crosses segments".to_owned(),
        );
    }
    // Paths are cut to their repository before they are matched, so this one could never match.
    if let Some(cut) = pattern.strip_suffix(".git") {
        return fault("ends in `.git`", format!("write `{cut}`"));
    }
    Ok(())
}

/// Checks that a template uses only known placeholders in braces.
///
/// # Errors
/// What is wrong and what to write instead.
pub(super) fn check_template(template: &str) -> Result<(), (String, String)> {
    let unbalanced = || {
        (
            "has a brace without its partner".to_owned(),
            "placeholders stand in braces, like `{repository}`".to_owned(),
        )
    };
    let mut rest = template;
    while let Some(at) = rest.find(['{', '}']) {
        let inner = rest[at..].strip_prefix('{').ok_or_else(unbalanced)?;
        let end = inner.find(['{', '}']).ok_or_else(unbalanced)?;
        if !inner[end..].starts_with('}') {
            return Err(unbalanced());
        }
        let word = &inner[..end];
        if !PLACEHOLDERS.contains(&word) {
            return Err((
                format!("has no placeholder `{{{}}}`", super::tree::shown(word)),
                suggest::advice(word, &PLACEHOLDERS),
            ));
        }
        rest = &inner[end + 1..];
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::{check_pattern, check_template};

    #[test]
    fn patterns_are_paths_with_stars() {
        for good in [
            "acme/*",
            "**",
            "*",
            "acme/**",
            "datasets/acme/eval-*",
            "acme/model",
        ] {
            assert!(check_pattern(good).is_ok(), "{good}");
        }
        for bad in [
            "",
            "/acme/*",
            "acme//x",
            "acme/",
            "acme/..",
            "./x",
            "acme/***",
            "acme/m?del",
            "acme\\x",
            "acme/m.git",
            "acme/%2e",
            "a\nb",
        ] {
            assert!(check_pattern(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn templates_know_four_placeholders() {
        assert!(check_template("role:{role} {action}").is_ok());
        assert!(check_template("plain").is_ok());
        for bad in [
            "{repo}",
            "{",
            "}",
            "{role",
            "{{role}}",
            "{}",
            "{role}}",
            "a{b{role}",
        ] {
            assert!(check_template(bad).is_err(), "{bad}");
        }
        let (_, next) = check_template("{repositry}").unwrap_err();
        assert_eq!(next, "did you mean `repository`?");
    }
}
