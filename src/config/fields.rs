//! Reading one table of the merged tree: typed values, wrong types and unknown keys told in place.

use super::duration;
use super::suggest;
use super::tree::{FaultCollector, KeyEntry, Node, Span, Value, YES_OR_NO, shown};
use std::collections::HashSet;

/// A value and where it stands.
#[derive(Debug, Clone, Copy)]
pub(super) struct Placed<T> {
    pub(super) place: Span,
    pub(super) value: T,
}

/// One table whose keys are known.
pub(super) struct Fields<'t> {
    /// Its path in dots, for faults; empty at the root.
    pub(super) path: String,
    /// Where it is named: a missing key is reported here.
    pub(super) place: Span,
    entries: &'t [KeyEntry],
}

/// The entries of a table whose keys are names; a fault when it is none.
pub(super) fn names<'t>(
    node: &'t Node,
    path: &str,
    report: &mut FaultCollector<'_>,
) -> &'t [KeyEntry] {
    if let Value::Table(entries) = &node.value {
        return entries;
    }
    wrong_kind(report, node, path, "a table");
    &[]
}

pub(super) fn wrong_kind(report: &mut FaultCollector<'_>, node: &Node, path: &str, wanted: &str) {
    report.add(
        node.place,
        format!("`{}` is {}, not {wanted}", shown(path), node.value.kind()),
        rewritten(&node.value, wanted).unwrap_or_else(|| format!("write {wanted}")),
    );
}

/// The same value as what is wanted, where only brackets or quotes are amiss.
fn rewritten(value: &Value, wanted: &str) -> Option<String> {
    match value {
        Value::Text(text) if wanted.starts_with("a list of texts") => {
            Some(format!("write it as a list: [\"{}\"]", shown(text)))
        }
        Value::Text(text)
            if wanted == "a number" && text.parse::<i64>().is_ok()
                || wanted == "true or false" && text.parse::<bool>().is_ok() =>
        {
            Some(format!("write it without quotes: {}", shown(text)))
        }
        Value::List(items) => match items.as_slice() {
            [
                Node {
                    value: Value::Text(text),
                    ..
                },
            ] if wanted.starts_with("a text") => {
                Some(format!("write it without brackets: \"{}\"", shown(text)))
            }
            _ => None,
        },
        _ => None,
    }
}

impl<'t> Fields<'t> {
    /// Opens the table at `node`; keys that are not in `known` are faults.
    pub(super) fn open(
        node: &'t Node,
        place: Span,
        path: &str,
        known: &[&str],
        report: &mut FaultCollector<'_>,
    ) -> Self {
        let entries = names(node, path, report);
        for entry in entries {
            if !known.contains(&entry.key.as_str()) {
                let within = if path.is_empty() {
                    "the configuration".to_owned()
                } else {
                    format!("`{}`", shown(path))
                };
                report.add(
                    entry.place,
                    format!("{within} has no key `{}`", shown(&entry.key)),
                    suggest::advice(&entry.key, known),
                );
            }
        }
        Self {
            path: path.to_owned(),
            place,
            entries,
        }
    }

    /// The path of a key.
    pub(super) fn path_of(&self, key: &str) -> String {
        if self.path.is_empty() {
            key.to_owned()
        } else {
            format!("{}.{key}", self.path)
        }
    }

    /// The entry of `key`.
    pub(super) fn entry(&self, key: &str) -> Option<&'t KeyEntry> {
        self.entries.iter().find(|entry| entry.key == key)
    }

    /// Reports that `key` is missing.
    pub(super) fn missing(&self, key: &str, report: &mut FaultCollector<'_>) {
        let within = if self.path.is_empty() {
            "the configuration".to_owned()
        } else {
            format!("`{}`", shown(&self.path))
        };
        report.add(
            self.place,
            format!("{within} has no `{key}`"),
            format!("add `{key} = …`; the example configuration tells what it is"),
        );
    }

    /// A text. An empty one is a fault: leaving the key out says "not set".
    pub(super) fn text(
        &self,
        key: &str,
        report: &mut FaultCollector<'_>,
    ) -> Option<Placed<&'t str>> {
        let node = &self.entry(key)?.node;
        let path = self.path_of(key);
        text_of(node, &path, report)
    }

    /// A text that has to be there.
    pub(super) fn required(
        &self,
        key: &str,
        report: &mut FaultCollector<'_>,
    ) -> Option<Placed<&'t str>> {
        if self.entry(key).is_none() {
            self.missing(key, report);
        }
        self.text(key, report)
    }

    /// A list of texts.
    pub(super) fn texts(
        &self,
        key: &str,
        report: &mut FaultCollector<'_>,
    ) -> Option<Placed<Vec<Placed<&'t str>>>> {
        let node = &self.entry(key)?.node;
        let path = self.path_of(key);
        let Value::List(items) = &node.value else {
            wrong_kind(report, node, &path, "a list of texts");
            return None;
        };
        let mut texts: Vec<Placed<&'t str>> = Vec::new();
        let mut known = HashSet::new();
        for item in items {
            let Some(text) = text_of(item, &path, report) else {
                continue;
            };
            if !known.insert(text.value) {
                report.add(
                    text.place,
                    format!("`{}` names `{}` twice", shown(&path), shown(text.value)),
                    "remove one of the two",
                );
            }
            texts.push(text);
        }
        Some(Placed {
            place: node.place,
            value: texts,
        })
    }

    /// One of a few words; `default` when the key is missing or wrong.
    pub(super) fn choice<T: Copy>(
        &self,
        key: &str,
        words: &[(&str, T)],
        default: T,
        report: &mut FaultCollector<'_>,
    ) -> T {
        self.text(key, report)
            .and_then(|text| choose(text, &self.path_of(key), words, report))
            .unwrap_or(default)
    }

    /// A duration in ms within `range`; `default` when the key is missing or wrong.
    pub(super) fn duration(
        &self,
        key: &str,
        range: std::ops::RangeInclusive<u64>,
        default: u64,
        report: &mut FaultCollector<'_>,
    ) -> u64 {
        let path = shown(&self.path_of(key));
        let Some(text) = self.text(key, report) else {
            return default;
        };
        match duration::parse(text.value) {
            Err(why) => report.add(
                text.place,
                format!("`{path}` is not a duration: {why}"),
                format!("write it like `{}`", duration::short(default)),
            ),
            Ok(ms) if range.contains(&ms) => return ms,
            Ok(ms) => report.add(
                text.place,
                format!("`{path}` is {}, which is out of range", duration::words(ms)),
                format!(
                    "choose {} to {}",
                    duration::words(*range.start()),
                    duration::words(*range.end())
                ),
            ),
        }
        default
    }

    /// A whole number within `range`; `default` when the key is missing or wrong.
    pub(super) fn whole(
        &self,
        key: &str,
        range: std::ops::RangeInclusive<u64>,
        default: u64,
        report: &mut FaultCollector<'_>,
    ) -> u64 {
        let Some(entry) = self.entry(key) else {
            return default;
        };
        let path = self.path_of(key);
        let Value::Whole(number) = &entry.node.value else {
            wrong_kind(report, &entry.node, &path, "a number");
            return default;
        };
        let number = number.and_then(|n| u64::try_from(n).ok());
        if let Some(number) = number.filter(|number| range.contains(number)) {
            return number;
        }
        report.add(
            entry.node.place,
            format!("`{}` is out of range", shown(&path)),
            format!("choose {} to {}", range.start(), range.end()),
        );
        default
    }

    /// `true` or `false`; `default` when the key is missing or wrong.
    pub(super) fn yes(&self, key: &str, default: bool, report: &mut FaultCollector<'_>) -> bool {
        let Some(entry) = self.entry(key) else {
            return default;
        };
        match &entry.node.value {
            Value::Other(kind, text) if *kind == YES_OR_NO => text == "true",
            _ => {
                wrong_kind(report, &entry.node, &self.path_of(key), "true or false");
                default
            }
        }
    }

    /// A port number, 0 included.
    pub(super) fn port(&self, key: &str, report: &mut FaultCollector<'_>) -> u16 {
        let Some(entry) = self.entry(key) else {
            return 0;
        };
        let path = self.path_of(key);
        let Value::Whole(number) = &entry.node.value else {
            wrong_kind(report, &entry.node, &path, "a number");
            return 0;
        };
        let port = number.and_then(|n| u16::try_from(n).ok());
        if port.is_none() {
            report.add(
                entry.node.place,
                format!("`{}` is not a port", shown(&path)),
                "write 0 for any port, or a number up to 65535",
            );
        }
        port.unwrap_or(0)
    }
}

/// A text that is not empty and holds no control characters.
pub(super) fn text_of<'t>(
    node: &'t Node,
    path: &str,
    report: &mut FaultCollector<'_>,
) -> Option<Placed<&'t str>> {
    let Value::Text(text) = &node.value else {
        wrong_kind(report, node, path, "a text in quotes");
        return None;
    };
    if text.is_empty() || text.chars().any(char::is_control) {
        let what = if text.is_empty() {
            "is empty"
        } else {
            "holds a control character"
        };
        report.add(
            node.place,
            format!("`{}` {what}", shown(path)),
            "give it a value or leave the key out",
        );
        return None;
    }
    Some(Placed {
        place: node.place,
        value: text,
    })
}

/// The meaning of a word among `words`; a fault when it is none of them.
pub(super) fn choose<T: Copy>(
    text: Placed<&str>,
    path: &str,
    words: &[(&str, T)],
    report: &mut FaultCollector<'_>,
) -> Option<T> {
    let found = words.iter().find(|(word, _)| *word == text.value);
    if found.is_none() {
        let known: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
        report.add(
            text.place,
            format!("`{}` can't be `{}`", shown(path), shown(text.value)),
            suggest::advice(text.value, &known),
        );
    }
    found.map(|(_, meaning)| *meaning)
}
