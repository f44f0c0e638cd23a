//! Taking out of a text whatever could be a secret. Too much rather than too little: who helps can ask.

const REMOVED: &str = "[removed]";

/// How tokens begin that are known by it.
const BEGINNINGS: &[&str] = &[
    "AKIA",
    "eyJ",
    "ghp_",
    "gho_",
    "ghs_",
    "ghu_",
    "github_pat_",
    "glpat-",
    "hf_",
    "sk-",
    "xox",
];

/// Words of keys whose value is not shown.
const KEYS: &[&str] = &["password", "passwd", "secret"];

/// Configuration without comments, which hold what people note down, and without values of secret keys.
pub fn config(text: &str) -> String {
    let lines = text
        .lines()
        .filter(|line| !line.trim_start().starts_with('#'));
    let lines = lines.map(|line| {
        let line = line.split_once(" #").map_or(line, |(before, _)| before);
        match line.split_once('=') {
            Some((key, _)) if KEYS.iter().any(|word| key.to_lowercase().contains(word)) => {
                format!("{key}= \"{REMOVED}\"")
            }
            _ => line.to_owned(),
        }
    });
    lines.collect::<Vec<_>>().join("\n")
}

/// Text without what looks like a token, a key, a digest, or a name and password in an address.
pub fn scrubbed(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while !rest.is_empty() {
        let end = rest.find(|c| !is_of_word(c)).unwrap_or(rest.len());
        let (word, after) = rest.split_at(end);
        let pieces: Vec<&str> = word.split('/').map(shown).collect();
        out.push_str(&pieces.join("/"));
        let mut others = after.chars();
        out.extend(others.next());
        rest = others.as_str();
    }
    without_user(&out)
}

const fn is_of_word(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-' | '+' | '/' | '=' | '~')
}

fn shown(word: &str) -> &str {
    let has = |kind: fn(&char) -> bool| word.chars().any(|c| kind(&c));
    let mixed = has(char::is_ascii_uppercase) && has(char::is_ascii_lowercase);
    let dense = word.len() >= 20 && has(char::is_ascii_digit) && mixed;
    let hex = word.len() >= 32 && word.chars().all(|c| c.is_ascii_hexdigit() || c == '-');
    let known = BEGINNINGS.iter().any(|start| word.starts_with(start));
    if dense || hex || known { REMOVED } else { word }
}

/// `https://name:password@host` loses what stands before the host.
fn without_user(text: &str) -> String {
    let mut parts = text.split("://");
    let mut out = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        out.push_str("://");
        let ends = |c: char| c.is_whitespace() || matches!(c, '/' | '"' | '\\' | '?' | '#');
        let authority = part.find(ends).unwrap_or(part.len());
        match part[..authority].rfind('@') {
            Some(at) => {
                out.push_str(REMOVED);
                out.push_str(&part[at..]);
            }
            None => out.push_str(part),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::{config, scrubbed};

    #[test]
    fn what_looks_like_a_secret_goes_and_what_helps_stays() {
        let jwt = "eyJhbGciOiJFUzI1NiJ9.eyJzdWIiOiJhZGEifQ.MEUCIQDx1";
        for secret in [
            jwt,
            "hf_short",
            "ghp_x",
            "Zm9vYmFyYmF6cXV4MTIzNDU2",
            "0123456789abcdef0123456789abcdef",
        ] {
            for text in [
                secret.to_owned(),
                format!("Bearer {secret}, x"),
                format!("/a/{secret}\""),
            ] {
                assert!(!scrubbed(&text).contains(secret), "{text}");
            }
        }
        for kept in [
            "https://issuer.acme.example:8443/oauth/token",
            "/home/ada/.config/oam/config.toml",
            "roles not read: the issuer answered 503",
            "2026-07-01 14:03:20+02:00",
            "oam-agent 0.1.0",
        ] {
            assert_eq!(scrubbed(kept), kept);
        }
        assert_eq!(
            scrubbed("\"http://me:hunter2@proxy:3128\""),
            "\"http://[removed]@proxy:3128\""
        );
    }

    #[test]
    fn a_configuration_loses_comments_and_secret_values() {
        let text = "# my password is hunter2\nproxy = \"http://p:1\" # or hunter2\nclient_secret = \"hunter2\"\n";
        let shown = config(text);
        assert!(!shown.contains("hunter2"), "{shown}");
        assert!(shown.contains("proxy = \"http://p:1\""), "{shown}");
    }
}
