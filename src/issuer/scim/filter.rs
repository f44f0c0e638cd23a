//! Paths and filters (RFC 7644 §3.4.2.2, §3.5.2). Only equality is taken, joined by `and`: that is what
//! directories send, and anything else is refused by name rather than answered with the wrong people.

use super::ScimError;
use serde_json::Value;

/// Longest filter or path, bytes.
const LONGEST_FILTER: usize = 2_048;
/// Most comparisons of one.
const COMPARISONS: usize = 8;

/// The schemas whose attributes are written without their name.
const CORE: [&str; 2] = [
    "urn:ietf:params:scim:schemas:core:2.0:user",
    "urn:ietf:params:scim:schemas:core:2.0:group",
];

/// Where a value stands: `name.familyName`, `emails[type eq "work"].value`. Names are in lower case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Path {
    /// The attribute; none: it is of a schema of which nothing is kept here.
    pub attribute: Option<String>,
    /// Which of several values.
    pub only: Vec<Comparison>,
    /// The part of it.
    pub part: Option<String>,
}

/// That a part has this value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Comparison {
    /// The attribute in lower case, its part behind a dot.
    pub name: String,
    /// The value.
    pub value: Value,
}

/// Reads a path.
///
/// # Errors
/// `invalidPath`, `invalidFilter`.
pub fn path(text: &str) -> Result<Path, ScimError> {
    let mut reader = Reader::new(text)?;
    let path = reader.path()?;
    if !reader.rest.is_empty() {
        return Err(ScimError::path(format!(
            "the path {} does not end where it should",
            shown(text)
        )));
    }
    Ok(path)
}

/// Reads a filter.
///
/// # Errors
/// `invalidFilter`.
pub fn filter(text: &str) -> Result<Vec<Comparison>, ScimError> {
    let mut reader = Reader::new(text)?;
    let comparisons = reader.comparisons()?;
    if !reader.rest.is_empty() {
        return Err(ScimError::filter(format!(
            "the filter {} does not end where it should",
            shown(text)
        )));
    }
    Ok(comparisons)
}

struct Reader<'t> {
    whole: &'t str,
    rest: &'t str,
}

impl<'t> Reader<'t> {
    fn new(text: &'t str) -> Result<Self, ScimError> {
        if text.len() > LONGEST_FILTER {
            return Err(ScimError::filter(format!(
                "a filter or path has at most {LONGEST_FILTER} bytes"
            )));
        }
        Ok(Self {
            whole: text,
            rest: text.trim(),
        })
    }

    /// An attribute's name with its schema and part.
    fn name(&mut self) -> Result<&'t str, ScimError> {
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '$' | ':' | '.');
        let end = self.rest.find(|c| !plain(c)).unwrap_or(self.rest.len());
        let (name, rest) = self.rest.split_at(end);
        self.rest = rest;
        let of_a_letter = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '$');
        if !of_a_letter || name.ends_with(['.', ':']) {
            return Err(ScimError::path(format!(
                "{} has no attribute's name where one belongs",
                shown(self.whole)
            )));
        }
        Ok(name)
    }

    fn path(&mut self) -> Result<Path, ScimError> {
        let (attribute, mut part) = attribute(self.name()?);
        let mut only = Vec::new();
        if let Some(rest) = self.rest.strip_prefix('[') {
            self.rest = rest.trim_start();
            only = self.comparisons()?;
            let rest = self
                .rest
                .strip_prefix(']')
                .ok_or_else(|| ScimError::filter(format!("{} has no `]`", shown(self.whole))))?;
            self.rest = rest;
            if let Some(rest) = self.rest.strip_prefix('.') {
                self.rest = rest;
                part = Some(self.name()?.to_ascii_lowercase());
            }
        }
        Ok(Path {
            attribute,
            only,
            part,
        })
    }

    fn comparisons(&mut self) -> Result<Vec<Comparison>, ScimError> {
        let mut all = Vec::new();
        loop {
            self.comparison(&mut all)?;
            if all.len() > COMPARISONS {
                return Err(ScimError::filter("the filter compares too much"));
            }
            self.rest = self.rest.trim_start();
            match self.word_ahead().as_str() {
                "and" => self.rest = self.rest[3..].trim_start(),
                "or" => return Err(ScimError::filter(ONLY)),
                _ => return Ok(all),
            }
        }
    }

    fn comparison(&mut self, all: &mut Vec<Comparison>) -> Result<(), ScimError> {
        if self.rest.starts_with('(') || self.word_ahead() == "not" {
            return Err(ScimError::filter(ONLY));
        }
        let path = self.path().map_err(|fault| ScimError {
            kind: Some("invalidFilter"),
            ..fault
        })?;
        let attribute = path.attribute.ok_or_else(|| {
            ScimError::filter("the filter names an attribute that is not kept here")
        })?;
        self.rest = self.rest.trim_start();
        let operator = self.word_ahead();
        if operator != "eq" {
            return Err(ScimError::filter(if operator.is_empty() {
                format!("{} compares nothing", shown(self.whole))
            } else {
                ONLY.to_owned()
            }));
        }
        self.rest = self.rest[2..].trim_start();
        let value = self.value()?;
        for one in path.only {
            all.push(Comparison {
                name: format!("{attribute}.{}", one.name),
                ..one
            });
        }
        let name = match path.part {
            Some(part) => format!("{attribute}.{part}"),
            None => attribute,
        };
        all.push(Comparison { name, value });
        Ok(())
    }

    /// The letters that come next, in lower case.
    fn word_ahead(&self) -> String {
        let letters = self.rest.chars().take_while(char::is_ascii_alphabetic);
        letters.collect::<String>().to_ascii_lowercase()
    }

    /// A text, a number, true, false or null, as JSON has it.
    fn value(&mut self) -> Result<Value, ScimError> {
        let mut values = serde_json::Deserializer::from_str(self.rest).into_iter::<Value>();
        let found = match values.next() {
            Some(Ok(value)) if !value.is_object() && !value.is_array() => Some(value),
            _ => None,
        };
        // `True` is what some directories mean by true.
        let (value, length) = match (found, self.word_ahead().as_str()) {
            (Some(value), _) => (value, values.byte_offset()),
            (None, word @ ("true" | "false")) => (Value::Bool(word == "true"), word.len()),
            _ => {
                return Err(ScimError::filter(format!(
                    "{} compares with no value: texts stand in quotation marks",
                    shown(self.whole)
                )));
            }
        };
        self.rest = &self.rest[length..];
        Ok(value)
    }
}

const ONLY: &str =
    "only `eq` is taken here, joined by `and`: userName, externalId, displayName, id, emails.value";

/// Attribute and part of a name, in lower case; no attribute for one of a schema of which nothing is kept.
fn attribute(name: &str) -> (Option<String>, Option<String>) {
    let name = name.to_ascii_lowercase();
    let (schema, name) = match name.rsplit_once(':') {
        Some((schema, name)) if !CORE.contains(&schema) => (Some(schema), name),
        Some((_, name)) => (None, name),
        None => (None, name.as_str()),
    };
    if schema.is_some() {
        return (None, None);
    }
    match name.split_once('.') {
        Some((name, part)) => (Some(name.to_owned()), Some(part.to_owned())),
        None => (Some(name.to_owned()), None),
    }
}

/// Text of others in our own sentence.
fn shown(text: &str) -> String {
    let short: String = text.chars().take(80).collect();
    format!("`{}`", short.escape_debug())
}

#[cfg(test)]
mod tests {
    use super::{Comparison, Path, filter, path};
    use proptest::prelude::*;
    use serde_json::{Value, json};

    fn is(name: &str, value: Value) -> Comparison {
        Comparison {
            name: name.to_owned(),
            value,
        }
    }

    #[test]
    fn the_filters_that_directories_send_are_read() {
        let read = |text| filter(text).unwrap();
        assert_eq!(read("userName eq \"Ada\""), [is("username", json!("Ada"))]);
        assert_eq!(read("USERNAME Eq \"a\""), [is("username", json!("a"))]);
        assert_eq!(
            read("urn:ietf:params:scim:schemas:core:2.0:User:userName eq \"a\\\"b\""),
            [is("username", json!("a\"b"))]
        );
        assert_eq!(
            read("emails[type eq \"work\"].value eq \"a@b\" and externalId eq \"7\""),
            [
                is("emails.type", json!("work")),
                is("emails.value", json!("a@b")),
                is("externalid", json!("7"))
            ]
        );
        assert_eq!(read("active eq True"), [is("active", json!(true))]);
    }

    #[test]
    fn what_is_not_equality_is_refused_by_name() {
        for bad in [
            "",
            "userName",
            "userName eq",
            "userName eq x",
            "userName co \"a\"",
            "userName eq \"a\" or id eq \"b\"",
            "not (userName eq \"a\")",
            "(userName eq \"a\")",
            "userName eq \"a\" extra",
            "userName pr",
            "emails[type eq \"work\"",
            "eq \"a\"",
            "userName eq {\"a\":1}",
        ] {
            let fault = filter(bad).unwrap_err();
            assert_eq!(
                (fault.status, fault.kind),
                (400, Some("invalidFilter")),
                "{bad}"
            );
        }
    }

    #[test]
    fn paths_name_attribute_values_and_part() {
        let read = |text| path(text).unwrap();
        let of = |attribute: &str, only: &[Comparison], part: Option<&str>| Path {
            attribute: Some(attribute.to_owned()),
            only: only.to_vec(),
            part: part.map(str::to_owned),
        };
        assert_eq!(read("active"), of("active", &[], None));
        assert_eq!(read("name.familyName"), of("name", &[], Some("familyname")));
        assert_eq!(
            read("emails[type eq \"work\"].value"),
            of("emails", &[is("type", json!("work"))], Some("value"))
        );
        assert_eq!(
            read("members[value eq \"x\"]"),
            of("members", &[is("value", json!("x"))], None)
        );
        let foreign =
            read("urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:employeeNumber");
        assert_eq!(foreign.attribute, None);
        for bad in [
            "",
            "[x]",
            "a[",
            "a]",
            "members[value eq \"x\"]y",
            "a..",
            ".a",
            "9",
        ] {
            assert!(path(bad).is_err(), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn no_text_breaks_the_reader(text in "\\PC{0,60}") {
            let _ = (path(&text), filter(&text));
        }

        #[test]
        fn a_text_is_compared_as_it_was_written(value in "\\PC{0,30}") {
            let quoted = serde_json::to_string(&value).unwrap();
            let read = filter(&format!("userName eq {quoted}")).unwrap();
            prop_assert_eq!(read, [is("username", json!(value))]);
        }
    }
}
