//! What is no fault and most likely not meant: an address that was left as an example has it, a pattern that
//! matches less than it seems to.

use super::agent::SourceText;
use super::fault::ConfigFault;
use super::tree::{FaultCollector, Node, Span, Value, shown};

/// Names that stand for somebody's own in examples, and that nobody can have (RFC 2606 §2, §3).
const EXAMPLES: [&str; 4] = ["example", "example.com", "example.net", "example.org"];

/// Remarks on a text that has no faults, in the order of its lines; none on one that can't be read.
pub fn remarks(source: SourceText<'_>) -> Vec<ConfigFault> {
    let sources = [source];
    let mut report = FaultCollector::new(&sources);
    let tree = report.parse(0);
    if !report.is_clean() {
        return Vec::new();
    }
    look(&tree, "", &mut report);
    report.into_faults()
}

fn look(node: &Node, key: &str, report: &mut FaultCollector<'_>) {
    match &node.value {
        Value::Text(text) => look_at(text, key, node.place, report),
        Value::List(items) => {
            for item in items {
                look(item, key, report);
            }
        }
        Value::Table(entries) => {
            for entry in entries {
                look(&entry.node, &entry.key, report);
            }
        }
        Value::Whole(_) | Value::Other(..) => {}
    }
}

fn look_at(text: &str, key: &str, place: Span, report: &mut FaultCollector<'_>) {
    if let Some(host) = host(text)
        && is_example(host)
    {
        report.add(
            place,
            format!(
                "`{}` is an example's address: nobody can have {}",
                shown(text),
                shown(host)
            ),
            "write your own, or take the entry out",
        );
    }
    if key == "repositories" && !text.contains(['/', '*']) {
        report.add(
            place,
            format!(
                "`{0}` is one repository of that name, not what lies below {0}",
                shown(text)
            ),
            format!("write `{}/*` for all that lie below it", shown(text)),
        );
    }
}

/// The host of an address; none in any other text.
fn host(text: &str) -> Option<&str> {
    let (_, rest) = text.split_once("://")?;
    let authority = rest.split(['/', '?', '#']).next().unwrap_or(rest);
    let host = authority.rsplit('@').next().unwrap_or(authority);
    Some(host.split_once(':').map_or(host, |(host, _)| host))
}

fn is_example(host: &str) -> bool {
    let host = host.trim_end_matches('.').to_ascii_lowercase();
    EXAMPLES.iter().any(|name| {
        host.strip_suffix(name)
            .is_some_and(|before| before.is_empty() || before.ends_with('.'))
    })
}

#[cfg(test)]
mod tests {
    use super::{SourceText, remarks};

    fn lines(text: &str) -> Vec<(usize, String)> {
        let found = remarks(SourceText { name: "x", text });
        found
            .into_iter()
            .map(|remark| (remark.line, remark.sentence))
            .collect()
    }

    #[test]
    fn an_address_that_nobody_can_have_is_an_examples() {
        let text = "url = \"https://oam.acme.example\"\nissuer = \"https://login.example.com:8443/realms/x\"\n\
                    ok = \"https://oam.acme.test\"\nother = \"https://myexample.com/example\"\ntext = \"acme.example\"\n\
                    [a.b]\nlist = [\"https://acme.okta.com\", \"HTTPS://Acme.EXAMPLE/x\"]\n";
        let found = lines(text);
        let places: Vec<usize> = found.iter().map(|(line, _)| *line).collect();
        assert_eq!(places, [1, 2, 7], "{found:?}");
        assert!(found[1].1.contains("login.example.com"), "{found:?}");
    }

    #[test]
    fn a_pattern_without_a_slash_is_one_repository() {
        let text = "[roles.r]\ngrants = [{ repositories = [\"acme\", \"acme/*\", \"*\"] }]\nname = \"acme\"\n";
        let found = lines(text);
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(found[0].1.contains("`acme` is one repository"), "{found:?}");
    }

    #[test]
    fn a_text_that_is_no_toml_gets_no_remarks() {
        assert_eq!(lines("url = https://oam.acme.example"), []);
    }
}
