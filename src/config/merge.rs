//! One tree from the company's file, the user's, and what the company enforces.

use super::tree::{FaultCollector, KeyEntry, Node, Value, shown};

/// Lays `over` on `base`: tables are merged key by key, anything else is replaced.
pub(super) fn overlay(base: Node, over: Node) -> Node {
    match (base.value, over.value) {
        (Value::Table(mut entries), Value::Table(upper)) => {
            for entry in upper {
                match entries.iter_mut().find(|known| known.key == entry.key) {
                    Some(known) => {
                        let lower = std::mem::replace(
                            &mut known.node,
                            Node {
                                place: entry.place,
                                value: Value::List(Vec::new()),
                            },
                        );
                        // The place of the upper file is where the person looks for the fault of a
                        // replaced value; a merged table keeps its first place.
                        if !matches!(
                            (&lower.value, &entry.node.value),
                            (Value::Table(_), Value::Table(_))
                        ) {
                            known.place = entry.place;
                        }
                        known.node = overlay(lower, entry.node);
                    }
                    None => entries.push(entry),
                }
            }
            Node {
                place: base.place,
                value: Value::Table(entries),
            }
        }
        (_, value) => Node {
            place: over.place,
            value,
        },
    }
}

/// Removes `key` from a table and gives its entry.
pub(super) fn take(node: &mut Node, key: &str) -> Option<KeyEntry> {
    let Value::Table(entries) = &mut node.value else {
        return None;
    };
    let at = entries.iter().position(|entry| entry.key == key)?;
    Some(entries.remove(at))
}

/// Reports every key of the user's tree that the company enforces with another value.
pub(super) fn check_enforced(
    enforced: &Node,
    user: &Node,
    path: &str,
    company: &str,
    report: &mut FaultCollector<'_>,
) {
    let (Value::Table(rules), Value::Table(wishes)) = (&enforced.value, &user.value) else {
        return;
    };
    for rule in rules {
        for wish in wishes.iter().filter(|wish| wish.key == rule.key) {
            let name = if path.is_empty() {
                rule.key.clone()
            } else {
                format!("{path}.{}", rule.key)
            };
            match (&rule.node.value, &wish.node.value) {
                (Value::Table(_), Value::Table(_)) => {
                    check_enforced(&rule.node, &wish.node, &name, company, report);
                }
                (a, b) if a.same(b) => {}
                _ => report.add(
                    wish.place,
                    format!(
                        "`{}` is set by your company and can't be changed here",
                        shown(&name)
                    ),
                    format!("remove the key; `{company}` has its value under [enforce]"),
                ),
            }
        }
    }
}
