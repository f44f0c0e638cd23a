//! What a request asks for besides its address: which records, which page, which attributes.

use crate::http::body::Form;
use crate::scim::ScimError;
use crate::scim::filter::{Comparison, filter};
use oam_store::DirectoryFilter;
use serde_json::Value;
use url::form_urlencoded::Serializer;

/// Most records of one answer.
pub(super) const MOST_RESULTS: usize = 200;

/// A query.
#[derive(Clone)]
pub(super) struct Query {
    /// What records have to be.
    pub(super) filter: Vec<Comparison>,
    /// First record of the page, from 1.
    pub(super) start: u64,
    /// Most records of the page.
    pub(super) count: usize,
    /// Only these attributes are shown, in lower case; none: all.
    only: Option<Vec<String>>,
    /// These are not.
    without: Vec<String>,
}

/// The records that a filter means.
pub(super) struct Wanted {
    /// What the store is asked for.
    pub(super) filter: DirectoryFilter,
    /// A member of the groups.
    pub(super) member: Option<String>,
}

impl Query {
    /// Reads a query.
    ///
    /// # Errors
    /// `invalidFilter`, `invalidValue`.
    pub(super) fn read(text: Option<&str>) -> Result<Self, ScimError> {
        let form = Form::parse(text.unwrap_or_default().as_bytes());
        let form = form.map_err(|refused| {
            ScimError::new(400, Some("invalidValue"), refused.refusal.sentence)
        })?;
        let number = |name: &str| match form.get(name) {
            None => Ok(None),
            Some(text) => text.parse::<i64>().map(Some).map_err(|_| {
                ScimError::new(400, Some("invalidValue"), format!("`{name}` is no number"))
            }),
        };
        let (start, count) = (number("startIndex")?, number("count")?);
        let names = |name: &str| {
            let list = form.get(name)?;
            let names = list
                .split(',')
                .map(top_name)
                .filter(|name| !name.is_empty());
            Some(names.collect::<Vec<String>>())
        };
        let count = count.map_or(MOST_RESULTS, |count| {
            usize::try_from(count.max(0)).unwrap_or(MOST_RESULTS)
        });
        Ok(Self {
            filter: form
                .get("filter")
                .map(filter)
                .transpose()?
                .unwrap_or_default(),
            start: start.map_or(1, |start| u64::try_from(start).unwrap_or(1).max(1)),
            count: count.min(MOST_RESULTS),
            only: names("attributes"),
            without: names("excludedAttributes").unwrap_or_default(),
        })
    }

    /// Reads the body of a search (RFC 7644 §3.4.3), as a query would be.
    ///
    /// # Errors
    /// As [`Self::read`].
    pub(super) fn of_body(body: &Value) -> Result<Self, ScimError> {
        let mut text = Serializer::new(String::new());
        for name in [
            "filter",
            "startIndex",
            "count",
            "attributes",
            "excludedAttributes",
        ] {
            match body.get(name) {
                Some(Value::String(value)) => drop(text.append_pair(name, value)),
                Some(Value::Number(value)) => drop(text.append_pair(name, &value.to_string())),
                Some(Value::Array(names)) => {
                    let names: Vec<&str> = names.iter().filter_map(Value::as_str).collect();
                    text.append_pair(name, &names.join(","));
                }
                _ => {}
            }
        }
        Self::read(Some(&text.finish()))
    }

    /// What is left of the page behind so many records, of which so many are shown.
    pub(super) fn behind(mut self, total: u64, shown: usize) -> Self {
        self.start = self.start.saturating_sub(total).max(1);
        self.count -= shown.min(self.count);
        self
    }

    /// Records before the page.
    pub(super) const fn skip(&self) -> u64 {
        self.start - 1
    }

    /// Whether an attribute is shown.
    pub(super) fn shows(&self, name: &str) -> bool {
        let name = name.to_ascii_lowercase();
        let only = self.only.as_ref().is_none_or(|only| only.contains(&name));
        only && !self.without.contains(&name)
    }

    /// Whether attributes are chosen: then there has to be something to show.
    pub(super) const fn chooses(&self) -> bool {
        self.only.is_some()
    }

    /// A record with the attributes that are shown; `id` and `schemas` always are.
    pub(super) fn projected(&self, value: Value) -> Value {
        let Value::Object(mut document) = value else {
            return value;
        };
        document.retain(|name, _| matches!(name.as_str(), "id" | "schemas") || self.shows(name));
        Value::Object(document)
    }

    /// What the filter means for users (`userName`, `emails.value`) or for groups (`displayName`, `members`).
    ///
    /// # Errors
    /// `invalidFilter`; none means that nothing can fit.
    pub(super) fn wanted(&self, of_groups: bool) -> Result<Option<Wanted>, ScimError> {
        let mut wanted = Wanted {
            filter: DirectoryFilter::default(),
            member: None,
        };
        for one in &self.filter {
            let place = match (one.name.as_str(), of_groups) {
                ("id", _) => &mut wanted.filter.id,
                ("externalid", _) => &mut wanted.filter.external_id,
                ("username", false) | ("displayname", true) => &mut wanted.filter.name,
                ("emails" | "emails.value", false) => &mut wanted.filter.email,
                ("members" | "members.value", true) => &mut wanted.member,
                // An address is looked for whatever it is for.
                ("emails.type", false) => continue,
                (name, _) => {
                    let name = name.escape_debug();
                    let why = format!("nothing can be looked for by `{name}`");
                    return Err(ScimError::new(400, Some("invalidFilter"), why));
                }
            };
            let Value::String(text) = &one.value else {
                return Ok(None);
            };
            if place.as_ref().is_some_and(|known| known != text) {
                return Ok(None);
            }
            *place = Some(text.clone());
        }
        if wanted.member.is_some() && wanted.filter == DirectoryFilter::default() {
            let why = "groups are looked for by a member only together with `id` or `displayName`";
            return Err(ScimError::new(400, Some("invalidFilter"), why));
        }
        Ok(Some(wanted))
    }
}

/// The attribute that a name begins with, in lower case, without its schema.
fn top_name(name: &str) -> String {
    let name = name.trim();
    let plain = name.rsplit_once(':').map_or(name, |(_, name)| name);
    let top = plain.split(['.', '[']).next().unwrap_or_default();
    top.to_ascii_lowercase()
}

#[cfg(test)]
mod tests {
    use super::{MOST_RESULTS, Query};
    use serde_json::json;

    fn read(text: &str) -> Query {
        Query::read(Some(text)).unwrap_or_else(|fault| panic!("{text}: {fault:?}"))
    }

    #[test]
    fn a_page_begins_at_one_and_is_bounded() {
        let of = |text| (read(text).start, read(text).count);
        assert_eq!(of(""), (1, MOST_RESULTS));
        assert_eq!(of("startIndex=0&count=5"), (1, 5));
        assert_eq!(of("startIndex=-3&count=-1"), (1, 0));
        assert_eq!(of("startIndex=7&count=100000"), (7, MOST_RESULTS));
        assert!(Query::read(Some("count=many")).is_err());
    }

    #[test]
    fn only_what_is_asked_for_is_shown_and_the_id_always() {
        let record =
            || json!({"id": "1", "schemas": [], "userName": "a", "emails": [], "meta": {}});
        let shown = |text: &str| read(text).projected(record());
        assert_eq!(
            shown("attributes=userName,emails.value"),
            json!({"id": "1", "schemas": [], "userName": "a", "emails": []})
        );
        let query = "excludedAttributes=urn:ietf:params:scim:schemas:core:2.0:User:emails,meta,id";
        assert_eq!(
            shown(query),
            json!({"id": "1", "schemas": [], "userName": "a"})
        );
    }

    #[test]
    fn a_filter_finds_by_what_has_an_index_and_refuses_the_rest() {
        let name = read("filter=userName%20eq%20%22Ada%22")
            .wanted(false)
            .unwrap()
            .unwrap();
        assert_eq!(name.filter.name.as_deref(), Some("Ada"));
        let twice = read("filter=id eq \"a\" and id eq \"b\"")
            .wanted(false)
            .unwrap();
        assert!(twice.is_none(), "nothing is two");
        let number = read("filter=externalId eq 7").wanted(false).unwrap();
        assert!(number.is_none());
        for (bad, of_groups) in [
            ("filter=title eq \"x\"", false),
            ("filter=userName eq \"x\"", true),
            ("filter=members eq \"x\"", true),
        ] {
            assert!(read(bad).wanted(of_groups).is_err(), "{bad}");
        }
        let both = read("filter=id eq \"g\" and members eq \"u\"")
            .wanted(true)
            .unwrap()
            .unwrap();
        assert_eq!(both.member.as_deref(), Some("u"));
    }
}
