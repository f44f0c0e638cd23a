//! A file's text as a tree in which every key and value knows its place.
//!
//! Not serde types: those stop at the first fault, and lose the place of a value once two files
//! are merged. Every value here carries its own place through the merge.

use super::agent::SourceText;
use super::fault::ConfigFault;
use std::collections::HashSet;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// Where something is written: which file, and the byte in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Span {
    /// Index of the file among the sources.
    pub(super) file: usize,
    /// Byte offset.
    pub(super) at: usize,
}

/// A value and its place.
#[derive(Debug, Clone)]
pub(super) struct Node {
    pub(super) place: Span,
    pub(super) value: Value,
}

/// What a boolean is called in words.
pub(super) const YES_OR_NO: &str = "a yes or no";

/// A value as far as the settings need to tell values apart.
#[derive(Debug, Clone)]
pub(super) enum Value {
    Text(String),
    /// A whole number; none when it does not fit.
    Whole(Option<i64>),
    List(Vec<Node>),
    Table(Vec<KeyEntry>),
    /// Anything else, by its name and its text.
    Other(&'static str, String),
}

/// A key with its value, in the order of the file.
#[derive(Debug, Clone)]
pub(super) struct KeyEntry {
    pub(super) key: String,
    pub(super) place: Span,
    pub(super) node: Node,
}

impl Value {
    /// What it is, in words.
    pub(super) const fn kind(&self) -> &'static str {
        match self {
            Self::Text(_) => "a text",
            Self::Whole(_) => "a number",
            Self::List(_) => "a list",
            Self::Table(_) => "a table",
            Self::Other(kind, _) => kind,
        }
    }

    /// Whether both say the same, wherever they stand. Tables are the same in any order.
    pub(super) fn same(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Text(a), Self::Text(b)) => a == b,
            (Self::Whole(a), Self::Whole(b)) => a.is_some() && a == b,
            (Self::Other(kind, a), Self::Other(other, b)) => kind == other && a == b,
            (Self::List(a), Self::List(b)) => {
                a.len() == b.len() && a.iter().zip(b).all(|(a, b)| a.value.same(&b.value))
            }
            (Self::Table(a), Self::Table(b)) => {
                a.len() == b.len()
                    && a.iter().all(|entry| {
                        b.iter().any(|other| {
                            other.key == entry.key && entry.node.value.same(&other.node.value)
                        })
                    })
            }
            _ => false,
        }
    }
}

/// Collects faults with their places, so that all of them are told at once and in order.
pub(super) struct FaultCollector<'a> {
    sources: &'a [SourceText<'a>],
    /// Of each source the offsets at which its lines begin: a policy asks for thousands of lines, and counting
    /// from the top each time took longer than everything else.
    lines: Vec<Vec<usize>>,
    faults: Vec<(Span, ConfigFault)>,
    /// What is among `faults`, so that nothing is told twice.
    known: HashSet<ConfigFault>,
}

impl<'a> FaultCollector<'a> {
    pub(super) fn new(sources: &'a [SourceText<'a>]) -> Self {
        Self {
            lines: sources.iter().map(|source| lines_of(source.text)).collect(),
            sources,
            faults: Vec::new(),
            known: HashSet::new(),
        }
    }

    /// Adds a fault.
    pub(super) fn add(
        &mut self,
        place: Span,
        sentence: impl Into<String>,
        next: impl Into<String>,
    ) {
        let source = self.sources.get(place.file);
        let (line, column) = self.line_and_column(place);
        let fault = ConfigFault {
            file: source.map_or_else(String::new, |s| s.name.to_owned()),
            line,
            column,
            sentence: sentence.into(),
            next: next.into(),
        };
        if self.known.insert(fault.clone()) {
            self.faults.push((place, fault));
        }
    }

    /// 1-based line of a place.
    pub(super) fn line(&self, place: Span) -> usize {
        let starts = self.lines.get(place.file);
        starts.map_or(0, |starts| {
            starts.partition_point(|start| *start <= place.at)
        })
    }

    /// 1-based line and column; the column counts characters, as editors do.
    fn line_and_column(&self, place: Span) -> (usize, usize) {
        let line = self.line(place);
        let (Some(source), Some(starts)) =
            (self.sources.get(place.file), self.lines.get(place.file))
        else {
            return (0, 0);
        };
        let start = starts.get(line.wrapping_sub(1)).copied().unwrap_or(0);
        let end = place.at.min(source.text.len());
        let before = source.text.get(start..end).unwrap_or_default();
        (line, before.chars().count() + 1)
    }

    /// Whether nothing was found.
    pub(super) const fn is_clean(&self) -> bool {
        self.faults.is_empty()
    }

    /// The faults in the order of files and lines.
    pub(super) fn into_faults(mut self) -> Vec<ConfigFault> {
        self.faults.sort_by_key(|(place, _)| *place);
        self.faults.into_iter().map(|(_, fault)| fault).collect()
    }

    /// Text of the source with this index, as a tree; its syntax faults are added.
    pub(super) fn parse(&mut self, file: usize) -> Node {
        let empty = Node {
            place: Span { file, at: 0 },
            value: Value::Table(Vec::new()),
        };
        let Some(source) = self.sources.get(file) else {
            return empty;
        };
        let (table, errors) = DeTable::parse_recoverable(source.text);
        for error in &errors {
            let at = error.span().map_or(0, |span| span.start);
            self.add(
                Span { file, at },
                format!("this is not TOML: {}", error.message().replace('\n', ", ")),
                "correct the line",
            );
        }
        if errors.is_empty() {
            Node {
                place: Span { file, at: 0 },
                value: table_of(table.get_ref(), file),
            }
        } else {
            empty
        }
    }
}

/// The offsets at which the lines of a text begin.
fn lines_of(text: &str) -> Vec<usize> {
    let breaks = text.bytes().enumerate().filter(|(_, byte)| *byte == b'\n');
    std::iter::once(0)
        .chain(breaks.map(|(at, _)| at + 1))
        .collect()
}

fn table_of(table: &DeTable<'_>, file: usize) -> Value {
    let mut entries: Vec<KeyEntry> = table
        .iter()
        .map(|(key, value)| {
            let place = Span {
                file,
                at: key.span().start,
            };
            KeyEntry {
                key: key.get_ref().to_string(),
                place,
                node: node_of(value, file),
            }
        })
        .collect();
    entries.sort_by_key(|entry| entry.place);
    Value::Table(entries)
}

fn node_of(value: &Spanned<DeValue<'_>>, file: usize) -> Node {
    let place = Span {
        file,
        at: value.span().start,
    };
    let value = match value.get_ref() {
        DeValue::String(text) => Value::Text(text.to_string()),
        DeValue::Integer(number) => {
            Value::Whole(i64::from_str_radix(number.as_str(), number.radix()).ok())
        }
        DeValue::Float(number) => Value::Other("a fraction", number.to_string()),
        DeValue::Boolean(yes) => Value::Other(YES_OR_NO, yes.to_string()),
        DeValue::Datetime(date) => Value::Other("a date", date.to_string()),
        DeValue::Array(list) => Value::List(list.iter().map(|item| node_of(item, file)).collect()),
        DeValue::Table(table) => table_of(table, file),
    };
    Node { place, value }
}

/// A piece of somebody's text, fit to be shown in a fault: escaped and cut (R42).
pub(super) fn shown(text: &str) -> String {
    let mut out: String = text
        .chars()
        .take(60)
        .collect::<String>()
        .escape_debug()
        .to_string();
    if text.chars().nth(60).is_some() {
        out.push('…');
    }
    out
}

#[cfg(test)]
mod tests {
    use super::{FaultCollector, SourceText, Span, shown};

    #[test]
    fn a_place_is_told_as_editors_count_it() {
        let place = |text: &str, at: usize| {
            let sources = [SourceText { name: "f", text }];
            FaultCollector::new(&sources).line_and_column(Span { file: 0, at })
        };
        assert_eq!(place("a\nüb = 1\n", 5), (2, 3));
        assert_eq!(place("a\nb\n", 1), (1, 2), "the line feed ends its line");
        assert_eq!(place("a\nb\n", 2), (2, 1));
        assert_eq!(place("", 0), (1, 1));
        assert_eq!(place("x", 99), (1, 2));
    }

    #[test]
    fn every_syntax_fault_of_a_file_is_told() {
        let sources = [SourceText {
            name: "f",
            text: "a = \nb = 1\nc = ]\n",
        }];
        let mut report = FaultCollector::new(&sources);
        report.parse(0);
        let lines: Vec<usize> = report.into_faults().iter().map(|f| f.line).collect();
        assert!(lines.contains(&1) && lines.contains(&3), "{lines:?}");
    }

    #[test]
    fn text_is_shown_without_control_characters() {
        assert_eq!(shown("a\u{1b}[2J"), "a\\u{1b}[2J");
        assert!(shown(&"x".repeat(500)).chars().count() < 70);
    }
}
